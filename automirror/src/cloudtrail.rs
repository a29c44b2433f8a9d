//! Calls that CloudTrail reports: the ones by somebody else that may leave an interface unmirrored.

use serde::Deserialize;
use serde_json::Value;
use shared::subject::Subject;

use crate::event::{Reading, unreadable};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    event_name: String,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    user_identity: Value,
    #[serde(default)]
    request_parameters: Value,
}

/// Where to look after a call.
///
/// EC2's older calls have flat parameters; those about mirroring are wrapped in `<Action>Request`.
pub(crate) fn read(detail: &Value, function_name: &str) -> Reading {
    let call = match Call::deserialize(detail) {
        Ok(call) => call,
        Err(error) => return unreadable(format!("not a CloudTrail record: {error}")),
    };
    if call.error_code.is_some() {
        return Reading::Ignored(format!("the call {} failed", call.event_name));
    }
    if call.is_by(function_name) {
        return Reading::Ignored(format!("the call {} was our own", call.event_name));
    }
    match call.event_name.as_str() {
        "AttachNetworkInterface" => {
            call.named(&["/instanceId", "/InstanceId"], |id| id.parse().ok().map(Subject::Instance))
        }
        // It names neither instance nor interface, only an attachment that is gone by now.
        "DetachNetworkInterface" => Reading::look([Subject::Detached]),
        "CreateTrafficMirrorSession" => call
            .named(&["/CreateTrafficMirrorSessionRequest/NetworkInterfaceId"], |id| {
                id.parse().ok().map(Subject::Interface)
            }),
        "ModifyTrafficMirrorSession" => call
            .named(&["/ModifyTrafficMirrorSessionRequest/TrafficMirrorSessionId"], |id| {
                id.parse().ok().map(Subject::Session)
            }),
        // It names a session that is gone: which interface it was on, only a sweep can tell.
        "DeleteTrafficMirrorSession" => Reading::look([Subject::Everything]),
        other => Reading::Ignored(format!("the call {other:?} is not about mirroring")),
    }
}

impl Call {
    /// Lambda signs a function's calls with a role session that has the function's name.
    fn is_by(&self, function_name: &str) -> bool {
        let arn = self.user_identity.get("arn").and_then(Value::as_str).unwrap_or_default();
        arn.contains(":assumed-role/")
            && arn.rsplit_once('/').is_some_and(|(_, session)| session == function_name)
    }

    fn named(&self, pointers: &[&str], subject: impl Fn(&str) -> Option<Subject>) -> Reading {
        let found = pointers.iter().find_map(|pointer| self.request_parameters.pointer(pointer));
        match found.and_then(Value::as_str).and_then(subject) {
            Some(subject) => Reading::look([subject]),
            None => unreadable(format!("the call {} names nothing to look at", self.event_name)),
        }
    }
}
