//! `GetComplianceDetailsByConfigRule` and `GetComplianceDetailsByResource`.

use serde::{Deserialize, Serialize};

use super::respond;
use crate::aws::config::rule::invalid;
use crate::aws::config::{Compliance, Config, DetailsQuery, Question, ResourceKey, Time, Verdict};
use crate::aws::ec2::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByRule {
    config_rule_name: Option<String>,
    compliance_types: Option<Vec<String>>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByResource {
    resource_type: Option<String>,
    resource_id: Option<String>,
    compliance_types: Option<Vec<String>>,
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

pub(super) fn by_rule(
    config: &Config,
    request: ByRule,
    repeats_token: bool,
) -> Result<String, Refusal> {
    let query = DetailsQuery {
        of: Question::Rule(request.config_rule_name.unwrap_or_default()),
        compliance: types(request.compliance_types.as_deref())?,
        limit: request.limit,
        next_token: request.next_token,
    };
    get(config, &query, repeats_token)
}

pub(super) fn by_resource(config: &Config, request: ByResource) -> Result<String, Refusal> {
    let missing = || invalid("A resource is named by its type and its id");
    let key = ResourceKey {
        resource_type: request.resource_type.ok_or_else(missing)?,
        id: request.resource_id.ok_or_else(missing)?,
    };
    let query = DetailsQuery {
        of: Question::Resource(key),
        compliance: types(request.compliance_types.as_deref())?,
        limit: None,
        next_token: request.next_token,
    };
    get(config, &query, false)
}

fn types(names: Option<&[String]>) -> Result<Vec<Compliance>, Refusal> {
    names.into_iter().flatten().map(|name| Compliance::parse(name)).collect()
}

fn get(config: &Config, query: &DetailsQuery, repeats_token: bool) -> Result<String, Refusal> {
    let (details, mut next_token) = config.compliance_details(query)?;
    if repeats_token {
        next_token.clone_from(&query.next_token);
    }
    let evaluation_results = details.into_iter().map(|(rule, it)| show(&rule.name, it)).collect();
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
