//! Whether EC2 shows something.

/// Something that was looked for. A list that does not show it proves less than EC2's word about its
/// id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Shown<T> {
    /// EC2 shows it.
    Yes(T),
    /// The list that should have it does not show it.
    NotInList,
    /// EC2, asked for its id, answered that there is no such thing.
    NotFound,
}

impl<T> Shown<T> {
    /// The thing, where EC2 shows it.
    #[must_use]
    pub fn yes(self) -> Option<T> {
        match self {
            Self::Yes(thing) => Some(thing),
            Self::NotInList | Self::NotFound => None,
        }
    }

    /// The same by reference.
    #[must_use]
    pub const fn as_ref(&self) -> Shown<&T> {
        match self {
            Self::Yes(thing) => Shown::Yes(thing),
            Self::NotInList => Shown::NotInList,
            Self::NotFound => Shown::NotFound,
        }
    }
}
