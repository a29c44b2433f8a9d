//! From what EC2 shows to the plan and back to EC2, with the real binary. `shared/src/plan/tests.rs` tests what
//! the plan decides in each situation.

use std::collections::BTreeMap;

use local_cloud::{
    aws::ec2::{
        Caller, CreateInterface, CreateSession, Endpoint, Field, IPV6_ONLY, LaunchInterface,
        ModifySession, RunInstances, SECOND_VPC, Session, Tags,
    },
    cloud::call::Outcome,
    cloud::fault::Fault,
    lambda::LogLine,
};

use crate::stage::{
    Stage, full_filter, load_balancer, machine, other_account, said, stage, steps, summary, tagged,
    tags, target_full, two_interfaces, user, whole_log,
};

const CREATE: &str = "create not-mirrored";

/// Instances, each with the steps that a sweep logs about it, and the sessions on each of its interfaces then.
#[derive(Default)]
struct Table(Vec<(&'static str, String, &'static [&'static str], &'static [usize])>);

impl Table {
    fn row(
        &mut self,
        what: &'static str,
        instance: String,
        steps: &'static [&'static str],
        sessions: &'static [usize],
    ) -> String {
        self.0.push((what, instance.clone(), steps, sessions));
        instance
    }

    /// Sweeps twice; returns the first log, and its steps about interfaces on no instance.
    async fn check(&self, stage: &Stage) -> (Vec<LogLine>, Vec<String>) {
        stage.let_run();
        stage.take_calls();
        let log = stage.sweep().await.log;
        let mut found = steps_by_instance(&log);
        let planned = found.values().flatten().filter(|step| *step == CREATE).count();
        for (what, instance, steps, sessions) in &self.0 {
            assert_eq!(found.remove(instance).unwrap_or_default(), *steps, "{what}");
            let interfaces = stage.instance(instance).interfaces;
            let counts: Vec<_> = interfaces.iter().map(|id| stage.sessions_on(id).len()).collect();
            assert_eq!(counts, *sessions, "{what}");
        }
        let calls = stage.take_calls();
        let creates = calls.iter().filter(|call| call.action == "CreateTrafficMirrorSession");
        assert_eq!(creates.count(), planned, "what is blocked is not tried");
        assert_eq!(steps(&stage.sweep().await.log), [], "a second sweep has nothing to say");
        (log, found.into_values().flatten().collect())
    }
}

/// The steps in a log, action and reason, of each instance.
fn steps_by_instance(log: &[LogLine]) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for line in log {
        let LogLine::Json(line) = line else { continue };
        let field = |name| line["fields"][name].as_str().map(str::to_owned);
        if let (Some(action), Some(reason)) = (field("action"), field("reason")) {
            let steps = all.entry(field("instance_id").unwrap_or_default()).or_default();
            steps.push(format!("{action} {reason}"));
            steps.sort();
        }
    }
    all
}

/// A tagged instance with more tags.
fn tagged_too(more: &[(&str, &str)]) -> RunInstances {
    machine(&[&[("Mirror", "True")], more].concat())
}

/// Makes the stage's filter the default by its tag, and creates another one.
fn second_filter(stage: &Stage) -> String {
    let owner_tag = tags(&[("ManagedBy", "automirror")]);
    let mut world = stage.world();
    world.create_tags(&user(), std::slice::from_ref(&stage.filter), &owner_tag).unwrap();
    full_filter(&mut world)
}

#[tokio::test]
async fn what_ec2_shows_of_an_instance_becomes_its_steps() {
    let stage = stage().await;
    let mut table = Table::default();
    let mut row = |what, request: &RunInstances, steps, sessions| {
        table.row(what, stage.launch(request), steps, sessions)
    };
    row("untagged", &machine(&[]), &[], &[0]);
    let second_vpc = RunInstances { subnet: Some(SECOND_VPC.to_owned()), ..tagged() };
    row("tagged, in any VPC", &second_vpc, &[CREATE], &[1]);
    row("two spellings that disagree", &tagged_too(&[("MIRROR", "False")]), &[], &[0]);
    row("two interfaces", &two_interfaces(), &[CREATE, CREATE], &[1, 1]);
    let tags_too = tags(&[("Mirror", "True"), ("mirror-interfaces", "primary")]);
    let request = RunInstances { tags: tags_too, ..two_interfaces() };
    row("only the primary, by its tag", &request, &[CREATE], &[1, 0]);
    let request = RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() };
    row("a type off the list", &request, &["block instance-type"], &[0]);
    let efa = LaunchInterface { interface_type: "efa".to_owned(), ..LaunchInterface::default() };
    let request = RunInstances { interfaces: vec![efa], ..tagged() };
    row("EFA", &request, &["block interface-type"], &[0]);
    let request = RunInstances { subnet: Some(IPV6_ONLY.to_owned()), ..tagged() };
    row("no IPv4 address", &request, &["block ipv6-only"], &[0]);
    let sensor = row("a target's interface", &tagged(), &["block is-target"], &[0]);
    let steps = &["block requester-managed", CREATE];
    let managed = row("an interface of a service", &two_interfaces(), steps, &[1, 0]);

    let endpoint = Endpoint::Interface(stage.interface(&sensor));
    stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
    let of_service = stage.instance(&managed).interfaces[1].clone();
    stage.world().interface_mut(&of_service).unwrap().requester = Some("amazon-elb".to_owned());
    table.check(&stage).await;
}

#[tokio::test]
async fn the_targets_and_filters_an_instance_names_become_its_steps() {
    let stage = stage().await;
    let filter = second_filter(&stage);
    let (own, theirs, empty, dns) = {
        let mut world = stage.world();
        let own = load_balancer(&mut world, &user());
        let theirs = load_balancer(&mut world, &other_account());
        world.share_target(&theirs, "111122223333");
        let empty = world.create_filter(&user(), None, Tags::new()).unwrap();
        let dns = world.create_filter(&user(), None, Tags::new()).unwrap();
        let service = ["amazon-dns".to_owned()];
        world.modify_network_services(&user(), &dns, &service, &[]).unwrap();
        (own, theirs, empty, dns)
    };
    let mut table = Table::default();
    let mut row = |what, more: &[(&str, &str)], steps, sessions| {
        table.row(what, stage.launch(&tagged_too(more)), steps, sessions)
    };
    let default = row("neither", &[], &[CREATE], &[1]);
    let both = [("Mirror-Target", own.as_str()), ("Mirror-Filter", &filter)];
    let named = row("both", &both, &[CREATE], &[1]);
    let blocked = &["block target-not-allowed"];
    row("a target of another account", &[("Mirror-Target", &theirs)], blocked, &[0]);
    let (targets, filters) = (format!("{own},{}", stage.target), format!("{filter},{dns}"));
    let lists = [("Mirror-Target", targets.as_str()), ("Mirror-Filter", &filters)];
    let two = row("two targets with a filter each", &lists, &[CREATE, CREATE], &[2]);
    let steps = &["block filter-empty", CREATE];
    row("a filter without rules", &[("Mirror-Filter", &empty)], steps, &[1]);
    let steps = &["block filter-partial", CREATE];
    row("a filter for Amazon DNS alone", &[("Mirror-Filter", &dns)], steps, &[1]);
    let (log, _) = table.check(&stage).await;

    let led = |instance: &str| -> Vec<_> {
        stage.sessions(instance).into_iter().map(|it| (it.number, it.target, it.filter)).collect()
    };
    assert_eq!(stage.session(&default).filter, stage.filter);
    assert_eq!(led(&named), [(1, own.clone(), filter.clone())]);
    assert_eq!(led(&two), [(1, own, filter), (2, stage.target.clone(), dns)]);
    let warned = said(&log, "WARN").join("\n");
    for sentence in [
        "of account 999999999999 is not allowed",
        &format!("filter {empty} accepts no packets: give it rules"),
    ] {
        assert!(warned.contains(sentence), "{sentence}: {warned}");
    }
}

#[tokio::test]
async fn the_sessions_that_are_there_already_become_steps() {
    let stage = stage().await;
    let other_filter = tagged_too(&[("Mirror-Filter", &second_filter(&stage))]);
    let mut table = Table::default();
    let mut row = |what, request: &RunInstances, steps, sessions| {
        table.row(what, stage.launch(request), steps, sessions)
    };
    let behind = row("two foreign ones in front", &other_filter, &[CREATE], &[3]);
    let full = row("three foreign ones", &other_filter, &["block no-free-slot"], &[3]);
    let untagged = row("a foreign one, untagged", &machine(&[]), &[], &[1]);
    let covered = row("a foreign one that is as wanted", &tagged(), &[], &[1]);
    let twice = row("two owned ones", &tagged(), &["delete duplicate"], &[1]);

    let session = |instance: &str, number| {
        stage.foreign(&stage.interface(instance), number, &stage.target).id
    };
    let mut foreign: Vec<_> = [1, 2, 3].map(|number| session(&full, number)).into();
    foreign.extend([session(&behind, 5), session(&behind, 3)]);
    foreign.extend([session(&untagged, 1), session(&covered, 1)]);
    stage.let_run();
    let spare = stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    let attachment = stage.world().attach_interface(&user(), &spare, &covered, 1).unwrap();
    let orphan = stage.foreign(&spare, 1, &stage.target).id;
    stage.world().detach_interface(&user(), &attachment).unwrap();
    let first = session(&twice, 1);
    let owned = [first.clone(), session(&twice, 9), orphan];
    stage.world().create_tags(&user(), &owned, &tags(&[("ManagedBy", "automirror")])).unwrap();
    let theirs = tags(&[("ManagedBy", "another-installation")]);
    stage.world().create_tags(&user(), &foreign, &theirs).unwrap();
    let before: Vec<_> = foreign.iter().map(|id| stage.world().session(id).cloned()).collect();

    let (_, elsewhere) = table.check(&stage).await;
    assert_eq!(elsewhere, ["delete detached"]);
    assert_eq!(stage.sessions_on(&spare), []);
    assert_eq!(stage.session(&twice).id, first);
    assert_eq!(stage.sessions(&behind)[2].number, 6, "after the foreign ones");
    let after: Vec<_> = foreign.iter().map(|id| stage.world().session(id).cloned()).collect();
    assert_eq!(after, before, "foreign sessions are left alone");
}

#[tokio::test]
async fn the_settings_choose_the_selecting_tag_or_everything() {
    let watch = [("MIRROR_TAG_KEY", "Watch"), ("MIRROR_TAG_VALUE", "yes")];
    let all = [("MIRROR_SCOPE", "all")];
    for (settings, tag, sessions) in [
        (&watch[..], ("watch", "YES"), 1),
        (&watch, ("Mirror", "True"), 0),
        (&all, ("Name", "web"), 1),
        (&all, ("mirror", "FALSE"), 0),
    ] {
        let stage = Stage::new(settings).await;
        let instance = stage.launch(&machine(&[tag]));
        stage.let_run();
        stage.sweep().await;
        assert_eq!(stage.sessions(&instance).len(), sessions, "{settings:?} {tag:?}");
    }
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
async fn sessions_of_other_accounts_on_a_shared_target_take_room() {
    let stage = Stage::new(&[("MIRROR_TARGET_OWNERS", "999999999999")]).await;
    stage.drop_load_balancer();
    let sensor = stage.world().run_instances(&other_account(), &machine(&[])).unwrap().remove(0);
    let endpoint = Endpoint::Interface(stage.interface(&sensor));
    let target =
        stage.world().create_target(&other_account(), endpoint, None, Tags::new()).unwrap();
    stage.world().share_target(&target, "111122223333");
    let theirs =
        stage.world().run_instances(&other_account(), &RunInstances { count: 9, ..tagged() });
    let filter = stage.world().create_filter(&other_account(), None, Tags::new()).unwrap();
    for instance in theirs.unwrap() {
        let request = CreateSession {
            interface: stage.interface(&instance),
            target: target.clone(),
            filter: filter.clone(),
            number: Some(1),
            ..Default::default()
        };
        stage.world().create_session(&other_account(), &request).unwrap();
    }
    let instances = stage.launch_many(&RunInstances { count: 2, ..tagged() });
    stage.let_run();
    // automirror does not see the sessions of other accounts on it, so EC2 refuses the second one.
    let log = stage.sweep().await.log;
    let mirrored: usize = instances.iter().map(|id| stage.sessions(id).len()).sum();
    assert_eq!(mirrored, 1);
    assert!(steps(&log).contains(&("block".to_owned(), "targets-full".to_owned())), "{log:?}");
}

#[tokio::test]
async fn a_create_refused_for_lack_of_room_moves_on_to_the_next_target() {
    let mut stage = stage().await;
    let second = load_balancer(&mut stage.world(), &user());
    stage.deployment.cloud.faults().add(Fault::once("CreateTrafficMirrorSession", target_full()));
    let instance = stage.launch(&tagged());
    stage.settle().await;
    assert_eq!(stage.session(&instance).target, second);
}

#[tokio::test]
async fn target_filter_packet_length_and_vni_are_modified_in_place() {
    let mut stage = Stage::new(&[("MIRROR_PACKET_LENGTH", "256"), ("MIRROR_VNI", "77")]).await;
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
        let named = [("Mirror", "True"), ("Mirror-Target", &stage.target)];
        let instance =
            stage.launch(&machine(&[&named[..], &[("Mirror-Filter", &stage.filter)]].concat()));
        stage.settle().await;
        let session = stage.session(&instance);
        assert_eq!((session.packet_length, session.vni), (Some(256), 77));
        let request = ModifySession { session: session.id.clone(), ..request };
        stage.world().modify_session(&user(), &request).unwrap();
        stage.settle().await;
        assert_eq!(stage.session(&instance), session, "{request:?}");
        stage.tag(&instance, &[("Mirror-Target", &target), ("Mirror-Filter", &filter)]);
        stage.settle().await;
        let (target, filter) = (target.clone(), filter.clone());
        assert_eq!(stage.session(&instance), Session { target, filter, ..session });
    }
}

#[tokio::test]
async fn the_sessions_of_another_tool_are_taken_over_by_a_tag_without_a_gap() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let theirs = stage.foreign(&stage.interface(&instance), 1, &stage.target);
    let owner_tag = tags(&[("ManagedBy", "automirror")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&theirs.id), &owner_tag).unwrap();
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
async fn detect_mode_plans_and_logs_and_changes_nothing() {
    let stage = Stage::new(&[("MIRROR_MODE", "detect")]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let invocation = stage.sweep().await;
    assert_eq!(summary(&invocation)["withheld"], 1);
    let lines = said(&invocation.log, "INFO");
    assert!(lines[0].starts_with("only looked, not done: "), "{lines:?}");
    assert_eq!(stage.sessions(&instance), []);
    assert!(stage.take_calls().iter().all(|call| call.action.starts_with("Describe")));
}

#[tokio::test]
async fn a_session_of_another_account_on_an_own_target_is_foreign() {
    let stage = stage().await;
    let member = Caller::user("222222222222");
    stage.world().share_target(&stage.target, "222222222222");
    let theirs = stage.world().run_instances(&member, &tagged()).unwrap().remove(0);
    let filter = stage.world().create_filter(&member, None, Tags::new()).unwrap();
    let request = CreateSession {
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
