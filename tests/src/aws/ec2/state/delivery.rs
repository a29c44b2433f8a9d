//! Which packets reach which target now: what EC2 does with the sessions of an interface, and shows nobody.

use super::packets::{Packets, Version};
use super::session::Key;
use super::{
    Direction, Endpoint, Filter, Interface, Resource, Session, State, World, instance_types,
};

/// What becomes of an interface's packets in one of its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub session: String,
    pub number: u16,
    pub target: String,
    /// Whether the source's machine sends and receives: until it is off, whatever it is told.
    pub source_is_up: bool,
    /// Whether something takes the copies at the other end.
    pub target_is_up: bool,
    /// What the session's filter accepts.
    pub accepts: Flow,
    /// What of that is left to this session: a packet goes to the session with the lowest number that accepts it,
    /// even if nothing takes it there.
    pub gets: Flow,
}

/// Whether there are such packets at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub ingress: Versions,
    pub egress: Versions,
    /// To and from Amazon's DNS servers: they are of neither kind above, as rules do not matter to them.
    pub amazon_dns: bool,
}

/// The same by the version of IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    pub ipv4: bool,
    pub ipv6: bool,
}

/// What sessions with lower numbers have left over, or what a session takes of that.
pub(super) struct Share {
    pub(super) packets: [(Direction, Version, Packets); 4],
    pub(super) amazon_dns: bool,
}

impl Delivery {
    /// Whether any packet reaches the target.
    pub fn is_real(&self) -> bool {
        self.source_is_up && self.target_is_up && self.gets != Flow::default()
    }
}

impl World {
    /// The sessions on the interface, in the order of their numbers.
    pub fn delivers(&self, interface: &str) -> Vec<Delivery> {
        self.shares(interface).into_iter().map(|(_, delivery, _)| delivery).collect()
    }

    /// The same, each with the packets that it takes.
    pub(super) fn shares(&self, interface: &str) -> Vec<(&Session, Delivery, Share)> {
        let mut sessions: Vec<_> =
            self.sessions.with(&Key::Interface(interface.to_owned())).collect();
        sessions.sort_by_key(|session| (session.number, &session.id));
        let source_is_up = self.interfaces.get(interface).is_some_and(|it| self.is_source_up(it));
        let mut left = Share::all();
        let mut shares = Vec::new();
        for session in sessions {
            let filter = self.filters.get(&session.filter);
            let accepted = filter.map(|filter| Share::all().take(self, filter));
            let taken = filter.map_or_else(Share::none, |filter| left.take(self, filter));
            let delivery = Delivery {
                session: session.id.clone(),
                number: session.number,
                target: session.target.clone(),
                source_is_up,
                target_is_up: self.is_target_up(session),
                accepts: accepted.as_ref().map_or(Flow::default(), Share::flow),
                gets: taken.flow(),
            };
            shares.push((session, delivery, taken));
        }
        shares
    }

    fn is_source_up(&self, source: &Interface) -> bool {
        if source.attachment.is_none() {
            return false;
        }
        // Machines of services, which are not shown, are always up.
        source.instance().and_then(|id| self.instances.get(id)).is_none_or(|instance| {
            let is_on = !matches!(instance.state, State::Stopped | State::Terminated);
            // A session outlives the change to a type without mirroring.
            is_on && instance_types::can_be_source(&instance.instance_type)
        })
    }

    fn is_target_up(&self, session: &Session) -> bool {
        let Some(target) = self.targets.get(&session.target) else { return false };
        // A session is inactive once its target is no longer shared with its owner.
        if target.owner() != session.owner && !target.shared_with.contains(&session.owner) {
            return false;
        }
        match &target.endpoint {
            Endpoint::Interface(id) => {
                let host = self.interfaces.get(id).and_then(Interface::instance);
                let host = host.and_then(|id| self.instances.get(id));
                host.is_some_and(|host| matches!(host.state, State::Pending | State::Running))
            }
            Endpoint::NetworkLoadBalancer(id) | Endpoint::GatewayLoadBalancerEndpoint(id) => {
                !self.is_endpoint_gone(id)
            }
        }
    }
}

impl Share {
    fn all() -> Self {
        Self::of_each(Packets::all, true)
    }

    fn none() -> Self {
        Self::of_each(Packets::none, false)
    }

    fn of_each(packets: fn(Version) -> Packets, amazon_dns: bool) -> Self {
        let of = |direction, version| (direction, version, packets(version));
        let packets = [
            of(Direction::Ingress, Version::Four),
            of(Direction::Ingress, Version::Six),
            of(Direction::Egress, Version::Four),
            of(Direction::Egress, Version::Six),
        ];
        Self { packets, amazon_dns }
    }

    /// Takes out what the filter accepts.
    fn take(&mut self, world: &World, filter: &Filter) -> Self {
        let packets = self.packets.each_mut().map(|(direction, version, packets)| {
            let rules = world.rules_of(filter, *direction);
            let (accepted, others) = packets.clone().sift(rules.into_iter().map(|rule| &rule.spec));
            *packets = others;
            (*direction, *version, accepted)
        });
        let amazon_dns = self.amazon_dns && !filter.network_services.is_empty();
        self.amazon_dns &= !amazon_dns;
        Self { packets, amazon_dns }
    }

    fn flow(&self) -> Flow {
        let [in_4, in_6, out_4, out_6] = self.packets.each_ref().map(|(.., it)| !it.is_empty());
        Flow {
            ingress: Versions { ipv4: in_4, ipv6: in_6 },
            egress: Versions { ipv4: out_4, ipv6: out_6 },
            amazon_dns: self.amazon_dns,
        }
    }
}

#[cfg(test)]
mod tests;
