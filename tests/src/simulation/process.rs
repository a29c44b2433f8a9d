//! An execution environment of a function, within this process: the function's own code, with clients that
//! reach the cloud without a network.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use automirror::{event::cloudtrail::Identity, handler::Handler};
use aws_sdk_ec2::config::{
    BehaviorVersion, Credentials, HttpClient, Region, SharedCredentialsProvider,
};
use fastrand::Rng;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use shared::policy::{Policy, run::RunSettings};
use shared_ec2::client::{self, SdkConfig};
use tokio::time::sleep;

use super::clock;
use crate::aws::ec2::DEFAULT_ACCOUNT;
use crate::cloud::{Cloud, Gate, Moment};
use crate::lambda::{Answer, FunctionError, REGION};

/// What Lambda gives an invocation.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The longest a call is under way, to EC2 and back, in milliseconds.
const SLOWEST: u64 = 200;

/// An execution environment of automirror.
pub(super) struct Process {
    function: &'static str,
    handler: Handler,
    number: u64,
}

impl Process {
    /// `number` is its own within a run.
    pub(super) fn new(
        cloud: &Arc<Cloud>,
        policy: &Policy,
        settings: RunSettings,
        number: u64,
    ) -> Self {
        Self::of("automirror", cloud, policy, settings, number)
    }

    /// Of the function with this name, which is its role's as well.
    pub(super) fn of(
        function: &'static str,
        cloud: &Arc<Cloud>,
        policy: &Policy,
        settings: RunSettings,
        number: u64,
    ) -> Self {
        let access_key = access_key(number);
        let credentials = credentials(&access_key, function);
        let own = Identity { function_name: function.to_owned(), access_key };
        let config = sdk_config(cloud, credentials, number);
        let handler = Handler::new(policy.clone(), settings, own, &config, clock::now);
        Self { function, handler, number }
    }

    /// Invokes the function as Lambda does: a new execution environment warms up first.
    pub(super) async fn invoke(&self, event: Value, invocation: u64) -> Answer {
        if invocation == 0 {
            self.handler.warm_up().await;
        }
        let id = format!("{:08}-0000-4000-8000-{invocation:012}", self.number);
        let event = LambdaEvent::new(event.into(), context(self.function, id, clock::since_1970()));
        answer(self.handler.handle(event).await)
    }

    /// What its calls are known by.
    pub(super) fn access_key(&self) -> String {
        access_key(self.number)
    }
}

/// The access key of an execution environment.
pub(super) fn access_key(number: u64) -> String {
    format!("ASIA{number:016}")
}

pub(crate) fn answer(outcome: Result<Value, lambda_runtime::Diagnostic>) -> Answer {
    match outcome {
        Ok(value) => Answer::Response(value),
        Err(error) => Answer::Error(FunctionError {
            error_type: error.error_type,
            error_message: error.error_message,
        }),
    }
}

/// Lambda's context of an invocation that begins at this time, counted from 1970.
pub(crate) fn context(function: &str, request_id: String, begin: Duration) -> Context {
    context_until(function, request_id, begin + TIMEOUT)
}

/// The same of an invocation that must end by then.
pub(super) fn context_until(function: &str, request_id: String, end: Duration) -> Context {
    let mut context = Context::default();
    context.request_id = request_id;
    context.deadline = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
    context.invoked_function_arn =
        format!("arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT}:function:{function}");
    context
}

/// The credentials of a function's role.
pub(crate) fn credentials(access_key: &str, function: &str) -> Credentials {
    let token = format!("assumed-role/{function}/{function}");
    Credentials::new(access_key, "secret", Some(token), None, "simulation")
}

/// The configuration of clients whose calls take a random time.
pub(super) fn sdk_config(cloud: &Arc<Cloud>, credentials: Credentials, seed: u64) -> SdkConfig {
    sdk_config_over(cloud.connect(slow_gate(cloud, seed)), credentials)
}

/// The configuration of AWS clients, as the functions configure theirs.
pub(crate) fn sdk_config_over(
    http: impl HttpClient + 'static,
    credentials: Credentials,
) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(client::retries())
        .timeout_config(client::timeouts())
        .http_client(http)
        .build()
}

/// Keeps calls under way for a while, before and after they have their effect.
pub(super) fn slow_gate(cloud: &Arc<Cloud>, seed: u64) -> Gate {
    let cloud = Arc::clone(cloud);
    let rng = Mutex::new(Rng::with_seed(seed));
    Arc::new(move |_, moment| {
        let pause = rng.lock().unwrap_or_else(PoisonError::into_inner).u64(0..=SLOWEST / 2);
        let cloud = Arc::clone(&cloud);
        Box::pin(async move {
            sleep(Duration::from_millis(pause)).await;
            if moment == Moment::Before {
                cloud.world().now = clock::since_1970().as_secs();
            }
        })
    })
}
