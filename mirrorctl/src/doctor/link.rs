//! The links of the chain.

use std::collections::BTreeMap;

use serde::Serialize;

use super::trouble::Judgement;

/// A link between a source and its sensor, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Link {
    /// There is a session, and it is the right one.
    Session,
    /// Its filter takes packets.
    Filter,
    /// The source sends copies: asked with `--flow`.
    Copies,
    /// The source loses no copies under load: asked with `--flow`.
    Load,
    /// Its target is there, and what stands at it runs.
    Target,
    /// The load balancer can be reached from the source's zone.
    Zone,
    /// The load balancer listens.
    Listener,
    /// A sensor behind the load balancer is healthy.
    Health,
    /// Security groups let the copies pass.
    SecurityGroup,
    /// Network ACLs do.
    Acl,
    /// The routes lead there.
    Route,
    /// Long packets arrive whole.
    Mtu,
    /// Packets come to the load balancer: asked with `--flow`.
    Bytes,
    /// Copies are among what a sensor has captured: asked where there is a capture.
    Arrival,
}

/// Every link, in their order.
pub(crate) const LINKS: [Link; 14] = [
    Link::Session,
    Link::Filter,
    Link::Copies,
    Link::Load,
    Link::Target,
    Link::Zone,
    Link::Listener,
    Link::Health,
    Link::SecurityGroup,
    Link::Acl,
    Link::Route,
    Link::Mtu,
    Link::Bytes,
    Link::Arrival,
];

impl Link {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Filter => "filter",
            Self::Copies => "copies",
            Self::Load => "load",
            Self::Target => "target",
            Self::Zone => "zone",
            Self::Listener => "listener",
            Self::Health => "health",
            Self::SecurityGroup => "security-group",
            Self::Acl => "acl",
            Self::Route => "route",
            Self::Mtu => "mtu",
            Self::Bytes => "bytes",
            Self::Arrival => "arrival",
        }
    }

    /// Whether it is asked only where somebody asks for it, with a capture or `--flow`.
    pub(crate) const fn is_extra(self) -> bool {
        matches!(self, Self::Copies | Self::Load | Self::Bytes | Self::Arrival)
    }
}

/// The links of a source, as far as they were asked.
pub(crate) type Links = BTreeMap<Link, Judgement>;
