//! From what AWS Config hands over to what to evaluate.

use anyhow::{Context, anyhow, bail};
use aws_lambda_events::config::ConfigEvent;
use aws_sdk_config::primitives::{DateTime, DateTimeFormat};
use serde::Deserialize;
use serde_json::Value;
use shared::{id::AccountId, text::quote};

use crate::resource::{INSTANCE, Resource, SESSION, TARGET, interface};

/// One invocation of a rule.
#[derive(Debug, PartialEq)]
pub struct Invocation {
    /// The account the rule is in.
    pub account: AccountId,
    /// The rule's name.
    pub rule: String,
    /// The rule's parameters, as JSON.
    pub parameters: Option<String>,
    /// The token that every answer must carry.
    pub token: String,
    /// What to evaluate.
    pub task: Task,
    /// When AWS Config captured the item, or started the scheduled evaluation.
    pub time: DateTime,
}

/// What to evaluate.
#[derive(Debug, PartialEq)]
pub enum Task {
    /// The whole account and region.
    Everything,
    /// A resource that has changed.
    Changed(Resource),
    /// A resource that was deleted.
    Deleted(Resource),
    /// A resource that AWS Config no longer records, or that left the rule's scope.
    OutOfScope(Resource),
}

impl Task {
    /// What set the invocation off, in a word, and the resource that it is about.
    pub(crate) fn trigger(&self) -> (&'static str, String) {
        match self {
            Self::Everything => ("schedule", String::new()),
            Self::Changed(resource) => ("change", resource.key().id),
            Self::Deleted(resource) => ("deletion", resource.key().id),
            Self::OutOfScope(resource) => ("out-of-scope", resource.key().id),
        }
    }
}

/// The token of an invocation that is only a test, as in AWS's own samples.
pub(crate) const TEST_TOKEN: &str = "TESTMODE";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(rename = "messageType")]
    kind: String,
    #[serde(default)]
    configuration_item: Option<Item>,
    #[serde(default)]
    configuration_item_summary: Option<Item>,
    #[serde(default)]
    notification_creation_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    resource_type: String,
    resource_id: String,
    configuration_item_status: String,
    configuration_item_capture_time: String,
    #[serde(default)]
    configuration: Value,
}

impl Invocation {
    /// Parses any payload.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever set the rule up.
    pub fn parse(mut payload: Value) -> anyhow::Result<Self> {
        // Events made by hand lack it; an item leaves the scope only where AWS Config says so.
        if let Some(fields) = payload.as_object_mut() {
            let left_scope = fields.entry("eventLeftScope").or_insert(Value::Bool(false));
            if left_scope.is_null() {
                *left_scope = Value::Bool(false);
            }
        }
        let event: ConfigEvent =
            serde_json::from_value(payload).context("not an event of an AWS Config rule")?;
        let needed = |value: Option<String>, name: &str| {
            value
                .filter(|value| !value.is_empty())
                .ok_or_else(|| anyhow!("not an event of an AWS Config rule: no `{name}`"))
        };
        let account = needed(event.account_id, "accountId")?;
        let account = account
            .parse()
            .map_err(|error| anyhow!("`accountId` is {}: accepted is {error}", quote(&account)))?;
        let message = needed(event.invoking_event, "invokingEvent")?;
        let message: Message =
            serde_json::from_str(&message).context("`invokingEvent` cannot be read")?;
        let (task, time) = message.task(event.event_left_scope)?;
        Ok(Self {
            account,
            rule: needed(event.config_rule_name, "configRuleName")?,
            parameters: event.rule_parameters,
            token: needed(event.result_token, "resultToken")?,
            task,
            time: DateTime::from_str(&time, DateTimeFormat::DateTime)
                .with_context(|| format!("{} is not a time", quote(&time)))?,
        })
    }
}

impl Message {
    fn task(self, left_scope: bool) -> anyhow::Result<(Task, String)> {
        match self.kind.as_str() {
            "ConfigurationItemChangeNotification" => {
                let item = self.configuration_item.context("no `configurationItem`")?;
                item.task(left_scope)
            }
            // AWS Config does not send an item that is too large. EC2 is read live anyway.
            "OversizedConfigurationItemChangeNotification" => {
                let item = self.configuration_item_summary;
                item.context("no `configurationItemSummary`")?.task(left_scope)
            }
            "ScheduledNotification" => {
                let time = self.notification_creation_time;
                Ok((Task::Everything, time.context("no `notificationCreationTime`")?))
            }
            other => bail!(
                "messages of type {} are not for this rule: trigger it by configuration changes \
                 or periodically",
                quote(other)
            ),
        }
    }
}

impl Item {
    fn task(self, left_scope: bool) -> anyhow::Result<(Task, String)> {
        let resource = self.resource()?;
        let task = match self.configuration_item_status.as_str() {
            "OK" | "ResourceDiscovered" if !left_scope => Task::Changed(resource),
            "OK" | "ResourceDiscovered" | "ResourceNotRecorded" => Task::OutOfScope(resource),
            "ResourceDeleted" | "ResourceDeletedNotRecorded" => Task::Deleted(resource),
            other => bail!("the item's status {} is unknown", quote(other)),
        };
        Ok((task, self.configuration_item_capture_time))
    }

    fn resource(&self) -> anyhow::Result<Resource> {
        let bad_id =
            |error| anyhow!("`resourceId` is {}: accepted is {error}", quote(&self.resource_id));
        match self.resource_type.as_str() {
            INSTANCE => self.resource_id.parse().map(Resource::Instance).map_err(bad_id),
            SESSION => {
                let session = self.resource_id.parse().map_err(bad_id)?;
                Ok(Resource::Session(session, interface(&self.configuration)))
            }
            TARGET => self.resource_id.parse().map(Resource::Target).map_err(bad_id),
            other => bail!(
                "this rule evaluates {INSTANCE} and {SESSION}, not {}: narrow its scope",
                quote(other)
            ),
        }
    }
}
