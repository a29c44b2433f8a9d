//! An installation: its settings, its function, and what this must not take away.

use std::sync::Arc;

use fastrand::Rng;

use super::fleet::Fleet;
use super::keeper::Keeper;
use super::site::{Site, Which};
use crate::aws::sqs::EventFaults;
use crate::cloud::Cloud;

pub(super) struct Installation {
    pub(super) site: Site,
    pub(super) fleet: Fleet,
    pub(super) keeper: Keeper,
}

impl Installation {
    pub(super) fn new(cloud: &Arc<Cloud>, site: Site, events: EventFaults, rng: Rng) -> Self {
        let fleet = Fleet::new(cloud, &site, events, rng);
        Self { site, fleet, keeper: Keeper::default() }
    }

    pub(super) fn is_second(&self) -> bool {
        self.site.which == Which::Second
    }
}
