//! The role of a function: its policy is the one in the template.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use serde_json::Value;

use super::{Authorization, Decision, Policy, Record};
use crate::aws::cloudformation::{Stack, Template};
use crate::aws::ec2::DEFAULT_ACCOUNT;
use crate::lambda::REGION;

/// A role by its name; copies are the same role.
#[derive(Clone, Debug)]
pub struct Role(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    function: String,
    parameters: BTreeMap<String, String>,
    policy: Policy,
    log_group: String,
    queue: Option<String>,
    failures: Option<String>,
    denials_expected: AtomicBool,
    unrecorded: AtomicBool,
}

impl Role {
    /// The role of a function of this project, `automirror` or `config-rule`, from the template.
    pub fn of_function(
        name: &str,
        function: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let prefix = match function {
            "automirror" => "",
            "config-rule" => "ConfigRule",
            _ => anyhow::bail!("there is no function {function}"),
        };
        let stack = Template::of_repository("automirror.yaml")?.resolve(parameters)?;
        let policy = policy(&stack, &format!("{prefix}Role"))
            .with_context(|| format!("the role of {function}"))?;
        let text = |id: &str, path: &str| {
            let value = stack.resources.get(id)?.pointer("/Properties")?.pointer(path)?;
            value.as_str().map(str::to_owned)
        };
        let log_group = text(&format!("{prefix}Function"), "/LoggingConfig/LogGroup");
        let failures = "/DestinationConfig/OnFailure/Destination";
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Ok(Self(Arc::new(Inner {
            name: name.to_owned(),
            function: function.to_owned(),
            parameters: parameters.collect(),
            policy,
            log_group: log_group.context("it has no log group")?,
            queue: text(&format!("{prefix}EventSourceMapping"), "/EventSourceArn"),
            failures: text(&format!("{prefix}Invocations"), failures),
            denials_expected: AtomicBool::new(false),
            unrecorded: AtomicBool::new(false),
        })))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    pub fn log_group(&self) -> &str {
        &self.0.log_group
    }

    /// The ARN of the queue that Lambda polls for the function.
    pub fn queue(&self) -> Option<&str> {
        self.0.queue.as_deref()
    }

    /// From now on the test expects denials.
    pub fn expect_denials(&self) {
        self.0.denials_expected.store(true, Ordering::Relaxed);
    }

    /// From now on nothing is recorded: simulations ask the same a thousand times.
    pub fn leave_unrecorded(&self) {
        self.0.unrecorded.store(true, Ordering::Relaxed);
    }

    /// Asks the policy, and records the answer.
    pub fn decide(&self, asked: Authorization) -> Decision {
        let decision = self.0.policy.decide(&asked);
        if self.0.unrecorded.load(Ordering::Relaxed) {
            return decision;
        }
        let record = Record {
            function: self.0.function.clone(),
            parameters: self.0.parameters.clone(),
            asked,
            allowed: matches!(decision, Decision::Allowed(_)),
            denials_expected: self.0.denials_expected.load(Ordering::Relaxed),
        };
        record.write();
        if !record.allowed && !record.denials_expected {
            eprintln!("local cloud: {} was denied {:?}", self.0.name, record.asked);
        }
        decision
    }

    /// The ARN of the queue to which Lambda sends the asynchronous invocations that fail for good.
    pub fn failures(&self) -> Option<&str> {
        self.0.failures.as_deref()
    }

    /// Lambda sends an invocation that failed for good to the dead-letter queue.
    pub(crate) fn send_failure(&self) {
        let queue = self.failures().expect("a function that is invoked asynchronously has one");
        self.must(&["sqs:SendMessage"], queue);
    }

    /// Lambda looks for messages for the function.
    pub(crate) fn poll_queue(&self) {
        self.must(&["sqs:GetQueueAttributes", "sqs:ReceiveMessage"], self.polled());
    }

    /// Lambda deletes the messages that the function has done with.
    pub(crate) fn delete_messages(&self) {
        self.must(&["sqs:DeleteMessage"], self.polled());
    }

    /// Lambda begins the log stream of an execution environment.
    pub(crate) fn create_log_stream(&self, stream: &str) {
        self.must(&["logs:CreateLogStream"], &self.log_stream(stream));
    }

    /// Lambda writes the log of an execution environment.
    pub(crate) fn put_log_events(&self, stream: &str) {
        self.must(&["logs:PutLogEvents"], &self.log_stream(stream));
    }

    fn log_stream(&self, stream: &str) -> String {
        let group = &self.0.log_group;
        format!("arn:aws:logs:{REGION}:{DEFAULT_ACCOUNT}:log-group:{group}:log-stream:{stream}")
    }

    fn polled(&self) -> &str {
        self.queue().expect("a function that is polled for has a queue")
    }

    /// The permissions that Lambda needs to run the function.
    fn must(&self, actions: &[&str], resource: &str) {
        for action in actions {
            let decision = self.decide(Authorization::new(action, resource));
            let is_allowed = matches!(decision, Decision::Allowed(_));
            assert!(is_allowed, "Lambda lacks {action} on {resource} in the role {}", self.0.name);
        }
    }
}

/// The one policy of a role.
fn policy(stack: &Stack, role: &str) -> anyhow::Result<Policy> {
    let policies = stack.resources.get(role).context("there is none")?;
    match policies["Properties"]["Policies"].as_array().map(Vec::as_slice) {
        Some([policy]) => Policy::parse(policy.get("PolicyDocument").unwrap_or(&Value::Null)),
        _ => anyhow::bail!("it has not one policy"),
    }
}
