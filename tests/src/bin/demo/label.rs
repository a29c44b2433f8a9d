//! Names, numbers and times for people. Ids stay whole, so that they can be pasted.

use std::time::Duration;

use local_cloud::aws::ec2::{Tags, World};

/// The value of its tag Name, else its id.
pub(crate) fn name(tags: &Tags, id: &str) -> String {
    tags.get("Name").map_or(id, String::as_str).to_owned()
}

/// An instance's name, else its id.
pub(crate) fn instance_name(world: &World, id: &str) -> String {
    world.instance(id).map_or_else(|| id.to_owned(), |instance| name(&instance.tags, id))
}

/// An instance's name, if it has one, and its id: several may have one name.
pub(crate) fn instance(world: &World, id: &str) -> String {
    match world.instance(id).and_then(|instance| instance.tags.get("Name")) {
        Some(name) => format!("{name} {id}"),
        None => id.to_owned(),
    }
}

/// A number and its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
