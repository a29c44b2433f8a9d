//! Looks at EC2: what is read for an invocation, and the verdicts that follow from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use anyhow::Context;
use aws_sdk_config::primitives::DateTime;
use shared::{id::AccountId, observed::Observed};
use shared_ec2::{
    ObserveError,
    client::Ec2,
    deadline::Deadline,
    observe::{Observation, observe_until},
    reader::Reader,
    selector::Selector,
};
use tokio::time::Instant;

use crate::{evaluation::Evaluation, parameters::RuleSettings, verdict};

/// Looks at one account and region, by the settings of one rule.
pub(crate) struct Looker<'a> {
    pub(crate) ec2: &'a Ec2,
    pub(crate) settings: &'a RuleSettings,
    pub(crate) account: &'a AccountId,
    pub(crate) now: fn() -> SystemTime,
    pub(crate) deadline: Deadline,
}

/// What a look showed.
pub(crate) struct Look {
    /// When it began. Of two verdicts on a resource the one from the later look stands.
    pub(crate) at: DateTime,
    pub(crate) observed: Observed,
    /// Why the list of instances was not read to its end: nothing is known about what `observed` lacks.
    pub(crate) cut_short: Option<ObserveError>,
}

impl Looker<'_> {
    /// Reads what these selectors name.
    pub(crate) async fn look(
        &self,
        selectors: impl IntoIterator<Item = Selector>,
    ) -> anyhow::Result<Look> {
        self.read(selectors.into_iter().collect(), None).await
    }

    /// Reads everything, but of the list of instances only what there is time for.
    pub(crate) async fn look_at_everything(&self, until: Instant) -> anyhow::Result<Look> {
        self.read([Selector::Sweep].into(), Some(until)).await
    }

    async fn read(
        &self,
        selectors: BTreeSet<Selector>,
        until: Option<Instant>,
    ) -> anyhow::Result<Look> {
        let reader = Reader {
            ec2: self.ec2,
            policy: &self.settings.policy,
            account: self.account,
            cache: None,
            judges: true,
        };
        let at = self.now();
        let read = Box::pin(observe_until(&reader, &selectors, until));
        let read = self.deadline.cut(read).await;
        let read = read.context("EC2 could not be read before the time of the function was up")?;
        let Observation { observed, cut_short } = read?;
        Ok(Look { at, observed, cut_short })
    }

    pub(crate) fn now(&self) -> DateTime {
        DateTime::from((self.now)())
    }

    /// The verdicts on the account's own sessions.
    pub(crate) fn sessions(&self, observed: &Observed) -> Vec<Evaluation> {
        let sources: BTreeMap<_, _> = observed.sources.iter().map(|it| (&it.id, it)).collect();
        let own = observed.sessions.iter().filter(|it| it.account == observed.account);
        let policy = &self.settings.policy;
        let verdicts = own.filter_map(|it| {
            verdict::session(policy, observed, it, sources.get(&it.interface).copied())
        });
        verdicts.collect()
    }
}
