//! The client token of a create call: the same for two execution environments that create the same
//! session at the same time, so that EC2 creates one.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use shared::{
    id::{InterfaceId, SessionId},
    plan::step::NewSession,
};

/// Two execution environments with one event start within seconds of each other; a later one sees the
/// session when it reads. EC2 does not say how long it remembers a token, so it changes every minute.
const WINDOW: Duration = Duration::from_mins(1);

/// What goes into a token beside the new session.
#[derive(Clone, Copy)]
pub(crate) struct TokenInputs<'a> {
    /// Sessions that somebody else deleted, as the events of the invocation tell: a session created in
    /// their place is not the one that was there before.
    pub(crate) deleted: &'a BTreeSet<SessionId>,
    pub(crate) owner: &'a str,
    pub(crate) source: &'a InterfaceId,
    pub(crate) now: SystemTime,
    /// How many sessions this execution environment has deleted on the source.
    pub(crate) generation: u32,
}

/// A token of 64 hexadecimal characters, the most that EC2 accepts.
pub(crate) fn client_token(inputs: TokenInputs<'_>, new: &NewSession) -> String {
    let TokenInputs { deleted, owner, source, now, generation } = inputs;
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let window = seconds / WINDOW.as_secs();
    let NewSession { target, filter, number, packet_length, vni } = new;
    let subject = format!(
        "{owner}\n{source}\n{target}\n{filter}\n{number}\n{packet_length:?}\n{vni:?}\n\
         {window}\n{generation}\n{deleted:?}"
    );
    hex::encode(Sha256::digest(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(second: u64, generation: u32, deleted: &[&str], number: i32) -> String {
        let source = "eni-1".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let deleted = &deleted.iter().map(|id| id.parse().unwrap()).collect();
        let owner = "automirror";
        let inputs = TokenInputs { deleted, owner, source: &source, now, generation };
        let new = NewSession {
            target: "tmt-1".parse().unwrap(),
            filter: "tmf-1".parse().unwrap(),
            number: number.try_into().unwrap(),
            packet_length: None,
            vni: None,
        };
        client_token(inputs, &new)
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
