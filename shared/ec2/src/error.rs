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

impl ObserveError {
    pub(crate) fn new<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        Self { operation, code, source: Box::new(error) }
    }
}
