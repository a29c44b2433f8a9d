//! An account with something of everything that a decision may find.

use std::sync::Arc;

use anyhow::Context;
use shared::{
    id::{AccountId, InterfaceId},
    number::SessionNumber,
    observed::{
        Addresses, Attachment, Capacity, DescribedInstance, Direction, Endpoint, Filter,
        FilterRule, Instance, InstanceState, Interface, KnownTypes, Location, NotFound, Observed,
        Owner, Packets, Session, Shown, Source, Tag, Target, TargetState,
    },
    plan::eligibility::interface_capacity,
};

const ACCOUNT: &str = "111122223333";
const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];
const SENSORS: usize = 10;

/// Of ten interfaces, each on an instance of its own: one opted out, five without a session, two with
/// the desired one, one with another filter, one with a foreign session in front.
pub(crate) fn account(interfaces: usize) -> anyhow::Result<Observed> {
    let account: AccountId = ACCOUNT.parse()?;
    let mut observed = Observed {
        account: account.clone(),
        instances: Vec::new(),
        sources: Vec::new(),
        sessions: Vec::new(),
        targets: targets(&account)?,
        filters: vec![
            Filter { managed_by: Some("automirror".into()), ..filter("tmf-0")? },
            filter("tmf-1")?,
        ],
        is_whole: false,
        not_found: NotFound::default(),
        types: KnownTypes::default(),
    };
    for index in 0..interfaces {
        observed.add(instance(index)?);
        let session = match index % 10 {
            6 | 7 => session(index, &account)?,
            8 => Session { filter: "tmf-1".parse()?, ..session(index, &account)? },
            9 => Session { managed_by: None, ..session(index, &account)? },
            _ => continue,
        };
        observed.sessions.push(session);
    }
    Ok(observed)
}

fn instance(index: usize) -> anyhow::Result<DescribedInstance> {
    let value = if index.is_multiple_of(10) { "False" } else { "True" };
    let instance = Arc::new(Instance {
        id: format!("i-{index:017x}").parse()?,
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        tags: vec![Tag { key: "Mirror".into(), value: value.into() }],
        tags_confirmed: true,
    });
    let zone = ZONES.get(index % ZONES.len()).context("there are three")?;
    let interface = Interface {
        kind: "interface".into(),
        vpc: Some("vpc-0".parse()?),
        zone: Some((*zone).into()),
        ipv6_only: false,
        has_ipv6: false,
        requester: None,
        tags: Vec::new(),
        attachment: Some(Attachment { primary: true, ..Attachment::default() }),
        owner: Owner::Instance(instance.clone()),
    };
    let id = format!("eni-{index:017x}").parse()?;
    let sources = vec![Source { id, interface: Shown::Yes(interface) }];
    Ok(DescribedInstance { instance, sources })
}

fn session(index: usize, account: &AccountId) -> anyhow::Result<Session> {
    Ok(Session {
        id: format!("tms-{index:017x}").parse()?,
        account: account.clone(),
        interface: format!("eni-{index:017x}").parse()?,
        target: "tmt-0".parse()?,
        filter: "tmf-0".parse()?,
        number: SessionNumber::MIN,
        packet_length: None,
        vni: 1.try_into().ok(),
        managed_by: Some("automirror".into()),
        installation: None,
    })
}

/// A load balancer, and sensors that are soon full.
fn targets(account: &AccountId) -> anyhow::Result<Vec<Target>> {
    let balancer = Target {
        id: "tmt-0".parse()?,
        account: account.clone(),
        endpoint: Endpoint::NetworkLoadBalancer("net/sensors/0".into()),
        location: Location::default(),
        capacity: Capacity::Unlimited,
        state: TargetState::Ready,
        draining: false,
        interfaces: Vec::new(),
    };
    let mut targets = vec![balancer.clone()];
    for index in 1..=SENSORS {
        let interface: InterfaceId = format!("eni-{index}s").parse()?;
        targets.push(Target {
            id: format!("tmt-{index}").parse()?,
            endpoint: Endpoint::Interface(interface.clone()),
            location: Location { vpc: None, zones: vec!["us-east-1a".into()] },
            capacity: interface_capacity("m5.large"),
            interfaces: vec![interface],
            ..balancer.clone()
        });
    }
    Ok(targets)
}

fn filter(id: &str) -> anyhow::Result<Filter> {
    let rule = |direction| FilterRule {
        direction,
        number: 1,
        accepts: true,
        packets: Some(Packets {
            protocols: 0..=u8::MAX,
            source_ports: 0..=u16::MAX,
            destination_ports: 0..=u16::MAX,
            addresses: Addresses::V4(0..=u32::MAX, 0..=u32::MAX),
        }),
    };
    let rules = [Direction::Ingress, Direction::Egress].map(rule).into();
    Ok(Filter { id: id.parse()?, managed_by: None, rules, amazon_dns: true })
}
