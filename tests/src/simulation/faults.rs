//! Random faults of the functions' calls.

use fastrand::Rng;

use crate::cloud::Cloud;
use crate::cloud::fault::{Fault, Kind};

/// What a list may lack. Not `DescribeTags`: it is the second witness, and against two that lie alike there is
/// no help.
const LISTS: [&str; 5] = [
    "DescribeInstances",
    "DescribeNetworkInterfaces",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "DescribeTrafficMirrorFilters",
];

/// What answers of EC2 may be, though they look like any other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flaws {
    /// Of an earlier world.
    pub(super) is_stale: bool,
}

/// Replaces the present faults by others, or none, and says what they are.
pub(super) fn change(rng: &mut Rng, cloud: &Cloud) -> (String, Flaws) {
    let faults = cloud.faults();
    faults.clear();
    // What stale reads show from now on.
    cloud.world().freeze();
    let count = rng.usize(0..4);
    let kinds: Vec<Kind> = (0..count).map(|_| kind(rng)).collect();
    for kind in &kinds {
        let per_mille = if is_quiet(kind) { rng.u16(10..=1000) } else { rng.u16(10..300) };
        for action in actions(kind) {
            faults.add(Fault { per_mille, ..Fault::new(action, kind.clone()) });
        }
    }
    let flaws = Flaws { is_stale: kinds.contains(&Kind::StaleRead) };
    (format!("from now on go wrong: {kinds:?}"), flaws)
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u8(0..18) {
        0 => Kind::Throttle,
        1 => Kind::ServerError,
        2 => Kind::Unavailable,
        3 => Kind::HangBefore,
        4 => Kind::HangAfter,
        5 => Kind::ResetBefore,
        6 => Kind::ResetAfter,
        7 => Kind::Garbage,
        8 | 9 => Kind::StaleRead,
        10 | 11 => Kind::OmitTags,
        12 => Kind::OmitTag("Mirror".to_owned()),
        13 => Kind::OmitTag("Mirror-Target".to_owned()),
        14 => Kind::OmitRows { per_mille: 1000 },
        15 => Kind::OmitRows { per_mille: rng.u16(1..1000) },
        16 => Kind::RepeatToken,
        _ => Kind::Unreadable { per_mille: rng.u16(1..=1000) },
    }
}

/// Whether it may strike every call: most seem to succeed.
fn is_quiet(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::OmitTags
            | Kind::OmitTag(_)
            | Kind::OmitRows { .. }
            | Kind::RepeatToken
            | Kind::Unreadable { .. }
    )
}

fn actions(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::OmitRows { .. } | Kind::Unreadable { .. } => &LISTS,
        _ => &["*"],
    }
}
