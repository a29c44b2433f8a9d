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

/// What changes sessions.
const CHANGES: [&str; 3] =
    ["CreateTrafficMirrorSession", "ModifyTrafficMirrorSession", "DeleteTrafficMirrorSession"];

/// What answers of EC2 may be, though they look like any other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flaws {
    /// Of an earlier world.
    pub(super) is_stale: bool,
}

/// Replaces the present faults by others, or none, and says what they are.
pub(super) fn change(rng: &mut Rng, cloud: &Cloud) -> (String, Flaws) {
    let faults = cloud.faults();
    clear(cloud);
    // What stale reads show from now on.
    cloud.world().freeze();
    let count = rng.usize(0..4);
    let kinds: Vec<(Kind, &[&str])> = (0..count).map(|_| kind(rng)).collect();
    for (kind, actions) in &kinds {
        let per_mille = if is_quiet(kind) { rng.u16(10..=1000) } else { rng.u16(10..300) };
        for action in *actions {
            faults.add(Fault { per_mille, ..Fault::new(action, kind.clone()) });
        }
    }
    let rate = (rng.u8(0..4) == 0).then(|| share_rate(rng, cloud));
    let flaws = Flaws { is_stale: kinds.iter().any(|(kind, _)| *kind == Kind::StaleRead) };
    (format!("from now on go wrong: {kinds:?}, requests a second: {rate:?}"), flaws)
}

/// Ends all faults.
pub(super) fn clear(cloud: &Cloud) {
    cloud.faults().clear();
    cloud.lift_rate();
}

/// Others in the account leave little of EC2's rate.
fn share_rate(rng: &mut Rng, cloud: &Cloud) -> f64 {
    let rate = rng.f64() * 9.0 + 1.0;
    cloud.limit_rate_to((rate * 2.0, rate), (rate * 2.0, rate));
    rate
}

/// A kind of fault, and the actions it strikes.
fn kind(rng: &mut Rng) -> (Kind, &'static [&'static str]) {
    let every: &[&str] = &["*"];
    match rng.u8(0..24) {
        0 => (Kind::Throttle, every),
        1 => (Kind::ServerError, every),
        2 => (Kind::Unavailable, every),
        3 => (Kind::HangBefore, every),
        4 => (Kind::HangAfter, every),
        5 => (Kind::ResetBefore, every),
        6 => (Kind::ResetAfter, every),
        7 => (Kind::Garbage, every),
        8 | 9 => (Kind::StaleRead, every),
        10 | 11 => (Kind::OmitTags, every),
        12 => (Kind::OmitTag("Mirror".to_owned()), every),
        13 => (Kind::OmitTag("Mirror-Target".to_owned()), every),
        14 => (Kind::OmitRows { per_mille: 1000 }, &LISTS),
        15 => (Kind::OmitRows { per_mille: rng.u16(1..1000) }, &LISTS),
        16 => (Kind::RepeatToken, every),
        17 => (Kind::Unreadable { per_mille: rng.u16(1..=1000) }, &LISTS),
        18 => (denied(), &CHANGES),
        19 => (denied(), &LISTS),
        20 => (number_taken(), &CHANGES[..1]),
        21 => (interface_full(), &CHANGES[..1]),
        22 => (evaluation_refused(), &["PutEvaluations"]),
        _ => (Kind::FailEvaluations(rng.usize(1..4)), &["PutEvaluations"]),
    }
}

/// What IAM answers while it has not heard of a new role everywhere.
pub(super) fn denied() -> Kind {
    refuse("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
}

/// The words that public tools go by.
pub(super) fn number_taken() -> Kind {
    refuse(
        "InvalidParameterValue",
        "SessionNumber 1 is in use by target tmt-0000000000000abcd",
        400,
    )
}

/// Though the read showed room.
pub(super) fn interface_full() -> Kind {
    let message = "Sessions per network interface limit reached (3)";
    refuse("TrafficMirrorSessionsPerInterfaceLimitExceeded", message, 400)
}

/// Of one evaluation, and with it of the whole call.
fn evaluation_refused() -> Kind {
    refuse("InvalidParameterValueException", "One of the evaluations is not valid", 400)
}

pub(super) fn refuse(code: &str, message: &str, status: u16) -> Kind {
    Kind::Refuse { code: code.to_owned(), message: message.to_owned(), status }
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
