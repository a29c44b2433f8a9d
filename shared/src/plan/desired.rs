//! Which sessions an instance should have: its tags read against the policy.
//!
//! Tags are untrusted: anyone with `ec2:CreateTags` can write them. They are checked for form here
//! and can only choose among what the operator allows.

use std::{fmt::Display, str::FromStr};

use super::{index::Index, reason::Reason};
use crate::{
    id::{FilterId, TargetId},
    observed::{Instance, InstanceState, Shown},
    policy::{
        Interfaces, Policy, Scope,
        tag::{FILTER_TAG, INTERFACES_TAG, TARGET_TAG, eq_ignore_case, is_false},
    },
};

/// At most this many sessions fit on an interface, whoever owns them ("Traffic Mirroring quotas").
pub(super) const SESSIONS_PER_INTERFACE: usize = 3;

/// One session that a source should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredSession {
    /// The target that the instance names; none accepts any allowed target.
    pub(super) target: Option<TargetId>,
    pub(super) filter: FilterId,
}

/// Whether the policy selects the instance.
///
/// # Errors
/// The reason why the instance should not be mirrored.
pub fn selected(policy: &Policy, instance: &Instance) -> Result<(), Reason> {
    let values: Vec<&str> = tag_values(instance, &policy.tag_key).collect();
    if values.iter().any(|value| is_false(value)) {
        return Err(Reason::OptedOut { key: policy.tag_key.clone() });
    }
    let tagged = values.iter().any(|value| eq_ignore_case(value, &policy.tag_value));
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

/// Which interfaces of the instance should be mirrored.
pub(super) fn interfaces(policy: &Policy, instance: &Instance) -> Result<Interfaces, Reason> {
    let mut desired = None;
    for value in tag_values(instance, INTERFACES_TAG) {
        let this = if eq_ignore_case(value, "all") {
            Interfaces::All
        } else if eq_ignore_case(value, "primary") {
            Interfaces::Primary
        } else {
            return Err(Reason::TagUnreadable {
                key: INTERFACES_TAG,
                value: value.to_owned(),
                accepted: "`all` or `primary`".to_owned(),
            });
        };
        if desired.is_some_and(|other| other != this) {
            return Err(Reason::TagConflict { key: INTERFACES_TAG });
        }
        desired = Some(this);
    }
    Ok(desired.unwrap_or(policy.interfaces))
}

/// The sessions that each selected interface of the instance should have, in the order of their
/// numbers.
pub(super) fn desired_sessions(
    policy: &Policy,
    index: &Index<'_>,
    instance: &Instance,
) -> Result<Vec<DesiredSession>, Reason> {
    let targets: Vec<TargetId> = tag_list(instance, TARGET_TAG)?;
    let filters: Vec<FilterId> = tag_list(instance, FILTER_TAG)?;
    check_targets(policy, index, &targets)?;
    let filters = filters_for(policy, index, filters, targets.len().max(1))?;
    let targets = targets.into_iter().map(Some).chain(std::iter::repeat(None));
    Ok(targets.zip(filters).map(|(target, filter)| DesiredSession { target, filter }).collect())
}

/// Checks that the policy allows each of the targets that an instance names.
fn check_targets(policy: &Policy, index: &Index<'_>, targets: &[TargetId]) -> Result<(), Reason> {
    if targets.len() > SESSIONS_PER_INTERFACE {
        return Err(Reason::TooManyTargets { count: targets.len() });
    }
    for target in targets {
        if !matches!(index.target(target), Shown::Yes(_)) {
            return Err(Reason::TargetUnknown { target: target.clone() });
        }
        if !index.allows(policy, target) {
            let owner = index.owner(target).cloned();
            return Err(Reason::TargetNotAllowed { target: target.clone(), owner });
        }
    }
    Ok(())
}

/// The filter of each of so many sessions: those that the instance names, else the default filter.
fn filters_for(
    policy: &Policy,
    index: &Index<'_>,
    named: Vec<FilterId>,
    sessions: usize,
) -> Result<Vec<FilterId>, Reason> {
    let filters = if named.is_empty() {
        vec![default_filter(policy, index)?; sessions]
    } else if named.len() == sessions {
        named
    } else {
        return Err(Reason::FilterCount { filters: named.len(), targets: sessions });
    };
    for (position, filter) in filters.iter().enumerate() {
        if filters.iter().take(position).any(|earlier| earlier == filter) {
            return Err(Reason::SameFilterTwice { filter: filter.clone() });
        }
        if index.filter(filter).is_none() {
            return Err(Reason::FilterUnknown { filter: filter.clone() });
        }
    }
    Ok(filters)
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
    let mut named: Option<Vec<T>> = None;
    for value in tag_values(instance, key) {
        let ids = value.split(',').map(str::trim).filter(|id| !id.is_empty());
        let ids: Result<Vec<T>, T::Err> = ids.map(str::parse).collect();
        let ids = ids.map_err(|error| Reason::TagUnreadable {
            key,
            value: value.to_owned(),
            accepted: error.to_string(),
        })?;
        if named.as_ref().is_some_and(|other| *other != ids) {
            return Err(Reason::TagConflict { key });
        }
        named = Some(ids);
    }
    Ok(named.unwrap_or_default())
}

/// The values of a tag in all spellings of its key; an empty value counts as no tag.
fn tag_values<'a>(instance: &'a Instance, key: &str) -> impl Iterator<Item = &'a str> {
    let tags = instance.tags.iter().filter(move |tag| eq_ignore_case(&tag.key, key));
    tags.map(|tag| tag.value.trim()).filter(|value| !value.is_empty())
}
