//! What it means that EC2 could not be read.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

/// EC2 could not be read. Nothing may be concluded from what was read before.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}")]
pub struct ObserveError {
    operation: &'static str,
    /// EC2's error code, where it answered with one.
    pub code: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A list is not what it should be, so it may lack anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IncompleteList {
    #[error("EC2 gave the same page token twice, so the list is incomplete")]
    RepeatedToken,
    #[error("EC2 gave more than {0} pages, which no account fills")]
    TooManyPages(usize),
    #[error("EC2 described something in a way that cannot be read")]
    Unreadable,
}

impl ObserveError {
    pub(crate) fn new<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        Self { operation, code, source: Box::new(error) }
    }

    pub(crate) fn incomplete(operation: &'static str, why: IncompleteList) -> Self {
        Self { operation, code: None, source: Box::new(why) }
    }

    #[cfg(test)]
    pub(crate) fn with_code(code: &str) -> Self {
        Self { operation: "describe", code: Some(code.to_owned()), source: code.into() }
    }

    /// EC2 says that something which was asked for by its id does not exist. Its documentation spells the
    /// codes for mirroring in two more ways (`InvalidTrafficMirrorTargetNoFound`, `…FilterNotFound`).
    pub(crate) fn is_not_found(&self) -> bool {
        let ends_so = |code: &str| code.ends_with("NotFound") || code.ends_with("NoFound");
        self.code.as_deref().is_some_and(ends_so)
    }

    /// EC2 does not like something about the ids that were asked for: it fails again as long as they are
    /// among them.
    pub(crate) fn is_about_ids(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("Invalid"))
    }
}
