//! Whether security groups and network ACLs let a copy pass. A rule that cannot be judged leaves it open.

use std::net::IpAddr;

use super::{
    network::{Acl, AclRule, GroupRule, Interface, Network, SecurityGroup},
    trouble::{
        Judgement, NETWORK_ACL_IN, NETWORK_ACL_OUT, NOT_SHOWN, PREFIX_LIST, SECURITY_GROUP_IN,
        SECURITY_GROUP_OUT, Trouble,
    },
};

/// A copy on its way: always UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// The source's address: a load balancer leaves it as it is for UDP ("Client IP preservation").
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) port: u16,
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// Whether these security groups of `owner` let the copy in. `senders` are the security groups of who sends it.
pub(super) fn let_in(
    network: &Network,
    (owner, groups): (&str, &[String]),
    senders: &[String],
    copy: Copy,
) -> Judgement {
    let Some(by) = judge(network, groups, Way::In, (copy.from, senders), copy.port)? else {
        return Ok(());
    };
    let detail =
        format!("no inbound rule of {by} on {owner} takes UDP {} from the source", copy.port);
    Err(Trouble::new(&SECURITY_GROUP_IN, by, detail))
}

/// Whether these security groups of `owner` let the copy out. `receivers` are those of who gets it.
pub(super) fn let_out(
    network: &Network,
    (owner, groups): (&str, &[String]),
    receivers: &[String],
    copy: Copy,
) -> Judgement {
    let Some(by) = judge(network, groups, Way::Out, (copy.to, receivers), copy.port)? else {
        return Ok(());
    };
    let detail =
        format!("no outbound rule of {by} on {owner} takes UDP {} to the sensor", copy.port);
    Err(Trouble::new(&SECURITY_GROUP_OUT, by, detail))
}

/// The security groups that stop the copy; none where one of them lets it pass.
fn judge(
    network: &Network,
    groups: &[String],
    way: Way,
    peer: (IpAddr, &[String]),
    port: u16,
) -> Result<Option<String>, Trouble> {
    let shown = network.groups.as_ref().map_err(Trouble::unread)?;
    let mut unclear = None;
    for id in groups {
        let Some(group) = shown.get(id) else {
            let detail = format!("EC2 does not show security group {id}");
            unclear = unclear.or(Some(Trouble::new(&NOT_SHOWN, id, detail)));
            continue;
        };
        for rule in rules(group, way).iter().filter(|it| it.takes_udp && it.ports.contains(&port)) {
            if takes(rule, peer) {
                return Ok(None);
            }
            unclear = unclear.or_else(|| rule.prefix_lists.first().map(|list| by_list(list, id)));
        }
    }
    match unclear {
        Some(trouble) => Err(trouble),
        None => Ok(Some(groups.join(","))),
    }
}

fn by_list(list: &str, group: &str) -> Trouble {
    let detail =
        format!("a rule of {group} names prefix list {list}, whose addresses are not read");
    Trouble::new(&PREFIX_LIST, list, detail)
}

fn rules(group: &SecurityGroup, way: Way) -> &[GroupRule] {
    match way {
        Way::In => &group.inbound,
        Way::Out => &group.outbound,
    }
}

fn takes(rule: &GroupRule, (address, groups): (IpAddr, &[String])) -> bool {
    rule.blocks.iter().any(|block| block.contains(address))
        || rule.groups.iter().any(|group| groups.contains(group))
}

/// Whether the network ACLs between two interfaces let the copy pass. Within a subnet none is asked ("Network
/// ACL basics").
pub(super) fn cross(network: &Network, from: &Interface, to: &Interface, copy: Copy) -> Judgement {
    if from.subnet == to.subnet {
        return Ok(());
    }
    let out = acl(network, &from.subnet)?;
    if !allows(&out.outbound, copy.to, copy.port) {
        let Copy { port, .. } = copy;
        let detail = format!("{} lets no UDP {port} out of {} to the target", out.id, from.subnet);
        return Err(Trouble::new(&NETWORK_ACL_OUT, &out.id, detail));
    }
    let into = acl(network, &to.subnet)?;
    if !allows(&into.inbound, copy.from, copy.port) {
        let Copy { port, .. } = copy;
        let detail = format!("{} lets no UDP {port} into {} from the source", into.id, to.subnet);
        return Err(Trouble::new(&NETWORK_ACL_IN, &into.id, detail));
    }
    Ok(())
}

fn acl<'a>(network: &'a Network, subnet: &str) -> Result<&'a Acl, Trouble> {
    let acls = network.acls.as_ref().map_err(Trouble::unread)?;
    acls.get(subnet).ok_or_else(|| {
        Trouble::new(&NOT_SHOWN, subnet, format!("EC2 shows no network ACL of {subnet}"))
    })
}

/// The first rule that is about the packet decides; without one it is dropped.
fn allows(rules: &[AclRule], peer: IpAddr, port: u16) -> bool {
    let about =
        |rule: &&AclRule| rule.takes_udp && rule.ports.contains(&port) && rule.block.contains(peer);
    rules.iter().filter(about).min_by_key(|rule| rule.number).is_some_and(|rule| rule.allows)
}
