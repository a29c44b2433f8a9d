//! The two services behind the one address, each with its protocol.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

use super::Shared;
use crate::aws::config;
use crate::aws::ec2::wire::flaw::Flaw;
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
                let flaw = fault.map(|kind| kind.flaw(|| shared.faults.seed()));
                let flaw = flaw.unwrap_or(Flaw::None);
                ec2::wire::answer(&mut world, caller, &self.parameters, &flaw)
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
