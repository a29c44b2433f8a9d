//! What a rule's function is invoked with.

use serde_json::{Value, json};

use super::{Config, Item, Time};
use crate::aws::ec2::World;

/// An item on its way to a rule.
#[derive(Debug)]
pub(super) struct Pending {
    /// The round from which it may be delivered.
    pub(super) due: u64,
    pub(super) rule: String,
    pub(super) item: Item,
}

/// What a result token stands for.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The id, since a rule made anew under the same name is another one.
    pub(super) rule: String,
    pub(super) invoked: Time,
}

impl Config {
    /// The invocations that are due, in the order of their items.
    pub fn take_invocations(&mut self, world: &World) -> Vec<Value> {
        let round = self.round;
        let mut invocations = Vec::new();
        let due: Vec<_> = self.pending.extract_if(.., |pending| pending.due <= round).collect();
        for Pending { rule, item, .. } in due {
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

#[cfg(test)]
mod tests {
    use super::super::{PutRule, ResourceKey, Status};
    use super::*;
    use crate::aws::ec2::{Caller, RunInstances};

    fn with_rule() -> (World, Config) {
        let mut config = Config::default();
        config.put_rule(&PutRule::new("mirroring")).unwrap();
        (World::default(), config)
    }

    fn launch(world: &mut World) -> String {
        world.run_instances(&Caller::default(), &RunInstances::default()).unwrap().remove(0)
    }

    fn message(event: &Value) -> Value {
        serde_json::from_str(event["invokingEvent"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn an_item_reaches_the_rule_as_aws_sends_it() {
        let (mut world, mut config) = with_rule();
        let id = launch(&mut world);
        config.record(&world);
        let events = config.take_invocations(&world);
        assert_eq!(events.len(), 1);
        let rule = config.rule("mirroring").unwrap();
        assert_eq!(
            events[0],
            json!({
                "version": "1.0",
                "invokingEvent": events[0]["invokingEvent"],
                "resultToken": events[0]["resultToken"],
                "eventLeftScope": false,
                "executionRoleArn": "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
                "configRuleArn": rule.arn,
                "configRuleName": "mirroring",
                "configRuleId": rule.id,
                "accountId": "111122223333",
            })
        );
        assert_eq!(message(&events[0])["configurationItem"]["resourceId"], id.as_str());
        assert!(config.take_invocations(&world).is_empty());
    }

    #[test]
    fn parameters_come_as_text_and_only_if_there_are_any() {
        let (world, mut config) = with_rule();
        let parameters = [("tagKey".to_owned(), "Tap".to_owned())].into();
        config.put_rule(&PutRule { parameters, ..PutRule::new("mirroring") }).unwrap();
        let message = config.scheduled_notification(&world);
        let event = config.invocation(&world, "mirroring", &message, false);
        assert_eq!(event["ruleParameters"], r#"{"tagKey":"Tap"}"#);
        assert_eq!(
            super::tests::message(&event),
            json!({
                "awsAccountId": "111122223333",
                "notificationCreationTime": "2026-01-01T00:00:00.000Z",
                "messageType": "ScheduledNotification",
                "recordVersion": "1.0",
            })
        );
    }

    #[test]
    fn an_item_shows_what_was_captured_however_late_it_comes() {
        let (mut world, mut config) = with_rule();
        config.delay = 2;
        launch(&mut world);
        config.record(&world);
        world.tick();
        let mut states = Vec::new();
        for _ in 0..4 {
            let events = config.take_invocations(&world);
            states.push(
                events
                    .iter()
                    .map(message)
                    .map(|it| {
                        it["configurationItem"]["configuration"]["state"]["name"]
                            .as_str()
                            .unwrap()
                            .to_owned()
                    })
                    .collect::<Vec<_>>(),
            );
            config.record(&world);
        }
        assert_eq!(states, [vec![], vec![], vec!["pending"], vec!["running"]]);
    }

    #[test]
    fn an_item_over_the_limit_is_only_summed_up() {
        let (mut world, mut config) = with_rule();
        launch(&mut world);
        config.record(&world);
        config.item_limit = 0;
        let event = config.take_invocations(&world).remove(0);
        let message = message(&event);
        assert_eq!(message["messageType"], "OversizedConfigurationItemChangeNotification");
        assert_eq!(message["configurationItemSummary"]["changeType"], "CREATE");
    }

    #[test]
    fn a_rule_hears_of_the_types_in_its_scope_only_and_nothing_once_it_is_gone() {
        let (mut world, mut config) = with_rule();
        config.put_rule(&PutRule { scope: [].into(), ..PutRule::new("other") }).unwrap();
        launch(&mut world);
        config.record(&world);
        assert_eq!(config.take_invocations(&world).len(), 1);
        launch(&mut world);
        config.record(&world);
        config.delete_rule("mirroring").unwrap();
        assert!(config.take_invocations(&world).is_empty());
    }

    #[test]
    fn every_invocation_has_a_long_token_of_its_own_and_may_be_of_anything() {
        let (world, mut config) = with_rule();
        let key = ResourceKey::instance("i-gone");
        let item = config.bare_item(&world, key, Status::ResourceDeletedNotRecorded);
        let [first, second] = [true, false].map(|left_scope| {
            config.invocation(&world, "mirroring", &item.notification(), left_scope)
        });
        assert_eq!(
            (&first["eventLeftScope"], &second["eventLeftScope"]),
            (&json!(true), &json!(false))
        );
        assert_ne!(first["resultToken"], second["resultToken"]);
        assert_eq!(first["resultToken"].as_str().unwrap().len(), 300);
    }
}
