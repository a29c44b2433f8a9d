//! What a function does before any event comes, while Lambda gives it a whole core.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::error::DisplayErrorContext;
use tokio::time::timeout;
use tracing::warn;

use crate::{cache::Cache, client::Ec2, error::ObserveError, resources::MirrorResources};

/// Lambda starts a function anew whose initialisation takes more than 10 seconds.
const MAX_WARM_UP: Duration = Duration::from_secs(3);

/// Reads targets and filters into the cache. That also opens the connection to EC2 and does everything
/// else that the first event would otherwise wait for.
///
/// One call after the other, so on one connection: the first event mostly needs no second one.
pub async fn warm_up(ec2: &Ec2, cache: &Cache, now: SystemTime) {
    if let Some(resources) = within_limit(MirrorResources::read_in_turn(ec2)).await {
        cache.store(resources, now);
    }
}

/// Opens connections to EC2, for events that are read without a cache: that takes several calls at
/// the same time.
pub async fn connect(ec2: &Ec2) {
    within_limit(MirrorResources::read(ec2)).await;
}

/// A failure is only logged: if it lasts, the first event fails with it.
async fn within_limit<T>(read: impl Future<Output = Result<T, ObserveError>>) -> Option<T> {
    match timeout(MAX_WARM_UP, read).await {
        Ok(Ok(read)) => return Some(read),
        Ok(Err(error)) => warn!("not warmed up: {}", DisplayErrorContext(error)),
        Err(_) => warn!("not warmed up: EC2 took more than {MAX_WARM_UP:?}"),
    }
    None
}
