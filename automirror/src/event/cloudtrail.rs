//! Calls that CloudTrail reports: calls by others that may leave an interface unmirrored.

use serde::Deserialize;
use serde_json::Value;
use shared::text::quote;
use shared_ec2::selector::Selector;

use super::parsed::{ParsedEvent, Scope};

/// Who this execution environment is, in CloudTrail's words.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Lambda signs a function's calls with a role session that has the function's name.
    pub function_name: String,
    /// The access key this execution environment signs with. A role session can have any name, so with
    /// the name alone anyone who may assume a role could pass for this function. The EventBridge rule
    /// leaves out the calls of its other execution environments, since it knows the role.
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
pub(crate) fn parse(detail: &Value, own: &Identity) -> ParsedEvent {
    let call = match Call::deserialize(detail) {
        Ok(call) => call,
        Err(error) => return ParsedEvent::unreadable(format!("not a CloudTrail record: {error}")),
    };
    if call.error_code.is_some() {
        return ParsedEvent::Ignored(format!("the call {} failed", quote(&call.event_name)));
    }
    if call.is_by(own) {
        return ParsedEvent::Ignored(format!(
            "the call {} was this function's own",
            quote(&call.event_name)
        ));
    }
    match call.event_name.as_str() {
        "AttachNetworkInterface" => call
            .named(&["/instanceId", "/InstanceId"], |id| id.parse().ok().map(Selector::Instance)),
        // It names neither instance nor interface, only an attachment that no longer exists.
        "DetachNetworkInterface" => ParsedEvent::reconcile([Selector::Unattached]),
        "CreateTrafficMirrorSession" => call
            .named(&["/CreateTrafficMirrorSessionRequest/NetworkInterfaceId"], |id| {
                id.parse().ok().map(Selector::Interface)
            }),
        // Whoever makes a target of a source's interface blinds it: EC2 refuses a session there.
        "CreateTrafficMirrorTarget" => call
            .text("/CreateTrafficMirrorTargetRequest/NetworkInterfaceId")
            .and_then(|id| id.parse().ok())
            .map_or_else(
                || ParsedEvent::Ignored("the new target is on no network interface".to_owned()),
                |id| {
                    ParsedEvent::Reconcile(Scope {
                        selectors: [Selector::Interface(id)].into(),
                        new_target: true,
                        ..Scope::default()
                    })
                },
            ),
        "ModifyTrafficMirrorSession" => call
            .named(&["/ModifyTrafficMirrorSessionRequest/TrafficMirrorSessionId"], |id| {
                id.parse().ok().map(Selector::Session)
            }),
        // It names a session that no longer exists: only a sweep can tell which interface it was on.
        "DeleteTrafficMirrorSession" => ParsedEvent::Reconcile(Scope {
            selectors: [Selector::Sweep].into(),
            deleted: call
                .text("/DeleteTrafficMirrorSessionRequest/TrafficMirrorSessionId")
                .and_then(|id| id.parse().ok()),
            ..Scope::default()
        }),
        other => ParsedEvent::Ignored(format!("the call {} is not about mirroring", quote(other))),
    }
}

impl Call {
    fn is_by(&self, own: &Identity) -> bool {
        let text = |name| self.user_identity.get(name).and_then(Value::as_str).unwrap_or_default();
        let (arn, access_key) = (text("arn"), text("accessKeyId"));
        arn.contains(":assumed-role/")
            && arn.rsplit_once('/').is_some_and(|(_, session)| session == own.function_name)
            && !access_key.is_empty()
            && access_key == own.access_key
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.request_parameters.pointer(pointer)?.as_str()
    }

    fn named(&self, pointers: &[&str], selector: impl Fn(&str) -> Option<Selector>) -> ParsedEvent {
        match pointers.iter().find_map(|pointer| self.text(pointer)).and_then(selector) {
            Some(selector) => ParsedEvent::reconcile([selector]),
            None => ParsedEvent::unreadable(format!(
                "the call {} names nothing to look at",
                self.event_name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_call_with_the_functions_name_and_key_is_its_own() {
        let own =
            Identity { function_name: "automirror".to_owned(), access_key: "ASIAOURS".to_owned() };
        let function = "arn:aws:sts::111111111111:assumed-role/mirror-role/automirror";
        let admin = "arn:aws:sts::111111111111:assumed-role/Admin/automirror";
        for (arn, access_key, is_own) in [
            (function, "ASIAOURS", true),
            (admin, "ASIATHEIRS", false),
            (function, "", false),
            ("arn:aws:iam::111111111111:user/automirror", "ASIAOURS", false),
        ] {
            let detail = json!({
                "eventName": "DeleteTrafficMirrorSession",
                "userIdentity": {"arn": arn, "accessKeyId": access_key},
                "requestParameters": {
                    "DeleteTrafficMirrorSessionRequest": {"TrafficMirrorSessionId": "tms-1"},
                },
            });
            let event = parse(&detail, &own);
            assert_eq!(matches!(event, ParsedEvent::Ignored(_)), is_own, "{arn}: {event:?}");
        }
        let nobody = Identity { function_name: String::new(), access_key: String::new() };
        let detail = json!({"eventName": "DeleteTrafficMirrorSession", "userIdentity": {}});
        assert!(matches!(parse(&detail, &nobody), ParsedEvent::Reconcile(_)));
    }
}
