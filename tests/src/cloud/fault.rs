//! Faults on demand: EC2 and AWS Config throttle, fail, hang or lie. The same seed and calls give the same faults.

mod kind;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::aws::ec2::Caller;

pub use kind::Kind;

/// The parameters of a call.
type Parameters = BTreeMap<String, String>;

/// Something that goes wrong with some of the calls.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The action it strikes, or `*` for all.
    pub action: String,
    pub kind: Kind,
    /// How many times it strikes; `None` for ever.
    pub hits: Option<u32>,
    /// How many matching calls pass first.
    pub skip: u32,
    /// The chance to strike, in thousandths.
    pub per_mille: u16,
    /// Only calls whose access key or principal (`assumed-role/ROLE/…`) begins so.
    pub caller: Option<String>,
    /// Only calls that name this, such as an id.
    pub about: Option<String>,
}

impl Fault {
    /// Strikes every call of the action, for ever.
    pub fn new(action: &str, kind: Kind) -> Self {
        Self {
            action: action.to_owned(),
            kind,
            hits: None,
            skip: 0,
            per_mille: 1000,
            caller: None,
            about: None,
        }
    }

    /// Strikes the next call of the action only.
    pub fn once(action: &str, kind: Kind) -> Self {
        Self { hits: Some(1), ..Self::new(action, kind) }
    }

    fn concerns(&self, action: &str, caller: &Caller, parameters: &Parameters) -> bool {
        let fits = self.action == "*" || self.action == action;
        let caller = self.caller.as_ref().is_none_or(|prefix| {
            caller.access_key.starts_with(prefix) || caller.principal.starts_with(prefix)
        });
        let about =
            self.about.as_ref().is_none_or(|it| parameters.values().any(|value| value == it));
        fits && caller && about && self.kind.can_strike(action, parameters)
    }
}

/// The faults that are set, and the calls that are held.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<State>,
    gate: watch::Sender<Gate>,
}

#[derive(Debug)]
struct State {
    faults: Vec<Fault>,
    random: fastrand::Rng,
}

#[derive(Debug, Default)]
struct Gate {
    waiting: usize,
    opened: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { faults: Vec::new(), random: fastrand::Rng::with_seed(seed) };
        Self { state: Mutex::new(state), gate: watch::Sender::new(Gate::default()) }
    }

    /// Sets a fault. Where several concern a call, the one set first strikes.
    pub fn add(&self, fault: Fault) {
        self.with_state(|state| state.faults.push(fault));
    }

    /// Takes all faults away; calls that are held stay so until released.
    pub fn clear(&self) {
        self.with_state(|state| state.faults.clear());
    }

    /// Waits until this many calls are held.
    pub async fn held(&self, calls: usize) {
        let mut gate = self.gate.subscribe();
        gate.wait_for(|gate| gate.waiting >= calls).await.expect("the sender is in `self`");
    }

    /// Lets all calls go on that are held.
    pub fn release(&self) {
        self.gate.send_modify(|gate| *gate = Gate { waiting: 0, opened: gate.opened + 1 });
    }

    /// Waits for the next release.
    pub(crate) async fn wait(&self) {
        let mut gate = self.gate.subscribe();
        let mut opened = 0;
        self.gate.send_modify(|gate| {
            gate.waiting += 1;
            opened = gate.opened;
        });
        gate.wait_for(|gate| gate.opened > opened).await.expect("the sender is in `self`");
    }

    /// What happens to this call, if anything.
    pub(crate) fn strike(
        &self,
        action: &str,
        caller: &Caller,
        parameters: &Parameters,
    ) -> Option<Kind> {
        self.with_state(|state| state.strike(action, caller, parameters))
    }

    /// For chances within one answer.
    pub(crate) fn seed(&self) -> u64 {
        self.with_state(|state| state.random.u64(..))
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn strike(&mut self, action: &str, caller: &Caller, parameters: &Parameters) -> Option<Kind> {
        for fault in &mut self.faults {
            if !fault.concerns(action, caller, parameters) || fault.hits == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if self.random.u16(..1000) >= fault.per_mille {
                continue;
            }
            fault.hits = fault.hits.map(|hits| hits - 1);
            return Some(fault.kind.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(faults: &Faults, action: &str, caller: &Caller) -> Option<Kind> {
        faults.strike(action, caller, &Parameters::new())
    }

    #[test]
    fn a_fault_passes_skips_strikes_its_hits_and_is_spent() {
        let faults = Faults::new(0);
        faults.add(Fault { skip: 1, hits: Some(2), ..Fault::new("RunInstances", Kind::Throttle) });
        let strike = || strike(&faults, "RunInstances", &Caller::default());
        assert_eq!(
            [strike(), strike(), strike(), strike()],
            [None, Some(Kind::Throttle), Some(Kind::Throttle), None]
        );
    }

    #[test]
    fn a_fault_may_be_for_one_principal_only() {
        let faults = Faults::new(0);
        let caller = Some("assumed-role/automirror".to_owned());
        faults.add(Fault { caller, ..Fault::new("*", Kind::ServerError) });
        let function = Caller::role("111122223333", "automirror", "worker");
        assert_eq!(strike(&faults, "DescribeInstances", &Caller::default()), None);
        assert_eq!(strike(&faults, "DescribeInstances", &function), Some(Kind::ServerError));
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let strikes = |seed| {
            let faults = Faults::new(seed);
            faults.add(Fault { per_mille: 300, ..Fault::new("*", Kind::Throttle) });
            let strike = |_| strike(&faults, "RunInstances", &Caller::default()).is_some();
            (0..1000).map(strike).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        let struck = strikes(7).into_iter().filter(|&struck| struck).count();
        assert!((250..350).contains(&struck), "{struck}");
    }

    #[test]
    fn a_stale_read_leaves_writes_alone() {
        let faults = Faults::new(0);
        faults.add(Fault::once("*", Kind::StaleRead));
        assert_eq!(strike(&faults, "CreateTags", &Caller::default()), None);
        assert!(strike(&faults, "DescribeInstances", &Caller::default()).is_some());
    }
}
