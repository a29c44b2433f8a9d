//! Config rules: which resources they evaluate, with which parameters.

use std::collections::{BTreeMap, BTreeSet};

use super::invocation::Pending;
use super::{Config, INSTANCE, ResourceKey, SESSION, Status, Verdict};
use crate::aws::ec2::Refusal;

/// A custom rule, evaluated by a Lambda function.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    /// Such as `config-rule-a1b2c3`.
    pub id: String,
    pub arn: String,
    pub parameters: BTreeMap<String, String>,
    /// The types of the resources whose changes are brought to the rule.
    pub scope: BTreeSet<String>,
    pub(super) verdicts: BTreeMap<ResourceKey, Verdict>,
}

/// What rule to create, or to change.
#[derive(Clone, Debug)]
pub struct PutRule {
    pub name: String,
    pub parameters: BTreeMap<String, String>,
    pub scope: BTreeSet<String>,
}

impl PutRule {
    /// A rule without parameters that concerns instances and sessions.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            parameters: BTreeMap::new(),
            scope: [INSTANCE, SESSION].map(str::to_owned).into(),
        }
    }
}

impl Rule {
    pub(super) fn covers(&self, key: &ResourceKey) -> bool {
        self.scope.contains(&key.resource_type)
    }

    /// What was said last about each resource, whether it still applies or not.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.values()
    }

    pub fn verdict(&self, key: &ResourceKey) -> Option<&Verdict> {
        self.verdicts.get(key)
    }

    pub(super) fn missing(name: &str) -> Refusal {
        let message = format!(
            "The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name."
        );
        Refusal::new("NoSuchConfigRuleException", message)
    }
}

impl Config {
    /// Creates a rule, or gives the one of this name other parameters and another scope. A new one gets
    /// all items that are recorded already.
    pub fn put_rule(&mut self, request: &PutRule) -> Result<(), Refusal> {
        if request.name.is_empty() || request.name.chars().count() > 128 {
            return Err(invalid("The name of a rule has from 1 to 128 characters"));
        }
        let parameters = serde_json::json!(request.parameters).to_string();
        if parameters.chars().count() > 1024 {
            return Err(invalid("The input parameters are limited to 1024 characters"));
        }
        if let Some(rule) = self.rules.get_mut(&request.name) {
            rule.parameters.clone_from(&request.parameters);
            rule.scope.clone_from(&request.scope);
            return Ok(());
        }
        let id = format!("config-rule-{}", self.random(6, |rng| rng.digit(36)));
        let rule = Rule {
            name: request.name.clone(),
            arn: format!("arn:aws:config:{}:{}:config-rule/{id}", self.region, self.account),
            id,
            parameters: request.parameters.clone(),
            scope: request.scope.clone(),
            verdicts: BTreeMap::new(),
        };
        let current = self.history.values().filter_map(|items| items.last());
        let known = current.filter(|item| rule.covers(&item.key));
        for item in known.filter(|item| item.status != Status::ResourceDeleted) {
            self.pending.push(Pending { rule: rule.name.clone(), item: item.clone() });
        }
        self.rules.insert(rule.name.clone(), rule);
        Ok(())
    }

    /// Deletes a rule with its verdicts. Tokens that were given out for it lead nowhere.
    pub fn delete_rule(&mut self, name: &str) -> Result<(), Refusal> {
        self.rules.remove(name).map(|_| ()).ok_or_else(|| Rule::missing(name))
    }

    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.get(name)
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValueException", message)
}
