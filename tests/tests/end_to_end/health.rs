//! The rule with `targetHealth`: what it says of targets and of the instances that are mirrored to them. Time passes
//! in what AWS Config holds: nobody sleeps.

use std::{collections::BTreeMap, time::Duration};

use local_cloud::{
    aws::config::{Compliance, PutRule, ResourceKey, Status},
    aws::ec2::{DEFAULT_GROUP, Endpoint, LoadBalancer, RunInstances, SecurityGroup, Tags, ZONE_A},
    cloud::call::{Call, count},
    cloud::fault::{Fault, Kind},
    lambda::Answer,
};

use crate::{
    compliance::ruled,
    stage::{Stage, full_filter, load_balancer, machine, other_account, tagged, user},
};

use Compliance::{Compliant, NonCompliant, NotApplicable};

const GRACE: [(&str, &str); 1] = [("targetHealth", "30")];
/// The calls that only a rule with the parameter makes.
const LOOKS_BEHIND: [&str; 4] = [
    "DescribeListeners",
    "DescribeLoadBalancers",
    "DescribeSecurityGroups",
    "DescribeTargetHealth",
];

impl Stage {
    fn balancer_arn(&self) -> String {
        match &self.world().target(&self.target).unwrap().endpoint {
            Endpoint::NetworkLoadBalancer(arn) => arn.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Changes the load balancer behind the target.
    fn change_balancer(&self, change: impl FnOnce(&mut LoadBalancer)) {
        let arn = self.balancer_arn();
        change(self.world().load_balancer_mut(&arn));
    }

    fn minutes_pass(&self, minutes: u64) {
        let by = Duration::from_secs(minutes * 60);
        self.deployment.cloud.config().age_verdicts("mirroring", by);
    }

    #[track_caller]
    fn is_said_of_target(&self, target: &str, compliance: Compliance, why: &str) {
        let (said, annotation) = self.said_of(&ResourceKey::target(target)).unwrap();
        assert_eq!(said, compliance, "{annotation}");
        assert!(annotation.contains(why), "{annotation:?} has no {why:?}");
    }

    /// The error of the rule's schedule, which must fail.
    async fn failing_schedule(&mut self) -> String {
        let attempt = self.deployment.schedule_rule().await.unwrap();
        let answer = &attempt.outcome.as_ref().unwrap().answer;
        let Answer::Error(error) = answer else { panic!("{answer:?}") };
        error.error_message.clone()
    }

    /// A mirrored instance.
    fn launch_mirrored(&self) -> String {
        let instance = self.launch(&tagged());
        self.let_run();
        self.mirror(std::slice::from_ref(&instance));
        instance
    }
}

/// A stage with the parameter, a target with a healthy sensor, and a mirrored instance.
async fn watched() -> (Stage, String) {
    let stage = ruled(&GRACE).await;
    stage.change_balancer(|it| it.listen(&["i-1", "i-2"]));
    let instance = stage.launch_mirrored();
    (stage, instance)
}

fn behind(calls: &[Call]) -> BTreeMap<&str, usize> {
    let counts = LOOKS_BEHIND.iter().map(|action| (*action, count(calls, action)));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn without_the_parameter_nobody_looks_behind_a_target() {
    let mut stage = ruled(&[]).await;
    // Nothing listens there.
    let instance = stage.launch_mirrored();
    stage.schedule().await;
    stage.minutes_pass(100);
    stage.schedule().await;
    stage.is_said(&instance, Compliant, "[as-wanted]");
    assert_eq!(stage.said_of(&ResourceKey::target(&stage.target)), None);
    let (reads, others) = stage.take_rule_calls();
    assert!(behind(&reads).is_empty(), "{:?}", behind(&reads));
    assert_eq!(count(&others, "GetComplianceDetailsByResource"), 1, "that of the one verdict");
}

/// A fault of a load balancer, and what the rule says of it.
type Broken = (fn(&mut LoadBalancer), &'static str);

#[tokio::test]
async fn each_fault_alone_is_said_of_the_target_at_once_and_of_its_instance_after_the_grace_time() {
    let (mut stage, instance) = watched().await;
    let shut = SecurityGroup { id: "sg-shut".to_owned(), ..SecurityGroup::default() };
    stage.world().put_security_group(shut);
    let faults: [Broken; 5] = [
        (|it| it.state = "failed".to_owned(), "is failed"),
        (|it| it.listeners.clear(), "has no UDP listener on port 4789"),
        (|it| it.listeners[0].protocol = "TCP".to_owned(), "has no UDP listener on port 4789"),
        (
            |it| {
                let unhealthy = |it: &mut (String, String)| it.1 = "unhealthy".to_owned();
                it.target_group().targets.iter_mut().for_each(unhealthy);
            },
            "of 2 sensors behind load balancer",
        ),
        (|it| it.security_groups = vec!["sg-shut".to_owned()], "takes UDP 4789"),
    ];
    for (fault, why) in faults {
        let arn = stage.balancer_arn();
        let well = stage.world().load_balancers()[&arn].clone();
        stage.schedule().await;
        let target = stage.target.clone();
        stage.is_said_of_target(&target, Compliant, "[target-healthy]");
        stage.is_said(&instance, Compliant, "[as-wanted]");
        stage.change_balancer(fault);
        for (minutes, expected) in
            [(0, Compliant), (20, Compliant), (9, Compliant), (2, NonCompliant)]
        {
            stage.minutes_pass(minutes);
            stage.schedule().await;
            stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy] ");
            stage.is_said_of_target(&target, NonCompliant, why);
            let (said, _) = stage.said_of(&ResourceKey::instance(&instance)).unwrap();
            assert_eq!(said, expected, "{why} {minutes}");
        }
        let interface = stage.interface(&instance);
        let start =
            format!("[target-unhealthy] {interface}: nothing receives the packets of target");
        stage.is_said(&instance, NonCompliant, &start);
        stage.is_said(&instance, NonCompliant, why);
        // Mended, both are well at once.
        stage.change_balancer(|it| *it = well);
        stage.schedule().await;
    }
    stage.is_said(&instance, Compliant, "[as-wanted]");
}

#[tokio::test]
async fn a_load_balancer_that_is_gone_receives_nothing() {
    let (mut stage, instance) = watched().await;
    let arn = stage.balancer_arn();
    stage.schedule().await;
    stage.world().delete_balancer_or_endpoint(&arn);
    stage.schedule().await;
    let target = stage.target.clone();
    stage.is_said_of_target(&target, NonCompliant, "there is no load balancer net/sensor/");
    stage.minutes_pass(31);
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
}

#[tokio::test]
async fn a_sensor_whose_door_is_shut_receives_nothing() {
    let mut stage = ruled(&GRACE).await;
    stage.drop_load_balancer();
    stage.target = stage.sensor("us-east-1a");
    let instance = stage.launch_mirrored();
    stage.schedule().await;
    let target = stage.target.clone();
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    let (reads, _) = stage.take_rule_calls();
    assert_eq!(behind(&reads), [("DescribeSecurityGroups", 1)].into());
    let rules = std::mem::take(&mut stage.world().security_group(DEFAULT_GROUP).inbound);
    stage.schedule().await;
    stage.is_said_of_target(&target, NonCompliant, "no inbound rule of sg-");
    stage.minutes_pass(31);
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "takes UDP 4789");
    stage.world().security_group(DEFAULT_GROUP).inbound = rules;
    stage.schedule().await;
    stage.is_said_of_target(&target, Compliant, "");
    stage.is_said(&instance, Compliant, "");
}

#[tokio::test]
async fn a_change_of_an_instance_counts_from_the_same_moment_and_names_what_is_waited_for() {
    let (mut stage, _) = watched().await;
    stage.change_balancer(|it| it.listeners.clear());
    let instance = stage.launch_mirrored();
    let item = stage.bare_item(ResourceKey::instance(&instance), Status::Ok);
    stage.tell(&item, false).await.unwrap();
    // Its own verdict and that of the target: the grace time has begun.
    let target = stage.target.clone();
    stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy]");
    let remark = format!("it should be (behind target {target} nothing receives: load balancer");
    stage.is_said(&instance, Compliant, &remark);
    stage.minutes_pass(31);
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
    // The target's own item does not begin it anew.
    let of_target = stage.bare_item(ResourceKey::target(&target), Status::Ok);
    stage.tell(&of_target, false).await.unwrap();
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
    stage.change_balancer(|it| it.listen(&["i-1"]));
    stage.tell(&of_target, false).await.unwrap();
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, Compliant, "[as-wanted]");
}

#[tokio::test]
async fn an_interface_with_another_session_to_a_target_that_receives_is_mirrored() {
    let mut stage = ruled(&GRACE).await;
    stage.change_balancer(|it| it.listen(&["i-1"]));
    let bad = load_balancer(&mut stage.world(), &user());
    let other = full_filter(&mut stage.world());
    let (targets, filters) =
        (format!("{},{bad}", stage.target), format!("{},{other}", stage.filter));
    let two = [("Mirror-Target", targets.as_str()), ("Mirror-Filter", filters.as_str())];
    let instance = stage.launch(&machine(&[&[("Mirror", "True")], &two[..]].concat()));
    stage.settle().await;
    assert_eq!(stage.sessions(&instance).len(), 2);
    stage.schedule().await;
    stage.is_said_of_target(&bad, NonCompliant, "no UDP listener");
    stage.minutes_pass(31);
    stage.schedule().await;
    stage.is_said(&instance, Compliant, "[as-wanted]");
    // Now neither receives.
    stage.change_balancer(|it| it.listeners.clear());
    stage.schedule().await;
    stage.is_said(&instance, Compliant, "[as-wanted]");
    stage.minutes_pass(31);
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_costs_no_other_verdict() {
    let (mut stage, mirrored) = watched().await;
    stage.change_balancer(|it| it.security_groups = vec![DEFAULT_GROUP.to_owned()]);
    let waiting = stage.launch(&tagged());
    stage.let_run();
    let denials = LOOKS_BEHIND.map(|action| match action {
        "DescribeSecurityGroups" => (action, "ec2", "UnauthorizedOperation"),
        _ => (action, "elasticloadbalancing", "AccessDenied"),
    });
    for (action, service, code) in denials {
        let (code, message) = (code.to_owned(), "no".to_owned());
        stage.fault(Fault::new(action, Kind::Refuse { code, message, status: 403 }));
        let error = stage.failing_schedule().await;
        let permission = format!("lacks the permission {service}:{action}");
        assert!(error.contains(&permission), "{error}");
        assert_eq!(error.matches("lacks the permission").count(), 1, "{error}");
        // Neither is called compliant; what does not depend on it is said.
        assert_eq!(stage.said_of(&ResourceKey::target(&stage.target)), None);
        assert_eq!(stage.said_of(&ResourceKey::instance(&mirrored)), None);
        stage.is_said(&waiting, NonCompliant, "[not-mirrored]");
        stage.recover();
    }
    // What is held stays as it is while nobody can look.
    stage.schedule().await;
    stage.is_said(&mirrored, Compliant, "[as-wanted]");
    let (code, message) = ("AccessDenied".to_owned(), "no".to_owned());
    stage.fault(Fault::new("DescribeListeners", Kind::Refuse { code, message, status: 403 }));
    let item = stage.bare_item(ResourceKey::instance(&mirrored), Status::Ok);
    let error = stage.tell(&item, false).await.unwrap_err();
    assert!(error.error_message.contains("elasticloadbalancing:DescribeListeners"), "{error:?}");
    stage.take_rule_calls();
    stage.failing_schedule().await;
    let (reads, _) = stage.take_rule_calls();
    assert_eq!(count(&reads, "DescribeLoadBalancers"), 1, "nobody looks for it again by its id");
    let target = stage.target.clone();
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    stage.is_said(&mirrored, Compliant, "[as-wanted]");
}

#[tokio::test]
async fn nobody_calls_it_long_whom_aws_config_does_not_tell() {
    let (mut stage, instance) = watched().await;
    stage.change_balancer(|it| it.listeners.clear());
    let (code, message) = ("AccessDeniedException".to_owned(), "no".to_owned());
    let action = "GetComplianceDetailsByResource";
    stage.fault(Fault::new(action, Kind::Refuse { code, message, status: 400 }));
    let error = stage.failing_schedule().await;
    assert!(error.contains(&format!("lacks the permission config:{action}")), "{error}");
    let target = stage.target.clone();
    stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy]");
    assert_eq!(stage.said_of(&ResourceKey::instance(&instance)), None);
}

#[tokio::test]
async fn of_what_cannot_be_seen_or_is_not_known_nothing_is_said() {
    let mut stage = ruled(&[GRACE[0], ("targetOwners", "self,999999999999")]).await;
    let theirs = load_balancer(&mut stage.world(), &other_account());
    stage.world().share_target(&theirs, "111122223333");
    let to = |target: &str| machine(&[("Mirror", "True"), ("Mirror-Target", target)]);
    let endpoint = stage.world().create_gateway_load_balancer_endpoint(&user(), ZONE_A).unwrap();
    let endpoint = Endpoint::GatewayLoadBalancerEndpoint(endpoint);
    let endpoint = stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
    let mut instances = Vec::new();
    for target in [&theirs, &endpoint] {
        let instance = stage.launch(&to(target));
        stage.let_run();
        stage.foreign(&stage.interface(&instance), 1, target);
        instances.push(instance);
    }
    stage.schedule().await;
    stage.minutes_pass(31);
    stage.schedule().await;
    for (instance, target) in instances.iter().zip([&theirs, &endpoint]) {
        stage.is_said(instance, Compliant, "[covered]");
        assert_eq!(stage.said_of(&ResourceKey::target(target)), None);
    }
    let (reads, _) = stage.take_rule_calls();
    assert!(behind(&reads).is_empty(), "{:?}", behind(&reads));
    // The checks of a new sensor have not ended.
    stage.change_balancer(|it| {
        it.listen(&["i-1"]);
        it.target_group().targets[0].1 = "initial".to_owned();
    });
    let target = stage.target.clone();
    let instance = stage.launch(&to(&target));
    stage.let_run();
    stage.foreign(&stage.interface(&instance), 1, &target);
    stage.schedule().await;
    stage.is_said(&instance, Compliant, "[covered]");
    assert_eq!(stage.said_of(&ResourceKey::target(&target)), None);
    stage.change_balancer(|it| it.target_group().targets[0].1 = "healthy".to_owned());
    stage.schedule().await;
    stage.is_said_of_target(&target, Compliant, "");
    stage.change_balancer(|it| it.target_group().targets[0].1 = "unavailable".to_owned());
    stage.schedule().await;
    stage.is_said_of_target(&target, NotApplicable, "[target-health-unknown]");
}

#[tokio::test]
async fn sensors_that_start_and_fail_over_and_over_do_not_begin_the_grace_time_anew() {
    let (mut stage, instance) = watched().await;
    let target = stage.target.clone();
    let all_are = |stage: &Stage, state: &str| {
        stage.change_balancer(|it| {
            it.target_group().targets.iter_mut().for_each(|it| state.clone_into(&mut it.1));
        });
    };
    stage.schedule().await;
    for (state, minutes, expected) in [
        ("unhealthy", 0, Compliant),
        ("initial", 20, Compliant),
        ("unhealthy", 9, Compliant),
        ("initial", 2, NonCompliant),
        ("unhealthy", 9, NonCompliant),
        ("unavailable", 9, NonCompliant),
    ] {
        all_are(&stage, state);
        stage.minutes_pass(minutes);
        stage.schedule().await;
        stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy]");
        let (said, annotation) = stage.said_of(&ResourceKey::instance(&instance)).unwrap();
        assert_eq!(said, expected, "{state}: {annotation}");
    }
    // Nor does a change take it back, nor the schedule where AWS Config does not tell what it holds.
    for key in [ResourceKey::target(&target), ResourceKey::instance(&instance)] {
        let item = stage.bare_item(key, Status::Ok);
        stage.tell(&item, false).await.unwrap();
    }
    let (code, message) = ("AccessDeniedException".to_owned(), "no".to_owned());
    let action = "GetComplianceDetailsByResource";
    stage.fault(Fault::new(action, Kind::Refuse { code, message, status: 400 }));
    let error = stage.failing_schedule().await;
    assert!(error.contains(&format!("lacks the permission config:{action}")), "{error}");
    stage.recover();
    stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy]");
    stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
    all_are(&stage, "healthy");
    stage.schedule().await;
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    stage.is_said(&instance, Compliant, "[as-wanted]");
}

#[tokio::test]
async fn a_row_that_a_list_leaves_out_takes_no_fault_back() {
    let mut stage = ruled(&GRACE).await;
    stage.drop_load_balancer();
    stage.target = stage.sensor("us-east-1a");
    let instance = stage.launch_mirrored();
    stage.world().security_group(DEFAULT_GROUP).inbound.clear();
    stage.schedule().await;
    stage.minutes_pass(31);
    let target = stage.target.clone();
    for action in ["DescribeSecurityGroups", "DescribeNetworkInterfaces"] {
        stage.fault(Fault::new(action, Kind::OmitRows { per_mille: 1000 }));
        stage.schedule().await;
        stage.is_said_of_target(&target, NonCompliant, "[target-unhealthy]");
        stage.is_said(&instance, NonCompliant, "[target-unhealthy]");
        stage.recover();
    }
}

#[tokio::test]
async fn a_state_that_this_version_does_not_know_is_no_fault() {
    let (mut stage, instance) = watched().await;
    let target = stage.target.clone();
    stage.schedule().await;
    stage.change_balancer(|it| it.state = "moving".to_owned());
    stage.schedule().await;
    stage.is_said_of_target(&target, NotApplicable, "[target-health-unknown]");
    stage.is_said(&instance, Compliant, "[as-wanted]");
    // Beside it a fault is one.
    stage.change_balancer(|it| it.listeners.clear());
    stage.schedule().await;
    stage.is_said_of_target(&target, NonCompliant, "has no UDP listener");
}

#[tokio::test]
async fn the_verdict_on_a_target_goes_with_its_sessions_with_the_target_and_with_the_parameter() {
    let (mut stage, instance) = watched().await;
    let target = stage.target.clone();
    let key = ResourceKey::target(&target);
    // Nobody knows yet whether a session leads to it.
    let item = stage.bare_item(key.clone(), Status::ResourceDiscovered);
    stage.tell(&item, false).await.unwrap();
    stage.is_said_of_target(&target, NotApplicable, "[target-not-judged]");
    stage.schedule().await;
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    let session = stage.session(&instance).id;
    stage.world().delete_session(&user(), &session).unwrap();
    stage.schedule().await;
    stage.is_said_of_target(&target, NotApplicable, "[target-not-judged]");

    stage.mirror(std::slice::from_ref(&instance));
    stage.schedule().await;
    let gone = stage.bare_item(key.clone(), Status::ResourceDeleted);
    stage.tell(&gone, false).await.unwrap();
    stage.is_said_of_target(&target, NotApplicable, "[gone]");

    // The parameter is taken away: the rule has nothing more to say of it.
    stage.schedule().await;
    stage.is_said_of_target(&target, Compliant, "[target-healthy]");
    stage.deployment.cloud.config().put_rule(&PutRule::new("mirroring")).unwrap();
    stage.take_rule_calls();
    stage.schedule().await;
    stage.is_said_of_target(&target, NotApplicable, "[out-of-scope]");
    let error = stage.tell(&item, false).await.unwrap_err();
    assert!(error.error_message.contains("only with its parameter targetHealth"), "{error:?}");
    let (reads, _) = stage.take_rule_calls();
    assert!(behind(&reads).is_empty(), "{:?}", behind(&reads));
}

#[tokio::test]
async fn a_target_that_ec2_does_not_know_any_more_has_no_verdict() {
    let (mut stage, instance) = watched().await;
    let target = stage.target.clone();
    stage.schedule().await;
    let session = stage.session(&instance).id;
    stage.world().delete_session(&user(), &session).unwrap();
    stage.world().delete_target(&user(), &target).unwrap();
    stage.minutes_pass(10);
    stage.schedule().await;
    stage.is_said_of_target(&target, NotApplicable, "[gone]");
}

#[tokio::test]
async fn a_thousand_instances_on_one_target_cost_a_handful_of_calls() {
    let (mut stage, _) = watched().await;
    stage.change_balancer(|it| {
        it.listeners[0].port = 4788;
        it.security_groups = vec![DEFAULT_GROUP.to_owned()];
    });
    let instances = stage.launch_many(&RunInstances { count: 1000, ..tagged() });
    stage.let_run();
    stage.mirror(&instances);
    stage.schedule().await;
    assert_eq!(stage.compliances(&instances), [(Compliant, 1000)].into());
    let (reads, others) = stage.take_rule_calls();
    let one = ["DescribeListeners", "DescribeLoadBalancers", "DescribeSecurityGroups"];
    assert_eq!(behind(&reads), one.map(|action| (action, 1)).into());
    assert_eq!(count(&others, "GetComplianceDetailsByResource"), 1);
    // A short fault costs no evaluation of an instance.
    stage.change_balancer(|it| it.listeners[0].port = 4789);
    stage.schedule().await;
    let (_, others) = stage.take_rule_calls();
    let puts: usize = others
        .iter()
        .filter(|call| call.action == "PutEvaluations")
        .map(|call| call.evaluations().len())
        .sum();
    assert_eq!(puts, 1, "that of the target");
    // A long one has a verdict on each.
    stage.change_balancer(|it| it.listeners[0].port = 4788);
    stage.schedule().await;
    stage.minutes_pass(31);
    stage.schedule().await;
    assert_eq!(stage.compliances(&instances), [(NonCompliant, 1000)].into());
}
