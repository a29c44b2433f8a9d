//! The two services behind the one address, each with its protocol.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

use super::Shared;
use crate::aws::config;
use crate::aws::ec2::{self, Caller, Refusal, World};
use crate::aws::iam::{self, Asked, Authorization, Decision};
use crate::cloud::fault::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Config,
}

/// A request, as far as it can be read without doing it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) service: Service,
    pub(super) action: String,
    pub(super) parameters: BTreeMap<String, String>,
    body: Bytes,
}

impl Request {
    /// Config is who it is that names the action in a header.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some(action) = target.and_then(|it| it.strip_prefix("StarlingDoveService.")) {
            let members: Map<_, _> = serde_json::from_slice(&body).unwrap_or_default();
            let parameters = members.into_iter().map(|(name, value)| (name, text(value))).collect();
            return Self { service: Service::Config, action: action.to_owned(), parameters, body };
        }
        let query = uri.query().unwrap_or_default().as_bytes();
        let pairs = [query, &body].map(form_urlencoded::parse).into_iter().flatten();
        let parameters: BTreeMap<String, String> =
            pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let action = parameters.get("Action").cloned().unwrap_or_default();
        Self { service: Service::Ec2, action, parameters, body }
    }

    /// Does what is asked, with what the fault does to it.
    pub(super) fn answer(
        &self,
        shared: &Shared,
        caller: &Caller,
        region: &str,
        fault: Option<&Kind>,
    ) -> Result<String, Refusal> {
        let mut world = shared.world();
        self.authorize(shared, &world, caller, region)?;
        match self.service {
            Service::Ec2 => {
                let is_stale = fault == Some(&Kind::StaleRead);
                ec2::wire::answer(&mut world, caller, &self.parameters, is_stale)
            }
            Service::Config => {
                let failing = match fault {
                    Some(Kind::FailEvaluations(failing)) => *failing,
                    _ => 0,
                };
                let (action, body) = (&self.action, &self.body);
                let request = config::wire::Request { caller, action, body, failing };
                config::wire::answer(&mut world, &mut shared.config(), &request)
            }
        }
    }
}

impl Request {
    /// Whether the caller's role, if it is one with a policy, may do this.
    fn authorize(
        &self,
        shared: &Shared,
        world: &World,
        caller: &Caller,
        region: &str,
    ) -> Result<(), Refusal> {
        let role = caller.role_name().and_then(|name| shared.roles().get(name).cloned());
        let Some(role) = role else { return Ok(()) };
        let (action, parameters) = (self.action.as_str(), &self.parameters);
        let asked = Asked { caller, region, action, parameters };
        let known = match self.service {
            Service::Ec2 => iam::ec2(&asked, world)?,
            Service::Config => iam::config(&asked, &shared.config()),
        };
        let name = format!("{}:{action}", self.service.prefix());
        if known.is_none() && role.policy().grants_somehow(&name) {
            let message = format!("what {name} asks IAM for is not known here");
            return Err(Refusal::new("InternalFailure", message));
        }
        for asked in known.unwrap_or_else(|| vec![Authorization::new(&name, "*")]) {
            if let Decision::Denied(by) = role.decide(asked.clone()) {
                return Err(self.service.deny(caller, &asked, by.is_some()));
            }
        }
        Ok(())
    }
}

impl Service {
    /// Before the colon of its actions.
    fn prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Config => "config",
        }
    }

    /// The answer to who may not do this.
    fn deny(self, caller: &Caller, asked: &Authorization, explicitly: bool) -> Refusal {
        let Authorization { action, resource, .. } = asked;
        let reason = if explicitly {
            "with an explicit deny in an identity-based policy".to_owned()
        } else {
            format!("because no identity-based policy allows the {action} action")
        };
        let caller = caller.arn();
        let sentence = format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} {reason}"
        );
        match self {
            Self::Ec2 => Refusal::new(
                "UnauthorizedOperation",
                format!("You are not authorized to perform this operation. {sentence}"),
            ),
            Self::Config => Refusal::new("AccessDeniedException", sentence),
        }
    }

    pub(super) fn content_type(self) -> [(header::HeaderName, &'static str); 1] {
        let content_type = match self {
            Self::Ec2 => "text/xml;charset=UTF-8",
            Self::Config => "application/x-amz-json-1.1",
        };
        [(header::CONTENT_TYPE, content_type)]
    }

    /// The body of an error response.
    pub(super) fn refuse(self, refusal: &Refusal) -> String {
        match self {
            Self::Ec2 => ec2::wire::refuse(refusal),
            Self::Config => config::wire::refuse(refusal),
        }
    }

    /// The answer to who does not sign.
    pub(super) fn unsigned(self) -> Refusal {
        let (code, message) = match self {
            Self::Ec2 => {
                ("MissingAuthenticationToken", "The request must contain valid AWS access keys.")
            }
            Self::Config => ("MissingAuthenticationTokenException", "Missing Authentication Token"),
        };
        Refusal::new(code, message)
    }
}

/// As a form would give it.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use serde_json::json;

    use super::super::{Cloud, Options};
    use crate::aws::config::PutRule;
    use crate::cloud::call::Outcome;
    use crate::cloud::fault::{Fault, Kind};

    const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=111122223333/20260101/us-east-1/config/aws4_request\r\n";

    fn send(cloud: &Cloud, action: &str, body: &str, signature: &str) -> String {
        let endpoint = cloud.endpoint();
        let address = endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{signature}\
             x-amz-target: StarlingDoveService.{action}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A cloud with a rule, and a call that puts two evaluations.
    fn start() -> (Cloud, String) {
        let cloud = Cloud::start(&Options::default()).unwrap();
        cloud.config().put_rule(&PutRule::new("mirroring")).unwrap();
        let world = cloud.world();
        let token = cloud.config().issue_token(&world, "mirroring");
        drop(world);
        let evaluation = |id: &str| {
            json!({
                "ComplianceResourceType": "AWS::EC2::Instance",
                "ComplianceResourceId": id,
                "ComplianceType": "COMPLIANT",
                "OrderingTimestamp": 1,
            })
        };
        let evaluations = [evaluation("i-1"), evaluation("i-2")];
        let body = json!({ "Evaluations": evaluations, "ResultToken": token });
        (cloud, body.to_string())
    }

    fn stored(cloud: &Cloud) -> usize {
        cloud.config().rule("mirroring").unwrap().verdicts().count()
    }

    #[test]
    fn config_is_asked_in_json_at_the_same_address() {
        let (cloud, body) = start();
        let answer = send(&cloud, "PutEvaluations", &body, SIGNED);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: application/x-amz-json-1.1"), "{answer}");
        assert!(answer.ends_with(r#"{"FailedEvaluations":[]}"#), "{answer}");
        assert_eq!(stored(&cloud), 2);
        let calls = cloud.calls();
        assert_eq!(
            (calls[0].action.as_str(), &calls[0].outcome),
            ("PutEvaluations", &Outcome::Done)
        );
        assert_eq!(calls[0].parameters["ResultToken"].len(), 300);
        assert_eq!(calls[0].evaluations()[1]["ComplianceResourceId"], "i-2");
    }

    #[test]
    fn config_refuses_in_json() {
        let (cloud, _) = start();
        let answer = send(&cloud, "PutEvaluations", "{}", SIGNED);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(
            answer.contains(r#"{"__type":"InvalidResultTokenException","message":"#),
            "{answer}"
        );
        let answer = send(&cloud, "PutEvaluations", "{}", "");
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("MissingAuthenticationTokenException"), "{answer}");
        let answer = send(&cloud, "PutEvaluations", "[", SIGNED);
        assert!(answer.contains("SerializationException"), "{answer}");
    }

    #[test]
    fn config_has_codes_of_its_own_for_the_same_faults() {
        let (cloud, body) = start();
        for (kind, status, code) in [
            (Kind::Throttle, "400", "ThrottlingException"),
            (Kind::ServerError, "500", "InternalFailure"),
            (Kind::Unavailable, "503", "ServiceUnavailable"),
        ] {
            cloud.faults().add(Fault::once("PutEvaluations", kind));
            let answer = send(&cloud, "PutEvaluations", &body, SIGNED);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            assert!(answer.contains(&format!(r#""__type":"{code}""#)), "{answer}");
        }
        assert_eq!(stored(&cloud), 0);
    }

    #[test]
    fn some_evaluations_of_a_call_can_be_made_to_fail() {
        let (cloud, body) = start();
        let kind = Kind::FailEvaluations(1);
        cloud.faults().add(Fault::once("*", kind.clone()));
        // It waits for a call that has evaluations.
        send(&cloud, "GetComplianceDetailsByConfigRule", "{}", SIGNED);
        let answer = send(&cloud, "PutEvaluations", &body, SIGNED);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("i-1") && !answer.contains("i-2"), "{answer}");
        assert_eq!(stored(&cloud), 1);
        assert_eq!(cloud.calls()[1].outcome, Outcome::Fault(kind));
    }
}
