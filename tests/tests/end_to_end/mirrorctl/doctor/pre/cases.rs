//! What can be missing, in the order of the checks.

use local_cloud::aws::{
    config::Recorder,
    ec2::{CreateRule, Direction, Endpoint, RunInstances, Tags},
};
use serde_json::{Value, json};

use super::{
    super::way::Kind::{self, Balancer, Endpoint as Gateway, Interface},
    Account, trail,
};
use crate::stage::{Stage, machine, tagged, tags, user};

/// Something that is taken away, and what becomes of it.
pub(in super::super) struct Case {
    pub(in super::super) code: &'static str,
    pub(super) topic: &'static str,
    pub(super) kind: Kind,
    /// Words of the advice that the case follows: with other advice it is another case.
    pub(super) advice: &'static str,
    pub(super) put: fn(&mut Account),
    pub(super) mend: fn(&mut Account),
}

const fn case(
    (code, topic): (&'static str, &'static str),
    kind: Kind,
    advice: &'static str,
    put: fn(&mut Account),
    mend: fn(&mut Account),
) -> Case {
    Case { code, topic, kind, advice, put, mend }
}

/// What `put-configuration-recorder` does.
fn recorder(account: &Account, change: impl FnOnce(&mut Recorder)) {
    let mut recorder = Recorder::default();
    change(&mut recorder);
    account.way.stage.deployment.cloud.config().recorder = Some(recorder);
}

fn recording(account: &Account, is_on: bool) {
    account.way.stage.deployment.cloud.config().recording = is_on;
}

fn record(account: &Account, strategy: &str, types: &[&str]) {
    let is_exclusion = strategy == "EXCLUSION_BY_RESOURCE_TYPES";
    let (none, types): (Value, Value) = (json!([]), json!(types));
    let (included, excluded) = if is_exclusion { (none, types) } else { (types, none) };
    recorder(account, |it| {
        it.group = json!({
            "allSupported": false,
            "includeGlobalResourceTypes": false,
            "resourceTypes": included,
            "exclusionByResourceTypes": {"resourceTypes": excluded},
            "recordingStrategy": {"useOnly": strategy},
        });
    });
}

fn record_often(account: &Account, usually: &str, others: &str, types: &[&str]) {
    recorder(account, |it| {
        let mode = json!([{"resourceTypes": types, "recordingFrequency": others}]);
        it.mode = json!({"recordingFrequency": usually, "recordingModeOverrides": mode});
    });
}

const INSTANCE: &str = "AWS::EC2::Instance";
const SESSION: &str = "AWS::EC2::TrafficMirrorSession";

fn trail_selects(account: &Account, kind: &'static str, selectors: Value) {
    account.way.stage.deployment.cloud.trails()[0].selectors = Some((kind, selectors));
}

fn trail_takes(account: &Account, field: &Value) {
    let category = json!({"Field": "eventCategory", "Equals": ["Management"]});
    let selector = json!([{"FieldSelectors": [category, field]}]);
    trail_selects(account, "AdvancedEventSelectors", selector);
}

fn put_trail(account: &mut Account) {
    *account.way.stage.deployment.cloud.trails() = vec![trail()];
}

fn log_changes(account: &mut Account) {
    trail_takes(account, &json!({"Field": "readOnly", "Equals": ["false"]}));
}

/// AWS Config and CloudTrail.
pub(in super::super) const SERVICES: &[Case] = &[
    case(
        ("no-recorder", "recorded-types"),
        Balancer,
        "put-configuration-recorder",
        |it| it.way.stage.deployment.cloud.config().recorder = None,
        |it| recorder(it, |_| ()),
    ),
    case(
        ("recorder-stopped", "recorder"),
        Balancer,
        "start-configuration-recorder",
        |it| recording(it, false),
        |it| recording(it, true),
    ),
    case(
        ("recorder-failing", "recorder"),
        Balancer,
        "mend the recorder's role",
        |it| recorder(it, |it| "FAILURE".clone_into(&mut it.last_status)),
        |it| recorder(it, |it| "PENDING".clone_into(&mut it.last_status)),
    ),
    case(
        ("type-not-recorded", "recorded-types"),
        Balancer,
        "Let the recorder record the type",
        |it| record(it, "INCLUSION_BY_RESOURCE_TYPES", &[INSTANCE]),
        |it| record(it, "INCLUSION_BY_RESOURCE_TYPES", &[SESSION, INSTANCE]),
    ),
    case(
        ("type-not-recorded", "recorded-types"),
        Balancer,
        "put-configuration-recorder",
        |it| record(it, "EXCLUSION_BY_RESOURCE_TYPES", &[SESSION]),
        |it| record(it, "EXCLUSION_BY_RESOURCE_TYPES", &["AWS::EC2::Volume"]),
    ),
    case(
        ("recorded-daily", "recording-frequency"),
        Balancer,
        "record the type continuously",
        |it| record_often(it, "DAILY", "CONTINUOUS", &[SESSION]),
        |it| record_often(it, "DAILY", "CONTINUOUS", &[SESSION, INSTANCE]),
    ),
    case(
        ("recorded-daily", "recording-frequency"),
        Balancer,
        "with a recordingMode",
        |it| record_often(it, "CONTINUOUS", "DAILY", &[INSTANCE]),
        |it| record_often(it, "CONTINUOUS", "DAILY", &["AWS::EC2::Volume"]),
    ),
    case(
        ("no-trail", "trail"),
        Balancer,
        "create-trail --is-multi-region-trail",
        |it| it.way.stage.deployment.cloud.trails().clear(),
        put_trail,
    ),
    case(
        ("no-trail", "trail"),
        Balancer,
        "for all regions",
        |it| {
            let mut trails = it.way.stage.deployment.cloud.trails();
            trails[0].is_multi_region = false;
            "eu-west-1".clone_into(&mut trails[0].home_region);
        },
        |it| it.way.stage.deployment.cloud.trails()[0].is_multi_region = true,
    ),
    case(
        ("trail-stopped", "trail"),
        Balancer,
        "start-logging",
        |it| it.way.stage.deployment.cloud.trails()[0].is_logging = false,
        |it| it.way.stage.deployment.cloud.trails()[0].is_logging = true,
    ),
    case(
        ("trail-without-changes", "trail"),
        Balancer,
        "management events that write",
        |it| {
            let reads = json!([{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": true}]);
            trail_selects(it, "EventSelectors", reads);
        },
        log_changes,
    ),
    case(
        ("trail-without-changes", "trail"),
        Balancer,
        "management events that write",
        |it| {
            let data = json!([{"ReadWriteType": "All", "IncludeManagementEvents": false}]);
            trail_selects(it, "EventSelectors", data);
        },
        put_trail,
    ),
    case(
        ("trail-without-changes", "trail"),
        Balancer,
        "put-event-selectors",
        |it| {
            let field = json!({"Field": "eventCategory", "Equals": ["Data"]});
            let data = json!([{"FieldSelectors": [field]}]);
            trail_selects(it, "AdvancedEventSelectors", data);
        },
        log_changes,
    ),
    case(
        ("trail-without-changes", "trail"),
        Balancer,
        "put-event-selectors",
        |it| trail_takes(it, &json!({"Field": "readOnly", "Equals": ["true"]})),
        |it| {
            let others = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];
            trail_takes(it, &json!({"Field": "eventSource", "NotEquals": others}));
        },
    ),
    case(
        ("trail-unknown", "trail"),
        Balancer,
        "See what it selects",
        |it| trail_takes(it, &json!({"Field": "userIdentity.arn", "StartsWith": ["arn:"]})),
        put_trail,
    ),
];

fn stop(stage: &Stage, instance: &str) {
    stage.world().stop_instances(&user(), &[instance.to_owned()]).unwrap();
    stage.let_run();
    stage.let_run();
}

fn delete_target(account: &Account, id: &str) {
    account.way.stage.world().delete_target(&user(), id).unwrap();
}

fn another_sensor(account: &mut Account) {
    let old = account.way.target.clone();
    account.way.put_interface();
    delete_target(account, &old);
}

fn drain(account: &mut Account) {
    let target = account.way.target.clone();
    account.set(format!("target-ids={target}"));
    let tags = tags(&[("Mirror-Drain", "True")]);
    account.way.stage.world().create_tags(&user(), &[target], &tags).unwrap();
}

fn name_filter(account: &mut Account) {
    account.set(format!("filter-id={}", account.way.stage.filter));
}

fn cut_filter(account: &mut Account) {
    name_filter(account);
    let mut world = account.way.stage.world();
    let rules = world.filter(&account.way.stage.filter).unwrap().rules.clone();
    for rule in rules {
        world.delete_rule(&user(), &rule).unwrap();
    }
}

/// Targets and filter.
pub(in super::super) const TARGETS: &[Case] = &[
    case(
        ("no-target", "target"),
        Balancer,
        "Create a target in this account",
        |it| delete_target(it, &it.way.target),
        |it| it.way.put_balancer(),
    ),
    case(
        ("target-unknown", "target"),
        Balancer,
        "Correct the id",
        |it| {
            let target = it.way.target.clone();
            it.set(format!("target-ids={target},tmt-0123456789abcdef0"));
        },
        |it| {
            let target = it.way.target.clone();
            it.set(format!("target-ids={target}"));
        },
    ),
    case(
        ("target-stopped", "target"),
        Interface,
        "Start the instance",
        |it| stop(&it.way.stage, &it.way.sensor),
        |it| {
            let sensor = [it.way.sensor.clone()];
            it.way.stage.world().start_instances(&user(), &sensor).unwrap();
            it.way.stage.let_run();
            it.way.stage.let_run();
        },
    ),
    case(
        ("target-gone", "target"),
        Interface,
        "delete this one",
        |it| {
            let sensor = [it.way.sensor.clone()];
            it.way.stage.world().terminate_instances(&user(), &sensor).unwrap();
            it.way.stage.let_run();
            it.way.stage.let_run();
        },
        another_sensor,
    ),
    case(("target-draining", "target"), Balancer, "remove the tag", drain, |it| {
        let key = [("Mirror-Drain".to_owned(), None)].into();
        it.way
            .stage
            .world()
            .delete_tags(&user(), std::slice::from_ref(&it.way.target), &key)
            .unwrap();
    }),
    case(
        ("no-listener", "target"),
        Balancer,
        "--protocol UDP --port 4789",
        |it| it.way.balancer(|it| it.listeners.clear()),
        |it| {
            let sensor = it.way.sensor.clone();
            it.way.balancer(|it| it.listen(&[&sensor]));
        },
    ),
    case(
        ("no-healthy-sensor", "target"),
        Balancer,
        "Start the sensors",
        |it| it.way.balancer(|it| "unhealthy".clone_into(&mut it.target_group().targets[0].1)),
        |it| it.way.balancer(|it| "healthy".clone_into(&mut it.target_group().targets[0].1)),
    ),
    case(
        ("health-unknown", "target"),
        Balancer,
        "wait for the first one",
        |it| it.way.balancer(|it| "initial".clone_into(&mut it.target_group().targets[0].1)),
        |it| it.way.balancer(|it| "healthy".clone_into(&mut it.target_group().targets[0].1)),
    ),
    case(
        ("balancer-not-active", "target"),
        Balancer,
        "Wait if it is being provisioned",
        |it| it.way.balancer(|it| "provisioning".clone_into(&mut it.state)),
        |it| it.way.balancer(|it| "active".clone_into(&mut it.state)),
    ),
    case(
        ("balancer-gone", "target"),
        Balancer,
        "name that target in MIRROR_TARGET_IDS",
        |it| it.way.remove_what_is_at_the_target(),
        |it| {
            it.way.put_balancer();
            let target = it.way.target.clone();
            it.set(format!("target-ids={target}"));
        },
    ),
    case(
        ("endpoint-not-available", "target"),
        Gateway,
        "accept the endpoint",
        |it| it.way.set_endpoint("pendingAcceptance"),
        |it| it.way.set_endpoint("available"),
    ),
    case(
        ("filter-unknown", "filter"),
        Balancer,
        "Correct the id",
        |it| it.set("filter-id=tmf-0123456789abcdef0".to_owned()),
        name_filter,
    ),
    case(("filter-empty", "filter"), Balancer, "Add rules", cut_filter, |it| {
        for direction in [Direction::Ingress, Direction::Egress] {
            let rule = CreateRule::accept_all(&it.way.stage.filter, direction, 200);
            it.way.stage.world().create_rule(&user(), rule, Tags::new()).unwrap();
        }
    }),
];

/// Launches this many more, which run.
fn launch(account: &Account, request: &RunInstances, count: usize) -> Vec<String> {
    let instances = account.way.stage.launch_many(&RunInstances { count, ..request.clone() });
    account.way.stage.let_run();
    instances
}

fn of_type(instance_type: &str) -> RunInstances {
    RunInstances { instance_type: instance_type.to_owned(), ..tagged() }
}

fn change_types(account: &Account, from: &str, to: &str) {
    let mut world = account.way.stage.world();
    let of_type = world.instances().filter(|it| it.instance_type == from);
    let ids: Vec<_> = of_type.map(|it| it.id.clone()).collect();
    for id in ids {
        to.clone_into(&mut world.instance_mut(&id).unwrap().instance_type);
    }
}

fn put_filters(account: &mut Account) {
    let mut world = account.way.stage.world();
    for _ in 1..10_000 {
        world.create_filter(&user(), None, Tags::new()).unwrap();
    }
}

/// Fills the account's quota of sessions but for one, with three on each of some instances that nobody selects.
fn put_sessions(account: &mut Account) {
    launch(account, &tagged(), 1);
    let others = launch(account, &machine(&[]), 3_333);
    for instance in others {
        let interface = account.way.stage.interface(&instance);
        for number in 1..=3 {
            account.way.stage.foreign(&interface, number, &account.way.target);
        }
    }
}

fn delete_sessions(account: &mut Account) {
    let mut world = account.way.stage.world();
    let some: Vec<_> = world.sessions().take(3).map(|it| it.id.clone()).collect();
    for session in some {
        world.delete_session(&user(), &session).unwrap();
    }
}

/// The source of the account, and those that fill its sensor.
fn fill_sensor(account: &Account) {
    for instance in launch(account, &machine(&[]), 10) {
        let interface = account.way.stage.interface(&instance);
        account.way.stage.foreign(&interface, 1, &account.way.target);
    }
}

fn add_balancer(account: &mut Account) {
    account.way.put_balancer();
}

/// Sources, quotas and room.
pub(in super::super) const SOURCES: &[Case] = &[
    case(
        ("nothing-selected", "sources"),
        Balancer,
        "Tag instances",
        |it| it.way.stage.untag(&it.way.source, "Mirror"),
        |it| it.way.stage.tag(&it.way.source, &[("Mirror", "True")]),
    ),
    case(
        ("setting-broken", "sources"),
        Balancer,
        "Correct the parameter",
        |it| it.set("vpc-ids=vpc-0123456789abcdef0".to_owned()),
        |it| it.set("vpc-ids=".to_owned()),
    ),
    case(
        ("instance-type", "instance-types"),
        Balancer,
        "Change the instance to a type",
        |it| drop(launch(it, &of_type("t2.micro"), 2)),
        |it| change_types(it, "t2.micro", "t3.micro"),
    ),
    case(
        ("instance-type-unknown", "instance-types"),
        Balancer,
        "MIRROR_SUPPORTED_TYPES",
        |it| drop(launch(it, &of_type("m12x.large"), 2)),
        |it| it.set("supported-types=m12x".to_owned()),
    ),
    case(
        ("quota-reached", "quota"),
        Balancer,
        "Delete those that nobody uses",
        put_filters,
        |it| {
            let filter = it.way.stage.filter.clone();
            it.way.stage.world().delete_filter(&user(), &filter).unwrap();
        },
    ),
    case(
        ("quota-short", "quota"),
        Balancer,
        "delete sessions that nobody uses",
        put_sessions,
        delete_sessions,
    ),
    case(
        ("room-short", "room"),
        Interface,
        "one of a Network Load Balancer",
        |it| drop(launch(it, &tagged(), 10)),
        add_balancer,
    ),
    case(
        ("targets-full", "room"),
        Interface,
        "Create another target",
        |it| fill_sensor(it),
        |it| {
            let sensor = it.way.launch_sensor(Interface);
            let interface = Endpoint::Interface(it.way.stage.interface(&sensor));
            it.way.target_of(interface);
        },
    ),
];
