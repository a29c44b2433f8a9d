//! Reads back what AWS Config holds for the rule.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, bail};
use aws_sdk_config::{
    primitives::DateTime,
    types::{ComplianceType, EvaluationResult},
};
use futures_util::{StreamExt, future::ready, stream};
use shared::{
    id::{InterfaceId, SessionId},
    plan::verdict::Verdict,
    text::quote,
};
use tokio::time::{Instant, timeout_at};

use super::{MAX_CONCURRENT, Reporter, said};
use crate::{
    evaluation::{Evaluation, codes, interface_in},
    news::{Extent, Held, Recorded, is_newer, sort_worst_first},
    resource::ResourceKey,
};

/// The largest page of results (`GetComplianceDetailsByConfigRule`).
const PAGE_SIZE: i32 = 100;
/// A million verdicts.
const MAX_PAGES: usize = 10_000;

/// At most this many verdicts are read one by one before they are replaced: as many as one call sends, and
/// more than an hour brings in most accounts.
const MAX_CHECKED: usize = 100;
/// How much of the time, in percent, is over when that ends: what is not sent is lost.
const CHECKING_ENDS: u32 = 90;

/// A page of results, and the token of the next.
type Page = (Vec<EvaluationResult>, Option<String>);

impl Reporter<'_> {
    /// The verdicts that AWS Config holds for the rule, but for `NOT_APPLICABLE`: all of them, or as many as
    /// there is time for until this moment, those that are not compliant first. If only the compliant ones
    /// cannot be read, also why.
    pub(crate) async fn held(&self, until: Instant) -> anyhow::Result<(Held, Option<String>)> {
        let mut held = Held::default();
        match timeout_at(until, self.read(ComplianceType::NonCompliant, &mut held)).await {
            Ok(read) => read?,
            Err(_) => return Ok((held, None)),
        }
        held.extent = Extent::NonCompliant;
        match timeout_at(until, self.read(ComplianceType::Compliant, &mut held)).await {
            Ok(Ok(())) => held.extent = Extent::Whole,
            Ok(Err(error)) => return Ok((held, Some(format!("{error:#}")))),
            Err(_) => {}
        }
        Ok((held, None))
    }

    async fn read(&self, compliance: ComplianceType, held: &mut Held) -> anyhow::Result<()> {
        let (mut token, mut seen) = (None, BTreeSet::new());
        for _ in 0..MAX_PAGES {
            let (results, next) = self.page(compliance.clone(), token).await?;
            held.verdicts.extend(results.iter().filter_map(recorded));
            let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(()) };
            if !seen.insert(next.clone()) {
                bail!("AWS Config gave the same page token of compliance details twice");
            }
            token = Some(next);
        }
        bail!("AWS Config gave more than {MAX_PAGES} pages of compliance details");
    }

    async fn page(
        &self,
        compliance: ComplianceType,
        token: Option<String>,
    ) -> anyhow::Result<Page> {
        let request = self
            .config
            .get_compliance_details_by_config_rule()
            .config_rule_name(self.rule)
            .compliance_types(compliance)
            .limit(PAGE_SIZE)
            .set_next_token(token);
        let answer = request.send().await.map_err(|error| {
            let said = said(&error, "config:GetComplianceDetailsByConfigRule");
            let rule = quote(self.rule);
            anyhow!("could not read the compliance details of rule {rule}: {said}")
        })?;
        Ok((answer.evaluation_results.unwrap_or_default(), answer.next_token))
    }

    /// The interface that a deleted session was on, by this rule's own verdict on the session; nothing where
    /// there is none, because the rule never evaluated the session.
    pub(crate) async fn interface_of(
        &self,
        session: &SessionId,
    ) -> anyhow::Result<Option<InterfaceId>> {
        let read = self.deadline.cut(self.result_on(ResourceKey::session(session))).await;
        let read =
            read.context("AWS Config could not be read before the time of the function was up")?;
        Ok(read?.and_then(|result| interface_in(result.annotation()?)))
    }

    /// The verdict that AWS Config holds on a resource for this rule, but for `NOT_APPLICABLE`; nobody waits for it
    /// longer than until this moment.
    pub(crate) async fn recorded_on(
        &self,
        resource: &ResourceKey,
        until: Instant,
    ) -> anyhow::Result<Option<Recorded>> {
        let read = timeout_at(until, self.result_on(resource.clone())).await;
        let read = read.context("AWS Config could not be read in time")?;
        Ok(read?.as_ref().and_then(recorded).map(|(_, recorded)| recorded))
    }

    /// Leaves out evaluations on which AWS Config holds a verdict from a later look by now: the lists that these
    /// are news by took their time to read. Of more than a few, the lists' word is taken.
    pub(crate) async fn without_outdated(
        &self,
        evaluations: Vec<Evaluation>,
        look: DateTime,
    ) -> Vec<Evaluation> {
        if evaluations.len() > MAX_CHECKED {
            return evaluations;
        }
        let until = self.deadline.after(CHECKING_ENDS);
        let check = |evaluation: Evaluation| async move {
            let read = timeout_at(until, self.result_on(evaluation.resource.clone())).await;
            // What cannot be read is sent: AWS Config may know itself which one is later.
            let held = read.ok().and_then(Result::ok).flatten();
            let is_outdated = held.is_some_and(|held| is_newer(time_of(&held), look));
            (!is_outdated).then_some(evaluation)
        };
        let checked = stream::iter(evaluations).map(check).buffer_unordered(MAX_CONCURRENT);
        let mut left: Vec<_> = checked.filter_map(ready).collect().await;
        sort_worst_first(&mut left);
        left
    }

    /// This rule's result on one resource, whatever it says.
    async fn result_on(&self, resource: ResourceKey) -> anyhow::Result<Option<EvaluationResult>> {
        let request = self
            .config
            .get_compliance_details_by_resource()
            .resource_type(&resource.resource_type)
            .resource_id(&resource.id)
            .set_compliance_types(Some(vec![
                ComplianceType::Compliant,
                ComplianceType::NonCompliant,
                ComplianceType::NotApplicable,
            ]));
        // A resource has one result for each rule: a page of them, if there are not hundreds of rules.
        let mut results = request.into_paginator().items().send();
        while let Some(result) = results.next().await {
            let result = result.map_err(|error| {
                let said = said(&error, "config:GetComplianceDetailsByResource");
                anyhow!("could not read the verdict on {}: {said}", resource.id)
            })?;
            if self.is_own(&result) {
                return Ok(Some(result));
            }
        }
        Ok(None)
    }

    /// Whether it is a result of this rule.
    fn is_own(&self, result: &EvaluationResult) -> bool {
        let identifier = result.evaluation_result_identifier();
        let qualifier = identifier.and_then(|it| it.evaluation_result_qualifier());
        qualifier.and_then(|it| it.config_rule_name()) == Some(self.rule)
    }
}

fn recorded(result: &EvaluationResult) -> Option<(ResourceKey, Recorded)> {
    let verdict = match result.compliance_type()? {
        ComplianceType::Compliant => Verdict::Compliant,
        ComplianceType::NonCompliant => Verdict::NonCompliant,
        _ => return None,
    };
    let identifier = result.evaluation_result_identifier()?;
    let qualifier = identifier.evaluation_result_qualifier()?;
    let (resource_type, id) = (qualifier.resource_type()?, qualifier.resource_id()?);
    let resource = ResourceKey { resource_type: resource_type.to_owned(), id: id.to_owned() };
    let codes = codes(result.annotation().unwrap_or_default());
    Some((resource, Recorded { verdict, codes, time: time_of(result) }))
}

/// When EC2 was read for a result, else when AWS Config recorded it.
fn time_of(result: &EvaluationResult) -> Option<DateTime> {
    let identifier = result.evaluation_result_identifier();
    let ordering = identifier.and_then(|it| it.ordering_timestamp());
    ordering.or(result.result_recorded_time()).copied()
}
