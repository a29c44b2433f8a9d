//! What the decision still has to be told. A list that does not show something proves nothing, so before
//! anything is concluded from that, EC2 is asked about the thing itself.

use crate::id::{FilterId, InstanceId, InterfaceId, TargetId};

/// A question to EC2. Until it is answered, what depends on the answer stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which tags does the instance have? (`DescribeTags`)
    Tags(InstanceId),
    /// A session is on this interface, and nothing shows the interface: does it exist?
    Interface(InterfaceId),
    /// A session leads to this target or a setting or tag names it, and no list shows it: does it exist?
    Target(TargetId),
    /// A setting or tag names this filter, and no list shows it: does it exist?
    Filter(FilterId),
}
