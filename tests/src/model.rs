//! Every order in which a few execution environments, a sweep and a person can act on one interface, not only
//! random ones: stateright chooses the order, and the functions' own code runs.
//!
//! An execution environment is held at each of its calls of EC2 until the model checker lets the call through,
//! so the checker tries the orders of calls. A state is reached by making the choices that lead to it from the
//! beginning on; the clock stands still meanwhile. Two states are one if EC2 holds the same, the same messages
//! are in the queue, and every running invocation has had the same answers: its code cannot tell them apart.
//!
//! Reads of what no one changes are not held: targets, filters and interfaces, and instances if no tag changes.

mod choice;
mod clock;
mod digest;
mod ending;
mod explore;
mod guard;
mod held;
mod live;
mod marks;
mod message;
mod names;
mod person;
mod process;
mod run;
mod scenario;
mod site;

pub use choice::Choice;
pub use explore::{Explored, explore, explore_all};
pub use marks::Race;
pub use person::Act;
pub use scenario::{Scenario, everyday, thorough};
