//! Configuration items: what a resource was at one moment, in the forms that AWS shows it in.
//!
//! The form in an event and the form in an answer of the API have different names for the same
//! things, and the API gives the configuration as text.

use serde_json::{Map, Value, json};

use super::{INSTANCE, SESSION, TARGET, Time};
use crate::aws::ec2::Tags;

/// A resource of any type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    pub resource_type: String,
    pub id: String,
}

/// A configuration item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub account: String,
    pub region: String,
    pub key: ResourceKey,
    pub status: Status,
    pub captured: Time,
    pub availability_zone: String,
    pub created: Option<Time>,
    pub tags: Tags,
    pub relationships: Vec<Relationship>,
    /// `Null` if the resource is gone.
    pub configuration: Value,
}

/// What an item says about its resource as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    ResourceDiscovered,
    ResourceNotRecorded,
    ResourceDeleted,
    ResourceDeletedNotRecorded,
}

/// Another resource that has to do with this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    pub key: ResourceKey,
    /// Such as `Contains NetworkInterface`.
    pub name: &'static str,
}

impl ResourceKey {
    pub fn new(resource_type: &str, id: &str) -> Self {
        Self { resource_type: resource_type.to_owned(), id: id.to_owned() }
    }

    pub fn instance(id: &str) -> Self {
        Self::new(INSTANCE, id)
    }

    pub fn session(id: &str) -> Self {
        Self::new(SESSION, id)
    }

    pub fn target(id: &str) -> Self {
        Self::new(TARGET, id)
    }
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::ResourceDiscovered => "ResourceDiscovered",
            Self::ResourceNotRecorded => "ResourceNotRecorded",
            Self::ResourceDeleted => "ResourceDeleted",
            Self::ResourceDeletedNotRecorded => "ResourceDeletedNotRecorded",
        }
    }

    fn change_type(self) -> &'static str {
        match self {
            Self::ResourceDiscovered => "CREATE",
            Self::Ok | Self::ResourceNotRecorded => "UPDATE",
            Self::ResourceDeleted | Self::ResourceDeletedNotRecorded => "DELETE",
        }
    }
}

impl Item {
    /// The message to a rule that carries the item.
    pub fn notification(&self) -> Value {
        let mut item = self.head();
        item.insert("relatedEvents".to_owned(), json!([]));
        item.insert("relationships".to_owned(), self.relationships("name"));
        item.insert("configuration".to_owned(), self.configuration.clone());
        item.insert("supplementaryConfiguration".to_owned(), json!({}));
        item.insert("tags".to_owned(), json!(self.tags));
        json!({
            // What changed is for people: a rule cannot rely on it, since AWS may leave it out.
            "configurationItemDiff": null,
            "configurationItem": item,
            "notificationCreationTime": self.captured.to_string(),
            "messageType": "ConfigurationItemChangeNotification",
            "recordVersion": "1.3",
        })
    }

    /// The message to a rule where the item is too big for it.
    pub fn oversized_notification(&self) -> Value {
        let mut summary = self.head();
        summary.insert("changeType".to_owned(), json!(self.status.change_type()));
        json!({
            "configurationItemSummary": summary,
            "notificationCreationTime": self.captured.to_string(),
            "messageType": "OversizedConfigurationItemChangeNotification",
            "recordVersion": "1.0",
        })
    }

    /// What an item and its summary have in common.
    fn head(&self) -> Map<String, Value> {
        let head = json!({
            "configurationItemVersion": "1.3",
            "configurationItemCaptureTime": self.captured.to_string(),
            "configurationStateId": self.captured.0,
            "awsAccountId": self.account,
            "configurationItemStatus": self.status.name(),
            "resourceType": self.key.resource_type,
            "resourceId": self.key.id,
            "resourceName": null,
            "ARN": self.arn(),
            "awsRegion": self.region,
            "availabilityZone": self.availability_zone,
            // Empty since version 1.3 of the items.
            "configurationStateMd5Hash": "",
            "resourceCreationTime": self.created.map(|time| time.to_string()),
        });
        match head {
            Value::Object(head) => head,
            _ => unreachable!("it is an object just above"),
        }
    }

    fn arn(&self) -> String {
        let noun = match self.key.resource_type.as_str() {
            SESSION => "traffic-mirror-session".to_owned(),
            other => other.rsplit("::").next().unwrap_or_default().to_lowercase(),
        };
        format!("arn:aws:ec2:{}:{}:{noun}/{}", self.region, self.account, self.key.id)
    }

    fn relationships(&self, name: &str) -> Value {
        let relationship = |it: &Relationship| {
            json!({
                "resourceType": it.key.resource_type,
                "resourceId": it.key.id,
                name: it.name,
            })
        };
        self.relationships.iter().map(relationship).collect()
    }
}
