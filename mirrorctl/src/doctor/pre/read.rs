//! Reads what mirroring needs, with the caller's permissions. What cannot be read is a fact that says so; the rest is
//! read all the same.

mod cloudtrail;
mod config;

use super::{
    super::{network::Fact, read::read_behind},
    Facts, Mirroring,
    targets::candidates,
};
use crate::{place::Place, world::Decided};

/// `decided` is what EC2 shows, with its plan.
pub(crate) async fn read(place: &Place, decided: impl Future<Output = Fact<Decided>>) -> Facts {
    let (recorders, trails, mirroring) =
        tokio::join!(config::recorders(&place.config), cloudtrail::trails(&place.config), async {
            let decided = decided.await?;
            let observed = &decided.world.observed;
            let network = read_behind(&place.config, observed, &candidates(&decided)).await;
            Ok(Mirroring { decided, network })
        },);
    let (recorder, status) = recorders;
    Facts { region: place.region.clone(), recorder, status, trails, mirroring }
}
