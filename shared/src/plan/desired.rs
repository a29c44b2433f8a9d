//! Which sessions an instance should have: its tags read against the policy.
//!
//! Tags are untrusted: anyone with `ec2:CreateTags` can write them. They are checked for form here
//! and can only choose among what the operator allows.

use std::{fmt::Display, str::FromStr};

use super::{index::Index, reason::Reason};
use crate::{
    id::{FilterId, TargetId},
    observed::{Instance, InstanceState, Shown, Tag},
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
    pub(super) filter: DesiredFilter,
}

/// The filter that a session should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DesiredFilter {
    /// This one: a tag or a setting names it.
    Named(FilterId),
    /// A new session gets the default filter, or none where there is no default. A session that exists
    /// keeps its filter.
    Default(Option<FilterId>),
}

impl DesiredFilter {
    /// The filter of a new session.
    pub(super) fn for_new(&self) -> Option<&FilterId> {
        match self {
            Self::Named(filter) => Some(filter),
            Self::Default(filter) => filter.as_ref(),
        }
    }

    /// Whether a session that exists may have this filter.
    pub(super) fn accepts(&self, filter: &FilterId) -> bool {
        match self {
            Self::Named(named) => named == filter,
            Self::Default(_) => true,
        }
    }
}

/// Whether the policy selects the instance, and it can be mirrored in its state.
///
/// # Errors
/// The reason why the instance should not be mirrored.
pub fn selected(policy: &Policy, instance: &Instance) -> Result<(), Reason> {
    selected_by_tags(policy, instance)?;
    match instance.state {
        InstanceState::Pending | InstanceState::Running => Ok(()),
        InstanceState::Stopping | InstanceState::Stopped if policy.keep_stopped => Ok(()),
        state => Err(Reason::NotRunning { state }),
    }
}

/// Whether tags and scope select the instance, whatever its state.
pub(super) fn selected_by_tags(policy: &Policy, instance: &Instance) -> Result<(), Reason> {
    let mut values = tag_values(instance, &policy.tag_key);
    if values.any(is_false) {
        return Err(Reason::OptedOut { key: policy.tag_key.clone() });
    }
    if policy.scope == Scope::Tagged && !is_tagged(policy, instance) {
        return Err(Reason::NotSelected {
            key: policy.tag_key.clone(),
            value: policy.tag_value.clone(),
        });
    }
    Ok(())
}

/// Whether the instance itself carries the selecting tag: somebody asked for this instance by name.
#[must_use]
pub fn is_tagged(policy: &Policy, instance: &Instance) -> bool {
    let mut values = tag_values(instance, &policy.tag_key);
    values.any(|value| eq_ignore_case(value, &policy.tag_value))
}

/// Whether these tags select their instance.
#[must_use]
pub fn are_selecting(policy: &Policy, tags: &[Tag]) -> bool {
    let values = || values_of(tags, &policy.tag_key);
    values().any(|value| eq_ignore_case(value, &policy.tag_value)) && !values().any(is_false)
}

/// Whether one of the instance's tags has the selecting key, in any spelling.
#[must_use]
pub fn has_key(policy: &Policy, instance: &Instance) -> bool {
    instance.tags.iter().any(|tag| eq_ignore_case(&tag.key, &policy.tag_key))
}

/// The targets that the instance names, as far as its tag can be read.
#[must_use]
pub fn named_targets(instance: &Instance) -> Vec<TargetId> {
    tag_list(instance, TARGET_TAG).unwrap_or_default()
}

/// Whether the selecting tag leaves the instance out, where nothing but its absence says so.
#[must_use]
pub fn lacks_tag(policy: &Policy, instance: &Instance) -> bool {
    matches!(selected_by_tags(policy, instance), Err(Reason::NotSelected { .. }))
}

/// Which interfaces of the instance should be mirrored. The tag can only narrow what the setting says.
///
/// # Errors
/// Why the tag cannot be read.
pub(super) fn interfaces(
    policy: &Policy,
    instance: &Instance,
) -> Result<SelectedInterfaces, Reason> {
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
    Ok(match (policy.interfaces, desired) {
        (Interfaces::Primary, _) => SelectedInterfaces::Primary("MIRROR_INTERFACES"),
        (Interfaces::All, Some(Interfaces::Primary)) => SelectedInterfaces::Primary(INTERFACES_TAG),
        (Interfaces::All, None | Some(Interfaces::All)) => SelectedInterfaces::All,
    })
}

/// Which interfaces of an instance should be mirrored.
pub(super) enum SelectedInterfaces {
    All,
    /// The primary one, by this setting or tag.
    Primary(&'static str),
}

/// The sessions that each selected interface of the instance should have, in the order of their
/// numbers.
///
/// # Errors
/// Why the tags do not say which.
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
) -> Result<Vec<DesiredFilter>, Reason> {
    let filters = if named.is_empty() {
        vec![default_filter(policy, index); sessions]
    } else if named.len() == sessions {
        named.into_iter().map(DesiredFilter::Named).collect()
    } else {
        return Err(Reason::FilterCount { filters: named.len(), targets: sessions });
    };
    for (position, filter) in filters.iter().enumerate() {
        let Some(id) = filter.for_new() else { continue };
        if filters.iter().take(position).any(|earlier| earlier == filter) {
            return Err(Reason::SameFilterTwice { filter: id.clone() });
        }
        if !matches!(index.filter(id), Shown::Yes(_)) {
            return Err(Reason::FilterUnknown { filter: id.clone() });
        }
    }
    if sessions > 1 && filters.iter().any(|filter| filter.for_new().is_none()) {
        return Err(no_filter(policy, index));
    }
    Ok(filters)
}

/// The filter of instances that name none.
fn default_filter(policy: &Policy, index: &Index<'_>) -> DesiredFilter {
    match &policy.filter {
        Some(filter) => DesiredFilter::Named(filter.clone()),
        None => DesiredFilter::Default(index.default_filter().cloned()),
    }
}

/// Why a new session gets no filter.
pub(super) fn no_filter(policy: &Policy, index: &Index<'_>) -> Reason {
    Reason::NoFilter { owner: policy.owner.clone(), count: index.filters() }
}

/// The ids in a tag, separated by commas.
fn tag_list<T>(instance: &Instance, key: &'static str) -> Result<Vec<T>, Reason>
where
    T: FromStr<Err: Display> + PartialEq,
{
    let mut named: Option<Vec<T>> = None;
    for value in tag_values(instance, key) {
        let unreadable =
            |accepted: String| Reason::TagUnreadable { key, value: value.to_owned(), accepted };
        let ids = value.split(',').map(str::trim).filter(|id| !id.is_empty());
        let ids: Result<Vec<T>, T::Err> = ids.map(str::parse).collect();
        let ids = ids.map_err(|error| unreadable(error.to_string()))?;
        if ids.is_empty() {
            return Err(unreadable("a list of ids, separated by commas, or no tag".to_owned()));
        }
        if named.as_ref().is_some_and(|other| *other != ids) {
            return Err(Reason::TagConflict { key });
        }
        named = Some(ids);
    }
    Ok(named.unwrap_or_default())
}

/// The values of a tag in all spellings of its key; an empty value counts as no tag.
fn tag_values<'a>(instance: &'a Instance, key: &str) -> impl Iterator<Item = &'a str> {
    values_of(&instance.tags, key)
}

fn values_of<'a>(tags: &'a [Tag], key: &str) -> impl Iterator<Item = &'a str> {
    let tags = tags.iter().filter(move |tag| eq_ignore_case(&tag.key, key));
    tags.map(|tag| tag.value.trim()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_cloud::*;

    #[test]
    fn the_tag_and_the_state_select_an_instance() {
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let states = [Pending, Running, Stopping, Stopped, ShuttingDown, Terminated];
        let in_states = |keep: &str| {
            states.map(|state| {
                let cloud = Cloud::new().set("MIRROR_KEEP_STOPPED", keep);
                let cloud = cloud.instance(|it| it.state = state);
                selected(&cloud.policy(), &cloud.observed.instances[0]).is_ok()
            })
        };
        assert_eq!(in_states("false"), [true, true, false, false, false, false]);
        assert_eq!(in_states("true"), [true, true, true, true, false, false]);
    }

    #[test]
    fn an_opt_out_goes_before_a_selecting_tag_and_the_spelling_of_the_key_does_not_matter() {
        for (tags, key, selects) in [
            (&[][..], false, false),
            (&[("Mirror", "True")], true, true),
            (&[("mIRROR", "tRUE")], true, true),
            (&[("Mirror", "yes")], true, false),
            (&[("Mirror", "False")], true, false),
            (&[("Mirror", "True"), ("mirror", "False")], true, false),
            (&[("Mirrors", "True")], false, false),
        ] {
            let tags: Vec<_> = tags
                .iter()
                .map(|(key, value)| Tag { key: (*key).into(), value: (*value).into() })
                .collect();
            let cloud = Cloud::new().instance(|it| it.tags.clone_from(&tags));
            let (policy, instance) = (cloud.policy(), &cloud.observed.instances[0]);
            assert_eq!(are_selecting(&policy, &tags), selects, "{tags:?}");
            assert_eq!(selected(&policy, instance).is_ok(), selects, "{tags:?}");
            assert_eq!(has_key(&policy, instance), key, "{tags:?}");
            let is_opted_out = tags.iter().any(|tag| is_false(&tag.value));
            assert_eq!(lacks_tag(&policy, instance), !selects && !is_opted_out, "{tags:?}");
        }
    }

    #[test]
    fn a_tag_names_targets_where_it_can_be_read() {
        let named = |value: &str| {
            let cloud = Cloud::new().tag("Mirror-Target", value);
            let named = named_targets(&cloud.observed.instances[0]);
            named.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(named("tmt-1, tmt-2"), ["tmt-1", "tmt-2"]);
        assert_eq!(named("odd"), [""; 0]);
    }
}
