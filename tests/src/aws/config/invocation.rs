//! The events with which AWS Config invokes a rule's function.

use serde_json::{Value, json};

use super::{Config, Item, Time};
use crate::aws::ec2::World;

/// An item on its way to a rule.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) rule: String,
    pub(super) item: Item,
}

/// What a result token stands for.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The id, since a rule that is created again under the same name is another one.
    pub(super) rule: String,
    pub(super) invoked: Time,
}

impl Config {
    /// The invocations for the items since the last call, in their order.
    pub fn take_invocations(&mut self, world: &World) -> Vec<Value> {
        let mut invocations = Vec::new();
        for Pending { rule, item } in std::mem::take(&mut self.pending) {
            if self.rules.contains_key(&rule) {
                let whole = item.notification();
                let is_oversized = whole.to_string().len() > self.item_limit;
                let message = if is_oversized { item.oversized_notification() } else { whole };
                invocations.push(self.invocation(world, &rule, &message, false));
            }
        }
        invocations
    }

    /// The message of a rule's schedule.
    pub fn scheduled_notification(&mut self, world: &World) -> Value {
        json!({
            "awsAccountId": self.account,
            "notificationCreationTime": self.time(world).to_string(),
            "messageType": "ScheduledNotification",
            "recordVersion": "1.0",
        })
    }

    /// The event that brings any message to a rule, with a new result token.
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn invocation(
        &mut self,
        world: &World,
        rule: &str,
        message: &Value,
        left_scope: bool,
    ) -> Value {
        let token = self.issue_token(world, rule);
        let rule = &self.rules[rule];
        let account = &self.account;
        let recorder = "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
        let mut event = json!({
            "version": "1.0",
            "invokingEvent": message.to_string(),
            "resultToken": token,
            "eventLeftScope": left_scope,
            "executionRoleArn": format!("arn:aws:iam::{account}:role/{recorder}"),
            "configRuleArn": rule.arn,
            "configRuleName": rule.name,
            "configRuleId": rule.id,
            "accountId": account,
        });
        if !rule.parameters.is_empty() {
            event["ruleParameters"] = json!(json!(rule.parameters).to_string());
        }
        event
    }

    /// A token with which verdicts of the rule can be handed in, as often as one likes.
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn issue_token(&mut self, world: &World, rule: &str) -> String {
        let text = self.random(300, fastrand::Rng::alphanumeric);
        let rule = self.rules[rule].id.clone();
        let token = Token { rule, invoked: self.time(world) };
        self.tokens.insert(text.clone(), token);
        text
    }
}
