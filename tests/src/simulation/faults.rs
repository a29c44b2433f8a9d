//! Random faults of the functions' calls.

use fastrand::Rng;

use crate::cloud::Cloud;
use crate::cloud::fault::{Fault, Kind};

/// Replaces the present faults by others, or none.
pub(super) fn change(rng: &mut Rng, cloud: &Cloud) -> String {
    let faults = cloud.faults();
    faults.clear();
    // What stale reads show from now on.
    cloud.world().freeze();
    let count = rng.usize(0..4);
    let kinds: Vec<Kind> = (0..count).map(|_| kind(rng)).collect();
    for kind in &kinds {
        let fault = Fault { per_mille: rng.u16(10..300), ..Fault::new("*", kind.clone()) };
        faults.add(fault);
    }
    format!("from now on go wrong: {kinds:?}")
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u8(0..9) {
        0 => Kind::Throttle,
        1 => Kind::ServerError,
        2 => Kind::Unavailable,
        3 => Kind::HangBefore,
        4 => Kind::HangAfter,
        5 => Kind::ResetBefore,
        6 => Kind::ResetAfter,
        7 => Kind::Garbage,
        _ => Kind::StaleRead,
    }
}
