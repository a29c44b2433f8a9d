//! How many sources more the allowed targets take, for whoever must see to it that there are enough.

use std::collections::BTreeMap;

use crate::id::TargetId;

/// The room on the allowed targets that EC2 shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomOnTargets {
    /// Each of them.
    pub targets: BTreeMap<TargetId, TargetRoom>,
}

/// The room on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetRoom {
    /// The sources on it and the most that it takes, where there is a limit that is known.
    pub used: Option<(usize, usize)>,
    /// It takes no source more, because of its limit or because EC2 has said so.
    pub is_full: bool,
    /// How many sources more it takes, where there is a limit that is known.
    pub left: Option<usize>,
}

impl RoomOnTargets {
    /// How many of them are full.
    #[must_use]
    pub fn full(&self) -> usize {
        self.targets.values().filter(|target| target.is_full).count()
    }

    /// How many sources more those take together whose limit is known; none where no limit is.
    #[must_use]
    pub fn left(&self) -> Option<usize> {
        let known = self.targets.values().filter_map(|target| target.left);
        known.reduce(usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        observed::{Capacity, TargetState},
        plan::{room_on_targets, test_cloud::*},
    };

    /// How many targets are allowed, how many of them are full, and how many sources more they take.
    fn numbers(cloud: &Cloud) -> (usize, usize, Option<usize>) {
        let room = room_on_targets(&cloud.policy(), &cloud.observed);
        (room.targets.len(), room.full(), room.left())
    }

    fn two_sensors() -> Cloud {
        let cloud = Cloud::new().with(|o| o.targets.clear());
        cloud.target(sensor("tmt-1", "eni-t1", "a")).target(sensor("tmt-2", "eni-t2", "b"))
    }

    #[test]
    fn what_the_targets_take_more_is_added_up_and_a_source_counts_once_on_each() {
        assert_eq!(numbers(&two_sensors()), (2, 0, Some(20)));
        let used = two_sensors().with(|o| o.sessions.extend(fill("tmt-1", 7)));
        assert_eq!(numbers(&used), (2, 0, Some(13)));
        let twice = || [owned("tms-1", "eni-1", 1), owned("tms-2", "eni-1", 2)];
        assert_eq!(numbers(&two_sensors().with(|o| o.sessions.extend(twice()))).2, Some(19));
    }

    #[test]
    fn a_target_at_its_limit_or_that_ec2_has_called_full_takes_none() {
        let full = two_sensors().with(|o| o.sessions.extend(fill("tmt-1", 10)));
        assert_eq!(numbers(&full), (2, 1, Some(10)));
        // Somebody changed the sensor's instance type.
        let over = two_sensors().with(|o| o.sessions.extend(fill("tmt-1", 12)));
        assert_eq!(numbers(&over), (2, 1, Some(10)));
        let refused = two_sensors().with(|o| o.targets[0].state = TargetState::Full);
        assert_eq!(numbers(&refused), (2, 1, Some(10)));
    }

    #[test]
    fn a_target_without_a_known_limit_is_not_added() {
        let beside = || two_sensors().target(load_balancer("tmt-3", US));
        assert_eq!(numbers(&beside()), (3, 0, Some(20)));
        assert_eq!(numbers(&Cloud::new()), (1, 0, None));
        let unknown = Cloud::new().with(|o| o.targets[0].capacity = Capacity::Unknown);
        assert_eq!(numbers(&unknown), (1, 0, None));
        // EC2's refusal is believed all the same.
        let refused = unknown.with(|o| o.targets[0].state = TargetState::Full);
        assert_eq!(numbers(&refused), (1, 1, None));
    }

    #[test]
    fn a_target_that_new_sessions_must_not_use_has_no_room_and_is_not_full() {
        let gone = two_sensors().with(|o| o.targets[0].state = TargetState::Gone);
        assert_eq!(numbers(&gone), (2, 0, Some(10)));
        let draining = || two_sensors().with(|o| o.targets[0].draining = true);
        assert_eq!(numbers(&draining().set("MIRROR_TARGET_IDS", "tmt-1,tmt-2")).2, Some(10));
        // The tag counts only where the settings name the targets.
        assert_eq!(numbers(&draining()).2, Some(20));
        let stopped = two_sensors().with(|o| o.targets[0].state = TargetState::Stopped);
        assert_eq!(numbers(&stopped), (2, 0, Some(20)));
    }

    #[test]
    fn a_target_that_is_not_allowed_does_not_count() {
        let foreign = || two_sensors().with(|o| o.targets[1].account = THEM.parse().unwrap());
        assert_eq!(numbers(&foreign()), (1, 0, Some(10)));
        assert_eq!(numbers(&foreign().set("MIRROR_TARGET_OWNERS", &format!("self,{THEM}"))).0, 2);
        assert_eq!(numbers(&two_sensors().set("MIRROR_TARGET_IDS", "tmt-1")), (1, 0, Some(10)));
    }
}
