//! Where the route table of a source's subnet sends a copy.

use std::net::IpAddr;

use super::{
    network::{Destination, Interface, Network, Route, Routes, Via},
    trouble::{Judgement, NO_ROUTE, NOT_SHOWN, PREFIX_LIST, ROUTE_NOT_FOLLOWED, Trouble},
};

/// The MTU within a VPC, and over a peering connection within a region (EC2 guide, "Network MTU").
const VPC_MTU: u16 = 9001;
/// The MTU of a transit gateway (Transit Gateway guide, "Quotas").
const TRANSIT_GATEWAY_MTU: u16 = 8500;

/// A way from one interface to another.
pub(super) struct Way {
    /// Whether copies arrive by it.
    pub(super) judgement: Judgement,
    /// The longest packet that it takes, as far as that is known.
    pub(super) mtu: Option<u16>,
}

/// The end of a way: an interface, and its address there.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) interface: &'a Interface,
    pub(super) address: IpAddr,
}

/// The way from one end to the other.
pub(super) fn way(network: &Network, from: End<'_>, to: End<'_>) -> Way {
    let (judgement, mtu) = match network.routes.as_ref().map_err(Trouble::unread) {
        Ok(routes) => follow(routes, from, to),
        Err(trouble) => (Err(trouble), None),
    };
    Way { judgement, mtu }
}

fn follow(routes: &Routes, from: End<'_>, to: End<'_>) -> (Judgement, Option<u16>) {
    let found = table(routes, from.interface).and_then(|(table, list)| {
        let route = choose(list, to.address)?;
        route
            .ok_or_else(|| nowhere(table, from.interface, "has no route to the target"))
            .map(|route| (table, route))
    });
    let (table, route) = match found {
        Ok(found) => found,
        Err(trouble) => return (Err(trouble), None),
    };
    if !route.is_active {
        let trouble = nowhere(table, from.interface, "leads the packets to a black hole");
        return (Err(trouble), None);
    }
    match &route.via {
        Via::Local if from.interface.vpc == to.interface.vpc => (Ok(()), Some(VPC_MTU)),
        Via::Local => {
            let trouble = nowhere(table, from.interface, "keeps the packets in the source's VPC");
            (Err(trouble), None)
        }
        Via::Peering(id) => (peered(routes, id, from, to), Some(VPC_MTU)),
        Via::TransitGateway(id) => {
            let detail = format!(
                "{table} leads to transit gateway {id}, whose own route tables are not read: assumed is that they \
                 lead on to {}",
                to.interface.vpc
            );
            (Err(Trouble::new(&ROUTE_NOT_FOLLOWED, id, detail)), Some(TRANSIT_GATEWAY_MTU))
        }
        Via::Service(id) | Via::Other(id) => {
            let detail = format!(
                "{table} leads to {id}, which is not followed: assumed is that it hands the packets on"
            );
            (Err(Trouble::new(&ROUTE_NOT_FOLLOWED, id, detail)), None)
        }
    }
}

fn nowhere(table: &str, from: &Interface, what: &str) -> Trouble {
    Trouble::new(&NO_ROUTE, table, format!("{table} of {} {what}", from.subnet))
}

/// A peering connection joins the two VPCs if the target's side leads back through it. No answer ever goes
/// back, so the copies may arrive without.
fn peered(routes: &Routes, id: &str, from: End<'_>, to: End<'_>) -> Judgement {
    let (table, list) = table(routes, to.interface)?;
    let back = choose(list, from.address)?;
    if back.is_some_and(|it| it.is_active && it.via == Via::Peering(id.to_owned())) {
        return Ok(());
    }
    let detail = format!(
        "the route leads through {id}, and {table} of {} does not lead back through it: assumed is that {id} joins \
         {} and {}",
        to.interface.subnet, from.interface.vpc, to.interface.vpc
    );
    Err(Trouble::new(&ROUTE_NOT_FOLLOWED, id, detail))
}

/// The route table of an interface's subnet.
fn table<'a>(routes: &'a Routes, of: &Interface) -> Result<(&'a str, &'a [Route]), Trouble> {
    let id = routes.of_subnet.get(&of.subnet).or_else(|| routes.main_of_vpc.get(&of.vpc));
    let found = id.and_then(|id| Some((id.as_str(), routes.tables.get(id)?.as_slice())));
    found.ok_or_else(|| {
        let detail = format!("EC2 shows no route table of {}", of.subnet);
        Trouble::new(&NOT_SHOWN, &of.subnet, detail)
    })
}

/// The route with the longest prefix. A route to a prefix list may be longer, except than the VPC's own: that only
/// a block can narrow (VPC guide, "Route priority").
fn choose(routes: &[Route], to: IpAddr) -> Result<Option<&Route>, Trouble> {
    let longest = routes
        .iter()
        .filter_map(|route| match &route.to {
            Destination::Block(block) => block.contains(to).then_some((block.prefix(), route)),
            Destination::PrefixList(_) => None,
        })
        .max_by_key(|(prefix, _)| *prefix)
        .map(|(_, route)| route);
    if longest.is_some_and(|route| route.via == Via::Local) {
        return Ok(longest);
    }
    let list = routes.iter().find_map(|route| match (&route.to, &route.via) {
        (_, Via::Service(_)) | (Destination::Block(_), _) => None,
        (Destination::PrefixList(list), _) => Some(list),
    });
    match list {
        None => Ok(longest),
        Some(list) => {
            let detail =
                format!("a route goes to prefix list {list}, whose addresses are not read");
            Err(Trouble::new(&PREFIX_LIST, list, detail))
        }
    }
}
