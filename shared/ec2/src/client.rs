//! How AWS is called: by which HTTP client, how long a call may take and how often it is tried.
//!
//! Standard retries, not adaptive ones: those delay every call of a client after one refusal, reads
//! included, and the queue retries what does not fit into this invocation.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{
    BehaviorVersion, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_ec2::config::{RuntimeComponents, SharedHttpClient, retry::RetryPartition};
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// Within a region a connection takes milliseconds; two seconds allow for one lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A page of 1,000 instances takes EC2 a few seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call with all its attempts; well below the function's time-out.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);
/// The first attempt and three more, at most 0.5, 1 and 2 seconds apart: together about what EC2's
/// token buckets need to refill for a batch (5 changes or 20 reads a second).
const MAX_ATTEMPTS: u32 = 4;
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(4);

/// One account and region, to read: whoever holds an `Ec2` cannot change anything there.
///
/// What belongs to the account and region belongs to it: its client, with region and credentials, and
/// a budget of retries that no other client uses up.
#[derive(Clone, Debug)]
pub struct Ec2 {
    pub(crate) client: aws_sdk_ec2::Client,
}

impl Ec2 {
    /// The account and region of this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_ec2::config::Builder::from(config)
            .retry_partition(own_retries("ec2-reads"))
            .build();
        Self { client: aws_sdk_ec2::Client::from_conf(config) }
    }
}

/// A budget of retries for one client. By default all clients of one service and region would share
/// one: throttled changes would leave reads without a retry.
#[must_use]
pub fn own_retries(name: &'static str) -> RetryPartition {
    RetryPartition::custom(name).build()
}

/// The configuration of every AWS client of a function, with Lambda's own region and credentials.
pub async fn config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        // Where Lambda puts them. Looking anywhere else would take a tenth of a cold start.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await
}

/// The HTTP client that all AWS clients share: hyper with rustls and AWS-LC, through the proxy that the
/// environment names, if any. It is what the SDK builds by itself, built here so that the SDK can be
/// compiled before AWS-LC is.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// How often a call is tried.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF)
        .with_max_backoff(MAX_BACKOFF)
}

/// How long a call may take.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}
