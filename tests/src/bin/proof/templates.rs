//! Checks the roles of the functions in the CloudFormation template.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use local_cloud::aws::iam::{Authorization, Decision, Policy, Record, Role};

/// The functions, each of which has a role.
pub(crate) const FUNCTIONS: [&str; 2] = ["automirror", "config-rule"];

/// What only these parameters grant, besides the defaults.
const OPTIONS: [(&str, &str); 3] = [
    ("KmsKeyArn", "arn:aws:kms:us-east-1:111122223333:key/1"),
    ("SubnetIds", "subnet-1"),
    ("SecurityGroupIds", "sg-1"),
];

const LAMBDA_DECRYPTS: &str =
    "Lambda's poller reads an encrypted queue with it; the local queue has no keys";
const LAMBDA_ENCRYPTS: &str =
    "Lambda sends to an encrypted dead-letter queue with it; the local queue has no keys";
const LAMBDA_CONNECTS: &str =
    "Lambda connects the function to a VPC with it; a test shows that the function's code may not";

/// What is granted on demand and no test can use: function, `Sid`, action, why.
const UNUSED: [(&str, &str, &str, &str); 13] = [
    ("automirror", "DecryptMessages", "kms:Decrypt", LAMBDA_DECRYPTS),
    ("automirror", "ReadSubnets", "ec2:DescribeSubnets", LAMBDA_CONNECTS),
    ("automirror", "ConnectToVpc", "ec2:AssignPrivateIpAddresses", LAMBDA_CONNECTS),
    ("automirror", "ConnectToVpc", "ec2:CreateNetworkInterface", LAMBDA_CONNECTS),
    ("automirror", "ConnectToVpc", "ec2:UnassignPrivateIpAddresses", LAMBDA_CONNECTS),
    ("automirror", "DisconnectFromVpc", "ec2:DeleteNetworkInterface", LAMBDA_CONNECTS),
    ("config-rule", "EncryptFailures", "kms:Decrypt", LAMBDA_ENCRYPTS),
    ("config-rule", "EncryptFailures", "kms:GenerateDataKey", LAMBDA_ENCRYPTS),
    ("config-rule", "ReadSubnets", "ec2:DescribeSubnets", LAMBDA_CONNECTS),
    ("config-rule", "ConnectToVpc", "ec2:AssignPrivateIpAddresses", LAMBDA_CONNECTS),
    ("config-rule", "ConnectToVpc", "ec2:CreateNetworkInterface", LAMBDA_CONNECTS),
    ("config-rule", "ConnectToVpc", "ec2:UnassignPrivateIpAddresses", LAMBDA_CONNECTS),
    ("config-rule", "DisconnectFromVpc", "ec2:DeleteNetworkInterface", LAMBDA_CONNECTS),
];

/// The result: what holds, and what does not.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) facts: Vec<String>,
    pub(crate) problems: BTreeSet<String>,
}

/// A `Sid` and an action.
type Grant = (String, String);

/// What grants more, and has tests for each grant.
const TESTED: [(&str, &str); 1] = [("ConfigRuleTargetHealth", "30")];

impl Proof {
    pub(crate) fn check_functions(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let mut roles = Roles::default();
        let mut used: BTreeMap<&str, BTreeSet<Grant>> = BTreeMap::new();
        for record in records {
            let policy = roles.of(record)?.policy();
            if !record.allowed && !record.denials_expected {
                self.problem(&record.function, &record.asked, "was refused in a test");
            }
            if matches!(policy.decide(&record.asked), Decision::Allowed(_)) != record.allowed {
                self.problem(&record.function, &record.asked, "was recorded otherwise");
            }
            used.entry(&record.function).or_default().extend(use_of(policy, record));
        }
        for function in FUNCTIONS {
            let used = used.remove(function).unwrap_or_default();
            self.check_function(function, &used)?;
        }
        let refused = records.iter().filter(|record| !record.allowed).count();
        self.facts.push(format!(
            "{} authorizations were checked against the template they ran with; {refused} were refused, as the tests expect.",
            records.len()
        ));
        Ok(())
    }

    fn check_function(&mut self, function: &str, used: &BTreeSet<Grant>) -> anyhow::Result<()> {
        let grants = grants(Role::of_function("function", function, &TESTED)?.policy());
        self.check_use(function, &grants, used);
        let options = OPTIONS.iter().chain(&TESTED).copied();
        let options: Vec<_> = options.collect();
        let with_options = Role::of_function("function", function, &options)?;
        let optional: BTreeSet<_> =
            self::grants(with_options.policy()).difference(&grants).cloned().collect();
        let excused = UNUSED.iter().filter(|(of, ..)| *of == function);
        let excused: BTreeSet<Grant> =
            excused.map(|(_, sid, action, _)| ((*sid).to_owned(), (*action).to_owned())).collect();
        for (sid, action) in optional.difference(&excused) {
            let problem =
                format!("{function}: {sid} grants {action} on demand, and no reason is given");
            self.problems.insert(problem);
        }
        for (sid, action) in excused.difference(&optional) {
            let problem = format!("{function}: {sid} does not grant {action} on demand any more");
            self.problems.insert(problem);
        }
        for (sid, action) in excused.intersection(used) {
            self.problems.insert(format!("{function}: {sid} and {action} are used after all"));
        }
        Ok(())
    }

    /// Checks that all that is granted is used.
    pub(crate) fn check_use(
        &mut self,
        name: &str,
        grants: &BTreeSet<Grant>,
        used: &BTreeSet<Grant>,
    ) {
        for (sid, action) in grants.difference(used) {
            self.problems.insert(format!("{name}: no test needs {sid} to allow {action}"));
        }
        self.facts.push(format!("{name}: {} grants, each needed by a test.", grants.len()));
    }

    pub(crate) fn problem(&mut self, name: &str, asked: &Authorization, what: &str) {
        let Authorization { action, resource, context } = asked;
        self.problems.insert(format!("{name}: {action} on {resource} {what}: {context:?}"));
    }
}

/// The roles that records are of, each resolved once.
#[derive(Default)]
pub(crate) struct Roles<'a>(BTreeMap<(&'a str, &'a BTreeMap<String, String>), Role>);

impl<'a> Roles<'a> {
    pub(crate) fn of(&mut self, record: &'a Record) -> anyhow::Result<&Role> {
        let Record { function, parameters, .. } = record;
        match self.0.entry((function, parameters)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let parameters = parameters.iter().map(|(k, v)| (k.as_str(), v.as_str()));
                let parameters: Vec<_> = parameters.collect();
                Ok(new.insert(Role::of_function("function", function, &parameters)?))
            }
        }
    }
}

pub(crate) fn grants(policy: &Policy) -> BTreeSet<Grant> {
    policy.grants().map(|(sid, action, _)| (sid.to_owned(), action.to_owned())).collect()
}

/// The only statement that allows a call of a function, if there is one only. Calls in tests of denials do
/// not count: no function makes them.
pub(crate) fn use_of(policy: &Policy, record: &Record) -> Option<Grant> {
    if record.denials_expected {
        return None;
    }
    match policy.decide(&record.asked) {
        Decision::Allowed(by) => match by.as_slice() {
            [sid] => Some((sid.clone(), record.asked.action.clone())),
            _ => None,
        },
        Decision::Denied(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(asked: Authorization, allowed: bool) -> Record {
        Record {
            function: "config-rule".to_owned(),
            parameters: BTreeMap::new(),
            asked,
            allowed,
            denials_expected: false,
        }
    }

    fn problems(records: &[Record]) -> String {
        let mut proof = Proof::default();
        proof.check_functions(records).unwrap();
        proof.problems.into_iter().collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_no_test_needs_is_named() {
        let put = record(Authorization::new("config:PutEvaluations", "*"), true);
        let named = "config-rule: no test needs ReportVerdicts to allow config:PutEvaluations";
        assert!(problems(&[]).contains(named));
        assert!(!problems(std::slice::from_ref(&put)).contains(named));
        // What a test of denials was allowed is no use that a function makes.
        assert!(problems(&[Record { denials_expected: true, ..put }]).contains(named));
    }

    #[test]
    fn a_refusal_that_no_test_expects_is_named() {
        let run = record(Authorization::new("ec2:RunInstances", "*"), false);
        let named = "config-rule: ec2:RunInstances on * was refused in a test";
        assert!(problems(std::slice::from_ref(&run)).contains(named));
        assert!(!problems(&[Record { denials_expected: true, ..run }]).contains(named));
    }

    #[test]
    fn a_record_that_the_template_contradicts_is_named() {
        let run = record(Authorization::new("ec2:RunInstances", "*"), true);
        assert!(problems(&[run]).contains("ec2:RunInstances on * was recorded otherwise"));
    }

    #[test]
    fn a_reason_is_given_for_just_what_is_granted_on_demand() {
        let text = problems(&[]);
        assert!(!text.contains("no reason is given") && !text.contains("any more"), "{text}");
        let asked = Authorization::new("ec2:DescribeSubnets", "*").with("ec2:Region", "us-east-1");
        let options = OPTIONS.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let subnets = Record { parameters: options, ..record(asked, true) };
        assert!(
            problems(&[subnets]).contains("ReadSubnets and ec2:DescribeSubnets are used after all")
        );
    }
}
