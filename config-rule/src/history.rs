//! What AWS Config remembers of a session that is gone.

use anyhow::Context;
use aws_sdk_config::{
    Client, error::SdkError, operation::get_resource_config_history::GetResourceConfigHistoryError,
    types::ResourceType,
};
use shared::id::{InterfaceId, SessionId};

use crate::event::interface;

/// Each call looks at most seven days back from where the last one ended and may find nothing there
/// (`GetResourceConfigHistory`), so this is a year.
const PAGES: usize = 53;

/// The interface a deleted session was on, as its youngest configuration item tells it; nothing
/// where AWS Config has no such item, as when it did not record sessions then.
pub(crate) async fn interface_of(
    config: &Client,
    session: &SessionId,
) -> anyhow::Result<Option<InterfaceId>> {
    let mut token = None;
    for _ in 0..PAGES {
        let answer = config
            .get_resource_config_history()
            .resource_type(ResourceType::Ec2TrafficMirrorSession)
            .resource_id(session.as_str())
            .set_next_token(token)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_unknown(&error) => return Ok(None),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("could not read the history of {session}"));
            }
        };
        let mut configurations = answer.configuration_items().iter().filter_map(|item| {
            let configuration = serde_json::from_str(item.configuration()?).ok()?;
            interface(&configuration)
        });
        if let Some(interface) = configurations.next() {
            return Ok(Some(interface));
        }
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    tracing::warn!(
        "AWS Config does not say which interface {session} was on: its instance is judged by the \
         schedule"
    );
    Ok(None)
}

fn is_unknown(error: &SdkError<GetResourceConfigHistoryError>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetResourceConfigHistoryError::is_resource_not_discovered_exception)
}
