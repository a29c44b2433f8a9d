//! Tags, and the event that tells of their change.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Caller, Refusal, Resource, World};

/// Keys and values; both are case-sensitive at AWS.
pub type Tags = BTreeMap<String, String>;

impl World {
    /// Adds or overwrites tags.
    pub fn create_tags(
        &mut self,
        caller: &Caller,
        resources: &[String],
        tags: &Tags,
    ) -> Result<(), Refusal> {
        self.change_tags(caller, resources, |present| {
            check(tags)?;
            present.extend(tags.clone());
            check_count(present)
        })?;
        let items = tags.iter().map(|(key, value)| json!({ "key": key, "value": value }));
        self.record_tags(caller, "CreateTags", resources, &items.collect::<Vec<_>>());
        Ok(())
    }

    /// Takes tags away: where a value is given, only if it is the present one; all, if none are
    /// named.
    pub fn delete_tags(
        &mut self,
        caller: &Caller,
        resources: &[String],
        tags: &BTreeMap<String, Option<String>>,
    ) -> Result<(), Refusal> {
        let goes = |key: &String, value: &String| match tags.get(key) {
            Some(Some(given)) => given == value,
            Some(None) => true,
            None => tags.is_empty(),
        };
        self.change_tags(caller, resources, |present| {
            present.retain(|key, value| !goes(key, value));
            Ok(())
        })?;
        let items = tags.keys().map(|key| json!({ "key": key }));
        self.record_tags(caller, "DeleteTags", resources, &items.collect::<Vec<_>>());
        Ok(())
    }

    fn change_tags(
        &mut self,
        caller: &Caller,
        resources: &[String],
        change: impl Fn(&mut Tags) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        // All or nothing: the new tags are worked out for every resource before any of them is
        // changed.
        let mut changes = Vec::new();
        for id in resources {
            let mut tags = self.tags_mut(caller, id)?.clone();
            change(&mut tags)?;
            changes.push((id, tags));
        }
        for (id, tags) in changes {
            let before = std::mem::replace(self.tags_mut(caller, id)?, tags.clone());
            let keys = changed_keys(&before, &tags);
            if !keys.is_empty() {
                self.tell_tag_change(id, &keys);
            }
        }
        Ok(())
    }

    fn tags_mut(&mut self, caller: &Caller, id: &str) -> Result<&mut Tags, Refusal> {
        match id.split_once('-').map(|(prefix, _)| prefix) {
            Some("i") => of_owner(self.instances.get_mut(id), caller, id),
            Some("eni") => of_owner(self.interfaces.get_mut(id), caller, id),
            Some("tms") => of_owner(self.sessions.get_mut(id), caller, id),
            Some("tmt") => of_owner(self.targets.get_mut(id), caller, id),
            Some("tmf") => of_owner(self.filters.get_mut(id), caller, id),
            Some("tmfr") => of_owner(self.rules.get_mut(id), caller, id),
            _ => Err(Refusal::new("InvalidID", format!("The ID '{id}' is not valid"))),
        }
    }
}

fn of_owner<'a, T: Resource>(
    row: Option<&'a mut T>,
    caller: &Caller,
    id: &str,
) -> Result<&'a mut Tags, Refusal> {
    row.filter(|row| row.owner() == caller.account).map(T::tags_mut).ok_or_else(|| T::missing(id))
}

/// The rules for tags that a caller gives, with a resource or afterwards.
pub(super) fn check(tags: &Tags) -> Result<(), Refusal> {
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(Refusal::value("Tag keys must have 1 to 128 characters"));
        }
        if value.chars().count() > 256 {
            return Err(Refusal::value("Tag values must have at most 256 characters"));
        }
        if key.chars().chain(value.chars()).any(|c| c.is_control() && !"\n\r\t".contains(c)) {
            return Err(Refusal::value("Tags must not have characters that XML cannot carry"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::value(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
    }
    check_count(tags)
}

fn check_count(tags: &Tags) -> Result<(), Refusal> {
    // AWS's own tags do not count.
    if tags.keys().filter(|key| !key.starts_with("aws:")).count() > 50 {
        return Err(Refusal::new("TagLimitExceeded", "A resource can have at most 50 tags"));
    }
    Ok(())
}

fn changed_keys(before: &Tags, after: &Tags) -> Vec<String> {
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().filter(|&key| before.get(key) != after.get(key)).cloned().collect()
}
