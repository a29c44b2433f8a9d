//! The EventBridge events that changes cause.

use serde_json::{Value, json};

use super::World;

/// So many calls are kept: simulations make very many.
const MAX_TRAIL: usize = 10_000;

impl World {
    pub(super) fn tell_state(&mut self, instance: &str) {
        let Some(instance) = self.instances.get(instance) else { return };
        let account = instance.owner.clone();
        let resource = self.arn(&account, "instance", &instance.id);
        let detail = json!({ "instance-id": instance.id, "state": instance.state.name() });
        let kind = "EC2 Instance State-change Notification";
        self.tell(&account, "aws.ec2", kind, &[resource], detail);
    }

    /// Sent for instances only: no product code uses the tag events of other resources.
    pub(super) fn tell_tag_change(&mut self, id: &str, changed_keys: &[String]) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.tag_version += 1;
        let detail = json!({
            "changed-tag-keys": changed_keys,
            "tags": instance.tags,
            "service": "ec2",
            "resource-type": "instance",
            "version": instance.tag_version,
        });
        let account = instance.owner.clone();
        let resource = self.arn(&account, "instance", id);
        self.tell(&account, "aws.tag", "Tag Change on Resource", &[resource], detail);
    }

    /// Records a call.
    pub(super) fn record_call(&mut self, detail: &Value) {
        if self.trail.len() >= MAX_TRAIL {
            self.trail.pop_front();
        }
        self.trail.push_back((self.now, detail.clone()));
    }

    /// Puts an event into the outbox.
    pub(crate) fn tell(
        &mut self,
        account: &str,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: Value,
    ) {
        let mut event = json!({
            "version": "0",
            "id": self.new_uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": timestamp(self.now),
            "region": self.region,
            "resources": resources,
        });
        event["detail"] = detail;
        self.events.push(event);
    }

    pub(super) fn new_uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next_number())
    }

    fn arn(&self, account: &str, kind: &str, id: &str) -> String {
        format!("arn:aws:ec2:{}:{account}:{kind}/{id}", self.region)
    }
}

/// Unix time as AWS writes it, such as `2026-01-01T00:00:00Z`.
pub(crate) fn timestamp(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // The calendar is counted from the first of March of the year 0, so that a leap day comes last;
    // see https://howardhinnant.github.io/date_algorithms.html#civil_from_days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::super::{Caller, RunInstances};
    use super::*;

    #[test]
    fn time_is_written_as_aws_writes_it() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(timestamp(1_767_225_599), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn every_state_of_an_instance_is_told() {
        let (mut world, alice) = (World::default(), Caller::default());
        let ids = world.run_instances(&alice, &RunInstances::default()).unwrap();
        world.tick();
        world.stop_instances(&alice, &ids).unwrap();
        world.tick();
        world.terminate_instances(&alice, &ids).unwrap();
        world.tick();
        let events = world.take_events();
        let states: Vec<_> = events.iter().map(|event| &event["detail"]["state"]).collect();
        let expected = ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"];
        assert_eq!(states, expected);
        assert_eq!(
            events[0],
            json!({
                "version": "0",
                "id": events[0]["id"],
                "detail-type": "EC2 Instance State-change Notification",
                "source": "aws.ec2",
                "account": "111122223333",
                "time": "2026-01-01T00:00:00Z",
                "region": "us-east-1",
                "resources": [format!("arn:aws:ec2:us-east-1:111122223333:instance/{}", ids[0])],
                "detail": { "instance-id": ids[0], "state": "pending" },
            })
        );
    }
}
