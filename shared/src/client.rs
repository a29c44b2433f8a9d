//! How AWS is called: how long a call may take and how often it is tried.
//!
//! Standard retries, not adaptive ones: those hold back every call of a client after one refusal,
//! reads included, and what does not fit into this invocation comes again through the queue anyway.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    retry::RetryConfig, timeout::TimeoutConfig,
};

/// Within a region a connection takes milliseconds; two seconds is a lost packet sent again.
const CONNECT: Duration = Duration::from_secs(2);
/// A page of 1,000 instances takes EC2 a few seconds.
const ATTEMPT: Duration = Duration::from_secs(10);
/// A call with all its tries; well below the function's time-out.
const OPERATION: Duration = Duration::from_secs(25);
/// The first try and three more, 0.5, 1 and 2 seconds apart at the most: together about what
/// EC2's buckets need to refill for a batch (5 changes or 20 reads a second).
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The configuration of every AWS client, with Lambda's own region and credentials.
pub async fn config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        // Where Lambda puts them. Getting ready to look anywhere else takes a tenth of the start.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await
}

/// How often a call is tried.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(TRIES)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE)
}

/// How long a call may take.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}
