//! The Config rule as it is deployed: AWS Config invokes the real binary with one event after the other.

use std::collections::VecDeque;

use serde_json::Value;

use super::{role, start};
use crate::{
    aws::config::{PutRule, ResourceKey, Verdict},
    aws::iam::Role,
    cloud::Cloud,
    lambda::binary::binary,
    lambda::{Answer, Function, Invocation, InvokeError},
};

/// Lambda tries an asynchronous invocation twice more.
const ATTEMPTS: usize = 3;

/// A rule with its function.
#[derive(Debug)]
pub struct ConfigRule {
    pub name: String,
    pub function: Function,
    /// What the function was invoked with, and what came of it, oldest first.
    pub attempts: Vec<Attempt>,
    role: Option<Role>,
    waiting: VecDeque<Waiting>,
}

/// One attempt of an invocation.
#[derive(Debug)]
pub struct Attempt {
    pub event: Value,
    /// From 1 to 3.
    pub number: usize,
    pub outcome: Result<Invocation, InvokeError>,
}

#[derive(Debug)]
struct Waiting {
    event: Value,
    attempts: usize,
}

impl Attempt {
    /// What the answer says does not matter, unless it is an error.
    pub fn has_failed(&self) -> bool {
        match &self.outcome {
            Ok(invocation) => matches!(invocation.answer, Answer::Error(_)),
            Err(_) => true,
        }
    }

    /// Whether it was the last, and in vain.
    pub fn is_given_up(&self) -> bool {
        self.has_failed() && self.number == ATTEMPTS
    }
}

/// The settings, with what the rule's parameters are in the template.
fn with_parameters<'a>(
    settings: &[(&'a str, &'a str)],
    parameters: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let health = parameters.iter().filter(|(name, _)| *name == "targetHealth");
    let health = health.map(|(_, value)| ("CONFIG_RULE_TARGET_HEALTH", *value));
    settings.iter().copied().chain(health).collect()
}

impl ConfigRule {
    pub(super) async fn start(
        cloud: &Cloud,
        settings: &[(&str, &str)],
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let role = role::of("config-rule", cloud, &with_parameters(settings, parameters))?;
        let function = start(binary("config-rule"), cloud, settings, Some(&role)).await?;
        Ok(Self { role: Some(role), ..Self::new(function, cloud, parameters)? })
    }

    fn new(function: Function, cloud: &Cloud, parameters: &[(&str, &str)]) -> anyhow::Result<Self> {
        let name = "mirroring".to_owned();
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let request = PutRule { parameters: parameters.collect(), ..PutRule::new(&name) };
        cloud.config().put_rule(&request)?;
        let (attempts, waiting) = (Vec::new(), VecDeque::new());
        Ok(Self { name, function, attempts, role: None, waiting })
    }

    /// A round of the recorder; the items that are due wait for the function.
    pub fn record(&mut self, cloud: &Cloud) {
        let world = cloud.world();
        let mut config = cloud.config();
        config.record(&world);
        let events = config.take_invocations(&world).into_iter();
        self.waiting.extend(events.map(|event| Waiting { event, attempts: 0 }));
    }

    /// Invokes the function for all that waits, once. What fails waits for the next time.
    pub async fn work_off(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.attempt(waiting).await;
        }
    }

    /// What the schedule does. If it fails, it waits with the others.
    pub(super) async fn schedule(&mut self, cloud: &Cloud) -> &Attempt {
        let event = {
            let world = cloud.world();
            let mut config = cloud.config();
            let message = config.scheduled_notification(&world);
            config.invocation(&world, &self.name, &message, false)
        };
        self.attempt(Waiting { event, attempts: 0 }).await
    }

    async fn attempt(&mut self, Waiting { event, attempts }: Waiting) -> &Attempt {
        let outcome = self.function.invoke(event.to_string().as_bytes()).await;
        let attempt = Attempt { event, number: attempts + 1, outcome };
        if attempt.has_failed() && !attempt.is_given_up() {
            let event = attempt.event.clone();
            self.waiting.push_back(Waiting { event, attempts: attempt.number });
        }
        if let Some(role) = self.role.as_ref().filter(|_| attempt.is_given_up()) {
            role.send_failure();
        }
        self.attempts.push(attempt);
        self.attempts.last().expect("it was just put there")
    }

    /// What the rule says about a resource.
    pub fn verdict(&self, cloud: &Cloud, key: &ResourceKey) -> Option<Verdict> {
        cloud.config().rule(&self.name)?.verdict(key).cloned()
    }

    /// Whether nothing waits, and nothing more has happened.
    pub fn is_idle(&self, cloud: &Cloud) -> bool {
        let world = cloud.world();
        self.waiting.is_empty() && cloud.config().is_settled(&world)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Deployment;
    use super::*;
    use crate::aws::config::Compliance;
    use crate::aws::ec2::{Caller, RunInstances, Tags};
    use crate::aws::sqs::Queue;
    use crate::cloud::Options;

    use crate::lambda::tests::start;

    /// A cloud with a rule whose function finds fault with everything that is there, and with a
    /// worker that does nothing.
    async fn deployment() -> Deployment {
        let cloud = Cloud::start(&Options::default()).unwrap();
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/deployment/fake_rule.py");
        let function = super::super::start(fake, &cloud, &[], None).await.unwrap();
        let rule = ConfigRule::new(function, &cloud, &[]).unwrap();
        let workers = vec![start(&[]).await];
        Deployment {
            cloud,
            queue: Queue::default(),
            workers,
            role: None,
            trail: true,
            rule: Some(rule),
        }
    }

    fn launch(deployment: &Deployment) -> String {
        let mut world = deployment.cloud.world();
        world.run_instances(&Caller::default(), &RunInstances::default()).unwrap().remove(0)
    }

    fn tag(deployment: &Deployment, id: &str, value: &str) {
        let tags = Tags::from([("Fail".to_owned(), value.to_owned())]);
        let mut world = deployment.cloud.world();
        world.create_tags(&Caller::default(), &[id.to_owned()], &tags).unwrap();
    }

    fn compliance(deployment: &Deployment, id: &str) -> Option<Compliance> {
        let rule = deployment.rule.as_ref().unwrap();
        Some(rule.verdict(&deployment.cloud, &ResourceKey::instance(id))?.compliance)
    }

    #[tokio::test]
    async fn a_failure_is_tried_twice_more_and_holds_nothing_up() {
        let mut deployment = deployment().await;
        let (bad, good) = (launch(&deployment), launch(&deployment));
        tag(&deployment, &bad, "crash");
        deployment.evaluate().await;
        assert_eq!(compliance(&deployment, &good), Some(Compliance::NonCompliant));
        assert_eq!(deployment.rule.as_ref().unwrap().waiting.len(), 1);
        deployment.evaluate().await;
        deployment.evaluate().await;
        let rule = deployment.rule.as_ref().unwrap();
        let failed: Vec<_> = rule.attempts.iter().filter(|it| it.has_failed()).collect();
        let numbers: Vec<_> = failed.iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(failed.iter().all(|attempt| attempt.event == failed[0].event));
        assert!(failed[2].is_given_up() && rule.waiting.is_empty());
        assert_eq!(compliance(&deployment, &bad), None);
    }
}
