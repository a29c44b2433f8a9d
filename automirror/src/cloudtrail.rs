//! Calls that CloudTrail reports: the ones by somebody else that may leave an interface unmirrored.

use serde::Deserialize;
use serde_json::Value;
use shared::{subject::Subject, text::quoted};

use crate::event::{Look, Reading, unreadable};

/// Who this process is, as CloudTrail tells it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Lambda signs a function's calls with a role session that has the function's name.
    pub function_name: String,
    /// The access key this process signs with. A role session can have any name, so the name alone
    /// would let whoever may assume a role pass as us. Calls by other processes of the function are
    /// left out by the EventBridge rule, which knows the role.
    pub access_key: String,
}

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
pub(crate) fn read(detail: &Value, us: &Identity) -> Reading {
    let call = match Call::deserialize(detail) {
        Ok(call) => call,
        Err(error) => return unreadable(format!("not a CloudTrail record: {error}")),
    };
    if call.error_code.is_some() {
        return Reading::Ignored(format!("the call {} failed", quoted(&call.event_name)));
    }
    if call.is_by(us) {
        return Reading::Ignored(format!("the call {} was our own", quoted(&call.event_name)));
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
        "DeleteTrafficMirrorSession" => Reading::Look(Look {
            subjects: [Subject::Sweep].into(),
            deleted: call
                .text("/DeleteTrafficMirrorSessionRequest/TrafficMirrorSessionId")
                .and_then(|id| id.parse().ok()),
            launched: None,
        }),
        other => Reading::Ignored(format!("the call {} is not about mirroring", quoted(other))),
    }
}

impl Call {
    fn is_by(&self, us: &Identity) -> bool {
        let text = |name| self.user_identity.get(name).and_then(Value::as_str).unwrap_or_default();
        let (arn, access_key) = (text("arn"), text("accessKeyId"));
        arn.contains(":assumed-role/")
            && arn.rsplit_once('/').is_some_and(|(_, session)| session == us.function_name)
            && !access_key.is_empty()
            && access_key == us.access_key
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.request_parameters.pointer(pointer)?.as_str()
    }

    fn named(&self, pointers: &[&str], subject: impl Fn(&str) -> Option<Subject>) -> Reading {
        match pointers.iter().find_map(|pointer| self.text(pointer)).and_then(subject) {
            Some(subject) => Reading::look([subject]),
            None => unreadable(format!("the call {} names nothing to look at", self.event_name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_call_with_our_name_and_our_key_is_our_own() {
        let us =
            Identity { function_name: "automirror".to_owned(), access_key: "ASIAOURS".to_owned() };
        let ours = "arn:aws:sts::111111111111:assumed-role/mirror-role/automirror";
        let admin = "arn:aws:sts::111111111111:assumed-role/Admin/automirror";
        for (arn, access_key, is_ours) in [
            (ours, "ASIAOURS", true),
            (admin, "ASIATHEIRS", false),
            (ours, "", false),
            ("arn:aws:iam::111111111111:user/automirror", "ASIAOURS", false),
        ] {
            let detail = json!({
                "eventName": "DeleteTrafficMirrorSession",
                "userIdentity": {"arn": arn, "accessKeyId": access_key},
                "requestParameters": {
                    "DeleteTrafficMirrorSessionRequest": {"TrafficMirrorSessionId": "tms-1"},
                },
            });
            let reading = read(&detail, &us);
            assert_eq!(matches!(reading, Reading::Ignored(_)), is_ours, "{arn}: {reading:?}");
        }
        let nobody = Identity { function_name: String::new(), access_key: String::new() };
        let detail = json!({"eventName": "DeleteTrafficMirrorSession", "userIdentity": {}});
        assert!(matches!(read(&detail, &nobody), Reading::Look(_)));
    }
}
