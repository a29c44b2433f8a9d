//! The last link: whether the copies of a session are among what sensors have captured.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use shared::{id::SessionId, observed::Observed};

use super::{
    link::Link,
    links::Checked,
    network::Network,
    trouble::{Grade, NOT_SEEN, NOT_SHOWN, SAME_SENDER, Trouble},
};

/// What tells copies apart: the address that they come from, and the VNI of their session.
pub(crate) type Sender = (IpAddr, u32);

/// The sessions of a place, whosever they are, each with its sender as far as EC2 shows it.
pub(crate) type Sending = BTreeMap<SessionId, Sender>;

/// What a capture answers where AWS shows nothing: the copies have come this way.
const WAY: [Link; 7] = [
    Link::Target,
    Link::Zone,
    Link::Listener,
    Link::Health,
    Link::SecurityGroup,
    Link::Acl,
    Link::Route,
];

/// Who sends in a place.
pub(crate) fn sending(observed: &Observed, network: &Network) -> Sending {
    let sender = |session: &shared::observed::Session| {
        let interface = network.interfaces.as_ref().ok()?.get(session.interface.as_str())?;
        let vni = u32::try_from(session.vni?.to_i32()).ok()?;
        Some((session.id.clone(), (*interface.addresses.first()?, vni)))
    };
    observed.sessions.iter().filter_map(sender).collect()
}

/// What sensors have captured, and how many of all the sessions that were looked at each sender may be.
#[derive(Debug)]
pub(crate) struct Arrivals {
    seen: BTreeSet<Sender>,
    sessions: BTreeMap<Sender, usize>,
}

impl Arrivals {
    /// `places` are all the places that were read: a sensor gets copies from many.
    pub(crate) fn new<'a>(
        seen: BTreeSet<Sender>,
        places: impl IntoIterator<Item = &'a Sending>,
    ) -> Self {
        let mut sessions = BTreeMap::new();
        for sender in places.into_iter().flat_map(BTreeMap::values) {
            let count: &mut usize = sessions.entry(*sender).or_default();
            *count = count.saturating_add(1);
        }
        Self { seen, sessions }
    }

    /// Who was captured, and sends for no session that was looked at.
    pub(crate) fn strangers(&self) -> Vec<Sender> {
        let is_stranger = |sender: &&Sender| !self.sessions.contains_key(*sender);
        self.seen.iter().filter(is_stranger).copied().collect()
    }

    /// Judges the last link of each session. Where one before it is broken and nothing arrives, it is not asked.
    pub(crate) fn judge(&self, checked: &mut [Checked], sending: &Sending) {
        for Checked { pair, links } in checked {
            let Some(session) = &pair.session else { continue };
            let sender = sending.get(session);
            let is_seen = sender.is_some_and(|it| self.seen.contains(it));
            let mut known = links.values().filter_map(|it| it.as_ref().err());
            if !is_seen && known.any(|trouble| trouble.grade == Grade::Broken) {
                continue;
            }
            let judgement = match sender {
                None => {
                    let detail = format!("EC2 shows no address of {}, or no VNI", pair.source);
                    Err(Trouble::new(&NOT_SHOWN, pair.source.as_str(), detail))
                }
                Some(_) if !is_seen => {
                    let at = pair.target.as_ref().map(ToString::to_string).unwrap_or_default();
                    Err(Trouble::new(&NOT_SEEN, at, "no copy from these sources was captured"))
                }
                Some(sender @ (address, vni)) => {
                    let count = self.sessions.get(sender).copied().unwrap_or_default();
                    let detail = format!("copies from {address} with VNI {vni} were captured");
                    let detail = format!("{detail}, and {count} sessions send so");
                    let trouble = || Trouble::new(&SAME_SENDER, address.to_string(), detail);
                    if count == 1 { Ok(()) } else { Err(trouble()) }
                }
            };
            if judgement.is_ok() {
                for link in WAY {
                    links.entry(link).and_modify(|it| {
                        if it.as_ref().is_err_and(|it| it.grade == Grade::CannotTell) {
                            *it = Ok(());
                        }
                    });
                }
            }
            links.insert(Link::Arrival, judgement);
        }
    }
}
