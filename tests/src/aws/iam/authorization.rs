//! What IAM is asked: may this be done with that, given these facts?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::ec2::Tags;

/// One action on one resource. A call may need several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Such as `ec2:CreateTags`.
    pub action: String,
    /// An ARN, or `*` where the action knows no resources.
    pub resource: String,
    /// The condition keys with their values. What is not here is absent.
    pub context: BTreeMap<String, Vec<String>>,
}

/// Which condition key tags go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// Those that the resource has: `aws:ResourceTag/KEY`, and `ec2:ResourceTag/KEY`.
    Already,
    /// Those that the request brings: `aws:RequestTag/KEY`, and `aws:TagKeys`.
    Now,
}

impl Authorization {
    pub fn new(action: &str, resource: &str) -> Self {
        let (action, resource) = (action.to_owned(), resource.to_owned());
        Self { action, resource, context: BTreeMap::new() }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.entry(key.to_owned()).or_default().push(value.to_owned());
        self
    }

    #[must_use]
    pub fn tagged(self, when: Tagged, tags: &Tags) -> Self {
        tags.iter().fold(self, |asked, (key, value)| match when {
            Tagged::Already => asked
                .with(&format!("aws:ResourceTag/{key}"), value)
                .with(&format!("ec2:ResourceTag/{key}"), value),
            Tagged::Now => {
                asked.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key)
            }
        })
    }
}
