//! From what was observed to verdicts, with what stands behind the targets where the rule is told to look there.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use shared::{
    id::TargetId,
    observed::{Observed, Target},
    plan::{plan, step::Plan},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    look::Looker,
    report::Reporter,
    resource::ResourceKey,
    standing::{Standing, read::Inspector},
    targets::{HeldFor, Known, Targets, led_to},
    verdict::{self, Instances},
};

/// How much of the time, in percent, is over when what stands behind targets is no longer waited for.
const INSPECTING_ENDS: u32 = 60;
/// … of what is judged later than that.
const LATE_ENDS: u32 = 90;

/// Verdicts that are read back at a time.
const MAX_CONCURRENT: usize = 4;

/// Judges what a look has shown.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) looker: &'a Looker<'a>,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) inspector: Inspector<'a>,
}

/// What was judged.
pub(crate) struct Judged {
    pub(crate) instances: Instances,
    /// The targets that were looked at for that.
    pub(crate) targets: Targets,
}

impl Judge<'_> {
    /// The verdicts on the instances, and on the targets that their sessions lead to.
    pub(crate) async fn instances(&self, observed: &Observed) -> Judged {
        let settings = self.looker.settings;
        let plan = plan(&settings.policy, observed);
        let targets = self.targets(observed, &plan).await;
        let instances = verdict::instances(observed, &plan, settings, &targets);
        Judged { instances, targets }
    }

    async fn targets(&self, observed: &Observed, plan: &Plan) -> Targets {
        let Some(grace) = self.looker.settings.target_health else { return Targets::default() };
        let until = self.until();
        let standings = self.standings(&led_to(observed, plan)).await;
        let known = standings.into_iter().map(|(id, standing)| async move {
            let held = self.held(&id, &standing, grace, until).await;
            (id, Known::new(standing, held))
        });
        Targets(stream::iter(known).buffered(MAX_CONCURRENT).collect().await)
    }

    /// What stands behind each of these targets of this account.
    pub(crate) async fn standings(&self, targets: &[&Target]) -> BTreeMap<TargetId, Standing> {
        if targets.is_empty() {
            return BTreeMap::new();
        }
        let read = timeout_at(self.until(), Box::pin(self.inspector.standings(targets))).await;
        read.unwrap_or_else(|_| {
            let unread = || Standing::Unread("there was no time for it".to_owned());
            targets.iter().map(|target| (target.id.clone(), unread())).collect()
        })
    }

    /// What is judged after that share of the time has what is left.
    pub(crate) fn until(&self) -> Instant {
        let deadline = self.reporter.deadline;
        let share = deadline.after(INSPECTING_ENDS);
        if Instant::now() < share { share } else { deadline.after(LATE_ENDS) }
    }

    /// For how long AWS Config holds that nothing receives behind a target. Nobody asks where something does, or
    /// where what is held stays anyway.
    async fn held(
        &self,
        id: &TargetId,
        standing: &Standing,
        grace: i64,
        until: Instant,
    ) -> HeldFor {
        if matches!(standing, Standing::Healthy | Standing::Unread(_)) {
            return HeldFor::NotYet;
        }
        match self.reporter.recorded_on(&ResourceKey::target(id), until).await {
            Ok(held) => HeldFor::of(held.as_ref(), self.looker.now(), grace),
            Err(error) => HeldFor::Unread(format!("{error:#}")),
        }
    }
}
