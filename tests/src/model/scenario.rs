//! The scenarios: who acts on the interface, and how EC2 behaves where AWS does not document it.

use std::fmt;

use super::marks::Race;
use super::person::Act;

/// What may happen, in every order.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Scenario {
    pub name: &'static str,
    /// Whether the instance is tagged at the beginning.
    pub tagged: bool,
    /// Whether it has its session by then.
    pub mirrored: bool,
    /// Messages about the instance that wait in the queue.
    pub events: usize,
    /// Whether a sweep waits there, too.
    pub sweep: bool,
    /// What a person may do, and how often altogether.
    pub acts: &'static [Act],
    pub turns: usize,
    /// How many execution environments may end during an invocation.
    pub kills: usize,
    /// How many reads may be answered from before the last change.
    pub stale: usize,
    /// How often a minute passes: the next client token is another one.
    pub minutes: u64,
    /// Whether EC2 answers a token with a session that is gone.
    pub token_outlives_session: bool,
    /// Whether EC2 refuses a token that comes with other tags.
    pub token_is_for_tags: bool,
    /// Whether EC2 accepts a session number twice on an interface.
    pub same_number_twice: bool,
    /// Races that must have happened in some run; without them the scenario proves nothing.
    pub reaches: &'static [Race],
}

impl Scenario {
    /// Whether an outdated answer may hide what a person did, so that only a sweep corrects it. An event about
    /// a deleted session names it, so an outdated answer hides no deletion.
    pub(super) fn may_miss_acts(&self) -> bool {
        let is_told = |act: &Act| matches!(act, Act::DeleteOwned | Act::CreateForeign);
        self.stale > 0 && !self.acts.iter().all(is_told)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.token_outlives_session {
            f.write_str(", a token is forgotten with its session")?;
        }
        if !self.token_is_for_tags {
            f.write_str(", a token is for any tags")?;
        }
        if self.same_number_twice {
            f.write_str(", a number may be there twice")?;
        }
        Ok(())
    }
}

const ANY: &[Act] =
    &[Act::Untag, Act::Tag, Act::DeleteOwned, Act::CreateForeign, Act::LeadElsewhere];

/// Not about tags.
const MEDDLING: &[Act] = &[Act::DeleteOwned, Act::CreateForeign, Act::LeadElsewhere];

const NOTHING: Scenario = Scenario {
    name: "",
    tagged: true,
    mirrored: false,
    events: 0,
    sweep: false,
    acts: &[],
    turns: 0,
    kills: 0,
    stale: 0,
    minutes: 0,
    token_outlives_session: true,
    token_is_for_tags: true,
    same_number_twice: false,
    reaches: &[],
};

/// Small enough for every run of the tests.
#[expect(clippy::too_many_lines, reason = "a list of scenarios")]
pub fn everyday() -> Vec<Scenario> {
    let two = Scenario { name: "two events", events: 2, reaches: &[Race::TwoCreate], ..NOTHING };
    let swept = Scenario { name: "two events and a sweep", sweep: true, ..two.clone() };
    let ended = Scenario {
        name: "two events and an end",
        kills: 1,
        reaches: &[Race::Unheard, Race::TokenUsed],
        ..two.clone()
    };
    let next_minute = Scenario {
        name: "two events in two minutes",
        minutes: 1,
        reaches: &[Race::NumberTaken],
        ..two.clone()
    };
    let twice = Scenario {
        same_number_twice: true,
        reaches: &[Race::TwoOwned, Race::LeftToSweep],
        ..next_minute.clone()
    };
    let untagged = Scenario {
        name: "an event while the tag goes",
        events: 1,
        acts: &[Act::Untag],
        turns: 1,
        reaches: &[Race::StaleCreation, Race::LeftToSweep],
        ..NOTHING
    };
    let toggled = Scenario {
        name: "the tag off and on",
        mirrored: true,
        acts: &[Act::Untag, Act::Tag],
        turns: 2,
        reaches: &[Race::StaleDeletion],
        ..NOTHING
    };
    let outdated = Scenario {
        name: "an event, an act and an outdated answer",
        stale: 1,
        acts: &[Act::Untag, Act::DeleteOwned, Act::LeadElsewhere],
        reaches: &[Race::StaleRead, Race::LeftToSweep],
        mirrored: true,
        ..untagged.clone()
    };
    let meddled = Scenario {
        name: "an event and an act",
        mirrored: true,
        events: 1,
        acts: MEDDLING,
        turns: 1,
        ..NOTHING
    };
    let told = Scenario {
        name: "an event, an act that is told of and an outdated answer",
        stale: 1,
        acts: &[Act::DeleteOwned, Act::CreateForeign],
        reaches: &[Race::StaleRead],
        ..meddled.clone()
    };
    let mut all = vec![swept, ended, next_minute, twice, untagged, outdated, told];
    all.push(Scenario {
        name: "the first event and an act",
        mirrored: false,
        reaches: &[Race::NumberTaken],
        ..meddled.clone()
    });
    all.extend(of_every_ec2(&two).iter().map(with_answer_to_token));
    all.extend(of_every_token(&toggled));
    all.extend(of_every_token(&meddled));
    all
}

/// Scenarios that take too long for that, the smallest first.
pub fn thorough() -> Vec<Scenario> {
    let reaches = &[Race::StaleCreation, Race::LeftToSweep];
    let outdated = &[Race::StaleRead, Race::StaleCreation, Race::LeftToSweep];
    let act = Scenario {
        name: "an event, a sweep and an act",
        events: 1,
        sweep: true,
        acts: ANY,
        turns: 1,
        reaches,
        ..NOTHING
    };
    let end = Scenario { name: "an event, a sweep, an act and an end", kills: 1, ..act.clone() };
    let two = Scenario { name: "two events and an act", events: 2, sweep: false, ..act.clone() };
    let acts = Scenario { name: "an event and two acts", sweep: false, turns: 2, ..act.clone() };
    let two_acts = Scenario { name: "two events and two acts", turns: 2, ..two.clone() };
    let two_ended = Scenario { name: "two events, an act and an end", kills: 1, ..two.clone() };
    let all = Scenario { name: "two events, a sweep and an act", events: 2, ..act.clone() };
    let stale = Scenario {
        name: "an event, a sweep, an act and an outdated answer",
        stale: 1,
        reaches: outdated,
        ..act.clone()
    };
    let two_stale = Scenario {
        name: "two events, an act and two outdated answers",
        stale: 2,
        reaches: outdated,
        ..two.clone()
    };
    let mut scenarios = of_every_token(&act);
    scenarios.extend([stale, two_stale]);
    scenarios.extend([acts, two, two_acts, two_ended, end, all]);
    scenarios
}

/// How EC2 answers the second of two creations with one token decides which race it meets.
fn with_answer_to_token(scenario: &Scenario) -> Scenario {
    let reaches: &[Race] = if scenario.token_is_for_tags {
        &[Race::TwoCreate, Race::TokenUsed]
    } else {
        &[Race::TwoCreate, Race::AnotherAnswer]
    };
    Scenario { reaches, ..scenario.clone() }
}

/// The scenario with each way in which EC2 may behave where AWS does not document it.
fn of_every_ec2(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for scenario in of_every_token(scenario) {
        for same_number_twice in [true, false] {
            all.push(Scenario { same_number_twice, ..scenario.clone() });
        }
    }
    all
}

/// The scenario with each way in which EC2 may treat client tokens, which AWS does not document.
fn of_every_token(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for token_outlives_session in [true, false] {
        for token_is_for_tags in [true, false] {
            all.push(Scenario { token_outlives_session, token_is_for_tags, ..scenario.clone() });
        }
    }
    all
}
