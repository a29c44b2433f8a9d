//! The services behind the one address, each with its protocol.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

use super::{Shared, cbor};
use crate::aws::ec2::wire::flaw::Flaw;
use crate::aws::ec2::{self, Caller, Refusal, World};
use crate::aws::iam::{self, Asked, Authorization, Decision};
use crate::aws::{cloudtrail, cloudwatch, config, elb, lambda, sts};
use crate::cloud::fault::Kind;
use crate::lambda::Answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Elb,
    Config,
    Lambda,
    Logs,
    CloudTrail,
    CloudWatch,
    Sts,
}

/// The services that name the action in a header, with what stands before it there.
const TARGETS: [(&str, Service); 3] = [
    ("StarlingDoveService.", Service::Config),
    ("Logs_20140328.", Service::Logs),
    ("CloudTrail_20131101.", Service::CloudTrail),
];

/// A request, as far as it can be read without doing it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) service: Service,
    pub(super) action: String,
    pub(super) parameters: BTreeMap<String, String>,
    body: Bytes,
    path: String,
}

/// Regions that nobody has enabled.
const NOT_ENABLED: [&str; 1] = ["me-south-1"];

impl Request {
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let path = uri.path().to_owned();
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let named = |(prefix, service): &(&str, Service)| {
            Some((*service, target?.split_once(prefix)?.1.to_owned()))
        };
        if let Some((service, action)) = TARGETS.iter().find_map(named) {
            let members: Map<_, _> = serde_json::from_slice(&body).unwrap_or_default();
            let parameters = members.into_iter().map(|(name, value)| (name, text(value))).collect();
            return Self { service, action, parameters, body, path };
        }
        if let Some(action) = path.strip_prefix(cloudwatch::PATH) {
            let action = action.to_owned();
            let members = cbor::read(&body).unwrap_or_default();
            let parameters = members.into_iter().map(|(name, value)| (name, text(value))).collect();
            return Self { service: Service::CloudWatch, action, parameters, body, path };
        }
        let query = uri.query().unwrap_or_default().as_bytes();
        let pairs = [query, &body].map(form_urlencoded::parse).into_iter().flatten();
        let parameters: BTreeMap<String, String> =
            pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if let Some(action) = lambda::action(&path) {
            let action = action.to_owned();
            let mut parameters = parameters;
            if let Some(kind) = headers.get(lambda::INVOCATION_TYPE) {
                let kind = String::from_utf8_lossy(kind.as_bytes()).into_owned();
                parameters.insert("InvocationType".to_owned(), kind);
            }
            return Self { service: Service::Lambda, action, parameters, body, path };
        }
        let action = parameters.get("Action").cloned().unwrap_or_default();
        let service = match parameters.get("Version").map(String::as_str) {
            Some(sts::VERSION) => Service::Sts,
            Some(elb::VERSION) => Service::Elb,
            _ => Service::Ec2,
        };
        Self { service, action, parameters, body, path }
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
                let flaw = fault.map(|kind| kind.flaw(|| shared.faults.seed()));
                let flaw = flaw.unwrap_or(Flaw::None);
                ec2::wire::answer(&mut world, caller, &self.parameters, &flaw)
            }
            Service::Lambda => {
                let Self { action, path, parameters, .. } = self;
                lambda::answer(&shared.functions(), action, path, parameters)
            }
            Service::Logs => shared.logs().answer(&self.action, &self.parameters),
            Service::CloudTrail => {
                let of = (&*world, &**shared.trails());
                cloudtrail::answer(of, (caller, region), &self.action, &self.parameters)
            }
            Service::CloudWatch => {
                cloudwatch::answer(&world, caller, &self.action, &self.parameters)
            }
            Service::Sts => sts::answer(caller, &self.action, &self.parameters),
            Service::Elb => elb::answer(&world, caller, &self.action, &self.parameters),
            Service::Config => {
                let failing = match fault {
                    Some(Kind::FailEvaluations(failing)) => *failing,
                    _ => 0,
                };
                let (action, body) = (&self.action, &self.body);
                let repeats_token = fault == Some(&Kind::RepeatToken);
                let request =
                    config::wire::Request { caller, region, action, body, failing, repeats_token };
                config::wire::answer(&mut world, &mut shared.config(), &request)
            }
        }
    }
}

impl Request {
    /// Whether it is for a function, whose answer takes its time.
    pub(super) fn is_invoke(&self) -> bool {
        self.service == Service::Lambda && self.action == lambda::INVOKE
    }

    /// Invokes the function and waits for its answer.
    pub(super) async fn invoke(
        &self,
        shared: &Shared,
        caller: &Caller,
        region: &str,
    ) -> Result<Answer, Refusal> {
        self.authorize(shared, &shared.world(), caller, region)?;
        let kind = self.parameters.get("InvocationType").map_or("RequestResponse", String::as_str);
        if kind != "RequestResponse" {
            let message = format!("the local cloud knows RequestResponse only, not `{kind}`");
            return Err(Refusal::new("InvalidParameterValueException", message));
        }
        let request = (self.path.as_str(), &self.body[..], caller.arn());
        let answered = lambda::invoke(&shared.functions(), &shared.invocations(), request)?;
        answered.await.map_err(|_| lambda::nothing_runs())
    }

    /// Whether the caller's role, if it is one with a policy, may do this.
    fn authorize(
        &self,
        shared: &Shared,
        world: &World,
        caller: &Caller,
        region: &str,
    ) -> Result<(), Refusal> {
        if NOT_ENABLED.contains(&region) {
            return Err(self.service.unknown_credentials());
        }
        let role = caller.role_name().and_then(|name| shared.roles().get(name).cloned());
        let Some(role) = role else { return Ok(()) };
        let (action, parameters) = (self.action.as_str(), &self.parameters);
        let asked = Asked { caller, region, action, parameters };
        let known = match self.service {
            Service::Ec2 => iam::ec2(&asked, world)?,
            Service::Config => iam::config(&asked, &shared.config()),
            // Nobody needs a permission to ask who he is.
            Service::Sts if action == "GetCallerIdentity" => Some(Vec::new()),
            Service::Elb => iam::elb(&asked),
            Service::Lambda
            | Service::Logs
            | Service::CloudTrail
            | Service::CloudWatch
            | Service::Sts => None,
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
            Self::Elb => "elasticloadbalancing",
            Self::Config => "config",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::CloudTrail => "cloudtrail",
            Self::CloudWatch => "cloudwatch",
            Self::Sts => "sts",
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
            Self::Config | Self::Lambda | Self::Logs | Self::CloudTrail => {
                Refusal::new("AccessDeniedException", sentence)
            }
            Self::Elb | Self::CloudWatch | Self::Sts => Refusal::new("AccessDenied", sentence),
        }
    }

    pub(super) fn content_type(self) -> [(header::HeaderName, &'static str); 1] {
        let content_type = match self {
            Self::Ec2 | Self::Elb | Self::Sts => "text/xml;charset=UTF-8",
            Self::Lambda => "application/json",
            Self::Config | Self::Logs | Self::CloudTrail => "application/x-amz-json-1.1",
            Self::CloudWatch => "application/cbor",
        };
        [(header::CONTENT_TYPE, content_type)]
    }

    /// The body of an error response.
    pub(super) fn refuse(self, refusal: &Refusal) -> String {
        match self {
            Self::Ec2 => ec2::wire::refuse(refusal),
            Self::Config | Self::Logs | Self::CloudTrail | Self::CloudWatch => {
                config::wire::refuse(refusal)
            }
            Self::Lambda => lambda::refuse(refusal),
            Self::Elb => elb::refuse(refusal),
            Self::Sts => sts::refuse(refusal),
        }
    }

    /// An answer, as it goes over the wire.
    pub(super) fn encode(self, answer: String) -> Vec<u8> {
        match self {
            Self::CloudWatch => cbor::write(&answer),
            _ => answer.into_bytes(),
        }
    }

    /// The answer in a region that does not know the credentials.
    fn unknown_credentials(self) -> Refusal {
        match self {
            Self::Ec2 => Refusal::new(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            ),
            Self::Config | Self::Lambda | Self::Logs | Self::CloudTrail => Refusal::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Self::Elb | Self::CloudWatch | Self::Sts => Refusal::new(
                "InvalidClientTokenId",
                "The security token included in the request is invalid",
            ),
        }
    }

    /// The answer to who does not sign.
    pub(super) fn unsigned(self) -> Refusal {
        let (code, message) = match self {
            Self::Ec2 | Self::Elb | Self::CloudWatch | Self::Sts => {
                ("MissingAuthenticationToken", "The request must contain valid AWS access keys.")
            }
            Self::Config | Self::Lambda | Self::Logs | Self::CloudTrail => {
                ("MissingAuthenticationTokenException", "Missing Authentication Token")
            }
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
