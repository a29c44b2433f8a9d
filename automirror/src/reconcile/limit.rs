//! The plan, and how much of it may be carried out.

use std::collections::BTreeSet;

use shared::{
    id::InterfaceId,
    observed::Observed,
    plan::{
        brake::{deletions_left, is_limited_deletion},
        plan,
        remove::remove,
        restrict::{Limits, Restricted, restrict},
        step::Plan,
    },
    policy::run::Mode,
};

use super::{Job, Reconciler};
use crate::{act::outcome::Execution, event::parsed::Orders};

impl Reconciler {
    pub(super) async fn plan(
        &self,
        job: Job<'_>,
        observed: &Observed,
        unstable: &BTreeSet<InterfaceId>,
    ) -> Restricted {
        let Orders { detect, remove: removes, .. } = job.orders;
        let whole =
            if removes { remove(&self.policy, observed) } else { plan(&self.policy, observed) };
        // Whoever removes an installation does not wait for calm.
        let none = BTreeSet::new();
        let limits = Limits {
            mode: if detect { Mode::Detect } else { self.mode },
            drains: observed.is_whole,
            deletions: self.allowed_deletions(job, &whole).await,
            unstable: if removes { &none } else { unstable },
        };
        // Who removes an installation means it, also where it was only to detect.
        let mode = if removes && !detect { Mode::Enforce } else { limits.mode };
        restrict(whole, Limits { mode, ..limits })
    }

    /// How many sessions may still be deleted because of tags or settings; none is no limit. Where it
    /// matters how many there are, and this process has not read them all yet, it does.
    async fn allowed_deletions(&self, job: Job<'_>, plan: &Plan) -> Option<usize> {
        if job.orders.unlimited || job.orders.remove {
            return None;
        }
        let deleted = self.memory.deletions((self.now)());
        // So many may go, however few there are.
        let free = deletions_left(self.deletion_limit, 0, deleted)?;
        let wanted = plan.steps.iter().filter(|step| is_limited_deletion(step)).count();
        if wanted <= free {
            return Some(free);
        }
        if self.memory.base((self.now)()).is_none() {
            self.count_owned(job).await;
        }
        // Where nothing could be read, only the free ones go.
        let base = self.memory.base((self.now)()).unwrap_or_default();
        deletions_left(self.deletion_limit, base, deleted)
    }

    pub(super) fn note_deletions(&self, round: &Execution) {
        let done = round.executed.iter().filter(|it| it.deleted_session().is_some());
        let limited = done.filter(|it| is_limited_deletion(&it.step)).count();
        self.memory.note_deletions(limited, (self.now)());
    }
}
