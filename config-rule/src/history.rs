//! What AWS Config remembers of a session that is gone.

use anyhow::Context;
use aws_sdk_config::{
    Client, error::SdkError, operation::get_resource_config_history::GetResourceConfigHistoryError,
    types::ResourceType,
};
use shared::id::{InterfaceId, SessionId};

use crate::event::interface;

/// A deletion and the items before it; the youngest that shows a configuration is the one wanted.
const ITEMS: i32 = 10;

/// The interface a deleted session was on, as its youngest configuration item tells it; nothing
/// where AWS Config has no such item, as when it did not record sessions then.
pub(crate) async fn interface_of(
    config: &Client,
    session: &SessionId,
) -> anyhow::Result<Option<InterfaceId>> {
    let answer = config
        .get_resource_config_history()
        .resource_type(ResourceType::Ec2TrafficMirrorSession)
        .resource_id(session.as_str())
        .limit(ITEMS)
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if is_unknown(&error) => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("could not read the history of {session}"));
        }
    };
    let mut configurations = answer.configuration_items().iter().filter_map(|item| {
        let configuration = serde_json::from_str(item.configuration()?).ok()?;
        interface(&configuration)
    });
    Ok(configurations.next())
}

fn is_unknown(error: &SdkError<GetResourceConfigHistoryError>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetResourceConfigHistoryError::is_resource_not_discovered_exception)
}
