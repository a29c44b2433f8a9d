//! Sends verdicts to AWS Config and reads back what it holds: the only module that speaks to it about
//! a rule.

use std::{collections::BTreeMap, mem};

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
    let mut left = Left::default();
    let mut rest = evaluations;
    loop {
        let (now, later) = rest.split_at(rest.len().min(MOST));
        let now = now.iter().map(|evaluation| sent(evaluation, time));
        left.note(put(config, token, now.collect::<Result<_, _>>()?).await);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    for _ in 1..TRIES {
        for again in mem::take(&mut left.not_stored).chunks(MOST) {
            left.note(put(config, token, again.to_vec()).await);
        }
    }
    if let Some(first) = left.not_stored.first().map(Sent::compliance_resource_id) {
        let count = left.not_stored.len();
        bail!("AWS Config did not store {count} evaluations, such as that of {first}");
    }
    left.refused.map_or(Ok(()), Err)
}

/// What is left after some calls: what is wrong with some evaluations must not hold up the others.
#[derive(Default)]
struct Left {
    /// Evaluations that AWS Config answered it did not store.
    not_stored: Vec<Sent>,
    /// Why the first call failed that did.
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

/// Sends as many as one call takes. Those that AWS Config did not store come back.
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
    let Evaluation { subject, verdict, annotation } = evaluation;
    Sent::builder()
        .compliance_resource_type(&subject.resource_type)
        .compliance_resource_id(&subject.id)
        .compliance_type(compliance_type(*verdict))
        .annotation(annotation)
        .ordering_timestamp(time)
        .build()
        .context("an evaluation is incomplete")
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
