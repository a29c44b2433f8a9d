//! What the decision consists of: steps, each an action with everything its call needs, and why.

use std::fmt;

use crate::{
    id::{FilterId, InstanceId, InterfaceId, SessionId, SessionNumber, TargetId},
    reason::Reason,
};

/// What should happen, in the order of instances and interfaces; at least one step for each
/// interface looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing by itself"]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The steps that change EC2.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action.is_change())
    }
}

/// One thing about one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The instance; none where the interface is on none.
    pub instance: Option<InstanceId>,
    /// The source.
    pub interface: InterfaceId,
    /// What is to be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// What is to be done about an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create a session.
    Create(NewSession),
    /// Change a session of ours in place.
    Modify(SessionId, Change),
    /// Delete a session of ours.
    Delete(SessionId),
    /// Nothing: this session does what is wanted.
    Keep(SessionId),
    /// Nothing can be done: wanted, but something lasting is in the way.
    Block,
    /// Nothing: not wanted.
    Ignore,
}

impl Action {
    /// Whether EC2 is changed by it.
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

    /// The target it leads to, where it chooses one.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetId> {
        match self {
            Self::Create(new) => Some(&new.target),
            Self::Modify(_, change) => change.target.as_ref(),
            Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }

    /// The filter it sets, where it sets one.
    #[must_use]
    pub const fn filter(&self) -> Option<&FilterId> {
        match self {
            Self::Create(new) => Some(&new.filter),
            Self::Modify(_, change) => change.filter.as_ref(),
            Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }

    /// The session number it gives.
    #[must_use]
    pub const fn number(&self) -> Option<SessionNumber> {
        match self {
            Self::Create(new) => Some(new.number),
            Self::Modify(..) | Self::Delete(_) | Self::Keep(_) | Self::Block | Self::Ignore => None,
        }
    }
}

/// A session to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Where the packets go.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Evaluation order on the interface.
    pub number: SessionNumber,
    /// Bytes kept of each packet; none is EC2's default.
    pub packet_length: Option<i32>,
    /// The VXLAN network identifier; none lets EC2 choose.
    pub vni: Option<i32>,
}

/// What changes about a session; none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The new target.
    pub target: Option<TargetId>,
    /// The new filter.
    pub filter: Option<FilterId>,
    /// The new packet length.
    pub packet_length: Option<PacketLength>,
    /// The new VXLAN network identifier.
    pub vni: Option<i32>,
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
pub enum PacketLength {
    /// Keep this many bytes.
    Bytes(i32),
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
        write!(f, "{}: {}: {}", self.interface, self.action, self.reason)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Create(new) => {
                write!(f, " session {} to {} with {}", new.number, new.target, new.filter)
            }
            Self::Modify(session, change) => write!(f, " {session}{change}"),
            Self::Delete(session) | Self::Keep(session) => write!(f, " {session}"),
            Self::Block | Self::Ignore => Ok(()),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, ", target {target}")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, ", filter {filter}")?;
        }
        match self.packet_length {
            Some(PacketLength::Bytes(bytes)) => write!(f, ", packet length {bytes}")?,
            Some(PacketLength::Default) => write!(f, ", default packet length")?,
            None => {}
        }
        if let Some(vni) = self.vni {
            write!(f, ", VNI {vni}")?;
        }
        Ok(())
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
            number: 2,
            packet_length: None,
            vni: None,
        };
        let (target, filter) = (new.target.clone(), new.filter.clone());
        let create = Action::Create(new);
        let said = (create.target(), create.filter(), create.number());
        assert_eq!(said, (Some(&target), Some(&filter), Some(2)));
        let change = Change { filter: Some(filter.clone()), ..Change::default() };
        let modify = Action::Modify("tms-1".parse().unwrap(), change);
        let said = (modify.target(), modify.filter(), modify.number());
        assert_eq!(said, (None, Some(&filter), None));
    }
}
