//! The cases, in the order of the catalogue.

use local_cloud::aws::ec2::{
    CreateRule, CreateSession, Direction, Endpoint, IPV6_ONLY, LaunchInterface, ModifySession,
    RunInstances, SECOND_VPC, State, Tags,
};

use super::{
    Case,
    Mend::{Accept, Nobody, Person, Sweep},
    Settings,
};
use crate::stage::{
    Stage, full_filter, load_balancer, machine, other_account, tagged, tags, two_interfaces, user,
};

const DEFAULT: Settings = Vec::new();
const NO_SUCH_TARGET: &str = "tmt-0123456789abcdef0";
const NO_SUCH_FILTER: &str = "tmf-0123456789abcdef0";

/// Settings, as --set takes them.
fn set(settings: &[(&str, &str)]) -> Settings {
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// An instance that runs.
fn launch(stage: &Stage, request: &RunInstances) -> String {
    let instance = stage.launch(request);
    stage.let_run();
    instance
}

/// A session on the interface as automirror makes it, to this target.
fn owned(stage: &Stage, interface: &str, number: i64, target: &str) -> String {
    let request = CreateSession {
        interface: interface.to_owned(),
        target: target.to_owned(),
        filter: stage.filter.clone(),
        number: Some(number),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap().id
}

/// An instance that is mirrored.
fn mirrored(stage: &Stage) -> String {
    let instance = launch(stage, &tagged());
    owned(stage, &stage.interface(&instance), 1, &stage.target);
    instance
}

/// An instance with this tag beside the one that selects it.
fn with_tag(stage: &Stage, key: &str, value: &str) -> String {
    launch(stage, &machine(&[("Mirror", "True"), (key, value)]))
}

/// The first instance with this tag.
fn instance_with(stage: &Stage, key: &str) -> String {
    let world = stage.world();
    let mut instances = world.instances();
    instances.find(|it| it.tags.contains_key(key)).unwrap().id.clone()
}

fn the_tagged(stage: &Stage) -> String {
    instance_with(stage, "Mirror")
}

fn the_sensor(stage: &Stage) -> String {
    let world = stage.world();
    let mut instances = world.instances();
    instances.find(|it| !it.tags.contains_key("Mirror")).unwrap().id.clone()
}

/// Gives the tagged instance another tag.
fn retag(stage: &Stage, key: &str, value: &str) {
    stage.tag(&the_tagged(stage), &[(key, value)]);
}

fn tag_target(stage: &Stage, target: &str, pairs: &[(&str, &str)]) {
    stage.world().create_tags(&user(), &[target.to_owned()], &tags(pairs)).unwrap();
}

fn another_target(stage: &Stage) -> String {
    load_balancer(&mut stage.world(), &user())
}

/// A target of another account, which this one may use.
fn their_target(stage: &Stage) -> String {
    let mut world = stage.world();
    let target = load_balancer(&mut world, &other_account());
    world.share_target(&target, "111122223333");
    target
}

/// The foreign sessions, lowest number first.
fn foreign(stage: &Stage) -> Vec<String> {
    let world = stage.world();
    let mut foreign: Vec<_> =
        world.sessions().filter(|it| !it.tags.contains_key("ManagedBy")).collect();
    foreign.sort_by_key(|it| it.number);
    foreign.into_iter().map(|it| it.id.clone()).collect()
}

/// A person deletes the first foreign session.
fn delete_a_foreign_session(stage: &Stage, settings: Settings) -> Settings {
    let session = foreign(stage).remove(0);
    stage.world().delete_session(&user(), &session).unwrap();
    settings
}

/// A sensor is the only target, and eleven instances want it, one more than it takes.
fn eleven_for_a_sensor(stage: &Stage) -> String {
    let sensor = stage.sensor("us-east-1a");
    stage.launch_many(&RunInstances { count: 11, ..tagged() });
    stage.let_run();
    let world = stage.world();
    let tagged: Vec<_> = world.instances().filter(|it| it.tags.contains_key("Mirror")).collect();
    let interfaces: Vec<_> = tagged.iter().map(|it| it.interfaces[0].clone()).collect();
    drop(world);
    for interface in &interfaces[..10] {
        owned(stage, interface, 1, &sensor);
    }
    sensor
}

/// A sensor is the only target, and one instance is mirrored to it.
fn mirrored_to_a_sensor(stage: &Stage) -> Settings {
    let sensor = stage.sensor("us-east-1a");
    let instance = launch(stage, &tagged());
    owned(stage, &stage.interface(&instance), 1, &sensor);
    stage.drop_load_balancer();
    DEFAULT
}

fn empty_filter(stage: &Stage) -> String {
    stage.world().create_filter(&user(), None, Tags::new()).unwrap()
}

fn accept(stage: &Stage, filter: &str, directions: &[Direction]) {
    for direction in directions {
        let rule = CreateRule::accept_all(filter, *direction, 100);
        stage.world().create_rule(&user(), rule, Tags::new()).unwrap();
    }
}

/// The filter that somebody added.
fn the_new_filter(settings: &Settings) -> String {
    settings[0].split_once('=').unwrap().1.to_owned()
}

const MIRRORED: &[Case] = &[
    Case {
        code: "as-wanted",
        advice: "Nothing to do.",
        world: |stage| {
            mirrored(stage);
            DEFAULT
        },
        mend: Nobody,
    },
    Case {
        code: "covered",
        advice: "Nothing to do.",
        world: |stage| {
            let instance = launch(stage, &tagged());
            stage.foreign(&stage.interface(&instance), 1, &stage.target);
            DEFAULT
        },
        mend: Nobody,
    },
    Case {
        code: "not-mirrored",
        advice: "at the next event or sweep",
        world: |stage| {
            launch(stage, &tagged());
            DEFAULT
        },
        mend: Sweep,
    },
    Case {
        code: "drifted",
        advice: "at the next event or sweep",
        world: |stage| {
            let session = stage.session(&mirrored(stage)).id;
            let change = ModifySession { session, vni: Some(7), ..ModifySession::default() };
            stage.world().modify_session(&user(), &change).unwrap();
            set(&[("vni", "8")])
        },
        mend: Sweep,
    },
    Case {
        code: "draining",
        advice: "each sweep moves 50 sessions",
        world: |stage| {
            mirrored(stage);
            tag_target(stage, &stage.target, &[("Mirror-Drain", "True")]);
            set(&[("target-ids", &format!("{},{}", stage.target, another_target(stage)))])
        },
        mend: Sweep,
    },
    Case {
        code: "duplicate",
        advice: "automirror deletes it at the next event or sweep",
        world: |stage| {
            let instance = mirrored(stage);
            owned(stage, &stage.interface(&instance), 2, &stage.target);
            DEFAULT
        },
        mend: Sweep,
    },
];

const NOT_SELECTED: &[Case] = &[
    Case {
        code: "not-selected",
        advice: "Tag the instance",
        world: |stage| {
            let instance = mirrored(stage);
            stage.untag(&instance, "Mirror");
            DEFAULT
        },
        mend: Person(|stage, settings| {
            let instance = the_sensor(stage);
            stage.tag(&instance, &[("Mirror", "True")]);
            settings
        }),
    },
    Case {
        code: "opted-out",
        advice: "Remove the tag or its value False",
        world: |stage| {
            let instance = mirrored(stage);
            stage.tag(&instance, &[("Mirror", "False")]);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror", "True");
            settings
        }),
    },
    Case {
        code: "not-running",
        advice: "MIRROR_KEEP_STOPPED keeps it",
        world: |stage| {
            let instance = mirrored(stage);
            stage.world().stop_instances(&user(), &[instance]).unwrap();
            stage.let_run();
            DEFAULT
        },
        mend: Person(|_, _| set(&[("keep-stopped", "true")])),
    },
    Case {
        code: "leaving",
        advice: "its sessions end with it",
        world: |stage| {
            let instance = mirrored(stage);
            stage.world().terminate_instances(&user(), &[instance]).unwrap();
            DEFAULT
        },
        mend: Person(|stage, settings| {
            stage.let_run();
            settings
        }),
    },
    Case {
        code: "not-primary",
        advice: "Set MIRROR_INTERFACES to all",
        world: |stage| {
            launch(stage, &two_interfaces());
            set(&[("interfaces", "primary")])
        },
        mend: Person(|_, _| set(&[("interfaces", "all")])),
    },
    Case {
        code: "is-sensor",
        advice: "Tag the instance with the selecting tag",
        world: |stage| {
            let instance = launch(stage, &RunInstances { tags: Tags::new(), ..two_interfaces() });
            let endpoint = Endpoint::Interface(stage.interface(&instance));
            let sensor = stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
            set(&[("scope", "all"), ("target-ids", &format!("{},{sensor}", stage.target))])
        },
        mend: Person(|stage, settings| {
            stage.tag(&the_sensor(stage), &[("Mirror", "True")]);
            settings
        }),
    },
    Case {
        code: "other-vpc",
        advice: "Add the VPC to MIRROR_VPC_IDS",
        world: |stage| {
            launch(stage, &tagged());
            launch(stage, &RunInstances { subnet: Some(SECOND_VPC.to_owned()), ..tagged() });
            set(&[("vpc-ids", "vpc-0000000000000000b")])
        },
        mend: Person(|_, _| set(&[("vpc-ids", "vpc-0000000000000000b,vpc-0000000000000000a")])),
    },
    Case {
        code: "detached",
        advice: "Nothing to do.",
        world: |stage| {
            let interface = super::attach(stage, &launch(stage, &tagged()));
            owned(stage, &interface, 1, &stage.target);
            let attachment = stage.world().interface(&interface).unwrap().attachment.clone();
            stage.world().detach_interface(&user(), &attachment.unwrap().id).unwrap();
            DEFAULT
        },
        mend: Sweep,
    },
    Case {
        code: "interface-gone",
        advice: "Nothing to do.",
        world: |stage| {
            let instance = mirrored(stage);
            stage.world().freeze();
            stage.world().terminate_instances(&user(), &[instance]).unwrap();
            stage.let_run();
            // The list of sessions is behind.
            stage.answers_late("DescribeTrafficMirrorSessions");
            DEFAULT
        },
        mend: Person(|stage, settings| {
            stage.recover();
            settings
        }),
    },
    Case {
        code: "instance-not-visible",
        advice: "Nothing to do for an interface of an AWS service",
        world: |stage| {
            let interface = stage.interface(&mirrored(stage));
            let mut world = stage.world();
            let attachment = &mut world.interface_mut(&interface).unwrap().attachment;
            let attachment = attachment.as_mut().unwrap();
            let instance = attachment.instance.take().unwrap();
            world.instance_mut(&instance).unwrap().interfaces.clear();
            DEFAULT
        },
        mend: Nobody,
    },
];

const UNSUPPORTED: &[Case] = &[
    Case {
        code: "interface-type",
        advice: "accept it with MIRROR_ACCEPTED_REASONS",
        world: |stage| {
            let second = LaunchInterface {
                device_index: 1,
                interface_type: "efa".to_owned(),
                ..LaunchInterface::default()
            };
            let interfaces = vec![LaunchInterface::default(), second];
            launch(stage, &RunInstances { interfaces, ..tagged() });
            DEFAULT
        },
        mend: Accept,
    },
    Case {
        code: "requester-managed",
        advice: "Accept it with MIRROR_ACCEPTED_REASONS",
        world: |stage| {
            super::with_interface_of_a_service(stage);
            stage.let_run();
            DEFAULT
        },
        mend: Accept,
    },
    Case {
        code: "is-target",
        advice: "opt the instance out",
        world: |stage| {
            stage.sensor("us-east-1a");
            stage.let_run();
            stage.tag(&the_sensor(stage), &[("Mirror", "True")]);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror", "False");
            settings
        }),
    },
    Case {
        code: "ipv6-only",
        advice: "accept it with MIRROR_ACCEPTED_REASONS",
        world: |stage| {
            launch(stage, &RunInstances { subnet: Some(IPV6_ONLY.to_owned()), ..tagged() });
            DEFAULT
        },
        mend: Accept,
    },
    Case {
        code: "instance-type",
        advice: "Change the instance to a type that EC2 can mirror",
        world: |stage| {
            launch(stage, &RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() });
            DEFAULT
        },
        mend: Person(|stage, settings| {
            let instance = [the_tagged(stage)];
            stage.world().stop_instances(&user(), &instance).unwrap();
            stage.let_run();
            stage.world().modify_instance_type(&user(), &instance[0], "t3.micro").unwrap();
            stage.world().start_instances(&user(), &instance).unwrap();
            stage.let_run();
            assert_eq!(stage.instance(&instance[0]).state, State::Running);
            settings
        }),
    },
];

const EVIDENCE: &[Case] = &[
    Case {
        code: "instance-type-unknown",
        advice: "Add the type to MIRROR_SUPPORTED_TYPES",
        world: |stage| {
            launch(stage, &RunInstances { instance_type: "q9x.large".to_owned(), ..tagged() });
            DEFAULT
        },
        mend: Person(|_, _| set(&[("supported-types", "q9x.large")])),
    },
    Case {
        code: "made-a-target",
        advice: "delete-traffic-mirror-target",
        world: |stage| {
            let endpoint = Endpoint::Interface(stage.interface(&launch(stage, &tagged())));
            stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
            set(&[("target-ids", &stage.target)])
        },
        mend: Person(|stage, settings| {
            let target = stage.target_on(&stage.interface(&the_tagged(stage)));
            stage.world().delete_target(&user(), &target).unwrap();
            settings
        }),
    },
    Case {
        code: "setting-broken",
        advice: "Correct the parameter",
        world: |stage| {
            launch(stage, &tagged());
            set(&[("target-ids", NO_SUCH_TARGET)])
        },
        mend: Person(|stage, _| set(&[("target-ids", &stage.target)])),
    },
];

const TAGS: &[Case] = &[
    Case {
        code: "tag-unreadable",
        advice: "Correct the tag of the instance",
        world: |stage| {
            with_tag(stage, "Mirror-Target", "the new sensor");
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror-Target", &stage.target);
            settings
        }),
    },
    Case {
        code: "tag-conflict",
        advice: "Remove one of the two spellings of the tag",
        world: |stage| {
            let instance = with_tag(stage, "Mirror-Target", &stage.target);
            stage.tag(&instance, &[("mirror-target", &another_target(stage))]);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            stage.untag(&the_tagged(stage), "mirror-target");
            settings
        }),
    },
    Case {
        code: "too-many-targets",
        advice: "Name at most 3 targets in the tag Mirror-Target",
        world: |stage| {
            let targets = [(); 4].map(|()| another_target(stage)).join(",");
            with_tag(stage, "Mirror-Target", &targets);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror-Target", &stage.target);
            settings
        }),
    },
    Case {
        code: "filter-count",
        advice: "Name one filter for each target",
        world: |stage| {
            let filters = format!("{},{}", stage.filter, full_filter(&mut stage.world()));
            with_tag(stage, "Mirror-Filter", &filters);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            let targets = format!("{},{}", stage.target, another_target(stage));
            retag(stage, "Mirror-Target", &targets);
            settings
        }),
    },
    Case {
        code: "same-filter-twice",
        advice: "Give each target a filter of its own in the tag Mirror-Filter",
        world: |stage| {
            let targets = format!("{},{}", stage.target, another_target(stage));
            let instance = with_tag(stage, "Mirror-Target", &targets);
            stage.tag(&instance, &[("Mirror-Filter", &format!("{0},{0}", stage.filter))]);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            let filters = format!("{},{}", stage.filter, full_filter(&mut stage.world()));
            retag(stage, "Mirror-Filter", &filters);
            settings
        }),
    },
    Case {
        code: "target-not-allowed",
        advice: "add the target to MIRROR_TARGET_IDS",
        world: |stage| {
            with_tag(stage, "Mirror-Target", &another_target(stage));
            set(&[("target-ids", &stage.target)])
        },
        mend: Person(|stage, _| {
            let tags = stage.instance(&the_tagged(stage)).tags;
            set(&[("target-ids", &format!("{},{}", stage.target, tags["Mirror-Target"]))])
        }),
    },
    Case {
        code: "target-unknown",
        advice: "Correct the id",
        world: |stage| {
            with_tag(stage, "Mirror-Target", NO_SUCH_TARGET);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror-Target", &stage.target);
            settings
        }),
    },
];

const TARGETS: &[Case] = &[
    Case {
        code: "target-unseen",
        advice: "delete the target if it is gone",
        world: |stage| {
            mirrored(stage);
            let endpoint = stage.world().target(&stage.target).unwrap().endpoint.clone();
            let Endpoint::NetworkLoadBalancer(arn) = endpoint else { panic!("{endpoint:?}") };
            stage.world().delete_balancer_or_endpoint(&arn);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            // EC2 deletes no target that sessions lead to: these go to another one first.
            let (session, target) = (stage.session(&the_tagged(stage)).id, another_target(stage));
            let target = Some(target);
            let change = ModifySession { session, target, ..ModifySession::default() };
            stage.world().modify_session(&user(), &change).unwrap();
            stage.drop_load_balancer();
            settings
        }),
    },
    Case {
        code: "target-gone",
        advice: "Create a target for another sensor",
        world: |stage| {
            let settings = mirrored_to_a_sensor(stage);
            let sensor = [the_sensor(stage)];
            stage.world().terminate_instances(&user(), &sensor).unwrap();
            stage.let_run();
            settings
        },
        mend: Person(|stage, settings| {
            another_target(stage);
            settings
        }),
    },
    Case {
        code: "target-stopped",
        advice: "Start the instance behind the target",
        world: |stage| {
            let settings = mirrored_to_a_sensor(stage);
            let sensor = [the_sensor(stage)];
            stage.world().stop_instances(&user(), &sensor).unwrap();
            stage.let_run();
            settings
        },
        mend: Person(|stage, settings| {
            let sensor = [the_sensor(stage)];
            stage.world().start_instances(&user(), &sensor).unwrap();
            stage.let_run();
            settings
        }),
    },
    Case {
        code: "target-draining",
        advice: "remove the tag Mirror-Drain",
        world: |stage| {
            launch(stage, &tagged());
            tag_target(stage, &stage.target, &[("Mirror-Drain", "True")]);
            set(&[("target-ids", &stage.target)])
        },
        mend: Person(|stage, settings| {
            let tag = [("Mirror-Drain".to_owned(), None)].into();
            stage.world().delete_tags(&user(), std::slice::from_ref(&stage.target), &tag).unwrap();
            settings
        }),
    },
    Case {
        code: "no-target",
        advice: "Create a target in this account",
        world: |stage| {
            launch(stage, &tagged());
            stage.drop_load_balancer();
            DEFAULT
        },
        mend: Person(|stage, settings| {
            another_target(stage);
            settings
        }),
    },
    Case {
        code: "target-full",
        advice: "Name another target in the tag Mirror-Target",
        world: |stage| {
            let sensor = eleven_for_a_sensor(stage);
            with_tag(stage, "Mirror-Target", &sensor);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            let asks = instance_with(stage, "Mirror-Target");
            stage.tag(&asks, &[("Mirror-Target", &stage.target)]);
            settings
        }),
    },
    Case {
        code: "targets-full",
        advice: "Create another target",
        world: |stage| {
            eleven_for_a_sensor(stage);
            stage.drop_load_balancer();
            DEFAULT
        },
        mend: Person(|stage, settings| {
            another_target(stage);
            settings
        }),
    },
];

const FILTERS: &[Case] = &[
    Case {
        code: "no-filter",
        advice: "Set MIRROR_FILTER_ID",
        world: |stage| {
            launch(stage, &tagged());
            full_filter(&mut stage.world());
            DEFAULT
        },
        mend: Person(|stage, _| set(&[("filter-id", &stage.filter)])),
    },
    Case {
        code: "filter-unknown",
        advice: "Correct the id in the tag Mirror-Filter",
        world: |stage| {
            with_tag(stage, "Mirror-Filter", NO_SUCH_FILTER);
            DEFAULT
        },
        mend: Person(|stage, settings| {
            retag(stage, "Mirror-Filter", &stage.filter);
            settings
        }),
    },
    Case {
        code: "filter-empty",
        advice: "aws ec2 create-traffic-mirror-filter-rule",
        world: |stage| {
            launch(stage, &tagged());
            set(&[("filter-id", &empty_filter(stage))])
        },
        mend: Person(|stage, settings| {
            let filter = the_new_filter(&settings);
            accept(stage, &filter, &[Direction::Ingress, Direction::Egress]);
            settings
        }),
    },
    Case {
        code: "filter-partial",
        advice: "Add rules for what is missing",
        world: |stage| {
            launch(stage, &tagged());
            let filter = empty_filter(stage);
            accept(stage, &filter, &[Direction::Ingress]);
            set(&[("filter-id", &filter)])
        },
        mend: Person(|stage, settings| {
            accept(stage, &the_new_filter(&settings), &[Direction::Egress]);
            settings
        }),
    },
];

const FOREIGN: &[Case] = &[
    Case {
        code: "no-free-slot",
        advice: "Delete a foreign session on the interface",
        world: |stage| {
            let (interface, theirs) =
                (stage.interface(&launch(stage, &tagged())), their_target(stage));
            for number in [1, 2, 3] {
                stage.foreign(&interface, number, &theirs);
            }
            DEFAULT
        },
        mend: Person(delete_a_foreign_session),
    },
    Case {
        code: "no-free-number",
        advice: "change MIRROR_PRECEDENCE",
        world: |stage| {
            let interface = stage.interface(&launch(stage, &tagged()));
            stage.foreign(&interface, 32_766, &their_target(stage));
            DEFAULT
        },
        mend: Person(|_, _| set(&[("precedence", "before")])),
    },
    Case {
        code: "other-installation",
        advice: "when its tag Installation is removed",
        world: |stage| {
            let session = stage.session(&mirrored(stage)).id;
            tag_target(stage, &session, &[("Installation", "blue")]);
            set(&[("installation", "green")])
        },
        mend: Person(|stage, settings| {
            let session = stage.session(&the_tagged(stage)).id;
            let tag = [("Installation".to_owned(), None)].into();
            stage.world().delete_tags(&user(), &[session], &tag).unwrap();
            settings
        }),
    },
    Case {
        code: "shadowed",
        advice: "aws ec2 delete-traffic-mirror-session",
        world: |stage| {
            let interface = stage.interface(&launch(stage, &tagged()));
            stage.foreign(&interface, 1, &their_target(stage));
            DEFAULT
        },
        mend: Person(delete_a_foreign_session),
    },
];

/// All of them.
pub(super) const CASES: &[&[Case]] =
    &[MIRRORED, NOT_SELECTED, UNSUPPORTED, EVIDENCE, TAGS, TARGETS, FILTERS, FOREIGN];
