//! What it means that Elastic Load Balancing could not be read.

use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};

/// Elastic Load Balancing could not be read. Nothing may be concluded from what was read before.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct ElbError {
    /// The IAM action of the call, such as `elasticloadbalancing:DescribeListeners`.
    pub action: &'static str,
    /// The service's error code, where it answered with one.
    pub code: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl ElbError {
    pub(crate) fn new<E>(action: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        Self { action, code: error.code().map(str::to_owned), source: Box::new(error) }
    }

    /// The list may lack anything.
    pub(crate) fn incomplete(action: &'static str, why: &str) -> Self {
        Self { action, code: None, source: why.into() }
    }
}
