//! What AWS Config recorded of a session that was deleted.

use anyhow::Context;
use aws_sdk_config::{
    Client, error::SdkError, operation::get_resource_config_history::GetResourceConfigHistoryError,
    types::ResourceType,
};
use shared::id::{InterfaceId, SessionId};

use crate::resource::interface;

/// Each page covers at most seven days before the last one and may be empty
/// (`GetResourceConfigHistory`), so this is a year.
const MAX_PAGES: usize = 53;

/// The interface that a deleted session was on, by its latest configuration item; nothing where AWS
/// Config has no such item, because it did not record sessions then.
pub(crate) async fn interface_of(
    config: &Client,
    session: &SessionId,
) -> anyhow::Result<Option<InterfaceId>> {
    let mut token = None;
    for _ in 0..MAX_PAGES {
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
        "AWS Config does not say which interface {session} was on: the scheduled evaluation covers its \
         instance"
    );
    Ok(None)
}

fn is_unknown(error: &SdkError<GetResourceConfigHistoryError>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetResourceConfigHistoryError::is_resource_not_discovered_exception)
}
