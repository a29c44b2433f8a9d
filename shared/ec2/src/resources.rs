//! The targets and filters that an account can see.

use shared::observed::{Filter, Target};

use crate::{
    call,
    client::Ec2,
    error::ObserveError,
    interfaces,
    targets::{description, locate_balancers},
};

/// The targets and filters that an account can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct MirrorResources {
    pub(crate) targets: Vec<Target>,
    pub(crate) filters: Vec<Filter>,
}

impl MirrorResources {
    /// Both lists at the same time.
    pub(crate) async fn read(ec2: &Ec2) -> Result<Self, ObserveError> {
        let (targets, filters) =
            futures_util::try_join!(located_targets(ec2), call::filters(&ec2.client))?;
        Ok(Self { targets, filters })
    }

    /// One list after the other, so on one connection.
    pub(crate) async fn read_in_turn(ec2: &Ec2) -> Result<Self, ObserveError> {
        let targets = located_targets(ec2).await?;
        let filters = call::filters(&ec2.client).await?;
        Ok(Self { targets, filters })
    }
}

/// At most this many balancers and endpoints are located, which takes one request: whoever may create
/// targets must not be able to make every read expensive.
const MAX_LOCATED: usize = 200;

/// Every target; where there is a choice, with the place of the balancers and endpoints among them.
async fn located_targets(ec2: &Ec2) -> Result<Vec<Target>, ObserveError> {
    let mut targets = call::targets(&ec2.client).await?;
    if targets.len() > 1 {
        let mut descriptions: Vec<_> =
            targets.iter().filter_map(|target| description(&target.endpoint)).collect();
        descriptions.sort();
        descriptions.truncate(MAX_LOCATED);
        let descriptions = descriptions.iter().map(String::as_str);
        let interfaces = interfaces::balancer_interfaces(ec2, descriptions).await?;
        locate_balancers(&mut targets, &interfaces);
    }
    Ok(targets)
}
