//! CloudTrail: the trails; and `LookupEvents`, which shows the calls of the last 90 days that change something, newest
//! first, also without a trail.

mod trails;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use trails::Trail;

use crate::aws::ec2::{Caller, Refusal, World};

/// Events on a page, the most that CloudTrail gives.
const PAGE: usize = 50;

/// Does what a request asks for; the answer is JSON.
pub(crate) fn answer(
    (world, trails): (&World, &[Trail]),
    (caller, region): (&Caller, &str),
    action: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<String, Refusal> {
    let answer = match action {
        "LookupEvents" => look_up(world, caller, parameters)?,
        "DescribeTrails" => trails::describe(trails, caller, region),
        "GetTrailStatus" => trails::status(trails, caller, region, parameters)?,
        "GetEventSelectors" => trails::selectors(trails, caller, region, parameters)?,
        _ => {
            let message = format!("The operation {action} is not known");
            return Err(Refusal::new("UnknownOperationException", message));
        }
    };
    Ok(answer.to_string())
}

fn look_up(
    world: &World,
    caller: &Caller,
    parameters: &BTreeMap<String, String>,
) -> Result<Value, Refusal> {
    let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let start = text("StartTime").parse().unwrap_or(0.0_f64);
    let wanted: Value = serde_json::from_str(text("LookupAttributes")).unwrap_or_default();
    let [wanted] = wanted.as_array().map(Vec::as_slice).unwrap_or_default() else {
        let message = "You can only specify one lookup attribute";
        return Err(Refusal::new("InvalidLookupAttributesException", message));
    };
    let value = wanted["AttributeValue"].as_str().unwrap_or_default();
    let is_wanted = |(_, event): &&(u64, Value)| match wanted["AttributeKey"].as_str() {
        Some("EventName") => event["eventName"] == value,
        Some("ResourceName") => resources(event).iter().any(|id| id == value),
        _ => false,
    };
    let first = text("NextToken").parse().unwrap_or(0_usize);
    let own = world.trail().filter(|(_, event)| event["recipientAccountId"] == caller.account);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far from 2^52")]
    let recent = own.filter(|(time, _)| *time as f64 >= start);
    let mut found = recent.filter(is_wanted).skip(first);
    let page: Vec<Value> = found.by_ref().take(PAGE).map(shown).collect();
    let next = found.next().map(|_| (first + page.len()).to_string());
    Ok(json!({"Events": page, "NextToken": next}))
}

fn shown((time, event): &(u64, Value)) -> Value {
    json!({
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "EventSource": event["eventSource"],
        "EventTime": time,
        "ReadOnly": "false",
        "CloudTrailEvent": event.to_string(),
    })
}

/// The ids that CloudTrail takes out of an event: those of what the request names, of actions that are old.
/// Of the mirror actions nobody outside AWS knows whether it does, so here it does not.
fn resources(event: &Value) -> Vec<String> {
    let items = |name: &str, member: &str| {
        let items = event.pointer(&format!("/requestParameters/{name}/items"));
        let items = items.and_then(Value::as_array).into_iter().flatten();
        let ids = items.filter_map(|item| item[member].as_str().map(str::to_owned));
        ids.collect::<Vec<_>>()
    };
    [items("instancesSet", "instanceId"), items("resourcesSet", "resourceId")].concat()
}
