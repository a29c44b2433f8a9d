//! The client token of a create call: the same for two workers that want the same session at the
//! same time, so that EC2 makes one.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use shared::{
    id::{InterfaceId, SessionId},
    step::NewSession,
};

/// Two workers on one event start within seconds of each other; what happens later is seen by
/// reading. EC2 does not say how long it remembers a token, so a new one is used every minute.
const WINDOW: Duration = Duration::from_mins(1);

/// What a session is created for, apart from itself.
#[derive(Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// Sessions that somebody else deleted, as the invocation's events tell: what is made in their
    /// place is not what was made before.
    pub(crate) deleted: &'a BTreeSet<SessionId>,
    pub(crate) owner: &'a str,
    pub(crate) interface: &'a InterfaceId,
    pub(crate) now: SystemTime,
    /// How many sessions there were before on the interface, as far as this process knows.
    pub(crate) generation: u32,
}

/// A token of 64 hexadecimal characters, the most EC2 takes.
pub(crate) fn client_token(occasion: Occasion<'_>, new: &NewSession) -> String {
    let Occasion { deleted, owner, interface, now, generation } = occasion;
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let window = seconds / WINDOW.as_secs();
    let NewSession { target, filter, number, packet_length, vni } = new;
    let subject = format!(
        "{owner}\n{interface}\n{target}\n{filter}\n{number}\n{packet_length:?}\n{vni:?}\n\
         {window}\n{generation}\n{deleted:?}"
    );
    hex::encode(Sha256::digest(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(second: u64, generation: u32, deleted: &[&str], number: i32) -> String {
        let interface = "eni-1".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let deleted = &deleted.iter().map(|id| id.parse().unwrap()).collect();
        let owner = "automirror";
        let occasion = Occasion { deleted, owner, interface: &interface, now, generation };
        let new = NewSession {
            target: "tmt-1".parse().unwrap(),
            filter: "tmf-1".parse().unwrap(),
            number,
            packet_length: None,
            vni: None,
        };
        client_token(occasion, &new)
    }

    #[test]
    fn a_token_is_the_same_within_a_minute_and_for_the_same_session_only() {
        let first = token(600, 0, &[], 1);
        assert_eq!(first.len(), 64);
        assert_eq!(first, token(659, 0, &[], 1));
        let others = [
            token(660, 0, &[], 1),
            token(600, 1, &[], 1),
            token(600, 0, &["tms-1"], 1),
            token(600, 0, &[], 2),
        ];
        for other in others {
            assert_ne!(first, other);
        }
    }
}
