//! Sends evaluations to AWS Config and reads back what it holds: the only module that calls AWS Config
//! about a rule.

pub(crate) mod history;

use std::{collections::BTreeMap, mem};

use anyhow::{Context, bail};
use aws_sdk_config::{
    Client,
    primitives::DateTime,
    types::{ComplianceType, Evaluation as Sent},
};
use shared::{plan::verdict::Verdict, text::quote};

use crate::{event::TEST_TOKEN, news::Recorded, resource::ResourceKey, verdict::Evaluation};

/// The most evaluations that one call accepts (`PutEvaluations`).
const MAX_EVALUATIONS: usize = 100;
/// How often to send evaluations that AWS Config does not store.
const MAX_ATTEMPTS: usize = 3;
/// The largest page of results (`GetComplianceDetailsByConfigRule`).
const PAGE_SIZE: i32 = 100;

/// Sends the evaluations, all with the token of the invocation. Without any, it sends the token alone:
/// AWS Config waits for it.
pub(crate) async fn send(
    config: &Client,
    token: &str,
    time: DateTime,
    evaluations: &[Evaluation],
) -> anyhow::Result<()> {
    let mut left = Left::default();
    let mut rest = evaluations;
    loop {
        let (now, later) = rest.split_at(rest.len().min(MAX_EVALUATIONS));
        let now = now.iter().map(|evaluation| sent(evaluation, time));
        left.note(put(config, token, now.collect::<Result<_, _>>()?).await);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    for _ in 1..MAX_ATTEMPTS {
        for again in mem::take(&mut left.not_stored).chunks(MAX_EVALUATIONS) {
            left.note(put(config, token, again.to_vec()).await);
        }
    }
    if let Some(first) = left.not_stored.first().map(Sent::compliance_resource_id) {
        let count = left.not_stored.len();
        bail!("AWS Config did not store {count} evaluations, such as that of {first}");
    }
    left.refused.map_or(Ok(()), Err)
}

/// What is left after some calls: an error about some evaluations must not hold up the others.
#[derive(Default)]
struct Left {
    /// Evaluations that AWS Config said it did not store.
    not_stored: Vec<Sent>,
    /// The error of the first call that failed.
    refused: Option<anyhow::Error>,
}

impl Left {
    fn note(&mut self, answer: anyhow::Result<Vec<Sent>>) {
        match answer {
            Ok(not_stored) => self.not_stored.extend(not_stored),
            Err(error) => self.refused = self.refused.take().or(Some(error)),
        }
    }
}

/// Sends as many as one call accepts. Returns those that AWS Config did not store.
async fn put(config: &Client, token: &str, evaluations: Vec<Sent>) -> anyhow::Result<Vec<Sent>> {
    let answer = config
        .put_evaluations()
        .result_token(token)
        .test_mode(token == TEST_TOKEN)
        .set_evaluations(Some(evaluations))
        .send()
        .await
        .context("could not put evaluations")?;
    Ok(answer.failed_evaluations.unwrap_or_default())
}

fn sent(evaluation: &Evaluation, time: DateTime) -> anyhow::Result<Sent> {
    let Evaluation { resource, verdict, annotation } = evaluation;
    Sent::builder()
        .compliance_resource_type(&resource.resource_type)
        .compliance_resource_id(&resource.id)
        .compliance_type(compliance_type(*verdict))
        .annotation(annotation)
        .ordering_timestamp(time)
        .build()
        .context("an evaluation is incomplete")
}

/// The verdicts that AWS Config holds for a rule, but for `NOT_APPLICABLE`.
pub(crate) async fn recorded(
    config: &Client,
    rule: &str,
) -> anyhow::Result<BTreeMap<ResourceKey, Recorded>> {
    let mut results = config
        .get_compliance_details_by_config_rule()
        .config_rule_name(rule)
        .compliance_types(ComplianceType::Compliant)
        .compliance_types(ComplianceType::NonCompliant)
        .limit(PAGE_SIZE)
        .into_paginator()
        .items()
        .send();
    let mut recorded = BTreeMap::new();
    while let Some(result) = results.next().await {
        let result = result.with_context(|| {
            format!("could not read the compliance details of rule {}", quote(rule))
        })?;
        let verdict = match result.compliance_type() {
            Some(ComplianceType::Compliant) => Verdict::Compliant,
            Some(ComplianceType::NonCompliant) => Verdict::NonCompliant,
            _ => continue,
        };
        let qualifier =
            result.evaluation_result_identifier().and_then(|id| id.evaluation_result_qualifier());
        let resource = qualifier.and_then(|it| Some((it.resource_type()?, it.resource_id()?)));
        let Some((resource_type, id)) = resource else { continue };
        let resource = ResourceKey { resource_type: resource_type.to_owned(), id: id.to_owned() };
        let annotation = result.annotation().unwrap_or_default().to_owned();
        let time = result.result_recorded_time().copied();
        recorded.insert(resource, Recorded { verdict, annotation, time });
    }
    Ok(recorded)
}

fn compliance_type(verdict: Verdict) -> ComplianceType {
    match verdict {
        Verdict::NotApplicable => ComplianceType::NotApplicable,
        Verdict::Compliant => ComplianceType::Compliant,
        Verdict::NonCompliant => ComplianceType::NonCompliant,
    }
}
