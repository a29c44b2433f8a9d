//! Sends verdicts to AWS Config and reads back what it holds: the only module that speaks to it about
//! a rule.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aws_sdk_config::{
    Client,
    primitives::DateTime,
    types::{ComplianceType, Evaluation as Sent},
};
use shared::{text::quoted, verdict::Verdict};

use crate::{
    event::TEST_TOKEN,
    verdict::{Evaluation, Subject},
};

/// The most evaluations one call takes (`PutEvaluations`).
const MOST: usize = 100;
/// How often evaluations that AWS Config did not store are sent.
const TRIES: usize = 3;
/// The largest page of results (`GetComplianceDetailsByConfigRule`).
const PAGE: i32 = 100;

/// Sends the evaluations, all with the token of the invocation. Without any, the token alone is
/// sent: AWS Config waits for it.
pub(crate) async fn send(
    config: &Client,
    token: &str,
    time: DateTime,
    evaluations: &[Evaluation],
) -> anyhow::Result<()> {
    let mut waiting = Vec::new();
    for evaluation in evaluations {
        waiting.push(
            Sent::builder()
                .compliance_resource_type(&evaluation.subject.resource_type)
                .compliance_resource_id(&evaluation.subject.id)
                .compliance_type(compliance_type(evaluation.verdict))
                .annotation(&evaluation.annotation)
                .ordering_timestamp(time)
                .build()
                .context("an evaluation is incomplete")?,
        );
    }
    let mut refused = None;
    for _ in 0..TRIES {
        let mut failed = Vec::new();
        let mut rest = waiting.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(MOST));
            let answer = config
                .put_evaluations()
                .result_token(token)
                .test_mode(token == TEST_TOKEN)
                .set_evaluations(Some(now.to_vec()))
                .send()
                .await
                .context("could not put evaluations");
            // What is wrong with some evaluations must not hold up the others.
            match answer {
                Ok(answer) => failed.extend_from_slice(answer.failed_evaluations()),
                Err(error) => refused = refused.or(Some(error)),
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        if failed.is_empty() {
            return refused.map_or(Ok(()), Err);
        }
        waiting = failed;
    }
    let first = waiting.first().map(Sent::compliance_resource_id).unwrap_or_default();
    bail!("AWS Config did not store {} evaluations, such as that of {first}", waiting.len())
}

/// A verdict that AWS Config holds.
pub(crate) struct Recorded {
    pub(crate) verdict: Verdict,
    pub(crate) annotation: String,
    /// When it was handed in.
    pub(crate) time: Option<DateTime>,
}

/// The verdicts that AWS Config holds for a rule, those that say `NOT_APPLICABLE` aside.
pub(crate) async fn recorded(
    config: &Client,
    rule: &str,
) -> anyhow::Result<BTreeMap<Subject, Recorded>> {
    let mut results = config
        .get_compliance_details_by_config_rule()
        .config_rule_name(rule)
        .compliance_types(ComplianceType::Compliant)
        .compliance_types(ComplianceType::NonCompliant)
        .limit(PAGE)
        .into_paginator()
        .items()
        .send();
    let mut recorded = BTreeMap::new();
    while let Some(result) = results.next().await {
        let result = result
            .with_context(|| format!("could not read the verdicts of rule {}", quoted(rule)))?;
        let verdict = match result.compliance_type() {
            Some(ComplianceType::Compliant) => Verdict::Compliant,
            Some(ComplianceType::NonCompliant) => Verdict::NonCompliant,
            _ => continue,
        };
        let qualifier =
            result.evaluation_result_identifier().and_then(|id| id.evaluation_result_qualifier());
        let resource = qualifier.and_then(|it| Some((it.resource_type()?, it.resource_id()?)));
        let Some((resource_type, id)) = resource else { continue };
        let subject = Subject { resource_type: resource_type.to_owned(), id: id.to_owned() };
        let annotation = result.annotation().unwrap_or_default().to_owned();
        let time = result.result_recorded_time().copied();
        recorded.insert(subject, Recorded { verdict, annotation, time });
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
