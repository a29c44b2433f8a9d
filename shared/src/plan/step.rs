//! What a plan consists of: steps, each an action with everything its call needs, and why.

use std::{collections::BTreeSet, fmt};

use crate::{
    id::{FilterId, InstanceId, InterfaceId, SessionId, TargetId},
    number::{PacketLength, SessionNumber, Vni},
    observed::Session,
    plan::{question::Question, reason::Reason},
};

/// What should happen, in the order of instances and sources; at least one step for each source
/// that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing by itself"]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What EC2 must be asked before more can be decided. Until then the steps leave it as it is.
    pub questions: BTreeSet<Question>,
}

impl Plan {
    /// The steps that change EC2.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action.is_change())
    }
}

/// One thing about one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The instance; none where the source is on none.
    pub instance: Option<InstanceId>,
    /// The source.
    pub source: InterfaceId,
    /// The session that the action modifies or deletes, as it was observed: what the change replaces, and
    /// the target that it leaves.
    pub before: Option<Box<Session>>,
    /// What should be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// What should be done about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create a session.
    Create(NewSession),
    /// Modify an owned session in place.
    Modify(SessionId, Change),
    /// Delete an owned session.
    Delete(SessionId),
    /// Nothing: this session does what it should.
    Keep(SessionId),
    /// Nothing can be done: it should be mirrored, and something permanent prevents it.
    Block,
    /// Nothing: it should not be mirrored.
    Ignore,
}

impl Action {
    /// Whether the action changes EC2.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match self {
            Self::Create(_) | Self::Modify(..) | Self::Delete(_) => true,
            Self::Keep(_) | Self::Block | Self::Ignore => false,
        }
    }

    /// Its name in logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Modify(..) => "modify",
            Self::Delete(_) => "delete",
            Self::Keep(_) => "keep",
            Self::Block => "block",
            Self::Ignore => "ignore",
        }
    }

    /// The target that the action sets.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetId> {
        match self {
            Self::Create(new) => Some(&new.target),
            Self::Modify(_, change) => change.target.as_ref(),
            Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }

    /// The filter that the action sets.
    #[must_use]
    pub const fn filter(&self) -> Option<&FilterId> {
        match self {
            Self::Create(new) => Some(&new.filter),
            Self::Modify(_, change) => change.filter.as_ref(),
            Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }

    /// The session number that the action sets.
    #[must_use]
    pub const fn number(&self) -> Option<SessionNumber> {
        match self {
            Self::Create(new) => Some(new.number),
            Self::Modify(..) | Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }
}

/// A session to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Where the packets go.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Its place in the order of evaluation on the source.
    pub number: SessionNumber,
    /// Bytes mirrored of each packet; none is EC2's default.
    pub packet_length: Option<PacketLength>,
    /// The VXLAN network identifier; none lets EC2 choose.
    pub vni: Option<Vni>,
}

/// What changes about a session; none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The new target.
    pub target: Option<TargetId>,
    /// The new filter.
    pub filter: Option<FilterId>,
    /// The new packet length.
    pub packet_length: Option<NewPacketLength>,
    /// The new VXLAN network identifier.
    pub vni: Option<Vni>,
}

impl Change {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A packet length to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPacketLength {
    /// Mirror this many bytes of each packet.
    Bytes(PacketLength),
    /// Back to EC2's default.
    Default,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            step.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instance) = &self.instance {
            write!(f, "{instance} ")?;
        }
        write!(f, "{}: {}: {}", self.source, ActionOf(self), self.reason)
    }
}

/// The action of a step, with what it sets, and the old values where there are any.
pub struct ActionOf<'a>(pub &'a Step);

impl fmt::Display for ActionOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { before, action, .. } = self.0;
        f.write_str(action.name())?;
        match action {
            Action::Create(new) => {
                write!(f, " session {} to {} with {}", new.number, new.target, new.filter)
            }
            Action::Modify(session, change) => {
                write!(f, " {session}")?;
                change.fmt(before.as_deref(), f)
            }
            Action::Delete(session) | Action::Keep(session) => write!(f, " {session}"),
            Action::Block | Action::Ignore => Ok(()),
        }
    }
}

impl Change {
    /// Writes each new value, after the old one where that is known.
    fn fmt(&self, before: Option<&Session>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, ", target {}{target}", Old(before.map(|it| &it.target)))?;
        }
        if let Some(filter) = &self.filter {
            write!(f, ", filter {}{filter}", Old(before.map(|it| &it.filter)))?;
        }
        if let Some(length) = self.packet_length {
            let old = before.map(|it| length_name(it.packet_length));
            let new = match length {
                NewPacketLength::Bytes(bytes) => length_name(Some(bytes)),
                NewPacketLength::Default => length_name(None),
            };
            write!(f, ", packet length {}{new}", Old(old))?;
        }
        if let Some(vni) = self.vni {
            write!(f, ", VNI {}{vni}", Old(before.and_then(|it| it.vni)))?;
        }
        Ok(())
    }
}

fn length_name(length: Option<PacketLength>) -> String {
    length.map_or_else(|| "default".to_owned(), |bytes| bytes.to_string())
}

/// An old value and an arrow, or nothing.
struct Old<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Old<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(old) => write!(f, "{old} -> "),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_says_what_it_sets() {
        let new = NewSession {
            target: "tmt-1".parse().unwrap(),
            filter: "tmf-1".parse().unwrap(),
            number: 2.try_into().unwrap(),
            packet_length: None,
            vni: None,
        };
        let (target, filter, number) = (new.target.clone(), new.filter.clone(), new.number);
        let create = Action::Create(new);
        let sets = (create.target(), create.filter(), create.number());
        assert_eq!(sets, (Some(&target), Some(&filter), Some(number)));
        let change = Change { filter: Some(filter.clone()), ..Change::default() };
        let modify = Action::Modify("tms-1".parse().unwrap(), change);
        let sets = (modify.target(), modify.filter(), modify.number());
        assert_eq!(sets, (None, Some(&filter), None));
    }
}
