//! How AWS is called: by which HTTP client, how long a call may take and how often it is tried.
//!
//! Standard retries, not adaptive ones: those delay every call of a client after one refusal, reads
//! included, and the queue retries what does not fit into this invocation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use aws_config::SdkConfig;
use aws_config::{
    AppName, BehaviorVersion, ConfigLoader, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    meta::credentials::CredentialsProviderChain, provider_config::ProviderConfig,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_ec2::config::{
    ProvideCredentials, RuntimeComponents, SharedHttpClient, retry::RetryPartition,
};
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::error::ObserveError;

/// Within a region a connection takes milliseconds; two seconds allow for one lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A page of 1,000 sessions or 200 instances takes EC2 a second or two.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// A call with all its attempts, of which three may stay without an answer. Half of the shortest time-out that
/// the templates offer, 30 seconds, is left to others.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for a page of 1,000 instances, where nobody ends the process.
const PATIENT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const PATIENT_OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest page that EC2 gives (EC2 API, `MaxResults`).
pub(crate) const LARGEST_PAGE: i32 = 1000;
/// A page of instances or interfaces. One with 50 of the longest tags in letters of four bytes takes 77 KB, and
/// three times as much while it is read; EC2 would give a thousand at once.
const NARROW_PAGE_SIZE: i32 = 200;
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
    /// EC2 there does not know the parameter `IncludeManagedResources`, which is new in 2026.
    hides_managed: Arc<AtomicBool>,
    /// How many instances or interfaces a page has.
    pub(crate) wide_page_size: i32,
}

impl Ec2 {
    /// The account and region of this configuration, within a function's memory and time.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self::with_pages_of(aws_sdk_ec2::config::Builder::from(config), NARROW_PAGE_SIZE)
    }

    /// The same for a command line: as many instances and interfaces at once as EC2 gives, which are fewer calls
    /// and more memory, and more time for each.
    #[must_use]
    pub fn with_largest_pages(config: &SdkConfig) -> Self {
        let timeouts = within(PATIENT_ATTEMPT_TIMEOUT, PATIENT_OPERATION_TIMEOUT);
        let config = aws_sdk_ec2::config::Builder::from(config).timeout_config(timeouts);
        Self::with_pages_of(config, LARGEST_PAGE)
    }

    fn with_pages_of(config: aws_sdk_ec2::config::Builder, wide_page_size: i32) -> Self {
        let config = config.retry_partition(own_retries("ec2-reads")).build();
        let client = aws_sdk_ec2::Client::from_conf(config);
        Self { client, hides_managed: Arc::default(), wide_page_size }
    }

    /// Asks with `IncludeManagedResources`, without which EC2 may hide what a service manages for the account;
    /// and without it, from then on, where EC2 does not know that parameter.
    pub(crate) async fn ask_for_managed<T, F>(
        &self,
        ask: impl Fn(bool) -> F,
    ) -> Result<T, ObserveError>
    where
        F: Future<Output = Result<T, ObserveError>>,
    {
        if self.hides_managed.load(Ordering::Relaxed) {
            return ask(false).await;
        }
        match ask(true).await {
            Err(error) if error.is_unknown_parameter() => {
                self.hides_managed.store(true, Ordering::Relaxed);
                tracing::warn!(
                    "EC2 here does not know IncludeManagedResources: it is asked without"
                );
                ask(false).await
            }
            answer => answer,
        }
    }
}

/// A budget of retries for one client. By default all clients of one service and region would share
/// one: throttled changes would leave reads without a retry.
#[must_use]
pub fn own_retries(name: &'static str) -> RetryPartition {
    RetryPartition::custom(name).build()
}

/// The configuration of every AWS client of a function, with Lambda's own region and credentials.
pub async fn config(program: &'static str) -> SdkConfig {
    loader(program).credentials_provider(credentials()).load().await
}

/// How every program here calls AWS. `program` is its name with its version, for the user agent: CloudTrail shows
/// which version has made a call.
#[must_use]
pub fn loader(program: &'static str) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts());
    match AppName::new(program) {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

/// Where Lambda offers credentials: in the environment; a function with `SnapStart` finds there only the address
/// of an endpoint, `AWS_CONTAINER_CREDENTIALS_FULL_URI` (Lambda developer guide). Looking anywhere else would
/// take a tenth of a cold start.
fn credentials() -> CredentialsProviderChain {
    // The endpoint is on this machine, and what it gives is nothing for a proxy.
    let direct = ProviderConfig::empty().with_http_client(http_client_over(ProxyConfig::disabled));
    let endpoint = EcsCredentialsProvider::builder().configure(&direct).build();
    CredentialsProviderChain::first_try(
        "environment",
        EnvironmentVariableCredentialsProvider::new(),
    )
    .or_else("container endpoint", endpoint)
}

/// The access key that the clients sign with; none where there are no credentials.
pub async fn access_key(config: &SdkConfig) -> Option<String> {
    let credentials = config.credentials_provider()?.provide_credentials().await.ok()?;
    Some(credentials.access_key_id().to_owned())
}

/// The HTTP client that all AWS clients share: hyper with rustls and AWS-LC, through the proxy that the
/// environment names, if any. It is what the SDK builds by itself, built here so that the SDK can be
/// compiled before AWS-LC is.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    http_client_over(ProxyConfig::from_env)
}

fn http_client_over(proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector =
            ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(proxy()));
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
    within(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT)
}

fn within(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
