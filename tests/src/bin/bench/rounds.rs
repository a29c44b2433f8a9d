//! Round trips: calls that run side by side count as one.

use std::pin::pin;
use std::time::Duration;

use local_cloud::cloud::fault::{Fault, Kind};
use local_cloud::lambda::Function;
use serde_json::Value;
use tokio::time::sleep;

use crate::stage::{Stage, invoke};

/// Calls that come within this time of each other, with none answered, run side by side.
const TOGETHER: Duration = Duration::from_millis(100);

/// How often the function waits for EC2 while it works on an event.
pub(crate) async fn count(
    stage: &Stage,
    function: &Function,
    event: &Value,
) -> anyhow::Result<usize> {
    let faults = stage.cloud.faults();
    faults.add(Fault::new("*", Kind::Hold));
    let mut work = pin!(invoke(function, event));
    let mut rounds = 0;
    loop {
        tokio::select! {
            done = &mut work => {
                faults.clear();
                return done.map(|_| rounds);
            }
            () = faults.held(1) => {}
        }
        sleep(TOGETHER).await;
        faults.release();
        rounds += 1;
    }
}
