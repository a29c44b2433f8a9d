//! One resource that AWS Config says has changed or is gone, and what else hangs on it.

use anyhow::bail;
use aws_sdk_config::primitives::DateTime;
use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    observed::Observed,
};
use shared_ec2::selector::Selector;
use tracing::warn;

use crate::{
    evaluation::Evaluation,
    judge::{Judge, Judged},
    look::Look,
    news::{MAX_LAG, age},
    resource::{Resource, ResourceKey, TARGET},
    standing::can_be_seen,
    summary::Summary,
    targets::{self, HeldFor, Known, Targets},
};

/// What AWS Config says has changed. The first evaluation is that of the resource itself.
pub(crate) struct Change<'a> {
    pub(crate) judge: Judge<'a>,
    /// When AWS Config saw it.
    pub(crate) time: DateTime,
    pub(crate) summary: &'a mut Summary,
}

impl Change<'_> {
    /// EC2 may not show yet what AWS Config has just seen.
    fn is_young(&self) -> bool {
        age(self.time, self.judge.looker.now()) < MAX_LAG
    }

    pub(crate) async fn of(&mut self, resource: &Resource) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => self.instance(id).await,
            Resource::Session(id, interface) => self.session(id, interface.clone()).await,
            Resource::Target(id) => self.target(id).await,
        }
    }

    async fn instance(&mut self, id: &InstanceId) -> anyhow::Result<Vec<Evaluation>> {
        let Look { observed, .. } =
            self.judge.looker.look([Selector::Instance(id.clone())]).await?;
        let is_shown = !observed.complete_instances().is_empty();
        if !is_shown && self.is_young() {
            bail!("EC2 does not show {id} yet, or no network interface of it");
        }
        if observed.not_found.instances.contains(id) {
            return Ok(vec![Evaluation::gone(ResourceKey::instance(id), None)]);
        }
        if observed.instances.is_empty() {
            bail!("EC2 shows {id} in a way that cannot be read");
        }
        Ok(self.judged(&observed).await)
    }

    /// A session, and the instance it is on, which may have lost or got its mirror with it.
    async fn session(
        &mut self,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = interface.map(Selector::Interface);
        let selectors = [Selector::Session(id.clone())].into_iter().chain(interface);
        let Look { observed, .. } = self.judge.looker.look(selectors).await?;
        let is_shown = observed.sessions.iter().any(|session| session.id == *id);
        if !is_shown && (self.is_young() || !observed.not_found.sessions.contains(id)) {
            bail!("EC2 does not show {id}");
        }
        let key = ResourceKey::session(id);
        let mut sessions = self.judge.looker.sessions(&observed).into_iter();
        let own = sessions.find(|it| it.resource == key);
        let own = own.or_else(|| (!is_shown).then(|| Evaluation::gone(key, None)));
        Ok(own.into_iter().chain(self.judged(&observed).await).collect())
    }

    pub(crate) async fn deletion_of(
        &mut self,
        resource: &Resource,
    ) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => Ok(vec![Evaluation::gone(ResourceKey::instance(id), None)]),
            Resource::Session(id, interface) => self.deleted_session(id, interface.clone()).await,
            Resource::Target(id) => Ok(vec![Evaluation::gone(ResourceKey::target(id), None)]),
        }
    }

    /// The session, and the instance it was on.
    async fn deleted_session(
        &mut self,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = match interface {
            Some(interface) => Some(interface),
            None => self.judge.reporter.interface_of(id).await?,
        };
        let gone = Evaluation::gone(ResourceKey::session(id), interface.as_ref());
        let Some(interface) = interface else {
            warn!(
                "the rule holds no verdict on {id} that says which interface it was on: the scheduled \
                 evaluation covers its instance"
            );
            return Ok(vec![gone]);
        };
        let look = self.judge.looker.look([Selector::Interface(interface)]).await?;
        let mut observed = look.observed;
        // AWS Config is sure that it was deleted; EC2's answers may lag behind.
        observed.sessions.retain(|session| session.id != *id);
        Ok(std::iter::once(gone).chain(self.judged(&observed).await).collect())
    }

    /// The verdicts on the instances, and on a target behind which nothing receives, where AWS Config does not hold
    /// that yet: the grace time begins with it.
    async fn judged(&mut self, observed: &Observed) -> Vec<Evaluation> {
        let Judged { instances, targets } = self.judge.instances(observed).await;
        self.summary.note_problems(targets.problems());
        instances.evaluations.into_iter().chain(targets.newly_unhealthy()).collect()
    }

    /// A target. Its item says nothing of what is behind it, so this is only as good as the next scheduled
    /// evaluation; that alone sees whether sessions lead to it, so of a target on which nothing is held nothing is
    /// said. The same verdict is not sent again: its time tells since when it has been so.
    async fn target(&mut self, id: &TargetId) -> anyhow::Result<Vec<Evaluation>> {
        let Judge { looker, reporter, .. } = self.judge;
        let Some(grace) = looker.settings.target_health else {
            bail!(
                "this rule evaluates {TARGET} only with its parameter targetHealth: narrow its scope"
            );
        };
        let key = ResourceKey::target(id);
        let Some(held) = reporter.recorded_on(&key, self.judge.until()).await? else {
            return Ok(vec![targets::not_judged(id)]);
        };
        let Look { observed, .. } = looker.look([Selector::Target(id.clone())]).await?;
        if observed.not_found.targets.contains(id) {
            return Ok(vec![Evaluation::gone(key, None)]);
        }
        let Some(target) = observed.targets.iter().find(|target| target.id == *id) else {
            bail!("EC2 does not show {id}");
        };
        if target.account != observed.account || !can_be_seen(target) {
            return Ok(vec![targets::not_judged(id)]);
        }
        let known = self.judge.standings(&[target]).await.into_iter().map(|(id, standing)| {
            (id, Known::new(standing, HeldFor::of(Some(&held), looker.now(), grace)))
        });
        let targets = Targets(known.collect());
        self.summary.note_problems(targets.problems());
        let mut found = targets.evaluations();
        found.retain(|found| held.differs_from(found));
        Ok(found)
    }
}
