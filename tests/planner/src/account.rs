//! An account with something of everything that a decision may find.

use anyhow::Context;
use shared::{
    id::AccountId,
    observed::{Filter, Instance, InstanceState, Interface, Observed, Session, Target, TargetKind},
};

const US: &str = "111122223333";
const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];
const SENSORS: usize = 10;

/// Of ten interfaces, each on an instance of its own: one opted out, five without a session, two with
/// the right one, one with another filter than the wanted one, one with a foreign session in front.
pub(crate) fn account(interfaces: usize) -> anyhow::Result<Observed> {
    let account: AccountId = US.parse()?;
    let mut observed = Observed {
        account: account.clone(),
        instances: Vec::new(),
        loose: Vec::new(),
        sessions: Vec::new(),
        targets: targets(&account)?,
        filters: vec![
            Filter { managed_by: Some("automirror".to_owned()), ..filter("tmf-0")? },
            filter("tmf-1")?,
        ],
    };
    for index in 0..interfaces {
        observed.instances.push(instance(index)?);
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

fn instance(index: usize) -> anyhow::Result<Instance> {
    let interface = Interface {
        id: format!("eni-{index:017x}").parse()?,
        kind: "interface".into(),
        vpc: Some("vpc-0".parse()?),
        primary: true,
        detaching: false,
        ipv6_only: false,
        requester: None,
    };
    let value = if index.is_multiple_of(10) { "False" } else { "True" };
    let zone = ZONES.get(index % ZONES.len()).context("there are three")?;
    Ok(Instance {
        id: format!("i-{index:017x}").parse()?,
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        zone: Some((*zone).into()),
        tags: vec![("Mirror".into(), value.into())],
        interfaces: vec![interface],
    })
}

fn session(index: usize, account: &AccountId) -> anyhow::Result<Session> {
    Ok(Session {
        id: format!("tms-{index:017x}").parse()?,
        account: account.clone(),
        interface: format!("eni-{index:017x}").parse()?,
        target: "tmt-0".parse()?,
        filter: "tmf-0".parse()?,
        number: 1,
        packet_length: None,
        vni: Some(1),
        managed_by: Some("automirror".to_owned()),
    })
}

/// A load balancer, and sensors that are soon full.
fn targets(account: &AccountId) -> anyhow::Result<Vec<Target>> {
    let target = |index: usize, kind| -> anyhow::Result<Target> {
        let id = format!("tmt-{index}").parse()?;
        Ok(Target { id, account: account.clone(), kind, refused: false })
    };
    let mut targets = vec![target(0, TargetKind::NetworkLoadBalancer)?];
    for index in 1..=SENSORS {
        let kind = TargetKind::Interface {
            id: format!("eni-{index}s").parse()?,
            instance_type: Some("m5.large".into()),
            zone: Some("us-east-1a".into()),
        };
        targets.push(target(index, kind)?);
    }
    Ok(targets)
}

fn filter(id: &str) -> anyhow::Result<Filter> {
    Ok(Filter { id: id.parse()?, accepts: true, managed_by: None })
}
