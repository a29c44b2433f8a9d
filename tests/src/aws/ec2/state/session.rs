//! Traffic mirror sessions, found by what they refer to, and their end.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;

use super::{Caller, Refusal, Resource, Tags, World};

/// A session: what its source sends and receives goes to the target, if the filter takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub owner: String,
    /// The source.
    pub interface: String,
    pub target: String,
    pub filter: String,
    pub number: u16,
    pub packet_length: Option<u16>,
    pub vni: u32,
    pub description: Option<String>,
    pub tags: Tags,
}

/// What sessions are found by without looking at all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Interface(String),
    Target(String),
    Filter(String),
    Owner(String),
    Vni(String, u32),
}

/// All sessions, by id and by each key.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    rows: BTreeMap<String, Session>,
    index: HashMap<Key, BTreeSet<String>>,
}

impl Sessions {
    pub(super) fn rows(&self) -> &BTreeMap<String, Session> {
        &self.rows
    }

    /// For changes to what is not a key.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Session> {
        self.rows.get_mut(id)
    }

    pub(super) fn ids(&self, key: &Key) -> impl Iterator<Item = &String> {
        self.index.get(key).into_iter().flatten()
    }

    pub(super) fn with(&self, key: &Key) -> impl Iterator<Item = &Session> {
        self.ids(key).filter_map(|id| self.rows.get(id))
    }

    pub(super) fn count(&self, key: &Key) -> usize {
        self.index.get(key).map_or(0, BTreeSet::len)
    }

    /// Adds a session, or puts a changed one in place of the old.
    pub(super) fn put(&mut self, session: Session) {
        self.remove(&session.id);
        for key in keys(&session) {
            self.index.entry(key).or_default().insert(session.id.clone());
        }
        self.rows.insert(session.id.clone(), session);
    }

    pub(super) fn remove_source(&mut self, interface: &str) {
        let ids: Vec<_> = self.ids(&Key::Interface(interface.to_owned())).cloned().collect();
        for id in ids {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(session) = self.rows.remove(id) else { return };
        for key in keys(&session) {
            if let Entry::Occupied(mut ids) = self.index.entry(key) {
                ids.get_mut().remove(id);
                if ids.get().is_empty() {
                    ids.remove();
                }
            }
        }
    }
}

fn keys(session: &Session) -> [Key; 5] {
    [
        Key::Interface(session.interface.clone()),
        Key::Target(session.target.clone()),
        Key::Filter(session.filter.clone()),
        Key::Owner(session.owner.clone()),
        Key::Vni(session.owner.clone(), session.vni),
    ]
}

impl World {
    /// Deletes a session of the caller's.
    pub fn delete_session(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let answer = if id.is_empty() {
            Err(Refusal::missing_parameter("TrafficMirrorSessionId"))
        } else {
            self.session_of(caller, id).map(|_| ())
        };
        if answer.is_ok() {
            self.sessions.remove(id);
        }
        let request = json!({ "TrafficMirrorSessionId": id });
        let response = answer.as_ref().map(|()| json!({ "trafficMirrorSessionId": id }));
        self.tell_wrapped_call(caller, "DeleteTrafficMirrorSession", request, response);
        answer
    }

    pub fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.rows.get(id)
    }

    /// Every session, whoever owns it, by id.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.rows.values()
    }

    /// The session, if it is the caller's: others may see it, but only its owner may change it.
    pub(super) fn session_of(&self, caller: &Caller, id: &str) -> Result<&Session, Refusal> {
        let session = self.session(id).filter(|session| session.owner == caller.account);
        session.ok_or_else(|| Session::missing(id))
    }

    /// A network identifier that looks random and that none of the account's sessions has.
    pub(super) fn new_vni(&mut self, account: &str) -> u32 {
        loop {
            // An odd factor permutes the numbers below 2^24.
            let mixed = self.next_number().wrapping_mul(0x009e_3779) & 0x00ff_ffff;
            let vni = u32::try_from(mixed).unwrap_or_default();
            if self.sessions.count(&Key::Vni(account.to_owned(), vni)) == 0 {
                return vni;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateSession, ModifySession, Query, RunInstances};
    use super::*;

    #[test]
    fn the_owner_of_a_shared_target_sees_the_sessions_on_it_but_cannot_change_them() {
        let mut stage = Stage::new();
        let bob = Caller::user("444455556666");
        let instance = stage.world.run_instances(&bob, &RunInstances::default()).unwrap().remove(0);
        let request = CreateSession {
            interface: stage.world.instance(&instance).unwrap().interfaces[0].clone(),
            filter: stage.world.create_filter(&bob, None, Tags::new()).unwrap(),
            ..stage.request()
        };
        let refusal = stage.world.create_session(&bob, &request).unwrap_err();
        assert_eq!(refusal.code, "InvalidTrafficMirrorTargetId.NotFound");
        stage.world.share_target(&stage.target, &bob.account);
        let session = stage.world.create_session(&bob, &request).unwrap();
        let own = stage.create(&stage.request());

        let seen = |world: &World, caller: &Caller| {
            let page = world.describe::<Session>(caller, &Query::default()).unwrap();
            page.rows.into_iter().map(|row| row.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(seen(&stage.world, &stage.alice), [session.id.clone(), own.id]);
        assert_eq!(seen(&stage.world, &bob), std::slice::from_ref(&session.id));

        let refusal = stage.world.delete_session(&stage.alice, &session.id).unwrap_err();
        assert_eq!(refusal.code, "InvalidTrafficMirrorSessionId.NotFound");
        let request = ModifySession { session: session.id.clone(), ..ModifySession::default() };
        let refusal = stage.world.modify_session(&stage.alice, &request).unwrap_err();
        assert_eq!(refusal.code, "InvalidTrafficMirrorSessionId.NotFound");
        stage.world.delete_session(&bob, &session.id).unwrap();
    }
}
