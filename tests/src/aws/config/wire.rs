//! AWS Config's protocol: JSON in and out. All rules are in [`Config`]; this only translates.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

mod details;
mod evaluations;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Config;
use crate::aws::ec2::{Caller, Refusal, World};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) action: &'a str,
    pub(crate) body: &'a [u8],
    /// How many of the evaluations fail.
    pub(crate) failing: usize,
    /// Whether the token of the next page is the one that led to this page.
    pub(crate) repeats_token: bool,
}

/// Does what a request asks for; the answer is the body of the response.
pub(crate) fn answer(
    world: &mut World,
    config: &mut Config,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    if request.caller.account != config.account {
        // Every account has a Config; those of others have nothing in them.
        let mut empty = Config { account: request.caller.account.clone(), ..Config::default() };
        return answer(world, &mut empty, request);
    }
    match request.action {
        "GetComplianceDetailsByConfigRule" => {
            details::by_rule(config, read(request.body)?, request.repeats_token)
        }
        "GetComplianceDetailsByResource" => details::by_resource(config, read(request.body)?),
        "PutEvaluations" => evaluations::put(world, config, read(request.body)?, request.failing),
        action => {
            let message = format!("The operation {action} is not known");
            Err(Refusal::new("UnknownOperationException", message))
        }
    }
}

/// The body of an error response.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    json!({ "__type": refusal.code, "message": refusal.message }).to_string()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|err| Refusal::new("SerializationException", err.to_string()))
}

fn respond(body: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(body).map_err(|err| Refusal::new("InternalFailure", err.to_string()))
}
