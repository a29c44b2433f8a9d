//! What must hold of any network: a fault more never mends anything, and what was not read is never fine.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::subsequence, strategy::ValueTree, test_runner::TestRunner};
use shared::observed::TargetState;

use super::super::{
    link::Link,
    network::{Health, Via},
    trouble::Grade,
};
use super::stage::{KINDS, Stage, problem};

/// Something that goes wrong, on a way where anything else may be wrong already.
type Break = fn(&mut Stage);

const FAULTS: [Break; 21] = [
    |it| it.observed.sessions.truncate(0),
    |it| it.observed.filters[0].rules.clear(),
    |it| it.observed.filters[0].rules.truncate(1),
    Stage::stop_source,
    |it| it.observed.targets.iter_mut().for_each(|it| it.state = TargetState::Gone),
    |it| it.observed.targets.iter_mut().for_each(|it| it.state = TargetState::Stopped),
    |it| {
        if !it.observed.targets.is_empty() {
            it.withdraw();
        }
    },
    |it| each(it.network.balancers.as_mut(), |it| it.state = "failed".to_owned()),
    |it| each(it.network.balancers.as_mut(), |it| it.listeners = Ok(Vec::new())),
    |it| each(it.network.balancers.as_mut(), |it| it.crosses_zones = Ok(false)),
    |it| each(it.network.balancers.as_mut(), |it| it.zones.clear()),
    |it| sensors(it, |it| it.health = Health::Unhealthy),
    |it| each(it.network.endpoints.as_mut(), |it| it.state = "rejected".to_owned()),
    |it| each(it.network.groups.as_mut(), |it| it.inbound.clear()),
    |it| each(it.network.groups.as_mut(), |it| it.outbound.clear()),
    |it| each(it.network.acls.as_mut(), |it| it.inbound.clear()),
    |it| each(it.network.acls.as_mut(), |it| it.outbound.clear()),
    |it| tables(it, Vec::clear),
    |it| tables(it, |it| it.iter_mut().for_each(|it| it.is_active = false)),
    |it| tables(it, |it| it.iter_mut().for_each(|it| it.via = Via::Other("eni-9".to_owned()))),
    |it| it.source_mtu = 9001,
];

/// What was not read, with the links that are then never fine, where they are asked.
const UNREAD: [(Break, &[Link]); 11] = [
    (
        |it| it.network.interfaces = problem("ec2:DescribeNetworkInterfaces"),
        &[Link::SecurityGroup, Link::Acl, Link::Route, Link::Mtu],
    ),
    (
        |it| {
            if let Ok(interfaces) = &mut it.network.interfaces {
                interfaces.remove("eni-1");
            }
        },
        &[Link::SecurityGroup, Link::Acl, Link::Route, Link::Mtu],
    ),
    (|it| it.network.groups = problem("ec2:DescribeSecurityGroups"), &[Link::SecurityGroup]),
    (|it| it.network.acls = problem("ec2:DescribeNetworkAcls"), &[Link::Acl]),
    (|it| it.network.routes = problem("ec2:DescribeRouteTables"), &[Link::Route, Link::Mtu]),
    (|it| it.network.balancers = problem("x"), &[Link::Listener, Link::Zone, Link::Health]),
    (|it| it.network.endpoints = problem("ec2:DescribeVpcEndpoints"), &[Link::Health]),
    (
        |it| each(it.network.balancers.as_mut(), |it| it.listeners = problem("x")),
        &[Link::Listener, Link::Health],
    ),
    (|it| each(it.network.balancers.as_mut(), |it| it.pools = problem("x")), &[Link::Health]),
    (
        |it| each(it.network.balancers.as_mut(), |it| it.crosses_zones = problem("x")),
        // The sensor is in another zone than the source.
        &[Link::Health],
    ),
    (|it| sensors(it, |it| it.health = Health::Unknown), &[Link::Health]),
];

fn each<T>(
    all: Result<&mut std::collections::BTreeMap<String, T>, &mut crate::problem::Problem>,
    change: impl FnMut(&mut T),
) {
    if let Ok(all) = all {
        all.values_mut().for_each(change);
    }
}

fn sensors(stage: &mut Stage, mut change: impl FnMut(&mut super::super::network::Sensor)) {
    each(stage.network.balancers.as_mut(), |balancer| {
        each(balancer.pools.as_mut(), |pool| {
            pool.sensors.as_mut().unwrap().iter_mut().for_each(&mut change);
        });
    });
}

fn tables(stage: &mut Stage, change: impl FnMut(&mut Vec<super::super::network::Route>)) {
    if let Ok(routes) = &mut stage.network.routes {
        routes.tables.values_mut().for_each(change);
    }
}

/// A way to a target of any kind with any faults.
pub(super) fn any_stage() -> impl Strategy<Value = Stage> {
    let faults = subsequence(FAULTS.to_vec(), 0..=FAULTS.len()).prop_shuffle();
    (0..KINDS.len(), faults).prop_map(|(kind, faults)| {
        let mut stage = Stage::new(KINDS[kind]);
        for fault in faults {
            fault(&mut stage);
        }
        stage
    })
}

/// The links that are fine for every pair, and those that are not.
fn sorted(stage: &Stage) -> (BTreeSet<Link>, BTreeSet<Link>) {
    let checked = stage.check();
    let links = checked.iter().flat_map(|it| &it.links);
    let bad: BTreeSet<_> =
        links.clone().filter(|(_, judgement)| judgement.is_err()).map(|(link, _)| *link).collect();
    let fine = links.map(|(link, _)| *link).filter(|link| !bad.contains(link)).collect();
    (fine, bad)
}

/// The links that are broken or unknown before, and fine after.
fn mended(before: &Stage, after: &Stage) -> Vec<Link> {
    sorted(after).0.intersection(&sorted(before).1).copied().collect()
}

/// The worst grade.
fn grade(stage: &Stage) -> Option<Grade> {
    stage.check().iter().filter_map(super::super::links::Checked::grade).max()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn a_fault_more_mends_nothing(stage in any_stage(), next in 0..FAULTS.len()) {
        let mut after = stage.clone();
        FAULTS[next](&mut after);
        prop_assert_eq!(mended(&stage, &after), []);
        // A source that has stopped before its session was there should have none.
        prop_assert!(after.check().is_empty() || grade(&stage) <= grade(&after));
    }

    #[test]
    fn what_was_not_read_is_never_fine(stage in any_stage(), next in 0..UNREAD.len()) {
        let (unread, links) = UNREAD[next];
        let mut after = stage.clone();
        unread(&mut after);
        prop_assert_eq!(mended(&stage, &after), []);
        let (fine, _) = sorted(&after);
        let kind = stage.kind;
        for link in links.iter().filter(|link| !is_untouched(kind, **link, next)) {
            prop_assert!(!fine.contains(link), "{kind} {link:?}");
        }
        prop_assert!(after.check().is_empty() || !links.iter().any(|it| !is_untouched(kind, *it, next))
            || grade(&after) >= Some(Grade::CannotTell));
    }
}

/// Whether a fact has nothing to do with a link, for this kind of target.
fn is_untouched(kind: &str, link: Link, fact: usize) -> bool {
    match fact {
        0 | 1 => kind == super::stage::ENDPOINT && link == Link::SecurityGroup,
        2..=4 => false,
        6 => kind != super::stage::ENDPOINT,
        _ => kind != super::stage::BALANCER,
    }
}

/// What is said of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// There is no session to judge.
    Nothing,
    Fine,
    Bad(Grade),
}

fn with_faults(kind: &'static str, faults: &[usize]) -> Said {
    let mut stage = Stage::new(kind);
    for fault in faults {
        FAULTS[*fault](&mut stage);
    }
    match grade(&stage) {
        Some(grade) => Said::Bad(grade),
        None if stage.check().is_empty() => Said::Nothing,
        None => Said::Fine,
    }
}

/// A fault matters to a kind of target if it alone makes a difference.
#[test]
fn of_ten_thousand_ways_one_is_fine_exactly_if_no_fault_matters() {
    let matters: BTreeMap<_, BTreeSet<usize>> = KINDS
        .iter()
        .map(|kind| {
            let alone = |fault: &usize| with_faults(kind, &[*fault]) != with_faults(kind, &[]);
            (*kind, (0..FAULTS.len()).filter(alone).collect())
        })
        .collect();
    let ways = (0..KINDS.len(), subsequence((0..FAULTS.len()).collect::<Vec<_>>(), 0..=4));
    let mut runner = TestRunner::deterministic();
    let mut counts: BTreeMap<Said, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        let (kind, faults) = ways.new_tree(&mut runner).unwrap().current();
        let kind = KINDS[kind];
        let said = with_faults(kind, &faults);
        if faults.iter().any(|fault| matters[kind].contains(fault)) {
            assert_ne!(said, Said::Fine, "{kind} {faults:?}");
        } else {
            assert_eq!(said, with_faults(kind, &[]), "{kind} {faults:?}");
        }
        *counts.entry(said).or_default() += 1;
    }
    // docs/reliability.md has the numbers.
    let cannot_tell = counts.get(&Said::Bad(Grade::CannotTell));
    assert_eq!((counts.get(&Said::Fine), cannot_tell), (Some(&1_735), Some(&1_222)), "{counts:?}");
}
