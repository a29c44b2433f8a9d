//! Tags, which anyone may write who may tag an instance: each line is a tag, `key=value`, or a
//! setting, `MIRROR_…=value`.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::{
    number::SessionNumber,
    observed::{
        Addresses, Attachment, Capacity, Direction, Endpoint, Filter, FilterRule, Instance,
        InstanceState, Interface, KnownTypes, Location, NotFound, Observed, Owner, Packets,
        Session, Shown, Source, Tag, Target, TargetState,
    },
    plan::{desired::selected, eligibility::interface_capacity, plan, step::Action},
    policy::{Policy, Scope, key_pattern::key_patterns},
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
    let tags = tags.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() });
    let tags: Vec<_> = tags.collect();
    let observed = cloud(&policy, tags.clone());
    check_plan(&policy, &observed, tags);
    check_sweep(&policy, &observed.instances[0]);
}

fn check_plan(policy: &Policy, observed: &Observed, mut tags: Vec<Tag>) {
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
            assert_eq!(id.as_str(), "tms-1", "the other session is foreign");
        }
    }
    tags.retain(|tag| policy.reads_tag(&tag.key));
    let planned_without = plan(policy, &cloud(policy, tags));
    assert_eq!(planned, planned_without, "nothing depends on the other tags");
}

/// A sweep finds by its tag's key what an event about it would have mirrored.
fn check_sweep(policy: &Policy, instance: &Instance) {
    if policy.scope == Scope::Tagged && selected(policy, instance).is_ok() {
        let patterns = key_patterns(&policy.tag_key);
        assert!(patterns.len() <= 200, "more values than a request accepts");
        let is_found = |key: &Arc<str>| {
            let key: Vec<char> = key.chars().collect();
            patterns.iter().any(|it| matches(&it.chars().collect::<Vec<_>>(), &key))
        };
        assert!(instance.tags.iter().map(|tag| &tag.key).any(is_found), "{:?}", instance.tags);
    }
}

/// As EC2's filters match: `*` is any text, `?` any character, and `\` takes the next one as it is.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        (['*', rest @ ..], _) => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        (['?', rest @ ..], [_, left @ ..]) => matches(rest, left),
        (['\\', expected, rest @ ..] | [expected, rest @ ..], [letter, left @ ..]) => {
            expected == letter && matches(rest, left)
        }
        (_, []) => false,
    }
}

const OWN_ACCOUNT: &str = "111111111111";
const OTHER_ACCOUNT: &str = "222222222222";

/// An instance with these tags and two interfaces. One has an owned session, the other a foreign one;
/// of three targets one is another account's, and of three filters one is empty.
fn cloud(policy: &Policy, tags: Vec<Tag>) -> Observed {
    let instance = Arc::new(Instance {
        id: "i-1".parse().unwrap(),
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        tags,
        tags_confirmed: true,
    });
    Observed {
        account: OWN_ACCOUNT.parse().unwrap(),
        sources: vec![source("eni-1", &instance, true), source("eni-2", &instance, false)],
        instances: vec![instance],
        sessions: sessions(policy),
        targets: targets(),
        filters: vec![filter("tmf-1", true), filter("tmf-2", true), filter("tmf-3", false)],
        is_whole: false,
        not_found: NotFound::default(),
        types: KnownTypes::default(),
    }
}

fn filter(id: &str, accepts: bool) -> Filter {
    let rule = |direction| FilterRule {
        direction,
        number: 1,
        accepts,
        packets: Some(Packets {
            protocols: 0..=u8::MAX,
            source_ports: 0..=u16::MAX,
            destination_ports: 0..=u16::MAX,
            addresses: Addresses::V4(0..=u32::MAX, 0..=u32::MAX),
        }),
    };
    let rules = [Direction::Ingress, Direction::Egress].map(rule).into();
    Filter { id: id.parse().unwrap(), managed_by: None, rules, amazon_dns: false }
}

fn source(id: &str, instance: &Arc<Instance>, primary: bool) -> Source {
    let interface = Interface {
        kind: "interface".into(),
        vpc: "vpc-1".parse().ok(),
        zone: Some("a".into()),
        ipv6_only: false,
        has_ipv6: false,
        requester: None,
        tags: Vec::new(),
        attachment: Some(Attachment { primary, ..Attachment::default() }),
        owner: Owner::Instance(instance.clone()),
    };
    Source { id: id.parse().unwrap(), interface: Shown::Yes(interface) }
}

fn sessions(policy: &Policy) -> Vec<Session> {
    let owned = Session {
        id: "tms-1".parse().unwrap(),
        account: OWN_ACCOUNT.parse().unwrap(),
        interface: "eni-1".parse().unwrap(),
        target: "tmt-1".parse().unwrap(),
        filter: "tmf-1".parse().unwrap(),
        number: SessionNumber::MIN,
        packet_length: None,
        vni: 7.try_into().ok(),
        managed_by: Some(policy.owner.as_str().into()),
        installation: None,
    };
    let foreign = Session {
        id: "tms-2".parse().unwrap(),
        interface: "eni-2".parse().unwrap(),
        target: "tmt-3".parse().unwrap(),
        number: 5.try_into().unwrap(),
        managed_by: None,
        ..owned.clone()
    };
    vec![owned, foreign]
}

fn targets() -> Vec<Target> {
    let balancer = Target {
        id: "tmt-1".parse().unwrap(),
        account: OWN_ACCOUNT.parse().unwrap(),
        endpoint: Endpoint::NetworkLoadBalancer("net/sensors/0".into()),
        location: Location::default(),
        capacity: Capacity::Unlimited,
        state: TargetState::Ready,
        draining: false,
        interfaces: Vec::new(),
    };
    let sensor = Target {
        id: "tmt-2".parse().unwrap(),
        endpoint: Endpoint::Interface("eni-9".parse().unwrap()),
        location: Location { vpc: None, zones: vec!["a".into()] },
        capacity: interface_capacity("m5.large"),
        interfaces: vec!["eni-9".parse().unwrap()],
        ..balancer.clone()
    };
    let endpoint = Target {
        id: "tmt-3".parse().unwrap(),
        account: OTHER_ACCOUNT.parse().unwrap(),
        endpoint: Endpoint::GatewayLoadBalancerEndpoint("vpce-0".into()),
        ..balancer.clone()
    };
    vec![balancer, sensor, endpoint]
}
