//! `GetComplianceDetailsByConfigRule`.

use serde::{Deserialize, Serialize};

use super::respond;
use crate::aws::config::{Compliance, Config, DetailsQuery, Time, Verdict};
use crate::aws::ec2::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRequest {
    config_rule_name: Option<String>,
    compliance_types: Option<Vec<String>>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetResponse<'a> {
    evaluation_results: Vec<ResultJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultJson<'a> {
    evaluation_result_identifier: IdentifierJson<'a>,
    compliance_type: &'static str,
    result_recorded_time: Time,
    config_rule_invoked_time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IdentifierJson<'a> {
    evaluation_result_qualifier: QualifierJson<'a>,
    ordering_timestamp: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QualifierJson<'a> {
    config_rule_name: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
    evaluation_mode: &'static str,
}

pub(super) fn get(config: &Config, request: &GetRequest) -> Result<String, Refusal> {
    let types = request.compliance_types.iter().flatten();
    let query = DetailsQuery {
        rule: request.config_rule_name.clone().unwrap_or_default(),
        compliance: types.map(|name| Compliance::parse(name)).collect::<Result<_, _>>()?,
        limit: request.limit,
        next_token: request.next_token.clone(),
    };
    let (verdicts, next_token) = config.compliance_details(&query)?;
    let evaluation_results = verdicts.into_iter().map(|it| show(&query.rule, it)).collect();
    respond(&GetResponse { evaluation_results, next_token })
}

fn show<'a>(rule: &'a str, verdict: &'a Verdict) -> ResultJson<'a> {
    ResultJson {
        evaluation_result_identifier: IdentifierJson {
            evaluation_result_qualifier: QualifierJson {
                config_rule_name: rule,
                resource_type: &verdict.key.resource_type,
                resource_id: &verdict.key.id,
                evaluation_mode: "DETECTIVE",
            },
            ordering_timestamp: verdict.ordering,
        },
        compliance_type: verdict.compliance.name(),
        result_recorded_time: verdict.recorded,
        config_rule_invoked_time: verdict.invoked,
        annotation: verdict.annotation.as_deref(),
    }
}
