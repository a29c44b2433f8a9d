//! `PutEvaluations`.

use serde::{Deserialize, Serialize};

use super::respond;
use crate::aws::config::rule::invalid;
use crate::aws::config::{Compliance, Config, Evaluation, PutEvaluations, ResourceKey, Time};
use crate::aws::ec2::{Refusal, World};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRequest {
    evaluations: Option<Vec<EvaluationJson>>,
    result_token: Option<String>,
    test_mode: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutResponse {
    failed_evaluations: Vec<EvaluationJson>,
}

/// In both directions: what fails comes back.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EvaluationJson {
    compliance_resource_type: Option<String>,
    compliance_resource_id: Option<String>,
    compliance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<String>,
    ordering_timestamp: Option<Time>,
}

pub(super) fn put(
    world: &mut World,
    config: &mut Config,
    request: PutRequest,
    failing: usize,
) -> Result<String, Refusal> {
    let evaluations = request.evaluations.unwrap_or_default();
    let request = PutEvaluations {
        evaluations: evaluations.into_iter().map(read).collect::<Result<_, _>>()?,
        result_token: request.result_token.unwrap_or_default(),
        test_mode: request.test_mode.unwrap_or_default(),
    };
    let failed = config.put_evaluations(world, &request, failing)?;
    respond(&PutResponse { failed_evaluations: failed.into_iter().map(show).collect() })
}

fn read(json: EvaluationJson) -> Result<Evaluation, Refusal> {
    let missing = |name: &str| invalid(format!("An evaluation must have the member {name}"));
    let compliance = json.compliance_type.ok_or_else(|| missing("ComplianceType"))?;
    Ok(Evaluation {
        key: ResourceKey {
            resource_type: json
                .compliance_resource_type
                .ok_or_else(|| missing("ComplianceResourceType"))?,
            id: json.compliance_resource_id.ok_or_else(|| missing("ComplianceResourceId"))?,
        },
        compliance: Compliance::parse(&compliance)?,
        annotation: json.annotation,
        ordering: json.ordering_timestamp.ok_or_else(|| missing("OrderingTimestamp"))?,
    })
}

fn show(evaluation: Evaluation) -> EvaluationJson {
    EvaluationJson {
        compliance_resource_type: Some(evaluation.key.resource_type),
        compliance_resource_id: Some(evaluation.key.id),
        compliance_type: Some(evaluation.compliance.name().to_owned()),
        annotation: evaluation.annotation,
        ordering_timestamp: Some(evaluation.ordering),
    }
}
