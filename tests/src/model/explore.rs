//! The model checker's view: a state is what the choices so far have led to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, Model, Property};

use super::choice::Choice;
use super::ending::Ending;
use super::live;
use super::marks::Race;
use super::run::Run;
use super::scenario::Scenario;

#[derive(Debug)]
struct Exploration {
    scenario: Arc<Scenario>,
    /// How the runs ended that came to rest, by all that was left then.
    endings: Mutex<BTreeMap<String, Ending>>,
}

/// Equal if digest, races and broken rules are equal.
#[derive(Clone, Debug)]
struct State {
    choices: Vec<Choice>,
    next: Vec<Choice>,
    digest: String,
    marks: BTreeSet<Race>,
    broken: Option<String>,
    ending: Ending,
}

impl State {
    fn essence(&self) -> impl Hash + PartialEq {
        (&self.digest, &self.marks, &self.broken)
    }
}

impl State {
    /// What is wrong.
    fn said(&self) -> String {
        let Ending { after_messages, after_sweep, .. } = &self.ending;
        let said = [&self.broken, after_messages, after_sweep].into_iter().flatten();
        said.cloned().collect::<Vec<_>>().join("; ")
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Exploration {
    /// Plays on while there is only one choice.
    fn state(&self, mut choices: Vec<Choice>, mut run: Run) -> State {
        let mut next = run.choices();
        while let [choice] = &next[..] {
            run.play(choice);
            choices.push(choice.clone());
            next = run.choices();
        }
        let mut state = State {
            next,
            digest: run.digest(),
            marks: std::mem::take(&mut run.marks),
            broken: run.broken.clone(),
            ending: Ending::default(),
            choices,
        };
        if run.is_at_rest() {
            state.ending = self.ending(run);
        } else {
            live::keep(&state.choices, run);
        }
        state
    }

    fn ending(&self, run: Run) -> Ending {
        let endings = || self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = run.rest();
        if let Some(ending) = endings().get(&rest) {
            return ending.clone();
        }
        let ending = run.end_all();
        endings().insert(rest, ending.clone());
        ending
    }
}

impl Model for Exploration {
    type State = State;
    type Action = Choice;

    fn init_states(&self) -> Vec<State> {
        vec![self.state(Vec::new(), Run::new(&self.scenario))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Choice>) {
        actions.extend(state.next.iter().cloned());
    }

    fn next_state(&self, state: &State, choice: Choice) -> Option<State> {
        let mut run = live::take(&self.scenario, &state.choices);
        run.play(&choice);
        let choices = state.choices.iter().cloned().chain([choice]).collect();
        Some(self.state(choices, run))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = [
            Property::always(SAFE, |_, state: &State| state.broken.is_none()),
            Property::always(MIRRORED, |model: &Self, state: &State| {
                !state.ending.unmirrored || model.scenario.may_miss_acts()
            }),
            Property::always(SETTLED, |model: &Self, state: &State| {
                state.ending.after_messages.is_none()
                    || model.scenario.reaches.contains(&Race::LeftToSweep)
            }),
            Property::always(SWEPT, |_, state: &State| state.ending.after_sweep.is_none()),
        ];
        let races = self.scenario.reaches.iter().map(|race| happens(*race));
        always.into_iter().chain(races).collect()
    }
}

const SAFE: &str =
    "no foreign session is touched, no limit passed, and a token creates one session";
const MIRRORED: &str = "what is tagged is mirrored when the messages are done, unless an outdated answer hides what a person did";
const SETTLED: &str = "all is right when the messages are done";
const SWEPT: &str = "all is right after a sweep, and another one changes nothing";

fn happens(race: Race) -> Property<Exploration> {
    // A property is a plain function and can hold no race.
    let saw: fn(&Exploration, &State) -> bool = match race {
        Race::TwoCreate => |_, state| state.marks.contains(&Race::TwoCreate),
        Race::StaleRead => |_, state| state.marks.contains(&Race::StaleRead),
        Race::StaleCreation => |_, state| state.marks.contains(&Race::StaleCreation),
        Race::StaleDeletion => |_, state| state.marks.contains(&Race::StaleDeletion),
        Race::AnotherAnswer => |_, state| state.marks.contains(&Race::AnotherAnswer),
        Race::TokenUsed => |_, state| state.marks.contains(&Race::TokenUsed),
        Race::NumberTaken => |_, state| state.marks.contains(&Race::NumberTaken),
        Race::Unheard => |_, state| state.marks.contains(&Race::Unheard),
        Race::TwoOwned => |_, state| state.marks.contains(&Race::TwoOwned),
        Race::LeftToSweep => |_, state| state.ending.after_messages.is_some(),
    };
    Property::sometimes(race.name(), saw)
}

/// What came of an exploration.
#[derive(Debug)]
pub struct Explored {
    pub scenario: Arc<Scenario>,
    /// States that differ.
    pub states: usize,
    /// Steps between them that were tried.
    pub steps: usize,
    /// The most choices one after another.
    pub depth: usize,
    /// Different states in which the runs came to rest.
    pub endings: usize,
    pub time: Duration,
    pub failures: Vec<String>,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, states, steps, depth, endings, time, failures } = self;
        write!(
            f,
            "{scenario}: {states} states, {steps} steps, {depth} deep, {endings} endings, {:.1} s",
            time.as_secs_f64()
        )?;
        for failure in failures {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}

/// Explores several scenarios, on two threads.
///
/// # Panics
/// If one panics.
pub fn explore_all(scenarios: Vec<Scenario>, say: impl Fn(&Explored) + Sync) -> Vec<Explored> {
    let left = Mutex::new(scenarios.into_iter());
    let done = Mutex::new(Vec::new());
    let lock = |it: &Mutex<std::vec::IntoIter<Scenario>>| {
        it.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = lock(&left) {
                    let explored = explore(scenario);
                    say(&explored);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(explored);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Tries everything that the scenario allows.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a measured time is the clock's")]
pub fn explore(scenario: Scenario) -> Explored {
    let scenario = Arc::new(scenario);
    let model = Exploration { scenario: Arc::clone(&scenario), endings: Mutex::default() };
    let begin = Instant::now();
    let checker = model.checker().threads(1).spawn_dfs().join();
    let time = begin.elapsed();
    let mut failures = Vec::new();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        match (property.expectation, found) {
            (Expectation::Always, Some(path)) => {
                let state = path.last_state();
                let (said, choices) = (state.said(), &state.choices);
                failures.push(format!("not so: {}: {said}, after {choices:#?}", property.name));
            }
            (Expectation::Sometimes, None) => {
                failures.push(format!("never: {}", property.name));
            }
            _ => {}
        }
    }
    let model = checker.model();
    let endings = model.endings.lock().unwrap_or_else(PoisonError::into_inner).len();
    Explored {
        scenario,
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        endings,
        time,
        failures,
    }
}
