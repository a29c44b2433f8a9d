//! Two invocations of config-rule at one time: the schedule reads for a while, and a change is judged meanwhile.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use super::compliance::{KEY, evaluate_as};
use super::site::Site;
use crate::aws::config::{ResourceKey, Verdict};
use crate::cloud::Cloud;
use crate::cloud::call::Call;

/// The access key of the execution environment that has the schedule.
const SCHEDULE: &str = "ASIASCHEDULE";

/// Starts a scheduled evaluation, changes the instance some time later, and evaluates it because of that. The verdict
/// of the schedule, which has seen less, does not take the place of the other one, unless it is sent already.
pub(super) async fn change_during_schedule(
    cloud: &Arc<Cloud>,
    site: &Site,
    pause: Duration,
    instance: &str,
    change: impl FnOnce(),
) -> anyhow::Result<()> {
    let key = ResourceKey::instance(instance);
    let before = cloud.count_calls();
    let schedule = evaluate_as(SCHEDULE, cloud, site, None);
    let judged = async {
        sleep(pause).await;
        change();
        evaluate_as(KEY, cloud, site, Some(key.clone())).await?;
        Ok::<_, anyhow::Error>(verdict(cloud, site, &key))
    };
    let (scheduled, judged) = tokio::join!(schedule, judged);
    scheduled?;
    let (judged, now) = (judged?, verdict(cloud, site, &key));
    let is_older = now.as_ref().map(|it| it.ordering) < judged.as_ref().map(|it| it.ordering);
    let was_seen = has_read_since(&cloud.calls_from(before));
    ensure!(!(is_older && was_seen), "{judged:?} was there, and is overwritten by {now:?}");
    Ok(())
}

fn verdict(cloud: &Cloud, site: &Site, key: &ResourceKey) -> Option<Verdict> {
    cloud.config().rule(site.which.rule())?.verdict(key).cloned()
}

/// Whether the schedule has read back verdicts after the other one was stored.
fn has_read_since(calls: &[Call]) -> bool {
    let last = |access_key: &str, action: &str| {
        calls.iter().rposition(|call| {
            call.caller.access_key == access_key && call.action.starts_with(action)
        })
    };
    last(KEY, "PutEvaluations") < last(SCHEDULE, "GetCompliance")
}
