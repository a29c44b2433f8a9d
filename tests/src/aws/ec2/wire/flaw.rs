//! What can be wrong with the answer of a describe call, though it looks like any other.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::aws::ec2::{Query, Resource, TagRow};

/// One flaw of an answer. Those with a chance strike row by row; the same seed strikes the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// It is from the world as it was frozen.
    Stale,
    /// Instances show no tags.
    OmitTags,
    /// Instances do not show the tag with this key.
    OmitTag(String),
    /// Rows are left out, while the pages stay what they were.
    OmitRows {
        per_mille: u16,
        seed: u64,
    },
    /// The token of the next page is that of this page.
    RepeatToken,
    /// Rows lack their id.
    Unreadable {
        per_mille: u16,
        seed: u64,
    },
}

/// What a list is of.
pub(super) trait Row {
    /// What the row is known by when the dice are thrown.
    fn name(&self) -> (&str, &str);
}

impl<T: Resource> Row for &T {
    fn name(&self) -> (&str, &str) {
        (self.id(), "")
    }
}

impl Row for TagRow<'_> {
    fn name(&self) -> (&str, &str) {
        (self.resource, self.key)
    }
}

impl Flaw {
    /// Spoils a page as a whole.
    pub(super) fn spoil(
        &self,
        query: &Query,
        rows: &mut Vec<impl Row>,
        next_token: &mut Option<String>,
    ) {
        match self {
            Self::OmitRows { per_mille, seed } => {
                rows.retain(|row| !is_struck(*per_mille, *seed, row.name()));
            }
            // On the first page nothing can come again.
            Self::RepeatToken if next_token.is_some() && query.next_token.is_some() => {
                next_token.clone_from(&query.next_token);
            }
            _ => {}
        }
    }

    /// The id as the answer shows it.
    pub(super) fn id<'a, T: Resource>(&self, row: &'a T) -> Option<&'a str> {
        self.is_readable(row.id()).then_some(row.id())
    }

    pub(super) fn is_readable(&self, id: &str) -> bool {
        match self {
            Self::Unreadable { per_mille, seed } => !is_struck(*per_mille, *seed, (id, "")),
            _ => true,
        }
    }

    /// Whether instances show the tag with this key.
    pub(super) fn shows_tag(&self, key: &str) -> bool {
        match self {
            Self::OmitTags => false,
            Self::OmitTag(omitted) => omitted != key,
            _ => true,
        }
    }
}

fn is_struck(per_mille: u16, seed: u64, name: (&str, &str)) -> bool {
    let mut hasher = DefaultHasher::new();
    (seed, name).hash(&mut hasher);
    hasher.finish() % 1000 < per_mille.into()
}
