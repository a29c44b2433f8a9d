//! What the decision does where lists leave things out, settings are wrong, and what it sees is dead, half
//! or hostile.

use super::test_cloud::{
    Cloud, THEM, US, filter, foreign, instance, load_balancer, one_way_filter, owned,
    remove_instances, sensor, unattached,
};
use crate::{
    observed::{
        Attachment, AttachmentStatus, Direction, InstanceState, Session, Shown, Target, TargetState,
    },
    plan::{question::Question, step::Action},
};

const CREATE: &str =
    "i-1 eni-1: create session 1 to tmt-1 with tmf-1: should be mirrored and is not yet";
const KEEP: &str = "i-1 eni-1: keep tms-1: mirrored as it should be";
const UNCONFIRMED: &str = "i-1 eni-1: block: EC2 shows the instance without a tag that would decide, and \
                           nothing confirms that it is absent: nothing is changed";

fn mirrored() -> Cloud {
    Cloud::new().session(owned("tms-1", "eni-1", 1))
}

fn tags_of_i_1() -> Vec<Question> {
    vec![Question::Tags("i-1".parse().unwrap())]
}

fn target_in(state: TargetState, id: &str) -> Target {
    Target { state, ..sensor(id, &format!("eni-t{}", &id[4..]), "a") }
}

// Absence

#[test]
fn a_tag_that_is_absent_changes_nothing_before_that_is_confirmed() {
    let untagged = || mirrored().instance(|instance| instance.tags.clear());
    let cloud = untagged().unconfirmed();
    cloud.plans_also(&[UNCONFIRMED]);
    assert_eq!(cloud.questions(), tags_of_i_1());
    untagged().plans(&[
        "i-1 eni-1: delete tms-1: the instance has no tag `Mirror` with the value `True`",
    ]);
}

#[test]
fn what_a_tag_could_change_waits_for_it_too() {
    let second = || mirrored().session(owned("tms-2", "eni-1", 2));
    let narrowed = || mirrored().filter(filter("tmf-2")).set("MIRROR_FILTER_ID", "tmf-2");
    let everything =
        || Cloud::new().set("MIRROR_SCOPE", "all").instance(|instance| instance.tags.clear());
    for cloud in [second, narrowed, everything] {
        let cloud = cloud().unconfirmed();
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        assert_eq!(plan.changes().count(), 0, "{plan}");
        assert_eq!(cloud.questions(), tags_of_i_1());
    }
}

#[test]
fn what_a_shown_tag_or_a_state_says_needs_no_second_witness() {
    Cloud::new().unconfirmed().plans(&[CREATE]);
    Cloud::new().set("MIRROR_SCOPE", "all").unconfirmed().plans(&[CREATE]);
    mirrored().unconfirmed().plans(&[KEEP]);
    let opted_out = mirrored().tag("Mirror", "False").unconfirmed();
    opted_out.plans(&["i-1 eni-1: delete tms-1: the tag `Mirror` of the instance opts it out"]);
    let stopped = mirrored().instance(|instance| instance.state = InstanceState::Stopped);
    stopped.unconfirmed().plans(&["i-1 eni-1: delete tms-1: the instance is stopped"]);
    let untagged = Cloud::new().instance(|instance| instance.tags.clear()).unconfirmed();
    assert_eq!(untagged.questions(), []);
}

#[test]
fn a_session_is_evidence_that_its_interface_exists() {
    let cloud = |shown| {
        let cloud = Cloud::new().with(remove_instances);
        let cloud = cloud.with(|o| o.sources = vec![unattached("eni-9", shown)]);
        cloud.session(owned("tms-9", "eni-9", 1))
    };
    let unknown = cloud(Shown::NotInList);
    unknown.plans_also(&[
        "eni-9: block: EC2 shows a session on the interface and not the interface: nothing is changed",
    ]);
    assert_eq!(unknown.questions(), [Question::Interface("eni-9".parse().unwrap())]);
    cloud(Shown::NotFound)
        .plans(&["eni-9: ignore: EC2 says that the interface does not exist: it \
                                     deletes the sessions on it itself"]);
}

#[test]
fn a_target_that_a_list_leaves_out_keeps_its_sessions() {
    let unknown =
        "i-1 eni-1: block: target tmt-1 does not exist or is not shared with this account";
    let left_out = || {
        mirrored()
            .with(|o| o.targets = vec![load_balancer("tmt-2", US), load_balancer("tmt-3", US)])
    };
    let question = [Question::Target("tmt-1".parse().unwrap())];
    for cloud in [left_out(), left_out().set("MIRROR_TARGET_IDS", "tmt-1,tmt-2")] {
        cloud.plans_also(&[KEEP, unknown]);
        assert_eq!(cloud.questions(), question);
    }
    let moved = "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2: the session differs from what it should be";
    left_out().with(|o| o.not_found.targets = ["tmt-1".parse().unwrap()].into()).plans(&[moved]);
    left_out().set("MIRROR_TARGET_IDS", "tmt-2").plans(&[moved]);
    let named = left_out().tag("Mirror-Target", "tmt-1");
    named.plans_also(&[unknown]);
    assert_eq!(named.questions(), question);
}

#[test]
fn of_two_sessions_none_goes_while_the_target_of_one_is_unknown() {
    let unknown =
        "i-1 eni-1: block: target tmt-1 does not exist or is not shared with this account";
    for (number, other) in [(2, 1), (1, 2)] {
        let cloud = Cloud::new()
            .with(|o| o.targets = vec![load_balancer("tmt-2", US)])
            .session(owned("tms-1", "eni-1", number))
            .session(Session {
                target: "tmt-2".parse().unwrap(),
                ..owned("tms-2", "eni-1", other)
            });
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        assert_eq!(plan.changes().count(), 0, "{plan}");
        assert!(plan.to_string().contains(unknown), "{plan}");
        assert_eq!(cloud.questions(), [Question::Target("tmt-1".parse().unwrap())]);
    }
}

#[test]
fn of_three_sessions_one_goes_that_another_makes_superfluous_whatever_the_third_is() {
    let seen = |id: &str, number| Session {
        target: "tmt-2".parse().unwrap(),
        ..owned(id, "eni-1", number)
    };
    for [unseen, first, second] in [[1, 2, 3], [2, 1, 3], [3, 1, 2]] {
        Cloud::new()
            .with(|o| o.targets = vec![load_balancer("tmt-2", US)])
            .session(owned("tms-1", "eni-1", unseen))
            .session(seen("tms-2", first))
            .session(seen("tms-3", second))
            .plans(&[
                "i-1 eni-1: delete tms-3: an owned session with a lower number does the same",
                "i-1 eni-1: block: target tmt-1 does not exist or is not shared with this account",
                "i-1 eni-1: keep tms-2: mirrored as it should be",
            ]);
    }
}

/// Nobody deletes the session that mirrors for one that may not.
#[test]
fn of_two_sessions_the_one_goes_of_which_the_other_is_seen_to_do_the_work() {
    use TargetState::{Full, Gone, Ready, Stopped, Unknown};
    let cloud = |states: [TargetState; 2]| {
        let target = |(id, state)| Target { state, ..load_balancer(id, US) };
        let session = |id: &str, number, target: &str| Session {
            target: target.parse().unwrap(),
            ..owned(id, "eni-1", number)
        };
        Cloud::new()
            .with(|o| o.targets = ["tmt-1", "tmt-2"].into_iter().zip(states).map(target).collect())
            .session(session("tms-1", 1, "tmt-1"))
            .session(session("tms-2", 2, "tmt-2"))
    };
    let deleted = |cloud: &Cloud| {
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        let deleted = plan.changes().map(|step| match &step.action {
            Action::Delete(session) => session.to_string(),
            _ => panic!("{plan}"),
        });
        deleted.collect::<Vec<_>>()
    };
    for dead in [Stopped, Unknown] {
        assert_eq!(deleted(&cloud([dead, Ready])), ["tms-1"], "{dead:?}");
        assert_eq!(deleted(&cloud([Ready, dead])), ["tms-2"], "{dead:?}");
        assert_eq!(deleted(&cloud([dead, Full])), ["tms-1"], "{dead:?}");
        assert_eq!(deleted(&cloud([dead, Gone])), ["tms-2"], "{dead:?}");
        for other in [Stopped, Unknown] {
            assert_eq!(deleted(&cloud([dead, other])), [""; 0], "{dead:?} {other:?}");
        }
        // Both lead to one target: one of them is enough.
        let twice = cloud([dead, Ready]).with(|o| o.sessions[1].target = "tmt-1".parse().unwrap());
        assert_eq!(deleted(&twice), ["tms-2"], "{dead:?}");
        // The instance says which target it is to be.
        let named = cloud([dead, Ready]).tag("Mirror-Target", "tmt-1");
        assert_eq!(deleted(&named), ["tms-2"], "{dead:?}");
    }
}

#[test]
fn a_foreign_session_to_a_target_that_a_list_leaves_out_covers_nothing_and_is_asked_about() {
    let cloud = Cloud::new()
        .with(|o| o.targets = vec![load_balancer("tmt-2", US)])
        .session(foreign("tms-f", 1, "tmt-1", "tmf-1"));
    assert_eq!(cloud.questions(), [Question::Target("tmt-1".parse().unwrap())]);
    let plan = crate::plan::plan(&cloud.policy(), &cloud.observed).to_string();
    assert!(plan.contains("create session 2 to tmt-2") && !plan.contains("keep"), "{plan}");
}

// Settings

#[test]
fn a_setting_that_names_nothing_that_exists_changes_nothing() {
    let broken = |setting: &str, value: &str| {
        format!(
            "i-1 eni-1: block: nothing that {setting} names was found ({value}): correct the setting, \
             until then nothing is changed"
        )
    };
    let targets = mirrored().set("MIRROR_TARGET_IDS", "tmt-8,tmt-9");
    targets.plans_also(&[&broken("MIRROR_TARGET_IDS", "tmt-8,tmt-9")]);
    let asked = ["tmt-8", "tmt-9"].map(|id| Question::Target(id.parse().unwrap()));
    assert_eq!(targets.questions(), asked);
    let filter = mirrored().set("MIRROR_FILTER_ID", "tmf-9");
    filter.plans_also(&[&broken("MIRROR_FILTER_ID", "tmf-9")]);
    assert_eq!(filter.questions(), [Question::Filter("tmf-9".parse().unwrap())]);
    let untagged = || targets_typo().instance(|instance| instance.tags.clear());
    untagged().session(owned("tms-1", "eni-1", 1)).plans(&[&broken("MIRROR_TARGET_IDS", "tmt-9")]);
    untagged()
        .plans(&["i-1 eni-1: ignore: the instance has no tag `Mirror` with the value `True`"]);
}

#[test]
fn a_tag_key_that_no_instance_has_changes_nothing_in_a_sweep() {
    let cloud = |sessions: i32| {
        Cloud::new().set("MIRROR_TAG_KEY", "Miror").with(|o| {
            o.is_whole = true;
            for number in 0..sessions {
                let interface = format!("eni-x{number}");
                o.add(instance(&format!("i-x{number}"), &[&interface]));
                o.sessions.push(owned(&format!("tms-x{number}"), &interface, 1));
            }
        })
    };
    let deleted =
        |cloud: &Cloud| crate::plan::plan(&cloud.policy(), &cloud.observed).changes().count();
    assert_eq!(deleted(&cloud(11)), 0);
    assert_eq!(deleted(&cloud(10)), 10, "the last few may really be no longer wanted");
    let event = cloud(11).with(|o| o.is_whole = false);
    assert_eq!(deleted(&event), 11, "an event shows a part only");
    let value = cloud(11).set("MIRROR_TAG_KEY", "Mirror").set("MIRROR_TAG_VALUE", "uninstall");
    assert_eq!(deleted(&value), 11, "instances have the tag, with another value");
    let default = cloud(11).set("MIRROR_TAG_KEY", "Mirror").with(|o| {
        for position in 0..o.instances.len() {
            super::test_cloud::change_instance(o, position, |it| it.tags.clear());
        }
    });
    assert_eq!(deleted(&default), 11, "the default key is not mistyped");
}

fn targets_typo() -> Cloud {
    Cloud::new().set("MIRROR_TARGET_IDS", "tmt-9")
}

#[test]
fn one_mistyped_target_of_several_deletes_nothing() {
    let cloud = |ids| {
        mirrored().set("MIRROR_TARGET_IDS", ids).with(|o| {
            o.targets.push(sensor("tmt-2", "eni-t2", "a"));
            o.sessions.extend(super::test_cloud::fill("tmt-2", 10));
        })
    };
    let full = "i-1 eni-1: block: none of the 1 allowed targets has room for a source";
    cloud("tmt-2").plans(&[
        "i-1 eni-1: delete tms-1: target tmt-1 of account 111111111111 is not allowed",
        full,
    ]);
    cloud("tmt-2,tmt-9")
        .plans(&[KEEP, "i-1 eni-1: block: target tmt-1 of account 111111111111 is not allowed"]);
    let room = cloud("tmt-2,tmt-9").with(|o| o.sessions.truncate(1));
    room.plans(&[KEEP, "i-1 eni-1: block: target tmt-1 of account 111111111111 is not allowed"]);
}

#[test]
fn a_tag_that_moves_on_a_filter_changes_no_session() {
    let cloud = || mirrored().filter(filter("tmf-2"));
    let tagged =
        |o: &mut crate::observed::Observed| o.filters[1].managed_by = Some("automirror".into());
    cloud().with(tagged).plans(&[KEEP]);
    cloud().plans(&[KEEP]);
    let named = cloud().set("MIRROR_FILTER_ID", "tmf-2");
    named.plans(&["i-1 eni-1: modify tms-1, filter tmf-1 -> tmf-2: the session differs from what it should be"]);
}

#[test]
fn a_tag_of_separators_only_cannot_be_read() {
    for (key, value) in [("Mirror-Target", ","), ("Mirror-Filter", " , ,")] {
        let text: String = value.chars().filter(|c| *c == ',').collect();
        let expected = format!(
            "i-1 eni-1: block: tag {key} is `{text}`: accepted is a list of ids, separated by commas, or \
             no tag"
        );
        mirrored().tag(key, value).plans(&[&expected]);
    }
}

// What leaves

#[test]
fn what_leaves_keeps_its_sessions_and_gets_no_new_ones() {
    let leaving = |state: &str| {
        format!(
            "i-1 eni-1: ignore: it is {state}: the sessions that it has stay until that is done, and it \
             gets no new ones"
        )
    };
    for state in [InstanceState::Stopping, InstanceState::ShuttingDown] {
        for cloud in [Cloud::new(), mirrored()] {
            let cloud = cloud.instance(|instance| instance.state = state);
            cloud.plans(&[&leaving(state.as_str())]);
        }
    }
    let status = AttachmentStatus::Detaching;
    for cloud in [Cloud::new(), mirrored()] {
        let cloud =
            cloud.interface(|it| it.attachment = Some(Attachment { primary: true, status }));
        cloud.plans(&[&leaving("detaching")]);
    }
    let untagged = mirrored().instance(|instance| {
        instance.tags.clear();
        instance.state = InstanceState::Stopping;
    });
    untagged.plans(&[
        "i-1 eni-1: delete tms-1: the instance has no tag `Mirror` with the value `True`",
    ]);
}

// Targets

#[test]
fn sessions_leave_a_target_that_is_gone_if_there_is_another() {
    let cloud = |others: Vec<Target>| {
        mirrored().with(|o| {
            o.targets = vec![target_in(TargetState::Gone, "tmt-1")];
            o.targets.extend(others);
        })
    };
    let gone = "i-1 eni-1: block: nothing receives the packets of target tmt-1: its interface is gone, or \
                on no running instance";
    cloud(Vec::new()).plans(&[gone]);
    cloud(vec![load_balancer("tmt-2", US)]).plans(&[
        "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2: the session differs from what it should be",
    ]);
    cloud(vec![load_balancer("tmt-2", US)]).tag("Mirror-Target", "tmt-1").plans(&[gone]);
    cloud(vec![target_in(TargetState::Full, "tmt-2")]).plans(&[gone]);
    cloud(Vec::new()).with(|o| o.sessions.clear()).plans(&[gone]);
}

#[test]
fn a_target_that_is_stopped_is_the_last_choice_and_keeps_its_sessions() {
    let stopped = "i-1 eni-1: block: the instance behind target tmt-1 does not run";
    let cloud = |others: Vec<Target>| {
        Cloud::new().with(|o| {
            o.targets = vec![target_in(TargetState::Stopped, "tmt-1")];
            o.targets.extend(others);
        })
    };
    cloud(Vec::new()).plans(&[CREATE, stopped]);
    let other = || vec![load_balancer("tmt-2", US)];
    cloud(other()).plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet",
    ]);
    cloud(other()).session(owned("tms-1", "eni-1", 1)).plans(&[KEEP, stopped]);
}

#[test]
fn sessions_leave_a_target_that_is_being_drained_where_the_settings_name_it() {
    let cloud = |ids: &'static str| {
        let cloud =
            if ids.is_empty() { mirrored() } else { mirrored().set("MIRROR_TARGET_IDS", ids) };
        cloud.with(|o| o.targets[0].draining = true).target(load_balancer("tmt-2", US))
    };
    let moved = "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2: the session leaves target tmt-1, which is \
                 being drained";
    cloud("tmt-1,tmt-2").plans(&[moved]);
    cloud("").plans(&[KEEP]);
    cloud("tmt-1").plans(&[KEEP]);
    let new = cloud("tmt-1").with(|o| o.sessions.clear());
    new.plans(&[
        "i-1 eni-1: block: target tmt-1 is being drained and takes no new sessions, and there is \
                 no other",
    ]);
    cloud("tmt-1,tmt-2").tag("Mirror-Target", "tmt-1").plans(&[KEEP]);
    let named = cloud("tmt-1,tmt-2").tag("Mirror-Target", "tmt-1").with(|o| o.sessions.clear());
    named.plans(&[
        "i-1 eni-1: block: target tmt-1 is being drained and takes no new sessions, and there is \
                 no other",
    ]);
    // A stopped target is no place to go to, even where the source has a session on it already.
    let stopped = |cloud: Cloud| cloud.with(|o| o.targets[1].state = TargetState::Stopped);
    let beside = stopped(cloud("tmt-1,tmt-2")).session(foreign("tms-8", 8, "tmt-2", "tmf-1"));
    beside.plans(&[KEEP]);
    stopped(cloud("tmt-1,tmt-2")).plans(&[KEEP]);
    let asleep = cloud("tmt-1").with(|o| o.targets[0].state = TargetState::Stopped);
    asleep.plans(&[KEEP, "i-1 eni-1: block: the instance behind target tmt-1 does not run"]);
}

#[test]
fn no_session_is_led_to_the_target_behind_its_own_interface() {
    let is_target =
        "i-1 eni-1: block: the interface is behind target tmt-2, so it cannot be a source";
    let cloud = |first: Target| {
        Cloud::new().with(|o| o.targets = vec![first, sensor("tmt-2", "eni-1", "a")])
    };
    let gone = || cloud(target_in(TargetState::Gone, "tmt-1")).session(owned("tms-1", "eni-1", 1));
    gone().plans(&[
        "i-1 eni-1: block: nothing receives the packets of target tmt-1: its interface is \
                    gone, or on no running instance",
    ]);
    let elsewhere = cloud(load_balancer("tmt-1", US)).session(owned("tms-1", "eni-1", 1));
    elsewhere.tag("Mirror-Target", "tmt-2").plans(&[is_target]);
    // Nor does it stay on a target that is not allowed.
    let forbidden = cloud(load_balancer("tmt-1", THEM)).session(owned("tms-1", "eni-1", 1));
    forbidden.plans(&[
        "i-1 eni-1: delete tms-1: target tmt-1 of account 222222222222 is not allowed",
        is_target,
    ]);
    // An interface beside that one can send there.
    let beside = gone().instead(instance("i-1", &["eni-2", "eni-1"])).with(|o| {
        o.sessions[0].interface = "eni-2".parse().unwrap();
    });
    beside.plans(&[
        "i-1 eni-1: block: the interface is behind target tmt-2, so it cannot be a source",
        "i-1 eni-2: modify tms-1, target tmt-1 -> tmt-2: the session differs from what it should be",
    ]);
}

#[test]
fn the_source_s_vpc_comes_before_its_zone_and_that_before_fewer_sessions() {
    let place = |id: &str, vpc: Option<&str>, zone: &str| {
        let mut target = sensor(id, &format!("eni-t{}", &id[4..]), zone);
        target.location.vpc = vpc.map(|vpc| vpc.parse().unwrap());
        target
    };
    let chosen = |targets: &[Target], expected: &str| {
        let cloud = Cloud::new().with(|o| {
            o.targets = targets.to_vec();
            o.sessions.extend(super::test_cloud::fill(targets[0].id.as_str(), 5));
        });
        let expected = format!(
            "i-1 eni-1: create session 1 to {expected} with tmf-1: should be mirrored and is not yet"
        );
        cloud.plans(&[&expected]);
    };
    let near = place("tmt-5", Some("vpc-1"), "b");
    let far = place("tmt-1", Some("vpc-2"), "a");
    let unknown = place("tmt-2", None, "a");
    let nearest = place("tmt-9", Some("vpc-1"), "a");
    chosen(&[near.clone(), far.clone(), unknown.clone()], "tmt-5");
    chosen(&[unknown.clone(), far.clone()], "tmt-2");
    chosen(&[nearest.clone(), near.clone(), far.clone()], "tmt-9");
    let dead = Target { state: TargetState::Stopped, ..nearest.clone() };
    chosen(&[dead, far.clone()], "tmt-1");
    let unread = Target { state: TargetState::Unread, ..nearest.clone() };
    chosen(&[unread, far], "tmt-1");
    chosen(&[nearest, near], "tmt-9");
}

#[test]
fn a_target_of_which_the_limit_is_not_known_is_not_refused_by_a_list() {
    let cloud = Cloud::new().with(|o| {
        let capacity = crate::observed::Capacity::Unknown;
        o.targets = vec![Target { capacity, ..sensor("tmt-1", "eni-t1", "a") }];
        o.sessions.extend(super::test_cloud::fill("tmt-1", 200));
    });
    cloud.plans(&[CREATE]);
}

#[test]
fn a_source_that_a_stranger_made_a_target_is_red_and_its_session_goes_on() {
    let stranger = || Target { account: THEM.parse().unwrap(), ..sensor("tmt-9", "eni-1", "a") };
    let made = "i-1 eni-1: block: target tmt-9 of account 222222222222, which is not allowed, was created \
                on this interface, so EC2 refuses it as a source: delete that target";
    Cloud::new().target(stranger()).plans(&[made]);
    mirrored().target(stranger()).plans(&[made, KEEP]);
    let own = || sensor("tmt-9", "eni-1", "a");
    Cloud::new().set("MIRROR_TARGET_IDS", "tmt-1").target(own()).plans(&[
        "i-1 eni-1: block: target tmt-9 of account 111111111111, which is not allowed, was created on \
         this interface, so EC2 refuses it as a source: delete that target",
    ]);
    let is_target =
        "i-1 eni-1: block: the interface is behind target tmt-9, so it cannot be a source";
    Cloud::new().target(own()).plans(&[is_target]);
    Cloud::new().set("MIRROR_TRUSTED_TARGETS", "tmt-9").target(stranger()).plans(&[is_target]);
}

#[test]
fn a_sensor_s_other_interfaces_get_no_session_unless_it_asks() {
    let sensor_of = |scope| {
        Cloud::new()
            .set("MIRROR_SCOPE", scope)
            .instead(instance("i-1", &["eni-1", "eni-2"]))
            .target(sensor("tmt-2", "eni-2", "a"))
    };
    let is_target =
        "i-1 eni-2: block: the interface is behind target tmt-2, so it cannot be a source";
    let is_sensor = "i-1 eni-1: ignore: the instance is a sensor (an interface of it is behind target \
                     tmt-2), and no tag of it asks for mirroring";
    let untagged = || sensor_of("all").instance(|instance| instance.tags.clear());
    untagged().set("MIRROR_TARGET_IDS", "tmt-1,tmt-2").plans(&[is_sensor, is_target]);
    untagged()
        .session(foreign("tms-8", 1, "tmt-2", "tmf-1"))
        .with(|o| {
            o.sessions[0].interface = "eni-8".parse().unwrap();
        })
        .plans(&[is_sensor, is_target]);
    // Nobody uses the target, and it gets no session: whoever may only create targets makes no sensor.
    let busy = || super::test_cloud::fill("tmt-2", 1);
    untagged()
        .with(|o| o.targets[0].location.vpc = "vpc-1".parse().ok())
        .plans(&[CREATE, is_target]);
    untagged().with(|o| o.sessions.extend(busy())).plans(&[is_sensor, is_target]);
    // Nor does a sensor get the very first session.
    untagged().with(|o| drop(o.targets.remove(0))).plans(&[is_sensor, is_target]);
    sensor_of("all").set("MIRROR_TARGET_IDS", "tmt-1,tmt-2").plans(&[CREATE, is_target]);
    let kept =
        untagged().set("MIRROR_TARGET_IDS", "tmt-1,tmt-2").session(owned("tms-1", "eni-1", 1));
    kept.plans(&[KEEP, is_target]);
}

#[test]
fn a_foreign_session_in_front_to_a_dead_target_takes_the_packets() {
    for state in [TargetState::Gone, TargetState::Stopped] {
        let cloud = Cloud::new()
            .target(target_in(state, "tmt-2"))
            .session(foreign("tms-f", 1, "tmt-2", "tmf-2"))
            .session(owned("tms-1", "eni-1", 2));
        cloud.plans(&[
            KEEP,
            "i-1 eni-1: block: foreign session tms-f (number 1) takes the packets first, to target \
             tmt-2 of account 111111111111, which is not allowed or does not receive",
        ]);
    }
}

#[test]
fn a_target_that_nothing_tells_about_is_not_green() {
    let cloud = mirrored().with(|o| o.targets = vec![target_in(TargetState::Unknown, "tmt-1")]);
    cloud.plans(&[
        KEEP,
        "i-1 eni-1: block: nothing that EC2 shows tells whether target tmt-1 receives packets",
    ]);
}

#[test]
fn a_trusted_target_may_receive_from_others_and_gets_no_session() {
    let cloud = || {
        Cloud::new()
            .target(load_balancer("tmt-2", THEM))
            .session(foreign("tms-f", 1, "tmt-2", "tmf-1"))
    };
    let second =
        "i-1 eni-1: create session 2 to tmt-1 with tmf-1: should be mirrored and is not yet";
    let shadowed = "i-1 eni-1: block: foreign session tms-f (number 1) takes the packets first, to target \
                    tmt-2 of account 222222222222, which is not allowed or does not receive";
    cloud().plans(&[shadowed, second]);
    cloud().set("MIRROR_TRUSTED_TARGETS", "tmt-2").plans(&[second]);
    let only = cloud().set("MIRROR_TRUSTED_TARGETS", "tmt-2").with(|o| drop(o.targets.remove(0)));
    only.plans(&["i-1 eni-1: block: there is no allowed target"]);
}

// Instance types

#[test]
fn a_type_that_no_list_has_is_tried_until_ec2_refuses_it() {
    let unknown = |kind: &str| {
        format!(
            "nothing says whether EC2 can mirror instance type `{kind}`: automirror tries once a day (set \
         MIRROR_SUPPORTED_TYPES or MIRROR_UNSUPPORTED_TYPES)"
        )
    };
    let cloud =
        |kind: &'static str| Cloud::new().instance(move |it| it.instance_type = kind.into());
    let tried =
        format!("i-1 eni-1: create session 1 to tmt-1 with tmf-1: {}", unknown("m12x.large"));
    cloud("m12x.large").plans(&[&tried]);
    let refused = |cloud: Cloud| cloud.with(|o| o.types.refused = ["m12x.large".into()].into());
    let block = format!("i-1 eni-1: block: {}", unknown("m12x.large"));
    refused(cloud("m12x.large")).plans(&[&block]);
    refused(cloud("m12x.large")).session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
    cloud("t2.micro")
        .plans(&["i-1 eni-1: block: EC2 cannot mirror instance type `t2.micro` (add it to \
                                MIRROR_SUPPORTED_TYPES if it can)"]);
}

#[test]
fn a_session_proves_that_its_family_can_be_mirrored() {
    let cloud = || {
        Cloud::new().instance(|it| it.instance_type = "m8g.large".into()).with(|o| {
            o.add(instance("i-0", &["eni-0"]));
            super::test_cloud::change_instance(o, 1, |it| it.instance_type = "m8g.48xlarge".into());
        })
    };
    let proof = Session { account: THEM.parse().unwrap(), ..owned("tms-0", "eni-0", 1) };
    let proven = cloud().session(proof);
    let plan = crate::plan::plan(&proven.policy(), &proven.observed).to_string();
    assert!(plan.contains(CREATE), "{plan}");
    let known = cloud().with(|o| o.types.proven = ["m8g".into()].into());
    let plan = crate::plan::plan(&known.policy(), &known.observed).to_string();
    assert!(plan.contains(CREATE), "{plan}");
    let plan = crate::plan::plan(&cloud().policy(), &cloud().observed);
    assert_eq!(plan.changes().count(), 0, "{plan}");
}

// Filters

#[test]
fn a_filter_that_sees_half_is_said() {
    let partial = |missing: &str| {
        format!(
            "i-1 eni-1: block: filter tmf-1 accepts no {missing} packets: give it rules, or accept this \
             with MIRROR_ACCEPTED_REASONS"
        )
    };
    let cloud = |missing| mirrored().with(|o| o.filters = vec![one_way_filter("tmf-1", missing)]);
    cloud(Direction::Egress).plans(&[KEEP, &partial("egress IPv4")]);
    cloud(Direction::Ingress).plans(&[KEEP, &partial("ingress IPv4")]);
    let only_v4 = || mirrored().with(|o| o.filters[0].rules.truncate(2));
    only_v4().plans(&[KEEP]);
    only_v4()
        .interface(|it| it.has_ipv6 = true)
        .plans(&[KEEP, &partial("ingress IPv6 and no egress IPv6")]);
    let dns = mirrored().with(|o| {
        o.filters[0].rules.clear();
        o.filters[0].amazon_dns = true;
    });
    dns.plans(&[KEEP, &partial("ingress IPv4 and no egress IPv4")]);
    let new = cloud(Direction::Egress).with(|o| o.sessions.clear());
    new.plans(&[&partial("egress IPv4"), CREATE]);
}

#[test]
fn a_filter_that_a_tag_names_and_no_list_shows_is_asked_about() {
    let cloud = Cloud::new().tag("Mirror-Filter", "tmf-9");
    let filter: crate::id::FilterId = "tmf-9".parse().unwrap();
    assert_eq!(cloud.questions(), [Question::Filter(filter.clone())]);
    let answered = cloud.with(|o| o.not_found.filters.extend([filter]));
    assert_eq!(answered.questions(), []);
}

#[test]
fn a_mistyped_vpc_stops_what_it_would_leave_out_and_nothing_else() {
    let mistyped = |ids: &str| {
        let vpcs: Vec<_> = ids.split(',').map(|id| id.parse().unwrap()).collect();
        let cloud = mirrored().set("MIRROR_VPC_IDS", ids);
        cloud.with(|o| {
            o.is_whole = true;
            o.not_found.vpcs.extend(vpcs);
        })
    };
    let codes = |cloud: Cloud| {
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        plan.steps.iter().map(|it| (it.action.name(), it.reason.code())).collect::<Vec<_>>()
    };
    assert_eq!(codes(mistyped("vpc-9")), [("block", "setting-broken")]);
    let untagged = mistyped("vpc-9").instance(|it| it.tags.clear());
    assert_eq!(codes(untagged), [("ignore", "other-vpc")]);
    // Where another setting is broken, an instance in another VPC is still none of ours.
    let target = mirrored().set("MIRROR_VPC_IDS", "vpc-2").set("MIRROR_TARGET_IDS", "tmt-9");
    assert_eq!(codes(target), [("ignore", "other-vpc")]);
}

#[test]
fn a_foreign_session_covers_nothing_that_an_owned_session_does() {
    let theirs = || foreign("tms-8", 8, "tmt-1", "tmf-1");
    let narrow = |target| Session { target, ..owned("tms-1", "eni-1", 1) };
    let two = || {
        let cloud = Cloud::new().filter(filter("tmf-2")).target(load_balancer("tmt-2", US));
        cloud.tag("Mirror-Filter", "tmf-1,tmf-2").tag("Mirror-Target", "tmt-1,tmt-2")
    };
    let steps = |cloud: Cloud| {
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        let steps = plan.steps.iter().filter(|it| it.reason.code() == "covered");
        steps.count()
    };
    assert_eq!(steps(two().session(theirs())), 1);
    assert_eq!(steps(two().session(theirs()).session(narrow("tmt-1".parse().unwrap()))), 0);
    // An owned session with that filter on a target where it must not stay does not.
    let gone = two().with(|o| o.targets.push(target_in(TargetState::Gone, "tmt-3")));
    let gone = gone.session(theirs()).session(narrow("tmt-3".parse().unwrap()));
    assert_eq!(steps(gone), 1);
}

#[test]
fn without_any_filter_an_instance_that_names_two_targets_is_blocked_once() {
    let cloud = Cloud::new().target(load_balancer("tmt-2", US)).with(|o| o.filters.clear());
    let cloud = cloud.tag("Mirror-Target", "tmt-1,tmt-2");
    let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
    let codes: Vec<_> = plan.steps.iter().map(|step| step.reason.code()).collect();
    assert_eq!(codes, ["no-filter"]);
}

#[test]
fn a_foreign_session_to_a_target_that_nothing_shows_alive_neither_covers_nor_may_be_in_front() {
    let cloud = |state| {
        let theirs = foreign("tms-8", 1, "tmt-2", "tmf-1");
        let cloud = Cloud::new().set("MIRROR_PRECEDENCE", "after").session(theirs);
        cloud.target(Target { state, ..load_balancer("tmt-2", US) })
    };
    let codes = |cloud: Cloud| {
        let plan = crate::plan::plan(&cloud.policy(), &cloud.observed);
        plan.steps.iter().map(|step| step.reason.code()).collect::<Vec<_>>()
    };
    assert_eq!(codes(cloud(TargetState::Ready)), ["covered"]);
    for state in [TargetState::Unknown, TargetState::Stopped, TargetState::Gone] {
        assert_eq!(codes(cloud(state)), ["shadowed", "not-mirrored"], "{state:?}");
    }
}
