//! Ids and names for people.

use std::time::Duration;

use local_cloud::aws::ec2::{Tags, World};

/// An id without its middle, which is all zeros in this cloud: `i-…0012`.
pub(crate) fn short(id: &str) -> String {
    let tail = id.char_indices().rev().nth(3).and_then(|(at, _)| id.get(at..));
    match (id.split_once('-'), tail) {
        (Some((prefix, rest)), Some(tail)) if rest.len() > 8 => format!("{prefix}-…{tail}"),
        _ => id.to_owned(),
    }
}

/// Shortens every id in a text.
pub(crate) fn shorten(text: &str) -> String {
    let is_of_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut shortened = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_id) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_of_id(c)).unwrap_or(from.len()));
        shortened.push_str(before);
        if is_id(word) {
            shortened.push_str(&short(word));
        } else {
            shortened.push_str(word);
        }
        rest = after;
    }
    shortened + rest
}

fn is_id(word: &str) -> bool {
    let hex = word.split_once('-').map_or("", |(_, hex)| hex);
    hex.len() == 17 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value of its tag Name, else its id.
pub(crate) fn name(tags: &Tags, id: &str) -> String {
    tags.get("Name").cloned().unwrap_or_else(|| short(id))
}

/// An instance's name, else its id.
pub(crate) fn instance_name(world: &World, id: &str) -> String {
    world.instance(id).map_or_else(|| short(id), |instance| name(&instance.tags, id))
}

/// An instance's name and its id.
pub(crate) fn instance(world: &World, id: &str) -> String {
    match world.instance(id).and_then(|instance| instance.tags.get("Name")) {
        Some(name) => format!("{name} ({})", short(id)),
        None => short(id),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_and_nothing_else_is() {
        let text = "eni-0000000000000002d: delete tms-00000000000000031, of account 444455556666";
        assert_eq!(shorten(text), "eni-…002d: delete tms-…0031, of account 444455556666");
        assert_eq!(shorten("instance-type `t2.micro`"), "instance-type `t2.micro`");
        assert_eq!(shorten(""), "");
    }
}
