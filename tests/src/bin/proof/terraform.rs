//! Checks Terraform's roles, by what was recorded with the same settings.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use local_cloud::aws::ec2::DEFAULT_ACCOUNT;
use local_cloud::aws::iam::{Authorization, Decision, Policy, Record, Role};
use local_cloud::lambda::REGION;
use serde_json::Value;

use crate::templates::{FUNCTIONS, Proof, Roles, grants, use_of};

/// A module's role, and what it calls the queues and the log.
struct Module {
    policy: Policy,
    queue: Option<String>,
    failures: Option<String>,
    log_group: String,
}

/// The plan is one with the defaults, so only what was recorded with them is checked.
pub(crate) fn check(proof: &mut Proof, plan: &Value, records: &[Record]) -> anyhow::Result<()> {
    let mut roles = Roles::default();
    for (function, module) in FUNCTIONS.into_iter().zip(["automirror", "config_rule"]) {
        let role = Role::of_function("function", function, &[])?;
        let planned = Module::read(plan, module)?;
        let name = format!("module.{module}");
        let mut used = BTreeSet::new();
        let mut checked = 0;
        for record in records.iter().filter(|record| record.function == function) {
            if roles.of(record)?.policy() != role.policy() {
                continue;
            }
            checked += 1;
            let asked = planned.translate(&record.asked, &role);
            let is_allowed = matches!(planned.policy.decide(&asked), Decision::Allowed(_));
            if is_allowed != record.allowed {
                let what = if is_allowed { "is allowed, unlike there" } else { "is refused" };
                proof.problem(&name, &asked, what);
            }
            used.extend(use_of(&planned.policy, &Record { asked, ..record.clone() }));
        }
        for (sid, action) in planned.policy.unbounded_changes() {
            proof.problems.insert(format!("{name}: {sid} allows {action} on everything"));
        }
        proof
            .facts
            .push(format!("{name}: {checked} authorizations were checked against its policy."));
        proof.check_use(&name, &grants(&planned.policy), &used);
    }
    Ok(())
}

impl Module {
    fn read(plan: &Value, module: &str) -> anyhow::Result<Self> {
        let text = |resource: &str, path: &str| {
            let address = format!("module.{module}.{resource}");
            find_text(plan, &address, path)
                .with_context(|| format!("there is no {address} whose {path} is known"))
        };
        let account = text("data.aws_caller_identity.this", "/account_id")?;
        let region = text("data.aws_region.this", "/id")?;
        ensure!(region == REGION, "the plan is for {region}, not {REGION}");
        // The plan may be for any account.
        let policy =
            text("aws_iam_role_policy.this", "/policy")?.replace(&account, DEFAULT_ACCOUNT);
        let queue = text("aws_sqs_queue.this", "/name").ok();
        // The other module creates it.
        let failures = find_text(plan, "module.automirror.aws_sqs_queue.dead_letters", "/name");
        Ok(Self {
            policy: Policy::parse(&serde_json::from_str(&policy)?)
                .with_context(|| format!("in module.{module}"))?,
            queue: queue.as_deref().map(queue_arn),
            failures: failures.as_deref().map(queue_arn),
            log_group: text("aws_cloudwatch_log_group.this", "/name")?,
        })
    }

    /// The same request by a function that Terraform deploys: only queue and log have other names.
    fn translate(&self, asked: &Authorization, role: &Role) -> Authorization {
        let log = |group: &str| format!(":log-group:{group}:");
        let mut resource = asked.resource.replace(&log(role.log_group()), &log(&self.log_group));
        for (name, planned) in [(role.queue(), &self.queue), (role.failures(), &self.failures)] {
            if let (Some(name), Some(planned)) = (name, planned) {
                resource = resource.replace(name, planned);
            }
        }
        Authorization { resource, ..asked.clone() }
    }
}

fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT}:{name}")
}

/// A value of a resource or data, in whichever part of the plan it is known.
fn find_text(plan: &Value, address: &str, path: &str) -> Option<String> {
    let mut parts = ["/planned_values", "/values", "/prior_state/values"].into_iter();
    let found = parts.find_map(|part| find(plan.pointer(part)?, address));
    found?.pointer("/values")?.pointer(path)?.as_str().map(str::to_owned)
}

/// The resource or data of this address, in whichever module; the index of a module does not count.
fn find<'a>(values: &'a Value, address: &str) -> Option<&'a Value> {
    let list = |name| values.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_it = |resource: &&Value| {
        let found = resource.get("address").and_then(Value::as_str);
        found.is_some_and(|found| found.replace("[0]", "") == address)
    };
    let mut modules = values.get("root_module").into_iter().chain(list("child_modules"));
    list("resources").find(is_it).or_else(|| modules.find_map(|module| find(module, address)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    /// What `terraform show -json` has of a module that matters here.
    fn module(name: &str, statement: &Value) -> Value {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let resource = |kind: &str, values: Value| json!({"address": format!("module.{name}.{kind}.this"), "values": values});
        json!({"resources": [
            resource("data.aws_caller_identity", json!({"account_id": "999999999999"})),
            resource("data.aws_region", json!({"id": "us-east-1"})),
            resource("aws_iam_role_policy", json!({"policy": policy})),
            resource("aws_sqs_queue", json!({"name": "queue"})),
            resource("aws_cloudwatch_log_group", json!({"name": "/aws/x"})),
        ]})
    }

    fn problems(statement: &Value, records: &[Record]) -> String {
        let modules = ["automirror", "config_rule[0]"].map(|name| module(name, statement));
        let plan = json!({"planned_values": {"root_module": {"child_modules": modules}}});
        let mut proof = Proof::default();
        check(&mut proof, &plan, records).unwrap();
        proof.problems.into_iter().collect::<Vec<_>>().join("\n")
    }

    fn record(action: &str, resource: &str, allowed: bool) -> Record {
        Record {
            function: "automirror".to_owned(),
            parameters: BTreeMap::new(),
            asked: Authorization::new(action, resource),
            allowed,
            denials_expected: false,
        }
    }

    #[test]
    fn the_same_request_is_answered_the_same_by_terraforms_policy() {
        let role = Role::of_function("function", "automirror", &[]).unwrap();
        let queue = role.queue().unwrap();
        let statement = json!({
            "Sid": "Receive",
            "Effect": "Allow",
            "Action": "sqs:ReceiveMessage",
            "Resource": "arn:aws:sqs:us-east-1:999999999999:queue",
        });
        let needed = "module.automirror: no test needs Receive to allow sqs:ReceiveMessage";
        let receive = record("sqs:ReceiveMessage", queue, true);
        assert!(problems(&statement, &[]).contains(needed));
        let text = problems(&statement, std::slice::from_ref(&receive));
        assert!(!text.contains("module.automirror:"), "{text}");
        let text = problems(&statement, &[Record { allowed: false, ..receive.clone() }]);
        assert!(text.contains("is allowed, unlike there"), "{text}");
        let text = problems(&statement, &[record("sqs:DeleteMessage", queue, true)]);
        assert!(text.contains("sqs:DeleteMessage on arn:aws:sqs:us-east-1:111122223333:queue is"));
        // Another owner's installation is not what the plan is of.
        let parameters = [("MirrorOwner".to_owned(), "blue".to_owned())].into();
        assert!(problems(&statement, &[Record { parameters, ..receive }]).contains(needed));
    }

    #[test]
    fn a_change_that_is_allowed_on_everything_is_named() {
        let statement =
            json!({"Sid": "All", "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"});
        assert!(problems(&statement, &[]).contains("All allows ec2:RunInstances on everything"));
    }
}
