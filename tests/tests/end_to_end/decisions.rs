//! Every line of the decision, carried out by the real binary.

use local_cloud::{
    aws::ec2::{
        Caller, CreateInterface, Direction, Endpoint, Field, IPV6_ONLY, LaunchInterface,
        ModifySession, RunInstances, SECOND_VPC, Session, State, Tags,
    },
    cloud::call::Outcome,
    cloud::fault::{Fault, Kind},
};

use crate::stage::{
    Stage, count, full_filter, load_balancer, machine, said, stage, steps, stranger, summary,
    tagged, tags, two_interfaces, user, whole_log,
};

fn pairs(log: &[(&str, &str)]) -> Vec<(String, String)> {
    log.iter().map(|(action, reason)| ((*action).to_owned(), (*reason).to_owned())).collect()
}

/// Sweeps and returns the actions and reasons in the log.
async fn sweep(stage: &Stage) -> Vec<(String, String)> {
    steps(&stage.sweep().await.log)
}

// 1. Wanted?

#[tokio::test]
async fn in_scope_all_everything_but_the_opted_out_is_mirrored() {
    let stage = Stage::new(&[("MIRROR_SCOPE", "all")]).await;
    let (plain, out) =
        (stage.launch(&machine(&[])), stage.launch(&machine(&[("mirror", "FALSE")])));
    stage.let_run();
    stage.sweep().await;
    stage.session(&plain);
    assert_eq!(stage.sessions(&out), []);
}

#[tokio::test]
async fn false_beats_true_when_two_spellings_disagree() {
    let stage = stage().await;
    let instance = stage.launch(&machine(&[("Mirror", "True"), ("MIRROR", "False")]));
    stage.let_run();
    assert_eq!(sweep(&stage).await, []);
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn another_tag_can_select() {
    let stage = Stage::new(&[("MIRROR_TAG_KEY", "Watch"), ("MIRROR_TAG_VALUE", "yes")]).await;
    let (watched, other) = (stage.launch(&machine(&[("watch", "YES")])), stage.launch(&tagged()));
    stage.let_run();
    stage.sweep().await;
    stage.session(&watched);
    assert_eq!(stage.sessions(&other), []);
}

#[tokio::test]
async fn the_setting_or_the_tag_decides_which_interfaces_are_mirrored() {
    let primary = [("MIRROR_INTERFACES", "primary")];
    for (settings, tag, expected) in [
        (&[][..], None, [1, 1]),
        (&primary[..], None, [1, 0]),
        (&[][..], Some("primary"), [1, 0]),
        (&primary[..], Some("ALL"), [1, 1]),
    ] {
        let stage = Stage::new(settings).await;
        let mut request = two_interfaces();
        request.tags.extend(tag.map(|value| ("mirror-interfaces".to_owned(), value.to_owned())));
        let instance = stage.launch(&request);
        stage.let_run();
        stage.sweep().await;
        let interfaces = stage.instance(&instance).interfaces;
        let counts: Vec<_> = interfaces.iter().map(|id| stage.sessions_on(id).len()).collect();
        assert_eq!(counts, expected, "{settings:?} {tag:?}");
    }
}

#[tokio::test]
async fn sessions_on_stopped_instances_are_kept_if_asked() {
    let mut stage = Stage::new(&[("MIRROR_KEEP_STOPPED", "true")]).await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    stage.world().stop_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.settle().await;
    assert_eq!(stage.instance(&instance).state, State::Stopped);
    assert_eq!(stage.session(&instance), session);
}

#[tokio::test]
async fn only_the_listed_vpcs_are_looked_after() {
    let stage = Stage::new(&[("MIRROR_VPC_IDS", "vpc-0123456789abcdef0")]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    assert_eq!(stage.sessions(&instance), []);

    let vpc = stage.instance(&instance).vpc.unwrap();
    let stage = Stage::new(&[("MIRROR_VPC_IDS", &vpc)]).await;
    let second = RunInstances { subnet: Some(SECOND_VPC.to_owned()), ..tagged() };
    let (inside, outside) = (stage.launch(&tagged()), stage.launch(&second));
    stage.let_run();
    stage.sweep().await;
    stage.session(&inside);
    assert_eq!(stage.sessions(&outside), []);
}

// 2. Possible?

#[tokio::test]
async fn what_cannot_be_mirrored_is_said_once_and_never_tried() {
    let stage = stage().await;
    let interface = |kind: &str| LaunchInterface {
        interface_type: kind.to_owned(),
        ..LaunchInterface::default()
    };
    stage.launch(&RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() });
    stage.launch(&RunInstances { interfaces: vec![interface("efa")], ..tagged() });
    stage.launch(&RunInstances { subnet: Some(IPV6_ONLY.to_owned()), ..tagged() });
    let sensor = stage.launch(&tagged());
    let endpoint = Endpoint::Interface(stage.interface(&sensor));
    stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
    let managed = stage.launch(&two_interfaces());
    let second = stage.instance(&managed).interfaces[1].clone();
    stage.world().interface_mut(&second).unwrap().requester = Some("amazon-elb".to_owned());
    stage.let_run();

    let mut said = sweep(&stage).await;
    said.sort();
    let expected = pairs(&[
        ("block", "instance-type"),
        ("block", "interface-type"),
        ("block", "ipv6-only"),
        ("block", "is-target"),
        ("block", "requester-managed"),
        ("create", "not-mirrored"),
    ]);
    assert_eq!(said, expected);
    assert_eq!(sweep(&stage).await, []);
    let creates = stage.take_calls();
    let creates = creates.iter().filter(|call| call.action == "CreateTrafficMirrorSession");
    assert_eq!(creates.count(), 1, "the primary interface of the instance with a managed one");
}

#[tokio::test]
async fn an_event_finds_an_interface_that_a_service_manages_too() {
    let mut stage = stage().await;
    let instance = stage.launch(&two_interfaces());
    let second = stage.instance(&instance).interfaces[1].clone();
    stage.world().interface_mut(&second).unwrap().requester = Some("amazon-elb".to_owned());
    let log = whole_log(&stage.settle().await);
    assert!(steps(&log).contains(&("block".to_owned(), "requester-managed".to_owned())));
    assert_eq!(stage.sessions_on(&second), []);
    assert_eq!(stage.sessions(&instance).len(), 1);
}

#[tokio::test]
async fn a_session_that_has_become_impossible_goes() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.world().stop_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.let_run();
    stage.world().modify_instance_type(&user(), &instance, "t2.micro").unwrap();
    stage.world().start_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.let_run();
    assert_eq!(stage.sessions(&instance).len(), 1, "EC2 keeps and bills it");
    stage.sweep().await;
    assert_eq!(stage.sessions(&instance), []);
}

// 3. Target

#[tokio::test]
async fn a_sensor_in_the_same_zone_is_preferred() {
    let mut stage = stage().await;
    stage.drop_load_balancer();
    let sensors = ["us-east-1a", "us-east-1b", "us-east-1c"].map(|zone| stage.sensor(zone));
    stage.let_run();
    for (zone, sensor) in ["us-east-1c", "us-east-1a", "us-east-1b"].iter().zip([2, 0, 1]) {
        let zone = Some((*zone).to_owned());
        let instance = stage.launch(&RunInstances { availability_zone: zone, ..tagged() });
        stage.settle().await;
        assert_eq!(stage.session(&instance).target, sensors[sensor]);
    }
}

#[tokio::test]
async fn a_full_sensor_is_passed_over_and_a_big_one_takes_a_hundred() {
    let mut stage = stage().await;
    stage.drop_load_balancer();
    let small = stage.sensor("us-east-1a");
    let big = RunInstances {
        instance_type: "m5.24xlarge".to_owned(),
        availability_zone: Some("us-east-1b".to_owned()),
        ..machine(&[])
    };
    let big = stage.interface(&stage.launch(&big));
    let big = stage.world().create_target(&user(), Endpoint::Interface(big), None, Tags::new());
    let big = big.unwrap();
    stage.let_run();
    let instances = stage.launch_many(&RunInstances { count: 111, ..tagged() });
    let log = whole_log(&stage.settle().await);
    let on = |target: &str| {
        instances.iter().flat_map(|id| stage.sessions(id)).filter(|s| s.target == target).count()
    };
    assert_eq!((on(&small), on(&big)), (10, 100));
    let blocked = steps(&log).into_iter().filter(|(action, _)| action == "block");
    assert_eq!(blocked.collect::<Vec<_>>(), pairs(&[("block", "targets-full")]));
}

#[tokio::test]
async fn sessions_of_other_accounts_on_a_shared_target_take_room() {
    let stage = Stage::new(&[("MIRROR_TARGET_OWNERS", "999999999999")]).await;
    stage.drop_load_balancer();
    let sensor = stage.world().run_instances(&stranger(), &machine(&[])).unwrap().remove(0);
    let endpoint = Endpoint::Interface(stage.interface(&sensor));
    let target = stage.world().create_target(&stranger(), endpoint, None, Tags::new()).unwrap();
    stage.world().share_target(&target, "111122223333");
    let theirs = stage.world().run_instances(&stranger(), &RunInstances { count: 9, ..tagged() });
    let filter = stage.world().create_filter(&stranger(), None, Tags::new()).unwrap();
    for instance in theirs.unwrap() {
        let request = local_cloud::aws::ec2::CreateSession {
            interface: stage.interface(&instance),
            target: target.clone(),
            filter: filter.clone(),
            number: Some(1),
            ..Default::default()
        };
        stage.world().create_session(&stranger(), &request).unwrap();
    }
    let instances = stage.launch_many(&RunInstances { count: 2, ..tagged() });
    stage.let_run();
    // What other accounts have on it we do not see, so EC2 refuses the second one.
    let log = stage.sweep().await.log;
    let mirrored: usize = instances.iter().map(|id| stage.sessions(id).len()).sum();
    assert_eq!(mirrored, 1);
    assert!(steps(&log).contains(&("block".to_owned(), "targets-full".to_owned())), "{log:?}");
}

#[tokio::test]
async fn a_create_refused_for_lack_of_room_moves_on_to_the_next_target() {
    let mut stage = stage().await;
    let second = load_balancer(&mut stage.world(), &user());
    let full = Kind::Refuse {
        code: "TrafficMirrorSourcesPerTargetLimitExceeded".to_owned(),
        message: "Sources per interface-target limit reached (11)".to_owned(),
        status: 400,
    };
    stage.deployment.cloud.faults().add(Fault::once("CreateTrafficMirrorSession", full));
    let instance = stage.launch(&tagged());
    stage.settle().await;
    assert_eq!(stage.session(&instance).target, second);
}

#[tokio::test]
async fn an_instance_chooses_among_the_allowed_targets_only() {
    let mut stage = stage().await;
    let own = load_balancer(&mut stage.world(), &user());
    let theirs = load_balancer(&mut stage.world(), &stranger());
    stage.world().share_target(&theirs, "111122223333");
    let (good, bad) = (
        stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", &own)])),
        stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", &theirs)])),
    );
    let log = whole_log(&stage.settle().await);
    assert_eq!(stage.session(&good).target, own);
    assert_eq!(stage.sessions(&bad), []);
    let warned = said(&log, "WARN");
    assert!(warned[0].contains("of account 999999999999 is not allowed"), "{warned:?}");
}

#[tokio::test]
async fn several_targets_with_a_filter_each_give_a_session_each() {
    let mut stage = stage().await;
    let (target, filter) = {
        let mut world = stage.world();
        (load_balancer(&mut world, &user()), full_filter(&mut world))
    };
    let targets = format!("{target},{}", stage.target);
    let filters = format!("{filter},{}", stage.filter);
    let tags = [("Mirror", "True"), ("Mirror-Target", &targets), ("Mirror-Filter", &filters)];
    let instance = stage.launch(&machine(&tags));
    stage.settle().await;
    let sessions = stage.sessions(&instance);
    let led: Vec<_> = sessions.iter().map(|s| (s.number, &s.target, &s.filter)).collect();
    assert_eq!(led, [(1, &target, &filter), (2, &stage.target, &stage.filter)]);
}

// 4. Filter

#[tokio::test]
async fn the_filter_is_the_one_set_or_tagged_and_never_a_guess() {
    let stage = stage().await;
    let second = full_filter(&mut stage.world());
    let instance = stage.launch(&tagged());
    stage.let_run();
    assert_eq!(sweep(&stage).await, pairs(&[("block", "no-filter")]));
    assert_eq!(stage.sessions(&instance), []);
    let ours = tags(&[("ManagedBy", "automirror")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&second), &ours).unwrap();
    stage.sweep().await;
    assert_eq!(stage.session(&instance).filter, second);
}

#[tokio::test]
async fn a_filter_without_rules_is_used_and_said() {
    let mut stage = stage().await;
    let empty = stage.world().create_filter(&user(), None, Tags::new()).unwrap();
    let instance = stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Filter", &empty)]));
    let log = whole_log(&stage.settle().await);
    assert_eq!(stage.session(&instance).filter, empty);
    let expected = format!("filter {empty} accepts no packets: give it rules");
    assert!(said(&log, "WARN")[0].ends_with(&expected), "{log:?}");
    // Amazon DNS alone is something.
    let dns = ["amazon-dns".to_owned()];
    stage.world().modify_network_services(&user(), &empty, &dns, &[]).unwrap();
    assert_eq!(summary(&stage.sweep().await)["blocked"], 0);
    let world = stage.world();
    assert!(world.rules_of(world.filter(&empty).unwrap(), Direction::Ingress).is_empty());
}

// 5. Session number

#[tokio::test]
async fn ours_takes_a_number_after_or_before_foreign_sessions() {
    for (precedence, number) in [("after", 6), ("before", 1)] {
        let stage = Stage::new(&[("MIRROR_PRECEDENCE", precedence)]).await;
        let other = full_filter(&mut stage.world());
        let instance = stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Filter", &other)]));
        stage.let_run();
        let interface = stage.interface(&instance);
        let foreign = [
            stage.foreign(&interface, 5, &stage.target),
            stage.foreign(&interface, 3, &stage.target),
        ];
        stage.sweep().await;
        let sessions = stage.sessions(&instance);
        assert!(foreign.iter().all(|session| sessions.contains(session)), "untouched");
        let ours: Vec<&Session> =
            sessions.iter().filter(|session| !foreign.contains(session)).collect();
        assert_eq!(ours.len(), 1);
        assert_eq!(ours[0].number, number);
    }
}

#[tokio::test]
async fn three_foreign_sessions_leave_no_room() {
    let stage = stage().await;
    let theirs = full_filter(&mut stage.world());
    let instance = stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Filter", &theirs)]));
    stage.let_run();
    for number in 1..=3 {
        stage.foreign(&stage.interface(&instance), number, &stage.target);
    }
    assert_eq!(sweep(&stage).await, pairs(&[("block", "no-free-slot")]));
}

// 6. Compare

#[tokio::test]
async fn target_filter_packet_length_and_vni_are_changed_in_place() {
    let mut stage = Stage::new(&[("MIRROR_PACKET_LENGTH", "256"), ("MIRROR_VNI", "77")]).await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    assert_eq!((session.packet_length, session.vni), (Some(256), 77));
    let (target, filter) = {
        let mut world = stage.world();
        (load_balancer(&mut world, &user()), full_filter(&mut world))
    };
    for request in [
        ModifySession { packet_length: Some(1), ..Default::default() },
        ModifySession { remove: vec![Field::PacketLength], ..Default::default() },
        ModifySession { vni: Some(1), ..Default::default() },
        ModifySession { filter: Some(filter.clone()), ..Default::default() },
    ] {
        let request = ModifySession { session: session.id.clone(), ..request };
        stage.world().modify_session(&user(), &request).unwrap();
        stage.tag(&instance, &[("Mirror-Filter", &session.filter)]);
        stage.settle().await;
        assert_eq!(stage.session(&instance), session, "{request:?}");
    }
    stage.tag(&instance, &[("Mirror-Target", &target), ("Mirror-Filter", &filter)]);
    stage.settle().await;
    assert_eq!(stage.session(&instance), Session { target, filter, ..session });
}

#[tokio::test]
async fn a_packet_length_that_is_not_set_goes_back_to_the_default() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    assert_eq!(session.packet_length, Some(8500), "EC2 shows it for a load balancer");
    let blind =
        ModifySession { session: session.id.clone(), packet_length: Some(1), ..Default::default() };
    stage.world().modify_session(&user(), &blind).unwrap();
    stage.settle().await;
    assert!(matches!(stage.session(&instance).packet_length, None | Some(8500)));
    stage.take_calls();
    stage.sweep().await;
    assert_eq!(count(&stage.take_calls(), "ModifyTrafficMirrorSession"), 0);
}

#[tokio::test]
async fn a_second_session_of_ours_goes_and_so_does_an_orphan() {
    let mut stage = stage().await;
    let instance = stage.launch(&two_interfaces());
    stage.settle().await;
    let before = stage.sessions(&instance);
    let interfaces = stage.instance(&instance).interfaces;
    let ours = tags(&[("ManagedBy", "automirror")]);
    let second = stage.foreign(&interfaces[0], 9, &stage.target).id;
    let spare = stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    let attachment = stage.world().attach_interface(&user(), &spare, &instance, 2).unwrap();
    let orphan = stage.foreign(&spare, 1, &stage.target).id;
    stage.world().create_tags(&user(), &[second, orphan], &ours).unwrap();
    stage.world().detach_interface(&user(), &attachment).unwrap();
    stage.lose_events();
    let mut said = sweep(&stage).await;
    said.sort();
    assert_eq!(said, pairs(&[("delete", "detached"), ("delete", "duplicate")]));
    assert_eq!(stage.sessions(&instance), before);
    assert_eq!(stage.sessions_on(&spare), []);
}

// 7. Foreign sessions

#[tokio::test]
async fn foreign_sessions_are_left_alone_even_where_nothing_is_wanted() {
    let stage = stage().await;
    let instance = stage.launch(&machine(&[]));
    stage.let_run();
    let foreign = stage.foreign(&stage.interface(&instance), 1, &stage.target);
    let theirs = tags(&[("ManagedBy", "another-installation")]);
    stage.world().create_tags(&user(), &[foreign.id], &theirs).unwrap();
    stage.take_calls();
    stage.sweep().await;
    assert_eq!(stage.sessions(&instance).len(), 1);
    assert!(stage.take_calls().iter().all(|call| call.action.starts_with("Describe")));
}

#[tokio::test]
async fn a_foreign_session_that_does_what_is_wanted_counts_as_coverage() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let foreign = stage.foreign(&stage.interface(&instance), 1, &stage.target);
    assert_eq!(summary(&stage.sweep().await)["reasons"]["covered"], 1);
    assert_eq!(stage.session(&instance), foreign);
}

#[tokio::test]
async fn the_sessions_of_another_tool_are_taken_over_by_a_tag_without_a_gap() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let theirs = stage.foreign(&stage.interface(&instance), 1, &stage.target);
    let ours = tags(&[("ManagedBy", "automirror")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&theirs.id), &ours).unwrap();
    assert_eq!(summary(&stage.sweep().await)["reasons"]["as-wanted"], 1);
    assert_eq!(stage.session(&instance).id, theirs.id);
    stage.untag(&instance, "Mirror");
    stage.sweep().await;
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn two_installations_share_an_account() {
    let mut stage = stage().await;
    let second = [
        ("MIRROR_OWNER", "blue"),
        ("MIRROR_TAG_KEY", "Blue"),
        ("MIRROR_FILTER_ID", &stage.filter.clone()),
    ];
    stage.deployment.add_worker(&second).await.unwrap();
    let (green, blue) = (stage.launch(&tagged()), stage.launch(&machine(&[("Blue", "True")])));
    stage.let_run();
    for worker in &stage.deployment.workers {
        worker.invoke(br#"{"sweep":true}"#).await.unwrap();
        worker.invoke(br#"{"sweep":true}"#).await.unwrap();
    }
    assert_eq!(stage.session(&green).tags["ManagedBy"], "automirror");
    assert_eq!(stage.session(&blue).tags["ManagedBy"], "blue");
}

#[tokio::test]
async fn detect_mode_plans_and_says_and_changes_nothing() {
    let stage = Stage::new(&[("MIRROR_MODE", "detect")]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let invocation = stage.sweep().await;
    assert_eq!(summary(&invocation)["withheld"], 1);
    let lines = said(&invocation.log, "INFO");
    assert!(lines[0].starts_with("detect mode, not done: "), "{lines:?}");
    assert_eq!(stage.sessions(&instance), []);
    assert!(stage.take_calls().iter().all(|call| call.action.starts_with("Describe")));
}

#[tokio::test]
async fn a_session_of_another_account_on_our_target_is_not_taken_for_ours() {
    let stage = stage().await;
    let member = Caller::user("222222222222");
    stage.world().share_target(&stage.target, "222222222222");
    let theirs = stage.world().run_instances(&member, &tagged()).unwrap().remove(0);
    let filter = stage.world().create_filter(&member, None, Tags::new()).unwrap();
    let request = local_cloud::aws::ec2::CreateSession {
        interface: stage.interface(&theirs),
        target: stage.target.clone(),
        filter,
        number: Some(1),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..Default::default()
    };
    let session = stage.world().create_session(&member, &request).unwrap();
    stage.let_run();
    stage.sweep().await;
    assert_eq!(stage.session(&theirs), session);
    let refused = stage.take_calls().into_iter().filter(|call| call.outcome != Outcome::Done);
    assert_eq!(refused.count(), 0);
}
