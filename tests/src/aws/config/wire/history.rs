//! `GetResourceConfigHistory`, whose names begin with a small letter.

use serde::Deserialize;
use serde_json::json;

use super::respond;
use crate::aws::config::{Config, HistoryQuery, Item, ResourceKey, Time};
use crate::aws::ec2::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRequest {
    resource_type: Option<String>,
    resource_id: Option<String>,
    later_time: Option<Time>,
    earlier_time: Option<Time>,
    chronological_order: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

pub(super) fn get(config: &Config, request: GetRequest) -> Result<String, Refusal> {
    let invalid = |message: &str| Refusal::new("ValidationException", message);
    let missing = || invalid("A resource is named by its type and its id");
    let query = HistoryQuery {
        key: ResourceKey {
            resource_type: request.resource_type.ok_or_else(missing)?,
            id: request.resource_id.ok_or_else(missing)?,
        },
        earlier: request.earlier_time,
        later: request.later_time,
        forward: match request.chronological_order.as_deref() {
            None | Some("Reverse") => false,
            Some("Forward") => true,
            Some(_) => return Err(invalid("The chronological order is Forward or Reverse")),
        },
        limit: request.limit,
        next_token: request.next_token,
    };
    let (items, next_token) = config.resource_history(&query)?;
    let items: Vec<_> = items.into_iter().map(Item::in_history).collect();
    let mut body = json!({ "configurationItems": items });
    if let Some(next_token) = next_token {
        body["nextToken"] = json!(next_token);
    }
    respond(&body)
}
