//! Every order in which a few processes, a sweep and a person can come at one interface, and not only some
//! by chance: stateright chooses, and the functions' own code does what it does.
//!
//! A process may go on only where it asks EC2 something. There it is held until the model checker lets its
//! call through, so what the checker tries are the orders of calls. A state is reached by making the choices
//! that lead to it from the beginning on; the clock stands still meanwhile. Two states are one if EC2 holds the
//! same, the same is in the queue, and every process at work has had the same answers: its code then cannot
//! know the difference.
//!
//! What nobody changes is not held: targets, filters and interfaces, and instances if no tag changes.

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
