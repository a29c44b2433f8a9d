//! config-rule: the Lambda function of an AWS Config custom rule. It reports the plan that automirror
//! carries out, so an instance is COMPLIANT exactly when there is nothing left to do for it.
//!
//! An event says what to judge (`event`), `shared` reads EC2 and decides, `verdict` turns the plan into
//! evaluations, `report` sends them. Nothing here changes EC2.

mod event;
mod handler;
mod history;
mod parameters;
mod report;
mod verdict;

use std::process::ExitCode;

use anyhow::anyhow;
use lambda_runtime::{LambdaEvent, service_fn};
use shared::{client, policy::Policy, settings::check_names};

use crate::handler::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    check_names(names())?;
    // The rule's parameters go over the settings, but a bad setting is to be seen at once.
    Policy::parse(setting)?;
    let config = client::config().await;
    let handler = Handler {
        setting,
        ec2: aws_sdk_ec2::Client::new(&config),
        config: aws_sdk_config::Client::new(&config),
    };
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| handler.handle(event)))
        .await
        .map_err(|error| anyhow!("the Lambda runtime stopped: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
fn names() -> impl Iterator<Item = String> {
    std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned())
}

#[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
