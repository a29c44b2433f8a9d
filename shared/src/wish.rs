//! What is wanted for an instance: its tags read against the policy.
//!
//! Tags are untrusted: anyone with `ec2:CreateTags` can write them. They are checked for form here
//! and can only choose among what the operator allows.

use std::{fmt::Display, str::FromStr};

use crate::{
    id::{FilterId, TargetId},
    index::Index,
    observed::{Instance, InstanceState},
    policy::{Interfaces, Policy, Scope, is_false},
    reason::Reason,
};

/// The tags that say more about a mirrored instance; their keys match without regard to case.
pub(crate) const TARGET_TAG: &str = "Mirror-Target";
pub(crate) const FILTER_TAG: &str = "Mirror-Filter";
pub(crate) const INTERFACES_TAG: &str = "Mirror-Interfaces";

/// At most this many sessions fit on an interface, whoever owns them ("Traffic Mirroring quotas").
pub(crate) const SESSIONS_PER_INTERFACE: usize = 3;

/// One session that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The target the instance names; none takes any allowed one.
    pub(crate) target: Option<TargetId>,
    pub(crate) filter: FilterId,
}

/// Whether the instance is wanted at all, or why it is not.
///
/// # Errors
/// The reason why the instance is not to be mirrored.
pub fn selected(policy: &Policy, instance: &Instance) -> Result<(), Reason> {
    let values: Vec<&str> = tag_values(instance, &policy.tag_key).collect();
    if values.iter().any(|value| is_false(value)) {
        return Err(Reason::OptedOut { key: policy.tag_key.clone() });
    }
    let tagged = values.iter().any(|value| same(value, &policy.tag_value));
    if policy.scope == Scope::Tagged && !tagged {
        return Err(Reason::NotSelected {
            key: policy.tag_key.clone(),
            value: policy.tag_value.clone(),
        });
    }
    match instance.state {
        InstanceState::Pending | InstanceState::Running => Ok(()),
        InstanceState::Stopping | InstanceState::Stopped if policy.keep_stopped => Ok(()),
        state => Err(Reason::NotRunning { state }),
    }
}

/// Whether a tag with this key can change what is wanted.
#[must_use]
pub fn reads_tag(policy: &Policy, key: &str) -> bool {
    [&policy.tag_key, TARGET_TAG, FILTER_TAG, INTERFACES_TAG].iter().any(|ours| same(ours, key))
}

/// Which interfaces of the instance are wanted.
pub(crate) fn interfaces(policy: &Policy, instance: &Instance) -> Result<Interfaces, Reason> {
    let mut wanted = None;
    for value in tag_values(instance, INTERFACES_TAG) {
        let this = if same(value, "all") {
            Interfaces::All
        } else if same(value, "primary") {
            Interfaces::Primary
        } else {
            return Err(Reason::TagUnreadable {
                key: INTERFACES_TAG,
                value: value.to_owned(),
                accepted: "`all` or `primary`".to_owned(),
            });
        };
        if wanted.is_some_and(|other| other != this) {
            return Err(Reason::TagConflict { key: INTERFACES_TAG });
        }
        wanted = Some(this);
    }
    Ok(wanted.unwrap_or(policy.interfaces))
}

/// The sessions that are wanted on each interface of the instance, in the order of their numbers.
pub(crate) fn wishes(
    policy: &Policy,
    index: &Index<'_>,
    instance: &Instance,
) -> Result<Vec<Wish>, Reason> {
    let targets: Vec<TargetId> = tag_list(instance, TARGET_TAG)?;
    let filters: Vec<FilterId> = tag_list(instance, FILTER_TAG)?;
    if targets.len() > SESSIONS_PER_INTERFACE {
        return Err(Reason::TooManyTargets { count: targets.len() });
    }
    for target in &targets {
        if index.target(target).is_none() {
            return Err(Reason::TargetUnknown { target: target.clone() });
        }
        if !index.allows(policy, target) {
            let owner = index.owner(target).cloned();
            return Err(Reason::TargetNotAllowed { target: target.clone(), owner });
        }
    }
    let sessions = targets.len().max(1);
    let filters = if filters.is_empty() {
        vec![default_filter(policy, index)?; sessions]
    } else if filters.len() == sessions {
        filters
    } else {
        return Err(Reason::FilterCount { filters: filters.len(), targets: sessions });
    };
    for (position, filter) in filters.iter().enumerate() {
        if filters.iter().take(position).any(|earlier| earlier == filter) {
            return Err(Reason::SameFilterTwice { filter: filter.clone() });
        }
        if index.filter(filter).is_none() {
            return Err(Reason::FilterUnknown { filter: filter.clone() });
        }
    }
    let targets = targets.into_iter().map(Some).chain(std::iter::repeat(None));
    Ok(targets.zip(filters).map(|(target, filter)| Wish { target, filter }).collect())
}

/// The filter of instances that name none.
fn default_filter(policy: &Policy, index: &Index<'_>) -> Result<FilterId, Reason> {
    match (&policy.filter, index.default_filter()) {
        (Some(filter), _) => Ok(filter.clone()),
        (None, Some(filter)) => Ok(filter.id.clone()),
        (None, None) => {
            Err(Reason::NoFilter { owner: policy.owner.clone(), count: index.filters() })
        }
    }
}

/// The ids in a tag, separated by commas.
fn tag_list<T>(instance: &Instance, key: &'static str) -> Result<Vec<T>, Reason>
where
    T: FromStr<Err: Display> + PartialEq,
{
    let mut wanted: Option<Vec<T>> = None;
    for value in tag_values(instance, key) {
        let ids = value.split(',').map(str::trim).filter(|id| !id.is_empty());
        let ids: Result<Vec<T>, T::Err> = ids.map(str::parse).collect();
        let ids = ids.map_err(|error| Reason::TagUnreadable {
            key,
            value: value.to_owned(),
            accepted: error.to_string(),
        })?;
        if wanted.as_ref().is_some_and(|other| *other != ids) {
            return Err(Reason::TagConflict { key });
        }
        wanted = Some(ids);
    }
    Ok(wanted.unwrap_or_default())
}

/// The values of a tag in all spellings of its key; an empty value counts as no tag.
fn tag_values<'a>(instance: &'a Instance, key: &str) -> impl Iterator<Item = &'a str> {
    let tags = instance.tags.iter();
    tags.filter(move |(name, _)| same(name, key))
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

/// Equal without regard to case.
fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || (!(left.is_ascii() && right.is_ascii()) && left.to_lowercase() == right.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_tags_are_ours_and_no_other() {
        let policy = Policy::parse(|_| None).unwrap();
        for key in ["mirror", "MIRROR-TARGET", "Mirror-Filter", "mirror-interfaces"] {
            assert!(reads_tag(&policy, key), "{key}");
        }
        assert!(!reads_tag(&policy, "Owner") && !reads_tag(&policy, "Mirrored"));
    }

    #[test]
    fn whether_a_tag_is_ours_does_not_depend_on_which_of_two_keys_has_other_letters() {
        let kelvin = "Trac\u{212a}";
        for (ours, theirs) in [("Track", kelvin), (kelvin, "track")] {
            let setting = |name: &str| (name == "MIRROR_TAG_KEY").then(|| ours.to_owned());
            assert!(reads_tag(&Policy::parse(setting).unwrap(), theirs), "{ours} {theirs}");
        }
    }
}
