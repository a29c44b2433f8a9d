//! Which evaluations AWS Config does not hold yet: each one that is sent costs money.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_config::primitives::DateTime;
use shared::plan::verdict::Verdict;

use crate::{
    resource::{ResourceKey, SESSION},
    verdict::Evaluation,
};

/// How long to wait for what AWS Config has just seen but EC2 does not show, in seconds: EC2's answers
/// may lag behind ("Eventual consistency in the EC2 API"). Lambda retries an event after one minute and
/// after two more, so the last attempt is later, and reports what is there then.
pub(crate) const MAX_LAG: i64 = 120;

/// A verdict that AWS Config holds.
pub(crate) struct Recorded {
    pub(crate) verdict: Verdict,
    pub(crate) annotation: String,
    /// When it was sent.
    pub(crate) time: Option<DateTime>,
}

/// The resources that AWS Config holds a verdict on and `evaluations` has none for: a sweep leaves out
/// instances that should no longer be mirrored, and a list may leave out anything.
pub(crate) fn not_evaluated(
    evaluations: &[Evaluation],
    recorded: &BTreeMap<ResourceKey, Recorded>,
) -> Vec<ResourceKey> {
    let evaluated: BTreeSet<_> = evaluations.iter().map(|it| &it.resource).collect();
    recorded.keys().filter(|it| !evaluated.contains(it)).cloned().collect()
}

/// The evaluations that AWS Config does not hold yet, and `NOT_APPLICABLE` for each verdict that it holds
/// on something that is `gone`, by EC2's own word. What is neither evaluated nor gone keeps its verdict.
///
/// `NOT_APPLICABLE` is only news where something else is held. So is a session that leads to an allowed
/// target: it was evaluated when it was created, and there may be as many sessions as instances.
pub(crate) fn news(
    evaluations: Vec<Evaluation>,
    mut recorded: BTreeMap<ResourceKey, Recorded>,
    gone: &BTreeSet<ResourceKey>,
    now: DateTime,
) -> Vec<Evaluation> {
    let mut news = Vec::new();
    for evaluation in evaluations {
        let is_session = evaluation.resource.resource_type == SESSION;
        let is_news = match (recorded.remove(&evaluation.resource), evaluation.verdict) {
            (None, Verdict::NotApplicable) => false,
            (None, Verdict::Compliant) => !is_session,
            (None, Verdict::NonCompliant) => true,
            (Some(held), verdict) => {
                held.verdict != verdict || held.annotation != evaluation.annotation
            }
        };
        if is_news {
            news.push(evaluation);
        }
    }
    // What was evaluated a moment ago is there, though EC2 may not know it everywhere yet.
    let is_old = |held: &Recorded| held.time.is_none_or(|time| age(time, now) >= MAX_LAG);
    recorded.retain(|resource, held| gone.contains(resource) && is_old(held));
    news.extend(recorded.into_keys().map(Evaluation::gone));
    news
}

/// Seconds from `time` to `now`.
pub(crate) fn age(time: DateTime, now: DateTime) -> i64 {
    now.secs().saturating_sub(time.secs())
}
