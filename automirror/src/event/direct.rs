//! A direct call: what a person, or a deployment, asks of the function itself.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::text::quote;
use shared_ec2::selector::Selector;

use super::parsed::{MAX_IDS, Orders, ParsedEvent, Scope};

const ACCEPTED: &str = "accepted are an SQS batch, an EventBridge event, {\"instances\":[\"i-…\"]}, \
                        {\"sweep\":true} and {\"remove\":true}, with \"detect\":true to change nothing, \
                        and {\"sweep\":true,\"unlimited\":true}";

/// So many of the keys that a call may not have are named.
const MAX_NAMED: usize = 5;

/// The keys that a call may have.
const KEYS: [&str; 5] = ["sweep", "instances", "remove", "unlimited", "detect"];

/// A call by hand. Keys that it does not know are named in the log, and no reason to refuse a call that
/// says what it wants: schedules add some of their own.
pub(crate) fn parse(call: &Value) -> ParsedEvent {
    match read(call) {
        Ok(scope) => ParsedEvent::Reconcile(scope),
        Err(why) => ParsedEvent::unreadable(format!("{why}: {ACCEPTED}")),
    }
}

fn read(call: &Value) -> Result<Scope, String> {
    let fields = call.as_object().ok_or("this is not a call")?;
    let flag = |name: &str| match fields.get(name) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or(format!("`{name}` is neither true nor false")),
    };
    let orders =
        Orders { detect: flag("detect")?, unlimited: flag("unlimited")?, remove: flag("remove")? };
    let selectors: BTreeSet<_> = match fields.get("instances") {
        Some(ids) => instances(ids)?,
        None if flag("sweep")? || orders.remove => [Selector::Sweep].into(),
        None => return Err("the call names nothing to do".to_owned()),
    };
    if fields.contains_key("instances") && (flag("sweep")? || orders.remove) {
        return Err("`instances` goes with neither `sweep` nor `remove`".to_owned());
    }
    let unknown = fields.keys().filter(|key| !KEYS.contains(&key.as_str()));
    let unknown: Vec<_> = unknown.take(MAX_NAMED).map(|key| quote(key)).collect();
    let cause = if unknown.is_empty() {
        "direct call".to_owned()
    } else {
        format!("direct call, ignoring the keys {}", unknown.join(", "))
    };
    Ok(Scope { selectors, cause, orders, ..Scope::default() })
}

fn instances(ids: &Value) -> Result<BTreeSet<Selector>, String> {
    let ids = ids.as_array().ok_or("`instances` is not a list")?;
    if ids.is_empty() || ids.len() > MAX_IDS {
        return Err(format!("`instances` has {} ids, from 1 to {MAX_IDS} are accepted", ids.len()));
    }
    let id = |id: &Value| match id.as_str() {
        Some(text) => text.parse().map(Selector::Instance).map_err(|error| format!("{error}")),
        None => Err("an instance id, as text".to_owned()),
    };
    ids.iter()
        .map(id)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`instances` takes {error}"))
}
