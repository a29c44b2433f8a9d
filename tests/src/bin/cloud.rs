#![expect(clippy::print_stdout, reason = "it speaks to people")]
//! Runs the local cloud for people: `make cloud ARGS="--port 4566"`.

use anyhow::{Context, bail};
use local_cloud::{
    aws::config::PutRule,
    cloud::{Cloud, Options},
};

/// The Config rule that there is.
const RULE: &str = "mirroring";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let port = port(std::env::args().skip(1))?;
    let cloud = Cloud::start(&Options { port, auto_tick: true, ..Options::default() })?;
    println!("EC2 and AWS Config at {}; try:", cloud.endpoint());
    let key = "AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=us-east-1";
    for command in [
        "ec2 run-instances --instance-type t3.micro --count 2",
        "ec2 create-traffic-mirror-filter",
        "ec2 describe-traffic-mirror-sessions",
        &format!("configservice get-compliance-details-by-config-rule --config-rule-name {RULE}"),
    ] {
        println!("{key} aws --endpoint-url {} {command}", cloud.endpoint());
    }
    println!("Evaluations are put with the token {}", token(&cloud)?);
    tokio::signal::ctrl_c().await.context("could not wait for Ctrl-C")
}

/// A result token, which a rule's function would get with its event.
fn token(cloud: &Cloud) -> anyhow::Result<String> {
    let world = cloud.world();
    let mut config = cloud.config();
    config.put_rule(&PutRule::new(RULE))?;
    Ok(config.issue_token(&world, RULE))
}

fn port(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<u16> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, _, _) => Ok(0),
        (Some("--port"), Some(port), None) => {
            port.parse().with_context(|| format!("`--port` must be a port number, got `{port}`"))
        }
        _ => bail!("usage: cloud [--port NUMBER]"),
    }
}
