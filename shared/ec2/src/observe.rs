//! Reading EC2: from what an event names to everything the decision about it depends on.
//!
//! A few calls serve any number of selectors, and each call is made only where its answer is needed:
//!
//! ```text
//! call                              | when
//! ----------------------------------+--------------------------------------------------------
//! instances                         | always
//! sessions on their interfaces      | always, but for an instance that starts and is not selected
//! targets and filters               | a sweep, an instance is selected, or a session was named, and they are
//!                                   | not in the cache, or the plan made with them needs fresh ones
//! interfaces of balancers           | with the targets, where there is more than one; for a sweep or a
//!                                   | verdict also the only one's, and up to twice more what is missing
//! interfaces managed by a service   | a sweep, or a selected instance has more than its primary interface
//! sessions on the allowed targets   | a target must be chosen, and there is a choice or a limit
//! instances behind the targets      | the same, a sweep or a verdict, and a target is a network interface
//! an interface behind a target      | no instance is shown with it
//! interfaces on no instance         | an owned session is on one, or they are named
//! tags                              | a change or a verdict rests on a tag that is absent
//! targets, filters, interfaces, by  | something leads to or names one that no list shows
//!   id                              |
//! sessions once more                | a list of all sessions, or a verdict, shows that one is missing
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shared::{
    id::{InstanceId, InterfaceId},
    observed::{Instance, Observed, Shown, Source},
    plan::{
        desired::{has_key, lacks_tag, selected},
        plan,
        question::Question,
        reason::Reason,
        step::{Action, Plan, Step},
    },
    policy::Scope,
};
use tokio::time::Instant;

use crate::{
    ask::Query,
    described::add_requesters,
    error::ObserveError,
    interfaces,
    named::{read_named, read_sessions_on},
    reader::{Origin, PartialRead, Reader},
    selector::Selector,
    sweep::read_sweep,
    target_usage::{TargetUsage, candidates},
    unique::unique,
    witness::{adopt_instances, answer},
};

/// Reads everything that the decision about `selectors` depends on.
///
/// # Errors
/// The first call that failed after the client's retries.
pub async fn observe(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
) -> Result<Observed, ObserveError> {
    Ok(observe_until(reader, selectors, None).await?.observed)
}

/// What was observed, and why that is not everything.
#[derive(Debug)]
pub struct Observation {
    /// What was observed. All that it shows can be judged.
    pub observed: Observed,
    /// Why the list of instances of a sweep was not read to its end: then nothing is known about what
    /// `observed` lacks.
    pub cut_short: Option<ObserveError>,
}

/// The same, where a sweep reads the list of instances as far as there is time for: until this moment, or
/// until a page after the first one fails.
///
/// # Errors
/// The first other call that failed after the client's retries.
pub async fn observe_until(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
    until: Option<Instant>,
) -> Result<Observation, ObserveError> {
    let is_sweep = selectors.contains(&Selector::Sweep);
    let mut read = if is_sweep {
        read_sweep(reader, selectors, until).await?
    } else {
        read_named(reader, selectors).await?
    };
    let (origin, usage) = (read.origin, std::mem::take(&mut read.usage));
    let cut_short = read.cut_short.take();
    let mut observed = whole(reader, read);
    if cut_short.is_none() {
        observed.is_whole = is_sweep;
        let unattached = read_unattached(reader, &observed).await?;
        observed.sources.extend(unattached);
        adopt_instances(reader, &mut observed).await?;
        check_vpcs(reader, &mut observed).await?;
    }
    let mut completion = Completion {
        reader,
        selectors,
        is_sweep,
        origin,
        usage,
        has_usage: false,
        has_balancers: false,
        asked: BTreeSet::new(),
        sought: BTreeSet::new(),
    };
    while completion.adds_to(&mut observed).await? {}
    if let Some((cache, _)) = reader.cache {
        cache.note_proven(&observed);
    }
    Ok(Observation { observed, cut_short })
}

/// What was read, in one piece.
fn whole(reader: &Reader<'_>, read: PartialRead) -> Observed {
    let mut observed = Observed {
        account: reader.account.clone(),
        instances: read.described.instances,
        sources: read.described.sources,
        sessions: unique(read.sessions, |session| &session.id),
        targets: read.resources.targets,
        filters: read.resources.filters,
        is_whole: false,
        not_found: read.not_found,
        types: reader.cache.map(|(cache, now)| cache.types(now)).unwrap_or_default(),
    };
    observed.sources.extend(read.unattached);
    observed
}

/// The interfaces of sessions that are on no instance that was read: of owned sessions, and for verdicts of
/// all sessions of the account.
async fn read_unattached(
    reader: &Reader<'_>,
    observed: &Observed,
) -> Result<Vec<Source>, ObserveError> {
    let known: BTreeSet<_> = observed.sources.iter().map(|source| &source.id).collect();
    let mut missing = reader.mirrored(&observed.sessions);
    if reader.judges {
        let own = observed.sessions.iter().filter(|session| session.account == *reader.account);
        missing.extend(own.map(|session| &session.interface));
    }
    missing.retain(|id| !known.contains(id));
    let query = Query::by("network-interface-id", missing.iter().map(|id| id.as_str()));
    let found = interfaces::unattached(reader.ec2, reader.policy, &query).await?;
    let mut found: BTreeMap<_, _> =
        found.into_iter().map(|source| (source.id, source.interface)).collect();
    let source = |id: &InterfaceId| Source {
        id: id.clone(),
        interface: found.remove(id).unwrap_or(Shown::NotInList),
    };
    Ok(missing.into_iter().map(source).collect())
}

/// Whether there is anything in the VPCs of the settings, where a sweep has found nothing there.
async fn check_vpcs(reader: &Reader<'_>, observed: &mut Observed) -> Result<(), ObserveError> {
    let vpcs = &reader.policy.vpcs;
    let mut seen = observed.sources.iter().filter_map(Source::vpc);
    if !observed.is_whole || vpcs.is_empty() || seen.any(|vpc| vpcs.contains(vpc)) {
        return Ok(());
    }
    if !interfaces::is_any_interface_in(reader.ec2, vpcs).await? {
        observed.not_found.vpcs.clone_from(vpcs);
    }
    Ok(())
}

/// What is still to be read, as the plan made of the rest shows. Each thing is read once, so this ends.
struct Completion<'a> {
    reader: &'a Reader<'a>,
    selectors: &'a BTreeSet<Selector>,
    is_sweep: bool,
    /// Where targets and filters come from.
    origin: Origin,
    usage: TargetUsage,
    /// It is part of what was observed.
    has_usage: bool,
    /// Balancers and endpoints were looked for.
    has_balancers: bool,
    asked: BTreeSet<Question>,
    /// The interfaces whose sessions were read once more.
    sought: BTreeSet<InterfaceId>,
}

impl Completion<'_> {
    /// Reads the next thing that is missing, and says whether there was one.
    async fn adds_to(&mut self, observed: &mut Observed) -> Result<bool, ObserveError> {
        let plan = plan(self.reader.policy, observed);
        if self.needs_resources(observed, &plan) {
            let resources = self.reader.read_resources().await?;
            (observed.targets, observed.filters) = (resources.targets, resources.filters);
            if self.origin == Origin::Nowhere {
                let Reader { ec2, account, .. } = *self.reader;
                let requesters = interfaces::requesters(ec2, account).await?;
                add_requesters(&mut observed.sources, &requesters);
            }
            self.origin = Origin::Ec2;
            // The fresh targets have no state and no place yet.
            (self.has_usage, self.has_balancers) = (false, false);
            return Ok(true);
        }
        let looks_for_balancers = self.needs_balancers(&plan);
        let needs_usage = !self.has_usage && self.needs_usage(&plan)
            || !self.has_balancers && looks_for_balancers;
        let unseen = self.unseen_sessions(&plan);
        let mut open = plan.questions;
        // Of a large account the steps take as much memory as anything that is read next.
        drop(plan.steps);
        if needs_usage {
            let mut usage = std::mem::take(&mut self.usage);
            self.add_usage(observed, &mut usage, looks_for_balancers).await?;
            self.usage = usage;
            (self.has_usage, self.has_balancers) = (true, looks_for_balancers);
            return Ok(true);
        }
        if !unseen.is_empty() {
            let again = read_sessions_on(self.reader, &unseen).await?;
            observed.sessions.extend(again);
            observed.sessions =
                unique(std::mem::take(&mut observed.sessions), |session| &session.id);
            self.sought.extend(unseen);
            return Ok(true);
        }
        open.extend(self.questions_about_tags(observed));
        open.retain(|question| !self.asked.contains(question));
        if open.is_empty() {
            return Ok(false);
        }
        answer(self.reader, observed, open.iter().cloned()).await?;
        // A target that only the second witness shows is looked at, too.
        let asks_for_target = open.iter().any(|it| matches!(it, Question::Target(_)));
        self.has_usage &= !asks_for_target;
        self.has_balancers &= !asks_for_target;
        self.asked.extend(open);
        Ok(true)
    }

    /// Whether targets and filters must be read. An instance that a second witness shows with its tag may
    /// need them for the first time.
    fn needs_resources(&self, observed: &Observed, plan: &Plan) -> bool {
        let is_selected = |it: &Arc<Instance>| selected(self.reader.policy, it).is_ok();
        match self.origin {
            Origin::Nowhere => observed.instances.iter().any(is_selected),
            Origin::Cache => needs_fresh_resources(plan),
            Origin::Ec2 => false,
        }
    }

    fn needs_usage(&self, plan: &Plan) -> bool {
        self.is_sweep || self.reader.judges || depends_on_targets(plan)
    }

    /// Whether balancers and endpoints that nothing has located are looked for. An event that only chooses
    /// between targets must not cost that much: it takes one that was located.
    fn needs_balancers(&self, plan: &Plan) -> bool {
        self.is_sweep || self.reader.judges || plan.steps.iter().any(relies_on_a_target)
    }

    /// Adds how full the targets are, where they are and whether they receive.
    async fn add_usage(
        &self,
        observed: &mut Observed,
        usage: &mut TargetUsage,
        looks_for_balancers: bool,
    ) -> Result<(), ObserveError> {
        let Reader { ec2, policy, account, .. } = *self.reader;
        let allowed = candidates(policy, account, &observed.targets, Some(observed));
        self.reader.read_usage(&allowed, observed.sources.iter(), usage).await?;
        if looks_for_balancers {
            usage.look_for_balancers(ec2, account, &allowed).await?;
        }
        usage.add_to(observed);
        observed.sessions = unique(std::mem::take(&mut observed.sessions), |session| &session.id);
        Ok(())
    }

    /// The interfaces on which a session seems to be missing, where that was read only in a list of all
    /// sessions, or a verdict follows from it.
    fn unseen_sessions(&self, plan: &Plan) -> BTreeSet<InterfaceId> {
        if !self.is_sweep && !self.reader.judges {
            return BTreeSet::new();
        }
        let created = plan.steps.iter().filter(|step| matches!(step.action, Action::Create(_)));
        let sources = created.map(|step| &step.source);
        sources.filter(|source| !self.sought.contains(*source)).cloned().collect()
    }

    /// The instances that seem to lack the tag, where the plan does nothing about that and it still must be
    /// certain.
    fn questions_about_tags(&self, observed: &Observed) -> Vec<Question> {
        let Reader { policy, judges, .. } = *self.reader;
        let is_contradicted =
            |id: &InstanceId| self.selectors.contains(&Selector::Tagged(id.clone()));
        let found_by_tag = self.is_sweep && policy.scope == Scope::Tagged;
        let doubtful = observed.instances.iter().filter(|instance| {
            !instance.tags_confirmed
                && lacks_tag(policy, instance)
                && (judges
                    || is_contradicted(&instance.id)
                    || (found_by_tag && !has_key(policy, instance)))
        });
        doubtful.map(|instance| Question::Tags(instance.id.clone())).collect()
    }
}

/// Whether the plan has a step that cached targets and filters do not justify. A creation may use them:
/// EC2 refuses it if its target or filter is gone.
fn needs_fresh_resources(plan: &Plan) -> bool {
    let is_safe =
        |action: &Action| matches!(action, Action::Create(_) | Action::Keep(_) | Action::Ignore);
    plan.steps.iter().any(|step| !is_safe(&step.action))
}

/// Whether the plan depends on how full targets are, where they are or whether they receive: where it chooses
/// one, or would if more were known. A target may only look full because nobody has read how large its
/// instance is.
fn depends_on_targets(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        let looks_full =
            matches!(step.reason, Reason::TargetFull { .. } | Reason::TargetsFull { .. });
        looks_full || step.action.target().is_some() || relies_on_a_target(step)
    })
}

/// Whether the step is right only if a target receives: that of the session that is left where another one goes,
/// or of a foreign session that is enough.
fn relies_on_a_target(step: &Step) -> bool {
    matches!(step.reason, Reason::Duplicate | Reason::Covered)
}
