//! From what was observed to verdicts, with what stands behind the targets where the rule is told to look there.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use shared::{
    id::TargetId,
    observed::{Observed, Target},
    plan::{plan, step::Plan, verdict::Verdict},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    look::Looker,
    news::age,
    report::Reporter,
    resource::ResourceKey,
    standing::{Standing, read::Inspector},
    targets::{HeldFor, Known, Targets, UNHEALTHY, led_to},
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
        let standings = self.standings(&led_to(observed, plan)).await;
        let known = standings.into_iter().map(|(id, standing)| async move {
            let held = self.held(&id, &standing, grace).await;
            (id, Known { standing, held })
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
    fn until(&self) -> Instant {
        let deadline = self.reporter.deadline;
        let share = deadline.after(INSPECTING_ENDS);
        if Instant::now() < share { share } else { deadline.after(LATE_ENDS) }
    }

    /// For how long AWS Config holds that nothing receives behind a target.
    async fn held(&self, id: &TargetId, standing: &Standing, grace: i64) -> HeldFor {
        if !matches!(standing, Standing::Unhealthy(_)) {
            return HeldFor::NotYet;
        }
        let recorded = match self.reporter.recorded_on(&ResourceKey::target(id)).await {
            Ok(recorded) => recorded,
            Err(error) => return HeldFor::Unread(format!("{error:#}")),
        };
        let is_it = |verdict| verdict == Verdict::NonCompliant;
        let held = recorded.filter(|it| is_it(it.verdict) && it.codes.contains(UNHEALTHY));
        let Some(held) = held else { return HeldFor::NotYet };
        let now = self.looker.now();
        if held.time.is_some_and(|time| age(time, now) >= grace) {
            HeldFor::Long
        } else {
            HeldFor::Short
        }
    }
}
