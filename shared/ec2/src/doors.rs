//! Doors: the security groups in front of what receives the copies, and whether they let any in.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types as ec2;
use shared::id::InterfaceId;

use crate::{
    ask::{Ask, Query},
    client::Ec2,
    convert::convert_or_skip,
    error::ObserveError,
    interfaces,
    pages::collect,
};

/// UDP, by its number (IANA); EC2 writes it in both ways.
const UDP: [&str; 2] = ["17", "udp"];
/// Every protocol, in a rule of a security group or a network ACL.
pub const EVERYTHING: &str = "-1";

/// The security groups of these interfaces, as far as EC2 shows them.
///
/// # Errors
/// EC2 could not be asked.
pub async fn groups_of(
    ec2: &Ec2,
    ids: &BTreeSet<&InterfaceId>,
) -> Result<BTreeMap<InterfaceId, Vec<String>>, ObserveError> {
    Ok(interfaces::security_groups(ec2, ids).await?.into_iter().collect())
}

/// Whether each of these security groups lets UDP in on this port, from anywhere at all. One that EC2 does not show
/// is not among them.
///
/// # Errors
/// EC2 could not be asked.
pub async fn letting_udp_in(
    ec2: &Ec2,
    groups: &BTreeSet<String>,
    port: u16,
) -> Result<BTreeMap<String, bool>, ObserveError> {
    let convert = |item: &ec2::SecurityGroup| {
        let lets_in = item.ip_permissions().iter().any(|rule| takes_udp(rule, port));
        Some((item.group_id()?.to_owned(), lets_in))
    };
    let read = async |ask: Ask| {
        let request = ec2.client.describe_security_groups();
        let request = request.set_filters(ask.filters()).set_max_results(ask.page_size());
        let pages = request.into_paginator().stop_on_duplicate_token(false).send();
        collect(pages, |item| convert_or_skip("security group", item.group_id(), item, convert))
            .await
    };
    let query = Query::by("group-id", groups.iter().map(String::as_str));
    let parts: Vec<Vec<_>> = query.read(read).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// Whether a rule for this protocol is about UDP, alone or with everything else.
#[must_use]
pub fn is_about_udp(protocol: &str) -> bool {
    protocol == EVERYTHING || UDP.contains(&protocol)
}

/// Whether a rule is about UDP on this port. -1 and -1 are all ports; what cannot be read is not called shut.
fn takes_udp(rule: &ec2::IpPermission, port: u16) -> bool {
    let protocol = rule.ip_protocol().unwrap_or(EVERYTHING);
    let number = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    let has_port = match (number(rule.from_port()), number(rule.to_port())) {
        (Some(from), Some(to)) => (from..=to).contains(&port),
        _ => true,
    };
    is_about_udp(protocol) && (protocol == EVERYTHING || has_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_takes_copies_if_it_is_about_udp_on_their_port() {
        for (protocol, ports, expected) in [
            ("udp", Some((4789, 4789)), true),
            ("17", Some((4000, 5000)), true),
            ("udp", Some((-1, -1)), true),
            ("udp", Some((0, 65535)), true),
            ("-1", None, true),
            ("udp", Some((4788, 4788)), false),
            ("udp", Some((4790, 65535)), false),
            ("tcp", Some((4789, 4789)), false),
            ("icmp", Some((-1, -1)), false),
        ] {
            let rule = ec2::IpPermission::builder().ip_protocol(protocol);
            let rule = rule.set_from_port(ports.map(|it| it.0)).set_to_port(ports.map(|it| it.1));
            assert_eq!(takes_udp(&rule.build(), 4789), expected, "{protocol} {ports:?}");
        }
    }
}
