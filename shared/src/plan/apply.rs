//! Enters a change that was carried out into what was observed, so that the next plan knows it.

use super::step::{Action, Change, NewPacketLength, NewSession, Step};
use crate::{
    id::{AccountId, SessionId},
    observed::{Observed, Session},
    policy::Policy,
};

/// Enters a step that was carried out. `id` is the session that was created, modified or deleted.
pub fn apply(observed: &mut Observed, policy: &Policy, step: &Step, id: &SessionId) {
    match &step.action {
        Action::Create(new) => {
            let account = observed.account.clone();
            observed.sessions.push(created(account, policy, step, new, id));
        }
        Action::Delete(_) => observed.sessions.retain(|session| session.id != *id),
        Action::Modify(_, change) => {
            for session in observed.sessions.iter_mut().filter(|session| session.id == *id) {
                modify(session, change);
            }
        }
        Action::Keep(_) | Action::Block | Action::Ignore => {}
    }
}

fn created(
    account: AccountId,
    policy: &Policy,
    step: &Step,
    new: &NewSession,
    id: &SessionId,
) -> Session {
    Session {
        id: id.clone(),
        account,
        interface: step.source.clone(),
        target: new.target.clone(),
        filter: new.filter.clone(),
        number: new.number,
        packet_length: new.packet_length,
        vni: new.vni,
        managed_by: Some(policy.owner.as_str().into()),
        installation: policy.installation.as_deref().map(Into::into),
    }
}

fn modify(session: &mut Session, change: &Change) {
    let Change { target, filter, packet_length, vni } = change.clone();
    session.target = target.unwrap_or_else(|| session.target.clone());
    session.filter = filter.unwrap_or_else(|| session.filter.clone());
    session.vni = vni.or(session.vni);
    session.packet_length = match packet_length {
        Some(NewPacketLength::Bytes(bytes)) => Some(bytes),
        Some(NewPacketLength::Default) => None,
        None => session.packet_length,
    };
}
