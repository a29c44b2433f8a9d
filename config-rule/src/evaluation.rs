//! An evaluation: the verdict on a resource, with an annotation that says why.

mod annotation;

use std::collections::BTreeSet;

use shared::{id::InterfaceId, plan::verdict::Verdict};

use crate::resource::{ResourceKey, SESSION};

pub(crate) use self::annotation::{Annotation, Part, codes, cut, interface_in, named};

/// A verdict on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    pub(crate) resource: ResourceKey,
    pub(crate) verdict: Verdict,
    /// Why, at most 256 characters. It begins with a code in brackets.
    pub(crate) annotation: String,
}

impl Evaluation {
    /// It does not exist any more, by EC2's or AWS Config's own word. Of a session, the annotation keeps the
    /// interface: if this invocation is repeated, nothing else tells which instance has lost the session.
    pub(crate) fn gone(resource: ResourceKey, interface: Option<&InterfaceId>) -> Self {
        let place = interface.map(|interface| format!("{interface}: ")).unwrap_or_default();
        let annotation = format!("[gone] {place}it no longer exists");
        Self { resource, verdict: Verdict::NotApplicable, annotation }
    }

    /// AWS Config says that the rule has nothing to say about it.
    pub(crate) fn out_of_scope(resource: ResourceKey) -> Self {
        let annotation =
            "[out-of-scope] AWS Config does not record it, or it is out of the rule's scope";
        let verdict = Verdict::NotApplicable;
        Self { resource, verdict, annotation: annotation.to_owned() }
    }

    pub(crate) fn is_about_session(&self) -> bool {
        self.resource.resource_type == SESSION
    }

    /// A verdict for one reason.
    pub(crate) fn new(resource: ResourceKey, verdict: Verdict, code: &str, words: &str) -> Self {
        Self { resource, verdict, annotation: cut(&format!("[{code}] {words}")) }
    }

    /// The codes of its reasons.
    pub(crate) fn codes(&self) -> BTreeSet<String> {
        codes(&self.annotation)
    }
}
