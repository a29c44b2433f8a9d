//! Calls that CloudTrail reports: calls by others that may leave an interface unmirrored.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::Value;
use shared::text::{quote, sanitize};
use shared_ec2::selector::Selector;

use super::parsed::{Deletion, ParsedEvent, Scope};

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
pub(crate) fn parse(event: &EventBridgeEvent, own: &Identity) -> ParsedEvent {
    let call = match Call::deserialize(&event.detail) {
        Ok(call) => call,
        Err(error) => return ParsedEvent::unreadable(format!("not a CloudTrail record: {error}")),
    };
    if call.error_code.is_some() {
        return ParsedEvent::ignored(format!("the call {} failed", quote(&call.event_name)));
    }
    if call.is_by(own) {
        let name = quote(&call.event_name);
        return ParsedEvent::ignored(format!("the call {name} was this function's own"));
    }
    match call.scope(event.time.map(|time| time.timestamp())) {
        ParsedEvent::Reconcile(scope) => {
            let cause = sanitize(&format!("{} by {}", call.event_name, call.caller()), MAX_CAUSE);
            ParsedEvent::Reconcile(Scope { cause, ..scope })
        }
        other => other,
    }
}

/// The most characters that the log says of a call's cause: a name and an ARN.
const MAX_CAUSE: usize = 200;

impl Call {
    /// Where to look after the call. `time` is in seconds since 1970.
    fn scope(&self, time: Option<i64>) -> ParsedEvent {
        let call = self;
        match call.event_name.as_str() {
            "AttachNetworkInterface" => call.named(&["/instanceId", "/InstanceId"], |id| {
                id.parse().ok().map(Selector::Instance)
            }),
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
                    || ParsedEvent::ignored("the new target is on no network interface"),
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
            // It names a session that no longer exists, and not the interface that it was on.
            "DeleteTrafficMirrorSession" => call
                .text("/DeleteTrafficMirrorSessionRequest/TrafficMirrorSessionId")
                .and_then(|id| id.parse().ok())
                .map_or_else(
                    || ParsedEvent::unreadable("the call names no session"),
                    |session| {
                        let deleted = Some(Deletion { session, time });
                        ParsedEvent::Reconcile(Scope { deleted, ..Scope::default() })
                    },
                ),
            other => {
                ParsedEvent::ignored(format!("the call {} is not about mirroring", quote(other)))
            }
        }
    }
    fn is_by(&self, own: &Identity) -> bool {
        let text = |name| self.user_identity.get(name).and_then(Value::as_str).unwrap_or_default();
        let (arn, access_key) = (text("arn"), text("accessKeyId"));
        arn.contains(":assumed-role/")
            && arn.rsplit_once('/').is_some_and(|(_, session)| session == own.function_name)
            && !access_key.is_empty()
            && access_key == own.access_key
    }

    /// Who made the call, for the log.
    fn caller(&self) -> &str {
        let text = |name| self.user_identity.get(name).and_then(Value::as_str);
        text("arn").or_else(|| text("invokedBy")).or_else(|| text("type")).unwrap_or("somebody")
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

    fn event_of(detail: &Value) -> EventBridgeEvent {
        serde_json::from_value(json!({"detail-type": "", "source": "", "detail": detail})).unwrap()
    }

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
            let event = parse(&event_of(&detail), &own);
            assert_eq!(matches!(event, ParsedEvent::Ignored(_)), is_own, "{arn}: {event:?}");
        }
        let nobody = Identity { function_name: String::new(), access_key: String::new() };
        let detail = json!({"eventName": "DeleteTrafficMirrorSession", "userIdentity": {}});
        assert!(matches!(parse(&event_of(&detail), &nobody), ParsedEvent::Unreadable(_)));
    }
}
