//! The records of an invocation in groups that are read, planned and done one after the other, so that none
//! fails for another's sake.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use lambda_runtime::Context;
use shared::id::{InterfaceId, SessionId};
use shared_ec2::{deadline::Deadline, selector::Selector};

use crate::{
    act::outcome::Executed,
    answer::batch_result::{BatchResult, Request},
    event::{parse::Home, parsed::Orders},
    reconcile::{Job, Reconciler, with_deleted},
};

/// What must come again is looked at again after so long, and so on: within half a minute, where it would
/// take the queue six minutes.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(6),
    Duration::from_secs(6),
];

/// What all groups of an invocation share.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) reconciler: &'a Reconciler,
    pub(crate) context: &'a Context,
    pub(crate) home: &'a Home,
    pub(crate) deleted: &'a BTreeMap<SessionId, Option<InterfaceId>>,
    pub(crate) orders: Orders,
    pub(crate) deadline: Deadline,
    pub(crate) now: fn() -> SystemTime,
}

/// Records that are worked as one, and what became of them.
pub(crate) struct Group<'a> {
    requests: Vec<&'a Request>,
    /// What they name, as far as it belongs to this group.
    selectors: BTreeSet<Selector>,
    pub(crate) result: BatchResult,
}

impl<'a> Group<'a> {
    /// The records in the order in which they are worked: what they name by id, what is attached to nothing,
    /// and a sweep, which takes longest. One record may be in several groups.
    fn all(requests: &'a [Request]) -> Vec<Self> {
        let kinds: [fn(&Selector) -> bool; 3] = [
            |it| !matches!(it, Selector::Unattached | Selector::Sweep),
            |it| matches!(it, Selector::Unattached),
            |it| matches!(it, Selector::Sweep),
        ];
        let groups = kinds.map(|is_of_kind| Self::of(requests.iter().collect(), is_of_kind));
        groups.into_iter().filter(|group| !group.selectors.is_empty()).collect()
    }

    fn of(requests: Vec<&'a Request>, is_of_kind: impl Fn(&Selector) -> bool) -> Self {
        let named = |request: &&Request| request.scope.selectors.iter().any(&is_of_kind);
        let requests: Vec<_> = requests.into_iter().filter(named).collect();
        let selectors = requests.iter().flat_map(|request| &request.scope.selectors);
        let selectors = selectors.filter(|selector| is_of_kind(selector)).cloned().collect();
        Self { requests, selectors, result: BatchResult::default() }
    }

    /// Works all records, group by group, and looks again at what must come again while there is time: at
    /// what events name before a sweep begins.
    pub(crate) async fn work(invocation: Invocation<'_>, requests: &'a [Request]) -> Vec<Self> {
        let (sweeps, named): (Vec<_>, Vec<_>) =
            Self::all(requests).into_iter().partition(Self::is_sweep);
        let mut groups = Vec::new();
        for stage in [named, sweeps] {
            let first = groups.len();
            Self::work_each(invocation, stage, &mut groups).await;
            Self::look_again_at(invocation, &mut groups, first).await;
        }
        groups
    }

    /// Works these groups, and adds them to those that were worked before.
    async fn work_each(invocation: Invocation<'_>, mut open: Vec<Self>, worked: &mut Vec<Self>) {
        open.reverse();
        while let Some(mut group) = open.pop() {
            let before = done(worked);
            group.result = group.reconcile(invocation, &group.selectors, &before).await;
            let is_divisible = group.result.is_divisible() && group.selectors.len() > 1;
            if is_divisible && group.requests.len() > 1 {
                open.extend(group.halves());
            } else {
                worked.push(group);
            }
        }
    }

    /// Looks again at what must come again of the groups from the first on, as long as there is time.
    async fn look_again_at(invocation: Invocation<'_>, groups: &mut [Self], first: usize) {
        for pause in PAUSES {
            let open = groups.iter().skip(first);
            let again: Vec<_> = open.map(|group| group.look_again(invocation)).collect();
            let is_due = again.iter().any(|selectors| !selectors.is_empty());
            if !is_due || !invocation.deadline.pause(pause).await {
                break;
            }
            let before = done(groups);
            for (group, selectors) in groups.iter_mut().skip(first).zip(again) {
                if !selectors.is_empty() {
                    let later = group.reconcile(invocation, &selectors, &before).await;
                    group.result.update(later);
                }
            }
        }
    }

    /// The two halves of a group of which something cannot be read.
    fn halves(self) -> [Self; 2] {
        let Self { requests, selectors, .. } = self;
        let (one, other) = requests.split_at(requests.len() / 2);
        [other, one].map(|half| Self::of(half.to_vec(), |selector| selectors.contains(selector)))
    }

    /// `before` is what this invocation has done before.
    async fn reconcile(
        &self,
        invocation: Invocation<'_>,
        selectors: &BTreeSet<Selector>,
        before: &[Executed],
    ) -> BatchResult {
        let causes: Vec<_> = self
            .requests
            .iter()
            .map(|request| (&request.scope.selectors, request.scope.cause.as_str()))
            .collect();
        let job = Job {
            id: &invocation.context.request_id,
            account: &invocation.home.account,
            selectors,
            causes: &causes,
            deleted: &with_deleted(invocation.deleted, before),
            done: before,
            deadline: invocation.deadline,
            orders: invocation.orders,
        };
        invocation.reconciler.reconcile(job).await
    }

    /// What to look at again: all of it, where nothing could be read.
    fn look_again(&self, invocation: Invocation<'_>) -> BTreeSet<Selector> {
        if self.result.failed.is_some() {
            return self.selectors.clone();
        }
        self.result.look_again(&self.requests, (invocation.now)())
    }

    /// Whether the record is one of this group and must be retried.
    pub(crate) fn is_unfinished(&self, request: &Request, now: SystemTime) -> bool {
        let is_here = self.requests.iter().any(|it| std::ptr::eq(*it, request));
        is_here && self.result.is_unfinished(request, now)
    }

    pub(crate) fn is_sweep(&self) -> bool {
        self.selectors.contains(&Selector::Sweep)
    }

    /// Whether this was a sweep that read everything.
    pub(crate) fn has_swept(&self) -> bool {
        self.is_sweep() && self.result.failed.is_none()
    }
}

/// What these groups have changed.
fn done(groups: &[Group<'_>]) -> Vec<Executed> {
    groups.iter().flat_map(|group| &group.result.done).cloned().collect()
}
