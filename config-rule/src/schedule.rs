//! The scheduled evaluation: everything that is there, as far as the time suffices, and of that only what AWS
//! Config does not hold yet.
//!
//! ```text
//! part of the time | what is done
//! -----------------+----------------------------------------------------------------------------------
//! up to 40 %       | the list of instances is read; what it has shown by then is judged
//! up to 60 %       | with `targetHealth`, what stands behind the targets is read, and since when nothing has
//!                  | received there
//! up to 75 %       | the verdicts that AWS Config holds are read back, those not compliant first
//! to the end       | what differs is sent, 100 at a time, the worst verdicts first; if it is not much, it is
//!                  | read back once more, up to 90 %, since a change may have been judged meanwhile; then, 1,000 at a
//!                  | time, what AWS Config holds a verdict on and the look did not show: EC2 is asked for
//!                  | its id, and what differs is sent
//! ```
//!
//! Each part leaves time for the next: of an account that is too large for the time, what can be said is said,
//! and the invocation fails with what was not reached. The next one does not send again what is held by then.

use std::collections::BTreeSet;

use aws_sdk_config::primitives::DateTime;
use shared::observed::Observed;

use crate::{
    evaluation::Evaluation,
    judge::{Judge, Judged},
    look::Look,
    news::{Held, News},
    report::Delivery,
    resource::{ResourceKey, TARGET},
    summary::{Summary, log_refused},
};

/// How much of the time, in percent, is over when the list of instances ends.
const LIST_ENDS: u32 = 40;
/// … and when reading back ends.
const READING_BACK_ENDS: u32 = 75;

/// Resources read by id at once, so that they take no more memory than a page of a sweep.
const MAX_READ_BY_ID: usize = 1000;

/// A scheduled evaluation.
pub(crate) struct Schedule<'a> {
    pub(crate) judge: Judge<'a>,
    pub(crate) summary: &'a mut Summary,
}

impl Schedule<'_> {
    /// Evaluates everything.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let Judge { looker, reporter, .. } = self.judge;
        let deadline = reporter.deadline;
        let look = looker.look_at_everything(deadline.after(LIST_ENDS)).await?;
        let Look { at, observed, cut_short } = look;
        let is_cut_short = cut_short.is_some();
        let Judged { instances, targets } = self.judged(&observed).await;
        let (mut evaluations, mut withheld) = (instances.evaluations, instances.withheld);
        evaluations.extend(looker.sessions(&observed));
        evaluations.extend(targets.evaluations());
        withheld.extend(targets.unread());
        if looker.settings.target_health.is_some() && !is_cut_short {
            evaluations.extend(targets.others(&observed));
        }
        drop(observed);
        self.summary.judge(&evaluations);
        if let Some(error) = cut_short {
            let error = anyhow::Error::from(error);
            let problem = format!("not every instance was evaluated: {error:#}");
            self.summary.note_problem(problem);
        }
        if reporter.is_test() {
            self.send(&evaluations, at).await;
            return Ok(());
        }
        let (held, problem) = reporter.held(deadline.after(READING_BACK_ENDS)).await?;
        if let Some(problem) = problem {
            self.summary.note_problem(problem);
        }
        let mut missing = held.not_evaluated(&evaluations);
        missing.retain(|it| !withheld.contains(it));
        let mut calls = self.send_news(&held, evaluations, at).await;
        if is_cut_short {
            self.summary.not_reached += missing.len();
        } else {
            calls += self.look_for(&missing, &held).await?;
        }
        if calls == 0 {
            // AWS Config waits for the token.
            self.send(&[], at).await;
        }
        Ok(())
    }

    async fn judged(&mut self, observed: &Observed) -> Judged {
        let judged = self.judge.instances(observed).await;
        self.summary.note_problems(judged.targets.problems());
        judged
    }

    /// Evaluates what AWS Config holds a verdict on and the look at everything did not show. Returns how many
    /// calls AWS Config accepted.
    async fn look_for(&mut self, missing: &[ResourceKey], held: &Held) -> anyhow::Result<usize> {
        let mut calls = 0;
        let mut chunks = missing.chunks(MAX_READ_BY_ID);
        while let Some(chunk) = chunks.next() {
            if self.judge.reporter.deadline.is_near() {
                self.summary.not_reached += chunk.len() + chunks.map(<[_]>::len).sum::<usize>();
                break;
            }
            let looker = self.judge.looker;
            let judges_targets = looker.settings.target_health.is_some();
            let is_judged = |it: &&ResourceKey| judges_targets || it.resource_type != TARGET;
            let selectors = chunk.iter().filter(is_judged).filter_map(ResourceKey::selector);
            let look = looker.look(selectors).await?;
            let named: BTreeSet<_> = chunk.iter().collect();
            let mut evaluations = self.judged(&look.observed).await.instances.evaluations;
            evaluations.extend(looker.sessions(&look.observed));
            evaluations.retain(|evaluation| named.contains(&evaluation.resource));
            // The parameter was taken away since.
            let unjudged = chunk.iter().filter(|it| !is_judged(it)).cloned();
            evaluations.extend(unjudged.map(Evaluation::out_of_scope));
            let gone = gone(&look.observed).filter(|it| held.is_to_be_taken_back(it, look.at));
            evaluations.extend(gone.map(|it| Evaluation::gone(it, None)));
            self.summary.judge(&evaluations);
            calls += self.send_news(held, evaluations, look.at).await;
        }
        Ok(calls)
    }

    /// Sends those of the evaluations that AWS Config does not hold. Returns how many calls it accepted.
    async fn send_news(
        &mut self,
        held: &Held,
        evaluations: Vec<Evaluation>,
        look: DateTime,
    ) -> usize {
        let News { evaluations, unknown } = held.news(evaluations, look);
        self.summary.not_reached += unknown;
        let evaluations = self.judge.reporter.without_outdated(evaluations, look).await;
        if evaluations.is_empty() { 0 } else { self.send(&evaluations, look).await }
    }

    async fn send(&mut self, evaluations: &[Evaluation], look: DateTime) -> usize {
        self.summary.announce(evaluations);
        let delivery = self.judge.reporter.send(evaluations, look).await;
        note_delivery(self.summary, delivery)
    }
}

/// What EC2 says does not exist.
fn gone(observed: &Observed) -> impl Iterator<Item = ResourceKey> + '_ {
    let instances = observed.not_found.instances.iter().map(ResourceKey::instance);
    let sessions = observed.not_found.sessions.iter().map(ResourceKey::session);
    instances.chain(sessions).chain(observed.not_found.targets.iter().map(ResourceKey::target))
}

/// Counts what became of evaluations. Returns how many calls AWS Config accepted.
pub(crate) fn note_delivery(summary: &mut Summary, delivery: Delivery) -> usize {
    let Delivery { calls, stored, refused, not_reached } = delivery;
    summary.sent += stored;
    summary.not_reached += not_reached;
    summary.refused += refused.len();
    log_refused(refused.iter().map(|(id, why)| (id.as_str(), why.as_str())));
    if let Some((id, why)) = refused.first() {
        let count = refused.len();
        summary.note_problem(format!(
            "AWS Config did not accept {count} evaluations, such as that of {id}: {why}"
        ));
    }
    calls
}
