//! What the roles may not do: an attacker has a function's role and tries what the function never does.
//!
//! Each test also makes a call that is allowed and differs only in what the test is about.

use std::io::{Read, Write};
use std::net::TcpStream;

use local_cloud::{
    aws::config::PutRule,
    aws::ec2::{Caller, CreateSession, Session},
    aws::iam::{Authorization, Decision, Role, Tagged},
    cloud::{Cloud, Options},
};
use serde_json::json;

use crate::stage::{full_filter, load_balancer, machine, other_account, tags, user};

/// An account with an instance, a target and a filter.
struct Account {
    cloud: Cloud,
    role: Role,
    region: &'static str,
    instance: String,
    interface: String,
    target: String,
    filter: String,
}

/// A session's tags as automirror gives them.
const OWNED: [(&str, &str); 3] =
    [("ManagedBy", "automirror"), ("Name", "i-1"), ("Invocation", "1")];

impl Account {
    fn new(function: &str, parameters: &[(&str, &str)]) -> Self {
        let cloud = Cloud::start(&Options::default()).unwrap();
        let mut world = cloud.world();
        let instance = world.run_instances(&user(), &machine(&[])).unwrap().remove(0);
        let interface = world.instance(&instance).unwrap().interfaces[0].clone();
        let (target, filter) = (load_balancer(&mut world, &user()), full_filter(&mut world));
        world.tick();
        drop(world);
        let role = role(&cloud, function, parameters);
        Self { cloud, role, region: "us-east-1", instance, interface, target, filter }
    }

    fn automirror() -> Self {
        Self::new("automirror", &[])
    }

    /// Resolves the template with other parameters.
    fn redeploy(&mut self, parameters: &[(&str, &str)]) {
        self.role = role(&self.cloud, "automirror", parameters);
    }

    /// Creates a session with these tags as Alice.
    fn session(&self, number: i64, pairs: &[(&str, &str)]) -> Session {
        let request = CreateSession {
            interface: self.interface.clone(),
            target: self.target.clone(),
            filter: self.filter.clone(),
            number: Some(number),
            tags: tags(pairs),
            ..CreateSession::default()
        };
        self.cloud.world().create_session(&user(), &request).unwrap()
    }

    /// Another target, of this account or shared with it.
    fn other_target(&self, owner: &str) -> String {
        let owner = Caller::user(owner);
        let mut world = self.cloud.world();
        let target = load_balancer(&mut world, &owner);
        world.share_target(&target, &user().account);
        target
    }

    /// Sends a request signed with the role, and returns status and body.
    fn send(&self, service: &str, headers: &str, body: &str) -> String {
        let endpoint = self.cloud.endpoint();
        let address = endpoint.trim_start_matches("http://");
        let (account, region, role) = (user().account, self.region, self.role.name());
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request\r\n\
             x-amz-security-token: assumed-role/{role}/{role}\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("Action", action).append_pair("Version", "2016-11-15");
        body.extend_pairs(parameters);
        self.send("ec2", "", &body.finish())
    }

    #[track_caller]
    fn allowed(&self, action: &str, parameters: &[(&str, &str)]) {
        let answer = self.ec2(action, parameters);
        assert!(answer.starts_with("HTTP/1.1 200"), "{action} {parameters:?}: {answer}");
    }

    #[track_caller]
    fn denied(&self, action: &str, parameters: &[(&str, &str)]) {
        let answer = self.ec2(action, parameters);
        assert!(answer.starts_with("HTTP/1.1 403"), "{action} {parameters:?}: {answer}");
        assert!(answer.contains("<Code>UnauthorizedOperation</Code>"), "{answer}");
        let name = self.role.name();
        let who = format!("User: arn:aws:sts::111122223333:assumed-role/{name}/{name} is not");
        assert!(answer.contains(&who), "{answer}");
    }

    /// The parameters of a create call.
    fn creation(&self, number: &str, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        self.creation_with(number, &self.target, &self.filter, pairs)
    }

    fn creation_with(
        &self,
        number: &str,
        target: &str,
        filter: &str,
        pairs: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let mut parameters = vec![
            ("NetworkInterfaceId".to_owned(), self.interface.clone()),
            ("TrafficMirrorTargetId".to_owned(), target.to_owned()),
            ("TrafficMirrorFilterId".to_owned(), filter.to_owned()),
            ("SessionNumber".to_owned(), number.to_owned()),
        ];
        if !pairs.is_empty() {
            let name = "TagSpecification.1.ResourceType".to_owned();
            parameters.push((name, "traffic-mirror-session".to_owned()));
        }
        for (index, (key, value)) in pairs.iter().enumerate() {
            let tag = format!("TagSpecification.1.Tag.{}", index + 1);
            parameters.push((format!("{tag}.Key"), (*key).to_owned()));
            parameters.push((format!("{tag}.Value"), (*value).to_owned()));
        }
        parameters
    }
}

/// The role from the template, whose policy the cloud enforces; the tests expect denials.
fn role(cloud: &Cloud, function: &str, parameters: &[(&str, &str)]) -> Role {
    let role = Role::of_function(function, function, parameters).unwrap();
    role.expect_denials();
    cloud.permit(&role);
    role
}

const CREATE: &str = "CreateTrafficMirrorSession";
const MODIFY: &str = "ModifyTrafficMirrorSession";
const DELETE: &str = "DeleteTrafficMirrorSession";
const SESSION: &str = "TrafficMirrorSessionId";

fn pairs(parameters: &[(String, String)]) -> Vec<(&str, &str)> {
    parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn foreign_sessions_are_neither_modified_nor_deleted() {
    let account = Account::automirror();
    for (number, tags) in [(1, &[][..]), (2, &[("ManagedBy", "blue"), ("Name", "i-1")])] {
        let id = account.session(number, tags).id;
        account.denied(DELETE, &[(SESSION, &id)]);
        account.denied(MODIFY, &[(SESSION, &id), ("SessionNumber", "9")]);
    }
    let id = account.session(3, &OWNED).id;
    account.allowed(MODIFY, &[(SESSION, &id), ("SessionNumber", "9")]);
    account.allowed(DELETE, &[(SESSION, &id)]);
}

#[test]
fn nothing_that_exists_is_tagged_or_untagged() {
    let account = Account::automirror();
    let (foreign, owned) = (account.session(1, &[]).id, account.session(2, &OWNED).id);
    let others = [&account.instance, &account.interface, &account.target, &account.filter];
    for id in [&foreign, &owned].into_iter().chain(others) {
        for key in ["ManagedBy", "Mirror"] {
            let tag =
                [("ResourceId.1", id.as_str()), ("Tag.1.Key", key), ("Tag.1.Value", "automirror")];
            account.denied("CreateTags", &tag);
            account.denied("DeleteTags", &tag);
        }
    }
}

#[test]
fn a_session_is_created_with_automirrors_tags_and_no_other() {
    let account = Account::automirror();
    let create = |tags: &[(&str, &str)]| account.creation("1", tags);
    account.denied(CREATE, &pairs(&create(&[])));
    account.denied(CREATE, &pairs(&create(&[("Name", "i-1"), ("Invocation", "1")])));
    account.denied(CREATE, &pairs(&create(&[("ManagedBy", "blue"), ("Name", "i-1")])));
    account.denied(CREATE, &pairs(&create(&[OWNED[0], OWNED[1], OWNED[2], ("Cost", "1")])));
    account.allowed(CREATE, &pairs(&create(&OWNED)));
}

#[test]
fn the_owner_tag_is_the_installations() {
    let mut account = Account::automirror();
    account.redeploy(&[("MirrorOwner", "blue")]);
    account.denied(CREATE, &pairs(&account.creation("1", &OWNED)));
    account.allowed(CREATE, &pairs(&account.creation("1", &[("ManagedBy", "blue")])));
    let id = account.session(2, &OWNED).id;
    account.denied(DELETE, &[(SESSION, &id)]);
}

impl Account {
    /// Creates a session with this target and filter, and modifies another to them.
    #[track_caller]
    fn using(&self, target: &str, filter: &str, check: fn(&Self, &str, &[(&str, &str)])) {
        let (created, modified) =
            (self.creation_with("1", target, filter, &OWNED), self.session(9, &OWNED).id);
        check(self, CREATE, &pairs(&created));
        let modification = [
            (SESSION, &*modified),
            ("TrafficMirrorTargetId", target),
            ("TrafficMirrorFilterId", filter),
        ];
        check(self, MODIFY, &modification);
        let mut world = self.cloud.world();
        let ids: Vec<_> = world.sessions().map(|session| session.id.clone()).collect();
        for id in ids {
            world.delete_session(&user(), &id).unwrap();
        }
    }
}

#[test]
fn only_the_given_targets_are_used() {
    let mut account = Account::automirror();
    let (given, other) = (account.other_target("111122223333"), account.target.clone());
    let foreign = account.other_target(&other_account().account);
    let second = account.other_target(&other_account().account);
    account.redeploy(&[("MirrorTargetIds", &format!("{given},{second}"))]);
    account.target = given.clone();
    let filter = account.filter.clone();
    account.using(&other, &filter, Account::denied);
    account.using(&foreign, &filter, Account::denied);
    account.using(&second, &filter, Account::allowed);
}

#[test]
fn only_targets_of_this_account_and_the_given_owners_are_used() {
    let mut account = Account::automirror();
    let [shared, foreign] =
        [&*other_account().account, "444455556666"].map(|it| account.other_target(it));
    let filter = account.filter.clone();
    account.using(&shared, &filter, Account::denied);
    let own = account.other_target("111122223333");
    account.using(&own, &filter, Account::allowed);
    account.redeploy(&[("MirrorTargetOwners", &other_account().account)]);
    account.using(&foreign, &filter, Account::denied);
    account.using(&shared, &filter, Account::allowed);
    account.using(&own, &filter, Account::denied);
    let both = format!("self,{}", other_account().account);
    account.redeploy(&[("MirrorTargetOwners", &both)]);
    account.using(&shared, &filter, Account::allowed);
    account.using(&own, &filter, Account::allowed);
}

#[test]
fn only_the_filter_that_is_given_is_used() {
    let mut account = Account::automirror();
    let (other, target) = (full_filter(&mut account.cloud.world()), account.target.clone());
    account.using(&target, &other, Account::allowed);
    let given = account.filter.clone();
    account.redeploy(&[("MirrorFilterId", &given)]);
    account.using(&target, &other, Account::denied);
    account.allowed(CREATE, &pairs(&account.creation("1", &OWNED)));
}

/// The settings name VPCs, so the role mirrors no interface of another VPC.
#[test]
fn interfaces_of_other_vpcs_are_out_of_reach() {
    let mut account = Account::automirror();
    let create = account.creation("1", &OWNED);
    let vpc = account.cloud.world().interface(&account.interface).unwrap().vpc.clone();
    account.redeploy(&[("MirrorVpcIds", "vpc-0123456789abcdef0")]);
    account.denied(CREATE, &pairs(&create));
    account.redeploy(&[("MirrorVpcIds", &format!("vpc-0123456789abcdef0,{vpc}"))]);
    account.allowed(CREATE, &pairs(&create));
}

/// With detect, the role may look and nothing else.
#[test]
fn detect_has_no_permission_to_change_anything() {
    let mut account = Account::automirror();
    let id = account.session(9, &OWNED).id;
    account.redeploy(&[("MirrorMode", "detect")]);
    account.allowed("DescribeTrafficMirrorSessions", &[]);
    account.denied(CREATE, &pairs(&account.creation("1", &OWNED)));
    account.denied(MODIFY, &[(SESSION, &id), ("SessionNumber", "8")]);
    account.denied(DELETE, &[(SESSION, &id)]);
}

#[test]
fn no_other_action_is_allowed() {
    for function in ["automirror", "config-rule"] {
        let account = Account::new(function, &[]);
        for action in [
            "AttachNetworkInterface",
            "CreateNetworkInterface",
            "CreateTrafficMirrorFilter",
            "CreateTrafficMirrorFilterRule",
            "CreateTrafficMirrorTarget",
            "DeleteNetworkInterface",
            "DeleteTrafficMirrorFilter",
            "DeleteTrafficMirrorFilterRule",
            "DeleteTrafficMirrorTarget",
            "DescribeSubnets",
            "DescribeTrafficMirrorFilterRules",
            "DetachNetworkInterface",
            "ModifyInstanceAttribute",
            "ModifyTrafficMirrorFilterNetworkServices",
            "RunInstances",
            "StartInstances",
            "StopInstances",
            "TerminateInstances",
        ] {
            account.denied(action, &[]);
        }
    }
}

#[test]
fn config_rule_changes_no_session() {
    let account = Account::new("config-rule", &[]);
    let id = account.session(9, &OWNED).id;
    account.denied(CREATE, &pairs(&account.creation("1", &OWNED)));
    account.denied(MODIFY, &[(SESSION, &id), ("SessionNumber", "8")]);
    account.denied(DELETE, &[(SESSION, &id)]);
    account.allowed("DescribeTrafficMirrorSessions", &[]);
}

#[test]
fn only_config_rule_reads_its_verdicts_and_neither_function_changes_rules() {
    for (function, may_report) in [("automirror", false), ("config-rule", true)] {
        let account = Account::new(function, &[]);
        account.cloud.config().put_rule(&PutRule::new("mirroring")).unwrap();
        for (action, is_allowed) in [
            ("GetComplianceDetailsByConfigRule", may_report),
            ("DeleteEvaluationResults", false),
            ("PutConfigRule", false),
        ] {
            let target = format!("x-amz-target: StarlingDoveService.{action}\r\n");
            let body = json!({"ConfigRuleName": "mirroring"}).to_string();
            let answer = account.send("config", &target, &body);
            assert_eq!(answer.starts_with("HTTP/1.1 200"), is_allowed, "{function}: {answer}");
            assert_eq!(answer.contains("AccessDeniedException"), !is_allowed, "{answer}");
        }
    }
}

#[test]
fn another_region_is_out_of_reach() {
    for function in ["automirror", "config-rule"] {
        let mut account = Account::new(function, &[]);
        let id = account.session(9, &OWNED).id;
        account.allowed("DescribeInstances", &[]);
        account.region = "eu-west-1";
        for action in [
            "DescribeInstances",
            "DescribeNetworkInterfaces",
            "DescribeTrafficMirrorFilters",
            "DescribeTrafficMirrorSessions",
            "DescribeTrafficMirrorTargets",
        ] {
            account.denied(action, &[]);
        }
        account.denied(CREATE, &pairs(&account.creation("1", &OWNED)));
        account.denied(MODIFY, &[(SESSION, &id), ("SessionNumber", "8")]);
        account.denied(DELETE, &[(SESSION, &id)]);
    }
}

/// EC2 refuses a call as soon as one of its permissions is missing, so some conditions show only here.
#[test]
fn each_permission_has_its_own_conditions() {
    let role = Role::of_function("automirror", "automirror", &[]).unwrap();
    let allows =
        |asked: &Authorization| matches!(role.policy().decide(asked), Decision::Allowed(_));
    let session = "arn:aws:ec2:us-east-1:111122223333:traffic-mirror-session/*";
    let tagging = Authorization::new("ec2:CreateTags", session).with("ec2:CreateAction", CREATE);
    assert!(allows(&tagging.clone().tagged(Tagged::Now, &tags(&OWNED))));
    assert!(!allows(&tagging.clone().tagged(Tagged::Now, &tags(&[("ManagedBy", "blue")]))));
    assert!(!allows(&tagging));
    for (region, is_allowed) in [("us-east-1", true), ("eu-west-1", false)] {
        for action in [CREATE, MODIFY] {
            for resource in ["traffic-mirror-target/tmt-1", "traffic-mirror-filter/tmf-1"] {
                let arn = format!("arn:aws:ec2:{region}:111122223333:{resource}");
                let asked = Authorization::new(&format!("ec2:{action}"), &arn);
                let asked = asked.with("ec2:Region", region);
                assert_eq!(allows(&asked), is_allowed, "{asked:?}");
            }
        }
    }
}

/// Lambda connects a function to a VPC with the function's role, but the function's code may not.
#[test]
fn what_lambda_needs_for_a_vpc_is_denied_to_the_functions_code() {
    for function in ["automirror", "config-rule"] {
        let vpc = [("SubnetIds", "subnet-1"), ("SecurityGroupIds", "sg-1")];
        let role = Role::of_function("function", function, &vpc).unwrap();
        let arn = |resource: &str| format!("arn:aws:ec2:us-east-1:111122223333:{resource}");
        let (interface, subnet) = (arn("network-interface/*"), arn("subnet/subnet-1"));
        for (action, resource) in [
            ("ec2:DescribeSubnets", "*"),
            ("ec2:CreateNetworkInterface", &interface),
            ("ec2:CreateNetworkInterface", &subnet),
            ("ec2:AssignPrivateIpAddresses", &interface),
            ("ec2:UnassignPrivateIpAddresses", &interface),
            ("ec2:DeleteNetworkInterface", &interface),
        ] {
            let lambda = Authorization::new(action, resource).with("ec2:Region", "us-east-1");
            let function = "arn:aws:lambda:us-east-1:111122223333:function:function";
            let code = lambda.clone().with("lambda:SourceFunctionArn", function);
            let decide = |asked| role.policy().decide(&asked);
            assert!(matches!(decide(lambda), Decision::Allowed(_)), "{action}");
            assert!(matches!(decide(code), Decision::Denied(_)), "{action}");
        }
    }
}

#[test]
fn what_changes_something_is_allowed_on_named_resources_only() {
    for name in ["automirror", "config-rule"] {
        let everything = [
            ("MirrorTargetIds", "tmt-1,tmt-2"),
            ("MirrorTargetOwners", "444455556666"),
            ("MirrorFilterId", "tmf-1"),
            ("KmsKeyArn", "arn:aws:kms:us-east-1:111122223333:key/1"),
            ("SubnetIds", "subnet-1"),
            ("SecurityGroupIds", "sg-1"),
        ];
        for parameters in [vec![], everything.to_vec()] {
            let role = Role::of_function("function", name, &parameters).unwrap();
            assert_eq!(role.policy().unbounded_changes().next(), None, "{name}");
            for (sid, action, _) in role.policy().grants() {
                assert!(!action.contains(['*', '?']), "{name}: {sid} allows {action}");
            }
        }
    }
}
