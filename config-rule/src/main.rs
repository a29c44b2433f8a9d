//! The function as a program: settings, clock and clients, and Lambda's loop.

use std::{process::ExitCode, time::SystemTime};

use anyhow::anyhow;
use config_rule::handler::Handler;
use lambda_runtime::{LambdaEvent, service_fn};
use shared::policy::{Policy, run::RunSettings, setting::check_names};
use shared_ec2::{
    client::{self, Ec2},
    log,
    warm_up::connect,
};
use shared_elb::Elb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init(setting);
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
    // The rule's parameters override the settings, but a bad setting must be seen at once.
    Policy::parse(setting)?;
    RunSettings::parse(setting)?;
    log::log_start(env!("CARGO_PKG_VERSION"), setting);
    let config =
        client::config(concat!(env!("CARGO_PKG_NAME"), "-", env!("CARGO_PKG_VERSION"))).await;
    let ec2 = Ec2::new(&config);
    connect(&ec2).await;
    let (elb, config) = (Elb::new(&config), aws_sdk_config::Client::new(&config));
    let handler = Handler { setting, now, ec2, elb, config };
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

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn now() -> SystemTime {
    SystemTime::now()
}
