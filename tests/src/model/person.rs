//! What a person may do while the functions work.

use std::collections::BTreeMap;

use super::site::{Site, is_owned, tag};
use crate::aws::ec2::{Caller, CreateSession, ModifySession, Session, World};

/// One thing that a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes the tag off.
    Untag,
    /// Puts it on.
    Tag,
    /// Deletes an owned session.
    DeleteOwned,
    /// Creates a foreign session with the number 1.
    CreateForeign,
    /// Moves an owned session to a target that is not allowed.
    LeadElsewhere,
}

impl Act {
    /// Whether it would change anything.
    pub(super) fn is_possible(self, world: &World, site: &Site) -> bool {
        match self {
            Self::Untag => site.is_tagged(world),
            Self::Tag => !site.is_tagged(world),
            Self::DeleteOwned => owned(world).is_some(),
            Self::CreateForeign => world
                .sessions()
                .all(|it| is_owned(it) && (it.number != 1 || world.duplicate_number.is_none())),
            Self::LeadElsewhere => owned(world).is_some_and(|it| it.target == site.allowed),
        }
    }

    pub(super) fn is_about_tags(self) -> bool {
        matches!(self, Self::Untag | Self::Tag)
    }

    pub(super) fn perform(self, world: &mut World, site: &Site) {
        let user = Caller::default();
        let instance = std::slice::from_ref(&site.instance);
        let session = owned(world).map(|session| session.id.clone()).unwrap_or_default();
        let done = match self {
            Self::Untag => {
                let key = BTreeMap::from([("Mirror".to_owned(), None)]);
                world.delete_tags(&user, instance, &key)
            }
            Self::Tag => world.create_tags(&user, instance, &tag("Mirror", "True")),
            Self::DeleteOwned => world.delete_session(&user, &session),
            Self::CreateForeign => {
                let target = site.forbidden.clone();
                let request = CreateSession { target, ..site.session() };
                world.create_session(&user, &request).map(drop)
            }
            Self::LeadElsewhere => {
                let target = Some(site.forbidden.clone());
                let request = ModifySession { session, target, ..ModifySession::default() };
                world.modify_session(&user, &request).map(drop)
            }
        };
        done.expect("it is possible");
    }
}

/// The first owned session.
fn owned(world: &World) -> Option<&Session> {
    world.sessions().find(|session| is_owned(session))
}
