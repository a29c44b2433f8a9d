//! Nothing is deleted or moved on the word of one list, and nothing is green that was not seen: what
//! people really hit and what an attacker would do, on the real binaries.

use local_cloud::{
    aws::{
        config::{Compliance, ResourceKey},
        ec2::{
            CreateInterface, CreateRule, CreateSession, Direction, Endpoint, LaunchInterface,
            RunInstances, SECOND_VPC, Tags, ZONE_A, ZONE_B,
        },
    },
    cloud::fault::{Fault, Kind},
    deployment::worker,
    lambda::{Answer, Invocation},
};
use serde_json::{Value, json};

use crate::stage::{
    Stage, count, full_filter, load_balancer, machine, other_account, returned, running, said,
    stage, state, steps, tagged, tags, user,
};

use Compliance::{Compliant, NonCompliant, NotApplicable};

const CREATE: &str = "CreateTrafficMirrorSession";
const MODIFY: &str = "ModifyTrafficMirrorSession";
const DELETE: &str = "DeleteTrafficMirrorSession";

/// A tag-change event that shows these tags.
fn tag_change(instance: &str, changed: &str, shown: &Value) -> String {
    json!({
        "detail-type": "Tag Change on Resource", "source": "aws.tag",
        "resources": [format!("arn:aws:ec2:us-east-1:111122223333:instance/{instance}")],
        "detail": {
            "changed-tag-keys": [changed], "service": "ec2", "resource-type": "instance", "tags": shown,
        },
    })
    .to_string()
}

fn call(name: &str, parameters: &Value) -> String {
    json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "detail": {
            "eventName": name, "requestParameters": parameters,
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ops"},
        },
    })
    .to_string()
}

impl Stage {
    /// A sweep by another function in the same account, with these settings.
    pub(crate) async fn sweep_with(&self, settings: &[(&str, &str)]) -> Invocation {
        let function = worker(&self.deployment.cloud, settings).await.unwrap();
        function.invoke(br#"{"sweep":true}"#).await.unwrap()
    }

    /// A tagged instance, mirrored, whose events are over.
    async fn mirrored(&mut self) -> String {
        let instance = self.launch(&tagged());
        self.settle().await;
        self.session(&instance);
        self.take_calls();
        instance
    }

    fn lists_leave_out(&self, kind: &Kind) {
        for list in ["Instances", "NetworkInterfaces", "Tags"] {
            self.fault(Fault::new(&format!("Describe{list}"), kind.clone()));
        }
    }

    fn interface_target(&self, interface: &str) -> String {
        let endpoint = Endpoint::Interface(interface.to_owned());
        self.world().create_target(&user(), endpoint, None, Tags::new()).unwrap()
    }

    /// What AWS Config's schedule says of an instance.
    async fn verdict(&mut self, instance: &str) -> (Compliance, String) {
        let attempt = self.deployment.schedule_rule().await.unwrap();
        assert!(!attempt.has_failed(), "{attempt:?}");
        let rule = self.deployment.rule.as_ref().unwrap();
        let key = ResourceKey::instance(instance);
        let verdict = rule.verdict(&self.deployment.cloud, &key);
        let annotation = verdict.clone().and_then(|it| it.annotation);
        (verdict.map_or(NotApplicable, |it| it.compliance), annotation.unwrap_or_default())
    }

    #[track_caller]
    fn unchanged(&self) {
        let calls = self.take_calls();
        let changes = [CREATE, MODIFY, DELETE].map(|action| count(&calls, action));
        assert_eq!(changes, [0; 3], "{calls:?}");
    }
}

async fn ruled(settings: &[(&str, &str)], parameters: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new(settings).await;
    stage.deployment.add_rule(settings, parameters).await.unwrap();
    stage.deployment.cloud.clear_calls();
    stage
}

// Tags that an answer leaves out (field-cases 1)

#[tokio::test]
async fn a_tag_that_describe_instances_leaves_out_deletes_no_session() {
    let mut stage = stage().await;
    let instance = stage.mirrored().await;
    let request = CreateInterface::default();
    let second = stage.world().create_interface(&user(), &request).unwrap();
    stage.world().attach_interface(&user(), &second, &instance, 1).unwrap();
    stage.lose_events();
    stage.fault(Fault::new("DescribeInstances", Kind::OmitTags));
    let attached = json!({"networkInterfaceId": second, "instanceId": instance});
    let events = [
        call("AttachNetworkInterface", &attached),
        tag_change(&instance, "Mirror-Filter", &json!({"Mirror": "True"})),
    ];
    for event in events {
        let (again, _) = stage.batch(&[event]).await;
        assert_eq!(again, [""; 0]);
    }
    assert_eq!(stage.sessions_on(&stage.interface(&instance)).len(), 1);
    assert_eq!(stage.sessions_on(&second).len(), 1, "the second witness shows the tag");
    let calls = stage.take_calls();
    assert_eq!([count(&calls, DELETE), count(&calls, MODIFY)], [0, 0]);
    stage.sweep().await;
    stage.unchanged();
}

#[tokio::test]
async fn an_event_that_shows_the_tag_is_believed_more_than_an_answer_without_it() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.fault(Fault::new("DescribeInstances", Kind::OmitTags));
    stage.batch(&[tag_change(&instance, "Mirror", &json!({"Mirror": "True"}))]).await;
    stage.session(&instance);
    let other = stage.launch(&machine(&[]));
    stage.let_run();
    stage.take_calls();
    stage.batch(&[tag_change(&other, "Mirror", &json!({}))]).await;
    assert_eq!(count(&stage.take_calls(), "DescribeTags"), 0, "nothing says that it has the tag");
}

#[tokio::test]
async fn a_tag_that_is_really_gone_ends_the_session() {
    let mut stage = stage().await;
    let instance = stage.mirrored().await;
    stage.untag(&instance, "Mirror");
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
    assert_eq!(count(&stage.take_calls(), "DescribeTags"), 1);
}

#[tokio::test]
async fn in_scope_all_what_opted_out_is_not_mirrored_because_an_answer_leaves_its_tag_out() {
    let stage = Stage::new(&[("MIRROR_SCOPE", "all")]).await;
    let instance = stage.launch(&machine(&[("Mirror", "False")]));
    let other = stage.launch(&machine(&[]));
    stage.let_run();
    for kind in [Kind::OmitTags, Kind::OmitTag("Mirror".to_owned())] {
        stage.fault(Fault::new("DescribeInstances", kind));
        stage.sweep().await;
        stage.batch(&[running(&instance)]).await;
        stage.recover();
        assert_eq!(stage.sessions(&instance), []);
    }
    stage.session(&other);
}

#[tokio::test]
async fn the_rule_calls_nothing_unwanted_because_an_answer_leaves_its_tag_out() {
    let mut stage = ruled(&[], &[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.fault(Fault::new("DescribeInstances", Kind::OmitTags));
    stage.deployment.evaluate().await;
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant, "{why}");
    assert!(why.starts_with("[not-mirrored] "), "{why}");
    let other = stage.launch(&machine(&[]));
    stage.deployment.evaluate().await;
    assert_eq!(stage.verdict(&other).await.0, NotApplicable);
}

// Rows that a list leaves out (attack-cases 2, 8, 9; review-code 1.1)

#[tokio::test]
async fn an_empty_answer_of_each_list_deletes_and_moves_nothing_and_says_nothing_is_gone() {
    let mut stage = ruled(&[], &[]).await;
    let instances = stage.launch_many(&RunInstances { count: 20, ..tagged() });
    stage.settle().await;
    assert_eq!(stage.verdict(&instances[0]).await.0, Compliant);
    stage.take_calls();
    let all = Kind::OmitRows { per_mille: 1000 };
    for list in ["Instances", "NetworkInterfaces"] {
        stage.fault(Fault::new(&format!("Describe{list}"), all.clone()));
    }
    stage.sweep().await;
    stage.unchanged();
    // Nothing shows the balancer either, and nothing is green that was not seen.
    let (said, why) = stage.verdict(&instances[0]).await;
    assert!(said == NonCompliant && why.starts_with("[target-unseen] "), "{why}");
    stage.recover();
    for action in ["DescribeTrafficMirrorTargets", "DescribeTrafficMirrorFilters"] {
        stage.fault(Fault::new(action, all.clone()));
        stage.sweep().await;
        stage.unchanged();
        stage.recover();
    }
    stage.lists_leave_out(&all);
    stage.fault(Fault::new("DescribeTrafficMirrorSessions", all));
    stage.verdict(&instances[0]).await;
    stage.recover();
    for instance in &instances {
        stage.session(instance);
        assert_eq!(stage.verdict(instance).await.0, Compliant, "{instance}");
    }
}

#[tokio::test]
async fn a_target_that_one_answer_leaves_out_keeps_its_sessions() {
    let mut stage = stage().await;
    let instance = stage.mirrored().await;
    let other = load_balancer(&mut stage.world(), &user());
    let both = format!("{},{other}", stage.target);
    for settings in [&[][..], &[("MIRROR_TARGET_IDS", both.as_str())]] {
        let half = Kind::OmitRows { per_mille: 500 };
        stage.fault(Fault::new("DescribeTrafficMirrorTargets", half));
        for _ in 0..4 {
            stage.sweep_with(settings).await;
        }
        stage.recover();
        assert_eq!(stage.session(&instance).target, stage.target);
    }
}

#[tokio::test]
async fn a_list_whose_pages_do_not_end_proves_nothing() {
    let mut stage = ruled(&[], &[]).await;
    let instances = stage.launch_many(&RunInstances { count: 20, ..tagged() });
    stage.settle().await;
    assert_eq!(stage.verdict(&instances[0]).await.0, Compliant);
    stage.take_calls();
    stage.world().max_page = Some(5);
    stage.fault(Fault::new("*", Kind::RepeatToken));
    let sweep = stage.sweep().await;
    assert!(matches!(sweep.answer, Answer::Error(_)), "{sweep:?}");
    stage.unchanged();
    let attempt = stage.deployment.schedule_rule().await.unwrap();
    assert!(attempt.has_failed());
    stage.recover();
    assert_eq!(stage.verdict(&instances[19]).await.0, Compliant);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_ends_nothing() {
    let mut stage = ruled(&[], &[]).await;
    let instance = stage.mirrored().await;
    assert_eq!(stage.verdict(&instance).await.0, Compliant);
    for list in ["Instances", "NetworkInterfaces", "TrafficMirrorTargets", "TrafficMirrorFilters"] {
        stage.take_calls();
        let action = format!("Describe{list}");
        stage.fault(Fault::new(&action, Kind::Unreadable { per_mille: 1000 }));
        stage.sweep().await;
        stage.unchanged();
        let _ = stage.deployment.schedule_rule().await.unwrap();
        stage.recover();
    }
    let rule = stage.deployment.rule.as_ref().unwrap();
    let key = ResourceKey::instance(&instance);
    let verdict = rule.verdict(&stage.deployment.cloud, &key).unwrap();
    assert_ne!(verdict.compliance, NotApplicable);
}

// What leaves (attack-cases 1)

#[tokio::test]
async fn a_machine_that_is_stopping_or_shutting_down_keeps_its_session_until_it_has() {
    let mut stage = stage().await;
    for (end, until) in [("stopping", "stopped"), ("shutting-down", "terminated")] {
        let instance = stage.mirrored().await;
        let ids = std::slice::from_ref(&instance);
        if end == "stopping" {
            stage.world().stop_instances(&user(), ids).unwrap();
        } else {
            stage.world().terminate_instances(&user(), ids).unwrap();
        }
        stage.batch(&[state(&instance, end)]).await;
        stage.sweep().await;
        stage.session(&instance);
        stage.unchanged();
        let late = stage.launch(&tagged());
        stage.world().terminate_instances(&user(), std::slice::from_ref(&late)).unwrap();
        stage.batch(&[running(&late)]).await;
        assert_eq!(stage.sessions(&late), [], "nothing new on what leaves");
        stage.let_run();
        stage.batch(&[state(&instance, until)]).await;
        assert_eq!(stage.sessions(&instance), []);
    }
}

// Targets (field-cases 2, 3, 11, 12, 13; attack-cases 3, 16)

#[tokio::test]
async fn sessions_leave_a_target_whose_interface_is_gone() {
    let mut stage = ruled(&[], &[]).await;
    stage.drop_load_balancer();
    let (old, new) = (stage.sensor("us-east-1a"), stage.sensor("us-east-1a"));
    let instance = stage.launch(&tagged());
    stage.let_run();
    let request = CreateSession {
        interface: stage.interface(&instance),
        target: old.clone(),
        filter: stage.filter.clone(),
        number: Some(1),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap();
    assert_eq!(stage.verdict(&instance).await.0, Compliant);
    let Endpoint::Interface(dead) = stage.world().target(&old).unwrap().endpoint.clone() else {
        panic!("a sensor's target is an interface")
    };
    let sensor = stage.world().interface(&dead).unwrap().instance().unwrap().to_owned();
    stage.world().stop_instances(&user(), std::slice::from_ref(&sensor)).unwrap();
    stage.let_run();
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant);
    assert!(why.starts_with("[target-stopped] "), "{why}");
    stage.take_calls();
    stage.sweep().await;
    stage.unchanged();
    stage.world().terminate_instances(&user(), std::slice::from_ref(&sensor)).unwrap();
    stage.let_run();
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant, "{why}");
    let other = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    for instance in [&instance, &other] {
        assert_eq!(stage.session(instance).target, new);
    }
    assert_eq!(stage.verdict(&instance).await.0, Compliant);
}

#[tokio::test]
async fn without_another_target_the_session_on_a_dead_one_stays_and_is_red() {
    let mut stage = ruled(&[], &[]).await;
    stage.drop_load_balancer();
    stage.sensor("us-east-1a");
    let instance = stage.mirrored().await;
    let target = stage.session(&instance).target;
    let Endpoint::Interface(dead) = stage.world().target(&target).unwrap().endpoint.clone() else {
        panic!("a sensor's target is an interface")
    };
    let sensor = stage.world().interface(&dead).unwrap().instance().unwrap().to_owned();
    stage.world().terminate_instances(&user(), &[sensor]).unwrap();
    stage.let_run();
    let sweep = stage.sweep().await;
    assert_eq!(steps(&sweep.log), [("block".to_owned(), "target-gone".to_owned())]);
    stage.unchanged();
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant);
    assert!(why.starts_with("[target-gone] "), "{why}");
}

#[tokio::test]
async fn a_balancer_or_endpoint_of_which_nothing_is_left_is_red_and_keeps_its_sessions() {
    for is_endpoint in [false, true] {
        let mut stage = ruled(&[], &[]).await;
        stage.drop_load_balancer();
        let behind = {
            let mut world = stage.world();
            if is_endpoint {
                let id = world.create_gateway_load_balancer_endpoint(&user(), ZONE_A).unwrap();
                Endpoint::GatewayLoadBalancerEndpoint(id)
            } else {
                let subnets = [ZONE_A, ZONE_B];
                let arn = world.create_network_load_balancer(&user(), "old", &subnets).unwrap();
                Endpoint::NetworkLoadBalancer(arn)
            }
        };
        let target = |stage: &Stage, endpoint: &Endpoint| {
            stage.world().create_target(&user(), endpoint.clone(), None, Tags::new()).unwrap()
        };
        let old = target(&stage, &behind);
        let instance = stage.mirrored().await;
        assert_eq!(stage.verdict(&instance).await.0, Compliant);
        let (Endpoint::NetworkLoadBalancer(id) | Endpoint::GatewayLoadBalancerEndpoint(id)) =
            behind
        else {
            panic!("neither a balancer nor an endpoint")
        };
        stage.world().delete_balancer_or_endpoint(&id);
        stage.take_calls();
        let sweep = stage.sweep().await;
        assert_eq!(
            steps(&sweep.log),
            [("block".to_owned(), "target-unseen".to_owned())],
            "the target is the only one"
        );
        stage.unchanged();
        let (said, why) = stage.verdict(&instance).await;
        assert!(said == NonCompliant && why.starts_with("[target-unseen] "), "{why}");

        // Of two, the living one takes what is new, and the sessions on the other stay.
        let alive = load_balancer(&mut stage.world(), &user());
        let late = stage.launch(&tagged());
        stage.let_run();
        let started = running(&late);
        let function = worker(&stage.deployment.cloud, &[]).await.unwrap();
        function.invoke(started.as_bytes()).await.unwrap();
        assert_eq!(stage.session(&late).target, alive);
        assert_eq!(stage.session(&instance).target, old);
        assert_eq!(stage.verdict(&late).await.0, Compliant);
    }
}

/// One answer that leaves the balancer's interfaces out proves nothing.
#[tokio::test]
async fn a_balancer_that_one_answer_leaves_out_is_looked_for_again() {
    let mut stage = ruled(&[], &[]).await;
    let instance = stage.mirrored().await;
    let all = Kind::OmitRows { per_mille: 1000 };
    stage.fault(Fault::once("DescribeNetworkInterfaces", all));
    assert_eq!(stage.verdict(&instance).await.0, Compliant);
}

#[tokio::test]
async fn the_target_in_the_sources_vpc_and_zone_is_chosen_whatever_kind_it_is() {
    let stage = stage().await;
    stage.drop_load_balancer();
    let sensor = |subnet: &str| {
        let request = RunInstances { subnet: Some(subnet.to_owned()), ..machine(&[]) };
        let interface = stage.interface(&stage.launch(&request));
        stage.interface_target(&interface)
    };
    let far = sensor(SECOND_VPC);
    let near = sensor(ZONE_B);
    let launched = |subnet: &str| {
        let instance = stage.launch(&RunInstances { subnet: Some(subnet.to_owned()), ..tagged() });
        stage.let_run();
        instance
    };
    let instance = launched(ZONE_A);
    stage.batch(&[running(&instance)]).await;
    assert_eq!(stage.session(&instance).target, near, "its VPC goes before its zone");
    let abroad = launched(SECOND_VPC);
    stage.batch(&[running(&abroad)]).await;
    assert_eq!(stage.session(&abroad).target, far);

    let endpoint = stage.world().create_gateway_load_balancer_endpoint(&user(), ZONE_A).unwrap();
    let endpoint = Endpoint::GatewayLoadBalancerEndpoint(endpoint);
    let zonal = stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
    let instance = launched(ZONE_A);
    stage.sweep().await;
    assert_eq!(stage.session(&instance).target, zonal, "the endpoint is in its zone");
}

#[tokio::test]
async fn a_forged_description_moves_no_balancer() {
    let stage = stage().await;
    stage.drop_load_balancer();
    let balancer = |name: &str, subnet: &str| {
        let mut world = stage.world();
        let arn = world.create_network_load_balancer(&user(), name, &[subnet]).unwrap();
        let endpoint = Endpoint::NetworkLoadBalancer(arn.clone());
        (world.create_target(&user(), endpoint, None, Tags::new()).unwrap(), arn)
    };
    let (_, far) = balancer("far", SECOND_VPC);
    let (near, _) = balancer("near", ZONE_B);
    let name = far.split_once(":loadbalancer/").unwrap().1;
    let forged = CreateInterface {
        description: format!("ELB {name}"),
        subnet: ZONE_A.to_owned(),
        ..CreateInterface::default()
    };
    stage.world().create_interface(&user(), &forged).unwrap();
    let instance = stage.launch(&RunInstances { subnet: Some(ZONE_A.to_owned()), ..tagged() });
    stage.let_run();
    stage.sweep().await;
    assert_eq!(stage.session(&instance).target, near);
}

#[tokio::test]
async fn a_target_is_drained_by_its_tag_where_the_settings_name_it() {
    let mut stage = stage().await;
    let instances = [stage.mirrored().await, stage.mirrored().await];
    let old = stage.target.clone();
    let other = load_balancer(&mut stage.world(), &user());
    let drain = tags(&[("mirror-drain", "true")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&old), &drain).unwrap();
    stage.sweep().await;
    stage.unchanged();
    let both = format!("{old},{other}");
    stage.sweep_with(&[("MIRROR_TARGET_IDS", &both)]).await;
    for instance in &instances {
        assert_eq!(stage.session(instance).target, other);
    }
    stage.world().delete_target(&user(), &old).unwrap();
}

#[tokio::test]
async fn a_sensors_other_interface_gets_no_session_in_scope_all() {
    let stage = Stage::new(&[("MIRROR_SCOPE", "all"), ("MIRROR_INTERFACES", "primary")]).await;
    stage.drop_load_balancer();
    let card = |device_index| LaunchInterface { device_index, ..LaunchInterface::default() };
    let request = RunInstances { interfaces: vec![card(0), card(1)], ..machine(&[]) };
    let sensor = stage.launch(&request);
    let interfaces = stage.instance(&sensor).interfaces;
    stage.interface_target(&interfaces[1]);
    stage.let_run();
    let sweep = stage.sweep().await;
    assert_eq!(stage.sessions(&sensor), [], "{:?}", sweep.log);
    let source = stage.launch(&machine(&[]));
    stage.let_run();
    stage.sweep().await;
    stage.session(&source);
    assert_eq!(stage.sessions(&sensor), []);
}

#[tokio::test]
async fn a_source_that_a_stranger_made_a_target_is_red_in_every_scope() {
    for scope in ["tagged", "all"] {
        let mut stage = ruled(&[("MIRROR_SCOPE", scope)], &[]).await;
        let good = stage.target.clone();
        stage.deployment.rule = None;
        let named = [("MIRROR_SCOPE", scope), ("MIRROR_TARGET_IDS", good.as_str())];
        stage.deployment.add_rule(&named, &[]).await.unwrap();
        let tagged_in = |scope| if scope == "tagged" { tagged() } else { machine(&[]) };
        let mirrored = stage.launch(&tagged_in(scope));
        stage.let_run();
        stage.sweep_with(&named).await;
        stage.session(&mirrored);
        let blinded = stage.launch(&tagged_in(scope));
        stage.let_run();
        for instance in [&mirrored, &blinded] {
            let target = stage.interface_target(&stage.interface(instance));
            let (said, why) = stage.verdict(instance).await;
            assert_eq!(said, NonCompliant, "{why}");
            let expected = format!("target {target} of account 111122223333");
            assert!(why.starts_with("[made-a-target] ") && why.contains(&expected), "{why}");
        }
        stage.sweep_with(&named).await;
        stage.session(&mirrored);
        assert_eq!(stage.sessions(&blinded), []);
    }
}

#[tokio::test]
async fn who_makes_a_target_of_a_source_is_noticed_at_once() {
    let stage = Stage::new(&[]).await;
    let instance = stage.launch(&tagged());
    let interface = stage.interface(&instance);
    stage.let_run();
    let function =
        worker(&stage.deployment.cloud, &[("MIRROR_TARGET_IDS", &stage.target)]).await.unwrap();
    let target = stage.interface_target(&interface);
    let request = json!({"CreateTrafficMirrorTargetRequest": {"NetworkInterfaceId": interface}});
    let event = call("CreateTrafficMirrorTarget", &request);
    let seen = function.invoke(event.as_bytes()).await.unwrap();
    let warnings = said(&seen.log, "WARN");
    assert!(
        warnings.iter().any(|it| it.contains(&target) && it.contains(&instance)),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn many_targets_cost_an_event_no_more_calls_than_few() {
    let mut costs = Vec::new();
    // More than a page's thousand. The account's 10,000 would take a busy machine more than a warm-up's time.
    for targets in [50, 2_500] {
        let stage = stage().await;
        {
            // One balancer for all of them, for the same reason.
            let mut world = stage.world();
            let arn = world.create_network_load_balancer(&user(), "many", &[ZONE_A]).unwrap();
            for _ in 1..targets {
                let endpoint = Endpoint::NetworkLoadBalancer(arn.clone());
                world.create_target(&user(), endpoint, None, Tags::new()).unwrap();
            }
        }
        let instance = stage.launch(&tagged());
        stage.let_run();
        let function = worker(&stage.deployment.cloud, &[]).await.unwrap();
        stage.deployment.cloud.clear_calls();
        function.invoke(running(&instance).as_bytes()).await.unwrap();
        stage.session(&instance);
        costs.push(stage.deployment.cloud.calls().len());
    }
    assert!(costs[1] <= costs[0], "{costs:?}");
}

// Settings (review-first-day T1 to T3)

#[tokio::test]
async fn a_mistyped_setting_changes_nothing_and_is_an_error_that_names_it() {
    let mut stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 12, ..tagged() });
    stage.settle().await;
    stage.take_calls();
    let late = stage.launch(&tagged());
    stage.let_run();
    for (setting, value) in [
        ("MIRROR_TARGET_IDS", "tmt-0000000000000dead,tmt-0000000000000beef"),
        ("MIRROR_FILTER_ID", "tmf-0000000000000dead"),
        ("MIRROR_VPC_IDS", "vpc-0000000000000dead"),
        ("MIRROR_TAG_KEY", "Miror"),
    ] {
        let sweep = stage.sweep_with(&[(setting, value)]).await;
        let calls = stage.deployment.cloud.calls();
        let changes = [CREATE, MODIFY, DELETE].map(|action| count(&calls, action));
        assert_eq!(changes, [0; 3], "{setting}");
        let errors = said(&sweep.log, "ERROR");
        let first = value.split(',').next().unwrap();
        let is_named = |it: &String| it.contains(setting) && it.contains(first);
        assert_eq!(errors.iter().filter(|it| is_named(it)).count(), 1, "{setting}: {errors:?}");
        stage.deployment.cloud.clear_calls();
    }
    for instance in &instances {
        stage.session(instance);
    }
    stage.sweep().await;
    stage.session(&late);
}

#[tokio::test]
async fn a_second_filter_with_the_owners_tag_turns_nothing_red_and_moves_nothing() {
    let mut stage = ruled(&[], &[]).await;
    let instance = stage.mirrored().await;
    let owner = tags(&[("ManagedBy", "automirror")]);
    let second = full_filter(&mut stage.world());
    for filter in [&second, &stage.filter.clone()] {
        stage.world().create_tags(&user(), std::slice::from_ref(filter), &owner).unwrap();
        stage.sweep().await;
        stage.unchanged();
        assert_eq!(stage.verdict(&instance).await.0, Compliant);
    }
}

#[tokio::test]
async fn session_tags_satisfy_a_rule_that_demands_them() {
    let stage = Stage::new(&[("MIRROR_SESSION_TAGS", "CostCenter=42,Owner=secops")]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let tags = stage.session(&instance).tags;
    assert_eq!(tags.get("CostCenter").map(String::as_str), Some("42"));
    assert_eq!(tags.get("Owner").map(String::as_str), Some("secops"));
    assert_eq!(tags.get("ManagedBy").map(String::as_str), Some("automirror"));
}

#[tokio::test]
async fn a_tag_that_aws_sets_can_select() {
    let stage = stage().await;
    let request = machine(&[]);
    let instance = stage.launch(&request);
    let group = tags(&[("aws:autoscaling:groupName", "web")]);
    stage.world().instance_mut(&instance).unwrap().tags.extend(group);
    stage.let_run();
    let settings = [("MIRROR_TAG_KEY", "aws:autoscaling:groupName"), ("MIRROR_TAG_VALUE", "web")];
    stage.sweep_with(&settings).await;
    stage.session(&instance);
}

// Filters (field-cases 8), instance types (facts 9.2), annotations (field-cases 10, attack-cases 12)

#[tokio::test]
async fn a_filter_that_sees_half_is_not_green_unless_it_is_accepted() {
    let mut stage = ruled(&[], &[("acceptedReasons", "filter-partial")]).await;
    let instance = stage.mirrored().await;
    let half = stage.world().create_filter(&user(), None, Tags::new()).unwrap();
    let rule = CreateRule::accept_all(&half, Direction::Ingress, 100);
    stage.world().create_rule(&user(), rule, Tags::new()).unwrap();
    stage.tag(&instance, &[("Mirror-Filter", &half)]);
    stage.settle().await;
    assert_eq!(stage.session(&instance).filter, half);
    assert_eq!(stage.verdict(&instance).await.0, Compliant);
    stage.deployment.rule = None;
    stage.deployment.add_rule(&[], &[]).await.unwrap();
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant);
    let expected = format!("filter {half} accepts no egress IPv4 packets");
    assert!(why.starts_with("[filter-partial] ") && why.contains(&expected), "{why}");
    let hidden = CreateRule {
        action: "reject".to_owned(),
        ..CreateRule::accept_all(&half, Direction::Ingress, 1)
    };
    stage.world().create_rule(&user(), hidden, Tags::new()).unwrap();
    let (_, why) = stage.verdict(&instance).await;
    assert!(why.starts_with("[filter-empty] "), "{why}");
}

#[tokio::test]
async fn a_family_that_no_list_has_is_tried_once_a_day_and_red_meanwhile() {
    let mut stage = ruled(&[], &[]).await;
    let request = RunInstances { instance_type: "m12x.large".to_owned(), ..tagged() };
    let instance = stage.launch(&request);
    stage.let_run();
    for expected in [1, 0] {
        stage.sweep().await;
        let calls = stage.take_calls();
        let tried = calls.iter().filter(|call| call.action == CREATE).count();
        assert_eq!(tried, expected);
    }
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant);
    assert!(why.starts_with("[instance-type-unknown] "), "{why}");
}

#[tokio::test]
async fn a_compliant_annotation_names_what_is_not_mirrored_and_why() {
    let mut stage = ruled(&[], &[]).await;
    let card = |device_index| LaunchInterface { device_index, ..LaunchInterface::default() };
    let request = RunInstances { interfaces: (0..4).map(card).collect(), ..tagged() };
    let instance = stage.launch(&request);
    let ids = stage.instance(&instance).interfaces;
    for (id, kind) in [(&ids[1], "trunk"), (&ids[3], "efa")] {
        stage.world().interface_mut(id).unwrap().interface_type = kind.to_owned();
    }
    stage.world().interface_mut(&ids[2]).unwrap().requester = Some("amazon-ecs".to_owned());
    stage.settle().await;
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, Compliant, "{why}");
    assert!(why.starts_with(&format!("[as-wanted] {}: ", ids[0])), "{why}");
    for named in [
        format!("not mirrored [interface-type] {}, {}", ids[1], ids[3]),
        format!("not mirrored [requester-managed] {}", ids[2]),
    ] {
        assert!(why.contains(&named), "{why}");
    }
}

#[tokio::test]
async fn a_taggers_words_reach_no_annotation() {
    let mut stage = ruled(&[], &[]).await;
    let link = r#"FIXED. Next: http://evil.example/l" ,"x":""#;
    let request = machine(&[("Mirror", "True"), ("Mirror-Target", link)]);
    let instance = stage.launch(&request);
    stage.let_run();
    let (said, why) = stage.verdict(&instance).await;
    assert_eq!(said, NonCompliant);
    assert!(
        why.starts_with("[tag-unreadable] ") && why.contains("FIXEDNexthttpevilexample"),
        "{why}"
    );
    assert!(!why.contains("://") && !why.contains('"') && !why.contains("/l"), "{why}");
}

#[tokio::test]
async fn two_installations_do_not_accuse_each_others_sessions() {
    let mut stage = Stage::new(&[]).await;
    let good = stage.target.clone();
    let own = [("MIRROR_VPC_IDS", "vpc-0000000000000000a"), ("MIRROR_TARGET_IDS", good.as_str())];
    stage.deployment.add_rule(&own, &[]).await.unwrap();
    let theirs = load_balancer(&mut stage.world(), &user());
    let abroad = stage.launch(&RunInstances { subnet: Some(SECOND_VPC.to_owned()), ..tagged() });
    let at_home = stage.launch(&tagged());
    stage.let_run();
    let there = stage.foreign(&stage.interface(&abroad), 1, &theirs);
    let here = stage.foreign(&stage.interface(&at_home), 1, &theirs);
    stage.verdict(&at_home).await;
    let verdict = |stage: &Stage, session: &str| {
        let rule = stage.deployment.rule.as_ref().unwrap();
        rule.verdict(&stage.deployment.cloud, &ResourceKey::session(session))
    };
    assert_eq!(verdict(&stage, &there.id).map(|it| it.compliance), None);
    assert_eq!(verdict(&stage, &here.id).unwrap().compliance, NonCompliant);
    stage.deployment.rule = None;
    let trusting = [own[0], own[1], ("MIRROR_TRUSTED_TARGETS", theirs.as_str())];
    stage.deployment.add_rule(&trusting, &[]).await.unwrap();
    stage.verdict(&at_home).await;
    assert_ne!(verdict(&stage, &here.id).map(|it| it.compliance), Some(NonCompliant));
}

// What it costs

#[tokio::test]
async fn events_cost_few_calls() {
    let stage = stage().await;
    stage.drop_load_balancer();
    stage.sensor("us-east-1a");
    stage.sensor("us-east-1b");
    let untagged = stage.launch_many(&RunInstances { count: 10, ..machine(&[]) });
    let tagged = stage.launch(&tagged());
    stage.let_run();
    stage.batch(&[state(&untagged[0], "pending")]).await;
    stage.take_calls();
    stage.batch(&[running(&untagged[0])]).await;
    assert_eq!(stage.take_calls().len(), 1, "one launch without the tag");
    let events: Vec<_> = untagged.iter().map(|id| running(id)).collect();
    stage.batch(&events).await;
    assert!(stage.take_calls().len() <= 2, "ten of them");
    let warm = worker(&stage.deployment.cloud, &[]).await.unwrap();
    stage.take_calls();
    warm.invoke(running(&tagged).as_bytes()).await.unwrap();
    let calls = stage.deployment.cloud.calls();
    assert_eq!(count(&calls, CREATE), 1);
    assert!(calls.len() <= 5, "a tagged launch with its create: {calls:?}");
}

#[tokio::test]
async fn another_accounts_target_counts_as_alive() {
    let owners = [("MIRROR_TARGET_OWNERS", &*other_account().account)];
    let stage = Stage::new(&owners).await;
    stage.drop_load_balancer();
    let theirs = {
        let mut world = stage.world();
        let request = RunInstances::default();
        let sensor = world.run_instances(&other_account(), &request).unwrap().remove(0);
        let interface = world.instance(&sensor).unwrap().interfaces[0].clone();
        let endpoint = Endpoint::Interface(interface);
        let target = world.create_target(&other_account(), endpoint, None, Tags::new()).unwrap();
        world.share_target(&target, &user().account);
        target
    };
    let instance = stage.launch(&tagged());
    stage.let_run();
    let sweep = stage.sweep().await;
    assert_eq!(stage.session(&instance).target, theirs, "{sweep:?}");
    assert_eq!(returned(&stage.batch(&[running(&instance)]).await.1), [""; 0]);
}
