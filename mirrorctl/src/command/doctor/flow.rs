//! `--flow`: what CloudWatch counts, once somebody has agreed to what it costs.

use std::{collections::BTreeSet, time::SystemTime};

use futures_util::{StreamExt, stream};

use super::Looked;
use crate::{
    answer::Answer,
    confirm::agree,
    doctor::{
        flow::{balancers, senders},
        read::cloudwatch::{flow, most},
    },
    read::Outcome,
};

/// Places that are asked at once.
const CONCURRENT: usize = 4;

/// Has CloudWatch judge the copies of every place that was read. Where nobody agrees to the cost, the other links are
/// judged all the same.
pub(super) async fn judge(
    answer: &mut Answer,
    places: &mut [Outcome<Looked>],
    given: Option<f64>,
    now: SystemTime,
) {
    let looked = places.iter_mut().flatten();
    let asked = looked.map(|it| (it.senders(), it.balancers(), it));
    // Where nobody may send copies, there is nothing to ask, and to pay for.
    let asked: Vec<_> = asked.filter(|(senders, ..)| !senders.is_empty()).collect();
    if asked.is_empty() {
        return;
    }
    let costs = asked.iter().map(|(senders, balancers, _)| most(senders.len(), balancers.len()));
    let what = "Asking CloudWatch about the last 3 hours costs";
    if let Err(problem) = agree(costs.sum(), given, what) {
        answer.fail(None, problem);
        return;
    }
    let judged = asked.into_iter().map(|(senders, balancers, looked)| async move {
        let flow = flow(&looked.config, &senders, balancers, now).await;
        flow.judge(&mut looked.checked, &looked.decided.world.observed, &looked.mixed);
    });
    stream::iter(judged).buffer_unordered(CONCURRENT).collect::<()>().await;
}

impl Looked {
    fn senders(&self) -> BTreeSet<String> {
        senders(&self.checked)
    }

    /// Those at targets that something may send to.
    fn balancers(&self) -> BTreeSet<String> {
        let used: BTreeSet<_> =
            self.checked.iter().filter_map(|it| it.pair.target.as_ref()).collect();
        let all = balancers(&self.decided.world.observed);
        all.into_iter().filter(|(id, _)| used.contains(id)).map(|(_, name)| name).collect()
    }
}
