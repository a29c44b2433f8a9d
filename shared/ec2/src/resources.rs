//! The targets and filters that an account can see.

use aws_sdk_ec2::Client;
use shared::observed::{Filter, Target};

use crate::{call, error::ObserveError};

/// The targets and filters that an account can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct MirrorResources {
    pub(crate) targets: Vec<Target>,
    pub(crate) filters: Vec<Filter>,
}

impl MirrorResources {
    /// Both lists at the same time.
    pub(crate) async fn read(client: &Client) -> Result<Self, ObserveError> {
        let (targets, filters) =
            futures_util::try_join!(call::targets(client), call::filters(client))?;
        Ok(Self { targets, filters })
    }

    /// One list after the other, so on one connection.
    pub(crate) async fn read_in_turn(client: &Client) -> Result<Self, ObserveError> {
        let targets = call::targets(client).await?;
        let filters = call::filters(client).await?;
        Ok(Self { targets, filters })
    }
}
