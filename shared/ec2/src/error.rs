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

/// The pages of a list do not end as they should, so the list may lack anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndlessList {
    #[error("EC2 gave the same page token twice, so the list is incomplete")]
    RepeatedToken,
    #[error("EC2 gave more than {0} pages, which no account fills")]
    TooManyPages(usize),
}

impl ObserveError {
    pub(crate) fn new<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        Self { operation, code, source: Box::new(error) }
    }

    pub(crate) fn endless(operation: &'static str, why: EndlessList) -> Self {
        Self { operation, code: None, source: Box::new(why) }
    }

    #[cfg(test)]
    pub(crate) fn with_code(code: &str) -> Self {
        Self { operation: "describe", code: Some(code.to_owned()), source: code.into() }
    }

    /// EC2 says that something which was asked for by its id does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.ends_with(".NotFound"))
    }
}
