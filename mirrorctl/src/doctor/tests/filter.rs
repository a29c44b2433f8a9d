//! What a filter leaves out, before there is a session with it.

use shared::{
    observed::{Addresses, Shown},
    policy::Policy,
};

use super::{
    pre::{before_a_deployment, found},
    stage::{INTERFACE, Stage},
};

/// What a filter accepts is the plan's to say.
#[test]
fn a_filter_whose_accepting_rules_are_hidden_accepts_nothing() {
    let mut stage = before_a_deployment(INTERFACE);
    stage.policy.filter = "tmf-1".parse().ok();
    let of_filter = |stage: &Stage| found(stage).into_iter().find(|(topic, ..)| *topic == "filter");
    assert_eq!(of_filter(&stage), None);
    let rules = &mut stage.observed.filters[0].rules;
    for mut rule in rules.clone() {
        (rule.number, rule.accepts) = (0, false);
        rules.push(rule);
    }
    assert_eq!(of_filter(&stage), Some(("filter", "filter-empty", "broken")));
}

/// The plan would say so of each source, once there is a target.
#[test]
fn a_filter_that_leaves_out_a_direction_or_a_version_of_ip_is_partial() {
    let of_filter = |change: fn(&mut Stage)| {
        let mut stage = before_a_deployment(INTERFACE);
        stage.policy.filter = "tmf-1".parse().ok();
        change(&mut stage);
        found(&stage).into_iter().find(|(topic, ..)| *topic == "filter")
    };
    let one_direction = |stage: &mut Stage| {
        stage.observed.filters[0].rules.truncate(1);
        stage.observed.filters[0].amazon_dns = true;
    };
    let partial = |state| Some(("filter", "filter-partial", state));
    assert_eq!(of_filter(|_| ()), None);
    assert_eq!(of_filter(one_direction), partial("broken"));
    assert_eq!(
        of_filter(|stage| {
            stage.observed.filters[0].rules.truncate(1);
            stage.observed.targets.clear();
        }),
        partial("broken")
    );
    assert_eq!(
        of_filter(|stage| {
            let Shown::Yes(interface) = &mut stage.observed.sources[0].interface else { return };
            interface.has_ipv6 = true;
        }),
        partial("broken")
    );
    // Where nothing has an address of IPv4, the plan asks for no rule of it.
    assert_eq!(
        of_filter(|stage| {
            for rule in &mut stage.observed.filters[0].rules {
                let everything = 0..=u128::MAX;
                rule.packets.as_mut().unwrap().addresses =
                    Addresses::V6(everything.clone(), everything);
            }
            let Shown::Yes(interface) = &mut stage.observed.sources[0].interface else { return };
            (interface.has_ipv6, interface.ipv6_only) = (true, true);
        }),
        None
    );
    assert_eq!(
        of_filter(|stage| {
            stage.observed.filters[0].rules.truncate(1);
            let accepted_reasons = ["filter-partial".to_owned()].into();
            stage.policy = Policy { accepted_reasons, ..stage.policy.clone() };
        }),
        partial("limited")
    );
}
