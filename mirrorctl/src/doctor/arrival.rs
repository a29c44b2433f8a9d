//! The last link: whether the copies of a session are among what a sensor behind its target has captured.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use shared::{
    id::{SessionId, TargetId},
    observed::{Observed, Session},
};

use super::{
    link::{Link, Links},
    links::Checked,
    network::Network,
    trouble::{Grade, Judgement, LOST_ON_THE_WAY, NOT_SEEN, NOT_SHOWN, SAME_SENDER, Trouble},
};

/// What tells the copies apart that come to a target: the address that they come from, and the VNI of their session.
pub(crate) type Sender = (IpAddr, u32);

/// What was captured behind each target.
pub(crate) type Captures = BTreeMap<TargetId, BTreeSet<Sender>>;

/// The sessions of a place, whosever they are: where each leads, and its sender as far as EC2 shows it.
pub(crate) type Sending = BTreeMap<SessionId, (TargetId, Sender)>;

/// Who sends in a place.
pub(crate) fn sending(observed: &Observed, network: &Network) -> Sending {
    let sender = |session: &Session| {
        let interface = network.interfaces.as_ref().ok()?.get(session.interface.as_str())?;
        let vni = u32::try_from(session.vni?.to_i32()).ok()?;
        let sender = (*interface.addresses.first()?, vni);
        Some((session.id.clone(), (session.target.clone(), sender)))
    };
    observed.sessions.iter().filter_map(sender).collect()
}

/// What sensors have captured, and the sessions of all places that may have sent it.
#[derive(Debug)]
pub(crate) struct Arrivals {
    captures: Captures,
    sessions: BTreeMap<(TargetId, Sender), BTreeSet<SessionId>>,
}

impl Arrivals {
    /// `places` are all the places that were read: a sensor gets copies from many. One may be among them twice.
    pub(crate) fn new<'a>(
        captures: Captures,
        places: impl IntoIterator<Item = &'a Sending>,
    ) -> Self {
        let mut sessions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (session, copies) in places.into_iter().flatten() {
            sessions.entry(copies.clone()).or_default().insert(session.clone());
        }
        Self { captures, sessions }
    }

    /// The senders that were captured behind a target and are of no session to it whose address was read.
    pub(crate) fn strangers(&self) -> Vec<(&TargetId, Sender)> {
        let all = self.captures.iter();
        let all = all.flat_map(|(target, seen)| seen.iter().map(move |sender| (target, *sender)));
        all.filter(|(target, sender)| !self.sessions.contains_key(&((*target).clone(), *sender)))
            .collect()
    }

    /// Judges the last link of each session to a target with a capture. Where a link before it is broken and nothing
    /// arrives, it is not asked.
    pub(crate) fn judge(&self, checked: &mut [Checked], sending: &Sending) {
        for one in checked {
            let is_broken = one.has(Grade::Broken);
            let Checked { pair, links } = one;
            let (Some(session), Some(target)) = (&pair.session, &pair.target) else { continue };
            let Some(seen) = self.captures.get(target) else { continue };
            let copies = sending.get(session);
            let is_seen = copies.is_some_and(|(_, sender)| seen.contains(sender));
            if !is_seen && is_broken {
                continue;
            }
            let judgement = match copies {
                None => {
                    let detail = format!("EC2 shows no address of {}, or no VNI", pair.source);
                    Err(Trouble::new(&NOT_SHOWN, pair.source.as_str(), detail))
                }
                Some(_) if !is_seen && links.get(&Link::Copies) == Some(&Ok(())) => {
                    let detail = "copies leave these sources, and none of them was captured";
                    Err(Trouble::new(&LOST_ON_THE_WAY, target.as_str(), detail))
                }
                Some(_) if !is_seen => {
                    let detail = "no copy from these sources was captured";
                    Err(Trouble::new(&NOT_SEEN, target.as_str(), detail))
                }
                Some(copies) => self.of_one_session(copies),
            };
            if judgement.is_ok() {
                prove(links);
            }
            links.insert(Link::Arrival, judgement);
        }
    }

    /// Whether copies that were captured can be of one session only.
    fn of_one_session(&self, copies: &(TargetId, Sender)) -> Judgement {
        let count = self.sessions.get(copies).map_or(0, BTreeSet::len);
        if count == 1 {
            return Ok(());
        }
        let (_, (address, vni)) = copies;
        let detail = format!(
            "copies from {address} with VNI {vni} were captured, and {count} sessions send so"
        );
        Err(Trouble::new(&SAME_SENDER, address.to_string(), detail))
    }
}

/// What a capture answers where AWS shows nothing: the copies have come the whole way. Whether long ones come whole, no
/// capture says: where that was not asked, because what is at the target is not shown, it is still open.
fn prove(links: &mut Links) {
    let is_unknown =
        |it: &Judgement| it.as_ref().is_err_and(|trouble| trouble.grade == Grade::CannotTell);
    let hidden = links.get(&Link::Target).filter(|it| is_unknown(it)).cloned();
    let is_passed = |link: Link| {
        matches!(link, Link::Copies | Link::Bytes) || (Link::Target..=Link::Route).contains(&link)
    };
    for (_, judgement) in links.iter_mut().filter(|(link, _)| is_passed(**link)) {
        if is_unknown(judgement) {
            *judgement = Ok(());
        }
    }
    if let Some(hidden) = hidden {
        links.entry(Link::Mtu).or_insert(hidden);
    }
}
