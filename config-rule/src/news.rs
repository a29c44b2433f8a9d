//! Which evaluations AWS Config does not hold yet: each one that is sent costs money.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_config::primitives::DateTime;
use shared::{id::InstanceId, plan::verdict::Verdict};

use crate::{
    resource::{INSTANCE, ResourceKey, SESSION},
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

/// The instances that AWS Config holds a verdict on and `evaluations` has none for: a sweep leaves out
/// those that should no longer be mirrored.
pub(crate) fn not_evaluated(
    evaluations: &[Evaluation],
    recorded: &BTreeMap<ResourceKey, Recorded>,
) -> Vec<InstanceId> {
    let evaluated: BTreeSet<_> = evaluations.iter().map(|it| &it.resource).collect();
    let held = recorded.keys().filter(|it| it.resource_type == INSTANCE && !evaluated.contains(it));
    held.filter_map(|it| it.id.parse().ok()).collect()
}

/// The evaluations that AWS Config does not hold yet, and `NOT_APPLICABLE` for each verdict that it holds
/// on something that is gone.
///
/// `NOT_APPLICABLE` is only news where something else is held. So is a session that leads to an allowed
/// target: it was evaluated when it was created, and there may be as many sessions as instances.
pub(crate) fn news(
    evaluations: Vec<Evaluation>,
    mut recorded: BTreeMap<ResourceKey, Recorded>,
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
    // What was evaluated a moment ago is there, though EC2 may not show it yet.
    let is_old = |held: &Recorded| held.time.is_none_or(|time| age(time, now) >= MAX_LAG);
    let old = recorded.into_iter().filter(|(_, held)| is_old(held));
    news.extend(old.map(|(resource, _)| Evaluation::gone(resource)));
    news
}

/// Seconds from `time` to `now`.
pub(crate) fn age(time: DateTime, now: DateTime) -> i64 {
    now.secs().saturating_sub(time.secs())
}
