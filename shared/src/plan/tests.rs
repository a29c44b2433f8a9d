//! The decision, one situation at a time.

use super::test_cloud::{
    Cloud, THEM, US, change_instance, fill, filter, foreign, instance, interface, load_balancer,
    owned, remove_instances, sensor, unattached,
};
use crate::{
    number::PacketLength,
    observed::{
        Attachment, AttachmentStatus, Capacity, Endpoint, InstanceState, Interface, Owner, Session,
        Shown, Tag, TargetState,
    },
    plan::eligibility::interface_capacity,
};

const CREATE: &str =
    "i-1 eni-1: create session 1 to tmt-1 with tmf-1: should be mirrored and is not yet";
const KEEP: &str = "i-1 eni-1: keep tms-1: mirrored as it should be";
const NOT_SELECTED: &str =
    "i-1 eni-1: ignore: the instance has no tag `Mirror` with the value `True`";
const OPTED_OUT: &str = "i-1 eni-1: ignore: the tag `Mirror` of the instance opts it out";

fn untagged() -> Cloud {
    Cloud::new().instance(|instance| instance.tags.clear())
}

// 1. Wanted?

#[test]
fn a_tagged_running_instance_is_mirrored() {
    Cloud::new().plans(&[CREATE]);
}

#[test]
fn a_pending_instance_is_mirrored_already() {
    Cloud::new().instance(|i| i.state = InstanceState::Pending).plans(&[CREATE]);
}

#[test]
fn an_untagged_instance_is_not() {
    untagged().plans(&[NOT_SELECTED]);
    untagged().tag("Mirror", "yes").plans(&[NOT_SELECTED]);
    untagged().tag("Mirror", "").plans(&[NOT_SELECTED]);
}

#[test]
fn tag_key_and_value_match_without_regard_to_case() {
    untagged().tag("mIRROR", " tRuE ").plans(&[CREATE]);
}

#[test]
fn false_beats_true_when_two_spellings_disagree() {
    Cloud::new().tag("mirror", "false").plans(&[OPTED_OUT]);
}

#[test]
fn another_tag_can_select() {
    let cloud = || untagged().set("MIRROR_TAG_KEY", "Überwacht").set("MIRROR_TAG_VALUE", "ja");
    cloud().tag("überwacht", "JA").plans(&[CREATE]);
    cloud()
        .tag("Mirror", "True")
        .plans(&["i-1 eni-1: ignore: the instance has no tag `Überwacht` with the value `ja`"]);
}

#[test]
fn in_scope_all_everything_is_mirrored_but_what_opts_out() {
    untagged().set("MIRROR_SCOPE", "all").plans(&[CREATE]);
    untagged().set("MIRROR_SCOPE", "all").tag("Mirror", "FALSE").plans(&[OPTED_OUT]);
}

#[test]
fn the_session_goes_when_the_tag_does() {
    untagged().session(owned("tms-1", "eni-1", 1)).plans(&[
        "i-1 eni-1: delete tms-1: the instance has no tag `Mirror` with the value `True`",
    ]);
}

#[test]
fn the_session_goes_when_the_instance_stops_or_ends() {
    for (state, word) in
        [(InstanceState::Stopped, "stopped"), (InstanceState::Terminated, "terminated")]
    {
        let expected = format!("i-1 eni-1: delete tms-1: the instance is {word}");
        let cloud = Cloud::new().instance(|i| i.state = state);
        cloud.session(owned("tms-1", "eni-1", 1)).plans(&[&expected]);
    }
}

#[test]
fn a_session_on_a_stopped_instance_is_kept_if_asked_but_none_is_made() {
    let cloud = || {
        Cloud::new()
            .set("MIRROR_KEEP_STOPPED", "true")
            .instance(|i| i.state = InstanceState::Stopped)
    };
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
    cloud().plans(&["i-1 eni-1: ignore: the instance is stopped"]);
    let ended = cloud().instance(|i| i.state = InstanceState::Terminated);
    ended
        .session(owned("tms-1", "eni-1", 1))
        .plans(&["i-1 eni-1: delete tms-1: the instance is terminated"]);
    let stopping = || cloud().instance(|i| i.state = InstanceState::Stopping);
    stopping().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
    stopping().plans(&["i-1 eni-1: ignore: the instance is stopping"]);
}

#[test]
fn every_interface_is_mirrored_unless_only_the_primary_is_wanted() {
    let cloud = || Cloud::new().instead(instance("i-1", &["eni-1", "eni-2"]));
    let second =
        "i-1 eni-2: create session 1 to tmt-1 with tmf-1: should be mirrored and is not yet";
    let only = "i-1 eni-2: ignore: MIRROR_INTERFACES limits mirroring to the primary interface";
    let tagged = "i-1 eni-2: ignore: Mirror-Interfaces limits mirroring to the primary interface";
    cloud().plans(&[CREATE, second]);
    cloud().set("MIRROR_INTERFACES", "primary").plans(&[CREATE, only]);
    cloud().tag("mirror-interfaces", "Primary").plans(&[CREATE, tagged]);
    let both = cloud().set("MIRROR_INTERFACES", "primary");
    both.tag("Mirror-Interfaces", "all").plans(&[CREATE, only]);
}

#[test]
fn outside_the_vpcs_nothing_is_touched() {
    let expected = ["i-1 eni-1: ignore: its VPC is not among MIRROR_VPC_IDS"];
    let cloud = || Cloud::new().set("MIRROR_VPC_IDS", "vpc-2,vpc-3");
    cloud().plans(&expected);
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&expected);
    cloud().interface(|interface| interface.vpc = "vpc-3".parse().ok()).plans(&[CREATE]);
}

#[test]
fn the_session_goes_when_its_interface_is_detached_or_deleted() {
    let attached = |status| {
        Cloud::new()
            .interface(|it| it.attachment = Some(Attachment { primary: true, status }))
            .session(owned("tms-1", "eni-1", 1))
    };
    attached(AttachmentStatus::Attached).plans(&[KEEP]);
    attached(AttachmentStatus::Detached)
        .plans(&["i-1 eni-1: delete tms-1: the interface is attached to nothing"]);
    let cloud = |shown| {
        Cloud::new()
            .with(remove_instances)
            .with(|o| o.sources = vec![unattached("eni-9", shown)])
            .session(owned("tms-9", "eni-9", 1))
    };
    let detached = "eni-9: delete tms-9: the interface is attached to nothing";
    cloud(Shown::Yes(Interface { vpc: None, ..interface("vpc-1", Owner::Nobody) }))
        .plans(&[detached]);
    let hidden = "eni-9: ignore: the interface is in use, but by no instance that EC2 shows";
    for owner in [Owner::NotVisible(None), Owner::Service] {
        cloud(Shown::Yes(interface("vpc-1", owner))).plans(&[hidden]);
    }
    let elsewhere = cloud(Shown::Yes(interface("vpc-2", Owner::Nobody)));
    elsewhere
        .set("MIRROR_VPC_IDS", "vpc-1")
        .plans(&["eni-9: ignore: its VPC is not among MIRROR_VPC_IDS"]);
    let here = || cloud(Shown::Yes(interface("vpc-1", Owner::Nobody)));
    here().plans(&[detached]);
    here().set("MIRROR_VPC_IDS", "vpc-1").plans(&[detached]);
}

// 2. Possible?

#[test]
fn what_cannot_be_mirrored_is_blocked_and_a_session_that_proves_the_opposite_goes_on() {
    let block = "i-1 eni-1: block: EC2 cannot mirror an interface in an IPv6-only subnet";
    let cloud = || Cloud::new().interface(|interface| interface.ipv6_only = true);
    cloud().plans(&[block]);
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
}

#[test]
fn only_interfaces_of_type_interface_can_be_mirrored() {
    Cloud::new().interface(|interface| interface.kind = "efa".into()).plans(&[
        "i-1 eni-1: block: EC2 cannot mirror an interface of type `efa`, only of type `interface`",
    ]);
}

#[test]
fn an_interface_a_service_manages_cannot_be_mirrored_unless_by_rds_or_elasticache() {
    let cloud = |requester: &str| {
        Cloud::new().interface(|interface| interface.requester = Some(requester.into()))
    };
    cloud("amazon-elb")
        .plans(&["i-1 eni-1: block: `amazon-elb` manages the interface, and EC2 cannot \
                  mirror such an interface"]);
    cloud("amazon-rds").plans(&[CREATE]);
    cloud("amazon-elasticache").plans(&[CREATE]);
}

#[test]
fn a_targets_own_interface_cannot_be_mirrored() {
    Cloud::new().target(sensor("tmt-2", "eni-1", "a")).plans(&[
        "i-1 eni-1: block: the interface is behind target tmt-2, so it cannot be a source",
    ]);
}

#[test]
fn an_instance_type_off_the_list_cannot_be_mirrored_until_the_operator_adds_it() {
    let cloud = || Cloud::new().instance(|i| i.instance_type = "m8g.large".into());
    cloud().plans(&["i-1 eni-1: block: EC2 cannot mirror instance type `m8g.large` (add it to \
                     MIRROR_SUPPORTED_TYPES if it can)"]);
    cloud().set("MIRROR_SUPPORTED_TYPES", "m8g").plans(&[CREATE]);
}

// 3. Target

#[test]
fn a_target_in_the_zone_of_the_source_goes_before_emptier_ones() {
    let cloud = Cloud::new().with(|o| {
        o.targets = vec![sensor("tmt-1", "eni-t1", "b"), sensor("tmt-2", "eni-t2", "a")];
        o.sessions.extend(fill("tmt-2", 9));
    });
    cloud.plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet",
    ]);
}

#[test]
fn then_the_emptiest_goes_and_of_equals_the_one_with_the_smallest_id() {
    let cloud = || {
        Cloud::new().with(|o| {
            o.targets = ["tmt-3", "tmt-1", "tmt-2"].map(|id| load_balancer(id, US)).to_vec();
        })
    };
    cloud().plans(&[CREATE]);
    cloud().with(|o| o.sessions.extend(fill("tmt-1", 1))).plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet",
    ]);
}

#[test]
fn an_interface_target_is_full_with_10_sources_or_100_by_its_type() {
    let cloud = |count, instance_type: &str| {
        Cloud::new().with(|o| {
            let mut target = sensor("tmt-1", "eni-t1", "a");
            target.capacity = interface_capacity(instance_type);
            o.targets = vec![target];
            o.sessions.extend(fill("tmt-1", count));
        })
    };
    let full = "i-1 eni-1: block: none of the 1 allowed targets has room for a source";
    cloud(9, "m5.large").plans(&[CREATE]);
    cloud(10, "m5.large").plans(&[full]);
    cloud(99, "m5.24xlarge").plans(&[CREATE]);
    cloud(100, "m5.24xlarge").plans(&[full]);
}

#[test]
fn a_load_balancer_is_never_full_unless_ec2_refuses() {
    let cloud = || Cloud::new().with(|o| o.sessions.extend(fill("tmt-1", 500)));
    cloud().plans(&[CREATE]);
    cloud()
        .with(|o| o.targets[0].state = TargetState::Full)
        .plans(&["i-1 eni-1: block: none of the 1 allowed targets has room for a source"]);
}

#[test]
fn a_target_of_a_kind_that_is_not_known_keeps_its_sessions_and_is_chosen_by_name_only() {
    let cloud = || {
        Cloud::new().with(|o| {
            o.targets[0].endpoint = Endpoint::Other("quantum-link".into());
            o.targets[0].capacity = Capacity::Unknown;
        })
    };
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
    cloud().plans(&["i-1 eni-1: block: there is no allowed target"]);
    cloud().tag("Mirror-Target", "tmt-1").plans(&[CREATE]);
    let beside =
        cloud().target(load_balancer("tmt-2", US)).with(|o| o.sessions.extend(fill("tmt-2", 5)));
    beside.plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet",
    ]);
}

#[test]
fn a_tag_that_cannot_be_read_goes_before_a_target_that_is_not_there() {
    let cloud = Cloud::new().tag("Mirror-Target", "tmt-9").tag("Mirror-Filter", "odd");
    cloud.plans(&[
        "i-1 eni-1: block: tag Mirror-Filter is `odd`: accepted is an id that starts with `tmf-`, \
         followed by lower-case letters and digits",
    ]);
}

#[test]
fn an_instance_can_name_its_target_among_the_allowed() {
    let cloud = || Cloud::new().target(load_balancer("tmt-2", THEM));
    let chosen =
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet";
    cloud().tag("Mirror-Target", "tmt-1").plans(&[CREATE]);
    let shared = cloud().set("MIRROR_TARGET_OWNERS", THEM);
    shared.tag("mirror-target", "tmt-2").plans(&[chosen]);
    let listed = cloud().set("MIRROR_TARGET_IDS", "tmt-2");
    listed.tag("Mirror-Target", "tmt-2").plans(&[chosen]);
    cloud()
        .tag("Mirror-Target", "tmt-2")
        .plans(&["i-1 eni-1: block: target tmt-2 of account 222222222222 is not allowed"]);
    let unlisted = cloud().set("MIRROR_TARGET_IDS", "tmt-2");
    unlisted
        .tag("Mirror-Target", "tmt-1")
        .plans(&["i-1 eni-1: block: target tmt-1 of account 111111111111 is not allowed"]);
    cloud().tag("Mirror-Target", "tmt-9").plans(&[
        "i-1 eni-1: block: target tmt-9 does not exist or is not shared with this account",
    ]);
}

#[test]
fn a_named_target_that_is_full_blocks_and_an_older_session_stays() {
    let full = "i-1 eni-1: block: target tmt-2 has no room for a source";
    let cloud = || {
        Cloud::new().tag("Mirror-Target", "tmt-2").with(|o| {
            o.targets.push(sensor("tmt-2", "eni-t2", "a"));
            o.sessions.extend(fill("tmt-2", 10));
        })
    };
    cloud().plans(&[full]);
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[full]);
}

#[test]
fn without_an_allowed_target_it_is_blocked() {
    let none = "i-1 eni-1: block: there is no allowed target";
    Cloud::new().with(|o| o.targets.clear()).plans(&[none]);
    Cloud::new().with(|o| o.targets = vec![load_balancer("tmt-1", THEM)]).plans(&[none]);
}

#[test]
fn several_targets_give_a_session_each_in_their_order() {
    let cloud = || {
        Cloud::new()
            .target(load_balancer("tmt-2", US))
            .filter(filter("tmf-2"))
            .tag("Mirror-Target", "tmt-2, tmt-1")
            .tag("Mirror-Filter", "tmf-2,tmf-1")
    };
    cloud().plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-2: should be mirrored and is not yet",
        "i-1 eni-1: create session 2 to tmt-1 with tmf-1: should be mirrored and is not yet",
    ]);
    // The order of the numbers is the order of the tag, so the older session makes way.
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[
        "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2, filter tmf-1 -> tmf-2: the session differs from what it should be",
        "i-1 eni-1: create session 2 to tmt-1 with tmf-1: should be mirrored and is not yet",
    ]);
}

#[test]
fn a_session_that_is_right_keeps_its_place_among_several() {
    let cloud = || {
        Cloud::new()
            .with(|o| o.targets.insert(0, sensor("tmt-2", "eni-t2", "a")))
            .filter(filter("tmf-2"))
            .tag("Mirror-Target", "tmt-2,tmt-1")
            .tag("Mirror-Filter", "tmf-2,tmf-1")
            .session(owned("tms-1", "eni-1", 2))
    };
    cloud().plans(&[
        KEEP,
        "i-1 eni-1: create session 1 to tmt-2 with tmf-2: should be mirrored and is not yet",
    ]);
    cloud()
        .with(|o| o.sessions.extend(fill("tmt-2", 10)))
        .plans(&[KEEP, "i-1 eni-1: block: target tmt-2 has no room for a source"]);
}

#[test]
fn several_targets_need_a_filter_each() {
    let cloud = || {
        Cloud::new()
            .target(load_balancer("tmt-2", US))
            .filter(filter("tmf-2"))
            .set("MIRROR_FILTER_ID", "tmf-1")
            .tag("Mirror-Target", "tmt-1,tmt-2")
    };
    let same = "i-1 eni-1: block: EC2 mirrors each packet once, so a second session with filter \
                tmf-1 would mirror nothing: give each target a filter of its own in tag \
                Mirror-Filter";
    cloud().plans(&[same]);
    cloud().tag("Mirror-Filter", "tmf-1,tmf-1").plans(&[same]);
    cloud().tag("Mirror-Filter", "tmf-1").plans(&[
        "i-1 eni-1: block: tag Mirror-Filter names 1 filters and tag Mirror-Target 2 targets: \
         name one filter for each target",
    ]);
    // Three are not too many.
    let three = cloud().tag("Mirror-Target", "tmt-1,tmt-2,tmt-1");
    three.tag("Mirror-Filter", "tmf-1,tmf-1,tmf-1").plans(&[same]);
    cloud().tag("Mirror-Target", "tmt-1,tmt-2,tmt-1,tmt-2").plans(&[
        "i-1 eni-1: block: tag Mirror-Target names 4 targets, and an interface has at most 3 \
         sessions",
    ]);
}

// 4. Filter

#[test]
fn an_instance_can_name_its_filter() {
    Cloud::new().filter(filter("tmf-2")).tag("Mirror-Filter", "tmf-2").plans(&[
        "i-1 eni-1: create session 1 to tmt-1 with tmf-2: should be mirrored and is not yet",
    ]);
    Cloud::new()
        .tag("Mirror-Filter", "tmf-9")
        .plans(&["i-1 eni-1: block: filter tmf-9 does not exist"]);
}

#[test]
fn the_default_filter_is_the_one_set_then_the_one_tagged_then_the_only_one() {
    let chosen =
        "i-1 eni-1: create session 1 to tmt-1 with tmf-2: should be mirrored and is not yet";
    let cloud = || Cloud::new().filter(filter("tmf-2"));
    cloud().set("MIRROR_FILTER_ID", "tmf-2").plans(&[chosen]);
    cloud().with(|o| o.filters[1].managed_by = Some("automirror".into())).plans(&[chosen]);
    let none = "i-1 eni-1: block: no filter: MIRROR_FILTER_ID is not set, and of 2 filters not \
                exactly one is tagged ManagedBy=automirror";
    cloud().plans(&[none]);
    let both = cloud().with(|o| {
        for filter in &mut o.filters {
            filter.managed_by = Some("automirror".into());
        }
    });
    both.plans(&[none]);
}

#[test]
fn a_filter_that_accepts_nothing_is_used_but_said() {
    let empty = "i-1 eni-1: block: filter tmf-1 accepts no packets: give it rules";
    let cloud = || Cloud::new().with(|o| o.filters[0].rules.clear());
    cloud().plans(&[empty, CREATE]);
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP, empty]);
}

// 5. Session number

#[test]
fn the_number_is_the_smallest_free_one_after_foreign_sessions() {
    let cloud = || {
        Cloud::new()
            .target(load_balancer("tmt-2", US))
            .session(foreign("tms-a", 5, "tmt-2", "tmf-x"))
            .session(foreign("tms-b", 3, "tmt-2", "tmf-x"))
            .tag("Mirror-Target", "tmt-1")
    };
    cloud().plans(&[
        "i-1 eni-1: create session 6 to tmt-1 with tmf-1: should be mirrored and is not yet",
    ]);
    cloud().set("MIRROR_PRECEDENCE", "before").plans(&[CREATE]);
}

#[test]
fn without_a_number_on_the_wanted_side_it_is_blocked() {
    let cloud = |number| Cloud::new().session(foreign("tms-a", number, "tmt-1", "tmf-x"));
    cloud(32766).plans(&["i-1 eni-1: block: no session number is free after the foreign sessions"]);
    cloud(1)
        .set("MIRROR_PRECEDENCE", "before")
        .plans(&["i-1 eni-1: block: no session number is free before the foreign sessions"]);
}

#[test]
fn an_interface_with_three_sessions_has_no_room() {
    let cloud = Cloud::new().with(|o| {
        for number in 1..=3 {
            o.sessions.push(foreign(&format!("tms-{number}"), number, "tmt-1", "tmf-x"));
        }
    });
    cloud.plans(&[
        "i-1 eni-1: block: the interface has no room for a session: at most 3 fit, and 3 are foreign",
    ]);
}

#[test]
fn a_source_with_two_sessions_on_a_target_takes_one_place() {
    let cloud = Cloud::new()
        .with(|o| {
            o.targets = vec![sensor("tmt-1", "eni-t1", "a")];
            o.sessions.extend(fill("tmt-1", 9));
        })
        .filter(filter("tmf-2"))
        .tag("Mirror-Target", "tmt-1,tmt-1")
        .tag("Mirror-Filter", "tmf-1,tmf-2");
    cloud.plans(&[
        CREATE,
        "i-1 eni-1: create session 2 to tmt-1 with tmf-2: should be mirrored and is not yet",
    ]);
}

#[test]
fn a_session_that_goes_makes_its_target_emptier() {
    let cloud = Cloud::new().with(|o| {
        o.targets = ["tmt-1", "tmt-2"].map(|id| load_balancer(id, US)).to_vec();
        o.add(instance("i-0", &["eni-0"]));
        change_instance(o, 1, |instance| instance.state = InstanceState::Stopped);
        o.sessions.push(owned("tms-0", "eni-0", 1));
    });
    cloud.plans(&["i-0 eni-0: delete tms-0: the instance is stopped", CREATE]);
}

#[test]
fn a_session_that_cannot_move_is_still_put_right() {
    let cloud = Cloud::new().tag("Mirror-Target", "tmt-2").with(|o| {
        o.targets.push(sensor("tmt-2", "eni-t2", "a"));
        o.sessions.extend(fill("tmt-2", 10));
    });
    cloud.set("MIRROR_VNI", "9").session(owned("tms-1", "eni-1", 1)).plans(&[
        "i-1 eni-1: modify tms-1, VNI 7 -> 9: the session differs from what it should be",
        "i-1 eni-1: block: target tmt-2 has no room for a source",
    ]);
}

#[test]
fn a_session_that_was_there_before_its_interface_became_a_target_goes_on() {
    let cloud = || Cloud::new().target(sensor("tmt-2", "eni-1", "a"));
    cloud().session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
    cloud().plans(&[
        "i-1 eni-1: block: the interface is behind target tmt-2, so it cannot be a source",
    ]);
}

// 6. Compare

#[test]
fn a_session_that_is_right_stays_even_where_another_target_is_emptier_or_nearer() {
    let cloud = Cloud::new().target(sensor("tmt-0", "eni-t0", "a"));
    cloud.session(owned("tms-1", "eni-1", 9)).plans(&[KEEP]);
}

#[test]
fn a_wrong_target_is_changed_in_place() {
    let modify = "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2: the session differs from what it should be";
    let cloud = || Cloud::new().target(load_balancer("tmt-2", US));
    let named = cloud().tag("Mirror-Target", "tmt-2");
    named.session(owned("tms-1", "eni-1", 1)).plans(&[modify]);
    let narrowed = cloud().set("MIRROR_TARGET_IDS", "tmt-2");
    narrowed.session(owned("tms-1", "eni-1", 1)).plans(&[modify]);
    let gone = cloud().with(|o| {
        o.targets.remove(0);
        o.not_found.targets = ["tmt-1".parse().unwrap()].into();
    });
    gone.session(owned("tms-1", "eni-1", 1)).plans(&[modify]);
}

#[test]
fn a_wrong_filter_packet_length_or_vni_is_changed_in_place() {
    let differs = |change: &str| {
        format!("i-1 eni-1: modify tms-1{change}: the session differs from what it should be")
    };
    let cloud = || Cloud::new().session(owned("tms-1", "eni-1", 1));
    let filtered = cloud().filter(filter("tmf-2")).set("MIRROR_FILTER_ID", "tmf-2");
    filtered.plans(&[&differs(", filter tmf-1 -> tmf-2")]);
    cloud().set("MIRROR_PACKET_LENGTH", "128").plans(&[&differs(", packet length default -> 128")]);
    cloud().set("MIRROR_VNI", "9").plans(&[&differs(", VNI 7 -> 9")]);
    cloud().set("MIRROR_VNI", "7").plans(&[KEEP]);
    let cut = cloud().with(|o| o.sessions[0].packet_length = 64.try_into().ok());
    cut.plans(&[&differs(", packet length 64 -> default")]);
}

#[test]
fn no_packet_length_and_8500_are_the_same_behind_every_kind_of_target() {
    for target in [load_balancer("tmt-1", US), sensor("tmt-1", "eni-t", "a")] {
        let cloud = |length| {
            let cloud = Cloud::new().session(owned("tms-1", "eni-1", 1));
            cloud.with(|o| {
                o.sessions[0].packet_length = length;
                o.targets = vec![target.clone()];
            })
        };
        cloud(Some(PacketLength::MAX_REQUESTED)).plans(&[KEEP]);
        cloud(None).set("MIRROR_PACKET_LENGTH", "8500").plans(&[KEEP]);
    }
}

#[test]
fn of_two_sessions_of_ours_the_one_with_the_higher_number_goes() {
    let duplicate = "i-1 eni-1: delete tms-2: an owned session with a lower number does the same";
    let cloud =
        || Cloud::new().session(owned("tms-2", "eni-1", 2)).session(owned("tms-1", "eni-1", 1));
    cloud().plans(&[duplicate, KEEP]);
}

#[test]
fn of_two_sessions_of_ours_the_one_that_is_right_stays() {
    let cloud = Cloud::new()
        .session(owned("tms-1", "eni-1", 2))
        .session(owned("tms-2", "eni-1", 1))
        .filter(filter("tmf-9"))
        .set("MIRROR_FILTER_ID", "tmf-1")
        .with(|o| o.sessions[1].filter = "tmf-9".parse().unwrap());
    cloud.plans(&[
        "i-1 eni-1: delete tms-2: an owned session with a lower number does the same",
        KEEP,
    ]);
}

#[test]
fn a_session_of_ours_to_a_target_known_not_to_be_allowed_goes_even_without_another() {
    let cloud = || Cloud::new().session(owned("tms-1", "eni-1", 1));
    cloud().with(|o| o.targets = vec![load_balancer("tmt-1", THEM)]).plans(&[
        "i-1 eni-1: delete tms-1: target tmt-1 of account 222222222222 is not allowed",
        "i-1 eni-1: block: there is no allowed target",
    ]);
    // EC2 says that the target does not exist: the session stays, as nothing receives its packets.
    let gone = cloud().with(|o| {
        o.targets.clear();
        o.not_found.targets = ["tmt-1".parse().unwrap()].into();
    });
    gone.plans(&["i-1 eni-1: block: there is no allowed target"]);
}

#[test]
fn an_unreadable_tag_blocks_and_leaves_a_session_alone_unless_it_is_not_allowed() {
    let odd = format!("tmt-{}\u{1b}[2J", "é".repeat(100));
    let cloud = || Cloud::new().tag("Mirror-Target", &odd).session(owned("tms-1", "eni-1", 1));
    let block = "i-1 eni-1: block: tag Mirror-Target is `tmt-2J`: accepted is an id that starts with \
                 `tmt-`, followed by lower-case letters and digits";
    cloud().plans(&[block]);
    cloud().with(|o| o.targets = vec![load_balancer("tmt-1", THEM)]).plans(&[
        "i-1 eni-1: delete tms-1: target tmt-1 of account 222222222222 is not allowed",
        block,
    ]);
    Cloud::new().tag("Mirror-Interfaces", "eth0").plans(&[
        "i-1 eni-1: block: tag Mirror-Interfaces is `eth0`: accepted is `all` or `primary`",
    ]);
}

#[test]
fn two_spellings_of_a_tag_that_disagree_block() {
    for (key, one, other) in [
        ("Mirror-Target", "tmt-1", "tmt-2"),
        ("Mirror-Filter", "tmf-1", "tmf-2"),
        ("Mirror-Interfaces", "all", "primary"),
    ] {
        let block =
            format!("i-1 eni-1: block: two spellings of tag {key} differ: remove one of them");
        let cloud = || Cloud::new().tag(key, one);
        cloud().tag(&key.to_lowercase(), other).plans(&[&block]);
        cloud().tag(&key.to_lowercase(), one).plans(&[CREATE]);
    }
}

// 7. Foreign sessions

#[test]
fn a_foreign_session_is_never_touched() {
    untagged().session(foreign("tms-f", 1, "tmt-1", "tmf-1")).plans(&[NOT_SELECTED]);
    let other_installation = owned("tms-f", "eni-1", 1);
    let cloud = untagged().session(other_installation);
    cloud.set("MIRROR_OWNER", "another").plans(&[NOT_SELECTED]);
    let cloud = untagged().session(owned("tms-f", "eni-1", 1));
    cloud.with(|o| o.sessions[0].account = THEM.parse().unwrap()).plans(&[NOT_SELECTED]);
}

/// Of two stacks with one owner each leaves the other's sessions alone, and says so.
#[test]
fn another_installation_with_the_same_owner_is_named_and_its_sessions_are_left_alone() {
    let cloud = |installation: Option<&str>| {
        let session =
            Session { installation: installation.map(Into::into), ..owned("tms-1", "eni-1", 1) };
        untagged().session(session).set("MIRROR_INSTALLATION", "east")
    };
    let named = "i-1 eni-1: block: session tms-1 has the owner of this installation and is of installation \
                 `west`: it is left alone (give each installation a MIRROR_OWNER of its own)";
    cloud(Some("west")).plans(&[named, NOT_SELECTED]);
    let outside = cloud(Some("west")).set("MIRROR_VPC_IDS", "vpc-2");
    outside.plans(&["i-1 eni-1: ignore: its VPC is not among MIRROR_VPC_IDS"]);
    for own in [Some("east"), None] {
        let text = crate::plan::plan(&cloud(own).policy(), &cloud(own).observed);
        assert_eq!(text.changes().count(), 1, "{own:?}: {text}");
    }
    // Another owner's, or another account's, is foreign like any other.
    let stranger = cloud(Some("west")).set("MIRROR_OWNER", "another");
    stranger.plans(&[NOT_SELECTED]);
    let theirs = cloud(Some("west")).with(|o| o.sessions[0].account = THEM.parse().unwrap());
    theirs.plans(&[NOT_SELECTED]);
}

#[test]
fn a_foreign_session_that_does_what_is_wanted_counts() {
    Cloud::new()
        .session(foreign("tms-f", 1, "tmt-1", "tmf-1"))
        .plans(&["i-1 eni-1: keep tms-f: a foreign session already mirrors it as it should be"]);
    // One to another allowed target does no harm, but neither is it what is wanted.
    let other = Cloud::new().target(load_balancer("tmt-2", US)).tag("Mirror-Target", "tmt-1");
    other.session(foreign("tms-f", 1, "tmt-2", "tmf-1")).plans(&[
        "i-1 eni-1: create session 2 to tmt-1 with tmf-1: should be mirrored and is not yet",
    ]);
}

#[test]
fn foreign_sessions_count_only_where_none_of_ours_is_left_for_a_wish() {
    Cloud::new()
        .target(load_balancer("tmt-2", US))
        .filter(filter("tmf-2"))
        .tag("Mirror-Target", "tmt-1,tmt-2")
        .tag("Mirror-Filter", "tmf-1,tmf-2")
        .session(foreign("tms-f", 1, "tmt-1", "tmf-1"))
        .session(foreign("tms-g", 2, "tmt-2", "tmf-2"))
        .session(Session { filter: "tmf-3".parse().unwrap(), ..owned("tms-1", "eni-1", 3) })
        .plans(&[
            "i-1 eni-1: keep tms-f: a foreign session already mirrors it as it should be",
            "i-1 eni-1: modify tms-1, target tmt-1 -> tmt-2, filter tmf-3 -> tmf-2: the session differs from what it should be",
        ]);
}

#[test]
fn a_session_of_ours_stays_beside_a_foreign_one_that_does_the_same() {
    let cloud = Cloud::new().session(foreign("tms-f", 2, "tmt-1", "tmf-1"));
    cloud.session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
}

#[test]
fn a_foreign_session_in_front_that_leads_to_a_forbidden_target_shadows() {
    let shadow = |owner: &str| {
        format!(
            "i-1 eni-1: block: foreign session tms-f (number 1) takes the packets first, to \
             target tmt-9{owner}, which is not allowed or does not receive"
        )
    };
    let cloud = || Cloud::new().session(foreign("tms-f", 1, "tmt-9", "tmf-x"));
    let create =
        "i-1 eni-1: create session 2 to tmt-1 with tmf-1: should be mirrored and is not yet";
    cloud().plans(&[&shadow(""), create]);
    let known = cloud().target(load_balancer("tmt-9", THEM));
    known.session(owned("tms-1", "eni-1", 2)).plans(&[KEEP, &shadow(" of account 222222222222")]);
}

#[test]
fn a_foreign_session_behind_ours_does_no_harm() {
    let cloud = Cloud::new().session(foreign("tms-f", 2, "tmt-9", "tmf-x"));
    cloud.session(owned("tms-1", "eni-1", 1)).plans(&[KEEP]);
}

#[test]
fn a_foreign_session_with_our_number_may_come_first() {
    let cloud = Cloud::new().session(foreign("tms-f", 1, "tmt-9", "tmf-x"));
    cloud.session(owned("tms-1", "eni-1", 1)).plans(&[
        KEEP,
        "i-1 eni-1: block: foreign session tms-f (number 1) takes the packets first, to target \
         tmt-9, which is not allowed or does not receive",
    ]);
}

#[test]
fn a_covering_foreign_session_can_be_shadowed_too() {
    Cloud::new()
        .session(foreign("tms-f", 1, "tmt-9", "tmf-x"))
        .session(foreign("tms-g", 2, "tmt-1", "tmf-1"))
        .plans(&[
            "i-1 eni-1: keep tms-g: a foreign session already mirrors it as it should be",
            "i-1 eni-1: block: foreign session tms-f (number 1) takes the packets first, to \
             target tmt-9, which is not allowed or does not receive",
        ]);
}

// Several interfaces at once

#[test]
fn thirty_instances_spread_evenly_over_seven_sensors() {
    let mut cloud = Cloud::new().with(|o| {
        o.targets =
            (1..=7).map(|n| sensor(&format!("tmt-{n}"), &format!("eni-t{n}"), "a")).collect();
        remove_instances(o);
        for n in 10..40 {
            o.add(instance(&format!("i-{n}"), &[&format!("eni-{n}")]));
        }
    });
    let plan = super::plan(&cloud.policy(), &cloud.observed);
    let mut counts = [0; 8];
    for step in plan.changes() {
        let target = step.action.target().unwrap();
        let number: usize = target.as_str()[4..].parse().unwrap();
        counts[number] += 1;
        let id = format!("tms-{}", &step.source.as_str()[4..]);
        let session = owned(&id, step.source.as_str(), 1);
        cloud.observed.sessions.push(Session { target: target.clone(), ..session });
    }
    assert_eq!(counts, [0, 5, 5, 4, 4, 4, 4, 4]);
    assert_eq!(super::plan(&cloud.policy(), &cloud.observed).changes().count(), 0);
}

#[test]
fn a_session_that_moves_away_makes_room_for_one_that_wants_in() {
    // i-1 wants tmt-2, which is full until i-2 has moved from there to tmt-3.
    let cloud = Cloud::new().tag("Mirror-Target", "tmt-2").with(|o| {
        o.targets = vec![sensor("tmt-2", "eni-t2", "a"), load_balancer("tmt-3", US)];
        o.add(instance("i-2", &["eni-2"]));
        change_instance(o, 1, |instance| {
            instance.tags.push(Tag { key: "Mirror-Target".into(), value: "tmt-3".into() });
        });
        o.sessions.extend(fill("tmt-2", 9));
        let mut leaving = owned("tms-2", "eni-2", 1);
        leaving.target = "tmt-2".parse().unwrap();
        o.sessions.push(leaving);
    });
    cloud.plans(&[
        "i-1 eni-1: create session 1 to tmt-2 with tmf-1: should be mirrored and is not yet",
        "i-2 eni-2: modify tms-2, target tmt-2 -> tmt-3: the session differs from what it should be",
    ]);
}
