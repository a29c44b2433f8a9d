//! Settings that cannot be right: what they name does not exist.

use super::{index::Index, reason::Reason};
use crate::{id::TargetId, observed::Shown, policy::Policy, text::sanitize};

/// The most characters of a setting's value in a message.
const MAX_VALUE: usize = 100;

/// The setting that names only what EC2 does not show. A typing error in an id would otherwise end all
/// mirroring.
pub(super) fn broken_setting(policy: &Policy, index: &Index<'_>) -> Option<Reason> {
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

fn broken(setting: &'static str, value: &str) -> Reason {
    Reason::SettingBroken { setting, value: sanitize(value, MAX_VALUE) }
}
