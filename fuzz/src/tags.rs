//! Tags, which anyone may write who may tag an instance: each line is a tag, `key=value`, or a
//! setting, `MIRROR_…=value`.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::{
    observed::{Filter, Instance, InstanceState, Interface, Observed, Session, Target, TargetKind},
    plan::plan,
    policy::{Policy, Scope},
    reads_tag, selected,
    spelling::spellings,
    step::Action,
};

/// The longest line said about a step: a few texts of 64 characters, and ids.
const LONGEST: usize = 1_000;

/// Tags choose among what the policy allows, and nothing else.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (settings, tags): (BTreeMap<_, _>, BTreeMap<_, _>) =
        crate::pairs(text).into_iter().partition(|(name, _)| name.starts_with("MIRROR_"));
    let setting = |name: &str| settings.get(name).map(|value| (*value).to_owned());
    let Ok(policy) = Policy::parse(setting) else { return };
    let tags = tags.into_iter().map(|(key, value)| (key.into(), value.into()));
    let observed = cloud(&policy, tags.collect());
    check_plan(&policy, &observed);
    check_sweep(&policy, &observed.instances[0]);
}

fn check_plan(policy: &Policy, observed: &Observed) {
    let planned = plan(policy, observed);
    assert_eq!(planned, plan(policy, observed), "planning twice gives the same");
    for step in &planned.steps {
        crate::assert_fit(&step.to_string(), LONGEST);
        if let Some(target) = step.action.target() {
            let target = observed.targets.iter().find(|it| it.id == *target).unwrap();
            let allowed = policy.allows(&target.id, Some(&target.account), &observed.account);
            assert!(allowed, "{step}");
        }
        if let Some(filter) = step.action.filter() {
            assert!(observed.filters.iter().any(|it| it.id == *filter), "{step}");
        }
        if let Action::Modify(id, _) | Action::Delete(id) = &step.action {
            assert_eq!(id.as_str(), "tms-1", "the other session is not ours");
        }
    }
    let mut fewer = observed.clone();
    fewer.instances[0].tags.retain(|(key, _)| reads_tag(policy, key));
    assert_eq!(planned, plan(policy, &fewer), "nothing depends on the other tags");
}

/// A sweep finds by its tag's key what an event about it would have mirrored.
fn check_sweep(policy: &Policy, instance: &Instance) {
    if policy.scope == Scope::Tagged && selected(policy, instance).is_ok() {
        let spellings = spellings(&policy.tag_key);
        assert!(spellings.len() <= 200, "more values than a request takes");
        let is_found = |key: &Arc<str>| {
            let key: Vec<char> = key.chars().collect();
            spellings.iter().any(|it| matches(&it.chars().collect::<Vec<_>>(), &key))
        };
        assert!(instance.tags.iter().map(|(key, _)| key).any(is_found), "{:?}", instance.tags);
    }
}

/// As EC2's filters match: `*` is any text, `?` any character, and `\` takes the next one as it is.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        (['*', rest @ ..], _) => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        (['?', rest @ ..], [_, left @ ..]) => matches(rest, left),
        (['\\', wanted, rest @ ..] | [wanted, rest @ ..], [letter, left @ ..]) => {
            wanted == letter && matches(rest, left)
        }
        (_, []) => false,
    }
}

/// An instance with these tags and two interfaces. One has a session of ours, the other a foreign
/// one; of three targets one is another account's, and of three filters one is empty.
fn cloud(policy: &Policy, tags: Vec<(Arc<str>, Arc<str>)>) -> Observed {
    let (us, them) = ("111111111111", "222222222222");
    let interface = |id: &str, primary| Interface {
        id: id.parse().unwrap(),
        kind: "interface".into(),
        vpc: "vpc-1".parse().ok(),
        primary,
        detaching: false,
        ipv6_only: false,
        requester: None,
    };
    let target = |id: &str, account: &str, kind| Target {
        id: id.parse().unwrap(),
        account: account.parse().unwrap(),
        kind,
        refused: false,
    };
    let sensor = TargetKind::Interface {
        id: "eni-9".parse().unwrap(),
        instance_type: None,
        zone: Some("a".into()),
    };
    let filter = |id: &str, accepts| Filter { id: id.parse().unwrap(), accepts, managed_by: None };
    let ours = Session {
        id: "tms-1".parse().unwrap(),
        account: us.parse().unwrap(),
        interface: "eni-1".parse().unwrap(),
        target: "tmt-1".parse().unwrap(),
        filter: "tmf-1".parse().unwrap(),
        number: 1,
        packet_length: None,
        vni: Some(7),
        managed_by: Some(policy.owner.clone()),
    };
    let foreign = Session {
        id: "tms-2".parse().unwrap(),
        interface: "eni-2".parse().unwrap(),
        target: "tmt-3".parse().unwrap(),
        number: 5,
        managed_by: None,
        ..ours.clone()
    };
    let instance = Instance {
        id: "i-1".parse().unwrap(),
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        zone: Some("a".into()),
        tags,
        interfaces: vec![interface("eni-1", true), interface("eni-2", false)],
    };
    Observed {
        account: us.parse().unwrap(),
        instances: vec![instance],
        loose: Vec::new(),
        sessions: vec![ours, foreign],
        targets: vec![
            target("tmt-1", us, TargetKind::NetworkLoadBalancer),
            target("tmt-2", us, sensor),
            target("tmt-3", them, TargetKind::GatewayLoadBalancerEndpoint),
        ],
        filters: vec![filter("tmf-1", true), filter("tmf-2", true), filter("tmf-3", false)],
    }
}
