//! AWS Config's protocol: JSON in and out. All rules are in [`Config`]; this only translates.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

mod details;
mod evaluations;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Config, Recorder};
use crate::aws::ec2::{Caller, Refusal, World};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    /// The one that the call is signed for.
    pub(crate) region: &'a str,
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
    if request.caller.account != config.account || request.region != config.region {
        // Every account and region has a Config; the others have nothing in them.
        let (account, region) = (request.caller.account.clone(), request.region.to_owned());
        let mut empty = Config { account, region, recorder: None, ..Config::default() };
        return answer(world, &mut empty, request);
    }
    match request.action {
        "DescribeConfigurationRecorders" => {
            let shown: Vec<_> = config.recorder.iter().map(Recorder::described).collect();
            respond(&json!({"ConfigurationRecorders": shown}))
        }
        "DescribeConfigurationRecorderStatus" => {
            let status = |recorder: &Recorder| recorder.status(config.recording);
            let shown: Vec<_> = config.recorder.iter().map(status).collect();
            respond(&json!({"ConfigurationRecordersStatus": shown}))
        }
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
