//! Settings that cannot be right: what they name does not exist.

use super::{desired::has_key, index::Index, reason::Reason};
use crate::{
    id::{TargetId, VpcId},
    observed::{Observed, Session, Shown},
    policy::{DEFAULT_TAG_KEY, Policy, Scope},
    text::sanitize,
};

/// The most characters of a setting's value in a message.
const MAX_VALUE: usize = 100;
/// More sessions than this are not deleted because no instance has the tag.
const MOST_OF_NO_INSTANCE: usize = 10;

/// The setting that names only what EC2 does not show. A typing error in an id would otherwise end all
/// mirroring.
pub(super) fn broken_setting(
    policy: &Policy,
    observed: &Observed,
    index: &Index<'_>,
) -> Option<Reason> {
    let vpcs = &policy.vpcs;
    if !vpcs.is_empty() && vpcs.is_subset(&observed.not_found.vpcs) {
        let ids: Vec<_> = vpcs.iter().map(VpcId::as_str).collect();
        return Some(broken("MIRROR_VPC_IDS", &ids.join(",")));
    }
    if selects_nothing(policy, observed) {
        return Some(broken("MIRROR_TAG_KEY", &policy.tag_key));
    }
    let targets = &policy.targets;
    let is_missing = |target: &TargetId| !matches!(index.target(target), Shown::Yes(_));
    if !targets.is_empty() && targets.iter().all(is_missing) {
        let ids: Vec<_> = targets.iter().map(TargetId::as_str).collect();
        return Some(broken("MIRROR_TARGET_IDS", &ids.join(",")));
    }
    let filter = policy.filter.as_ref();
    let filter = filter.filter(|filter| !matches!(index.filter(filter), Shown::Yes(_)))?;
    Some(broken("MIRROR_FILTER_ID", filter.as_str()))
}

/// Whether the tag that should select instances is on none, whatever its value, while there are many
/// sessions: its key may be mistyped. A few sessions may be the last ones.
fn selects_nothing(policy: &Policy, observed: &Observed) -> bool {
    let is_owned = |it: &&Session| it.is_owned(policy, &observed.account);
    // The default is not mistyped: a deployment that is to be removed goes back to it.
    policy.scope == Scope::Tagged
        && policy.tag_key != DEFAULT_TAG_KEY
        && observed.is_whole
        && !observed.instances.iter().any(|instance| has_key(policy, instance))
        && observed.sessions.iter().filter(is_owned).count() > MOST_OF_NO_INSTANCE
}

fn broken(setting: &'static str, value: &str) -> Reason {
    Reason::SettingBroken { setting, value: sanitize(value, MAX_VALUE) }
}
