//! Runs the local cloud for people: `make cloud ARGS="--port 4566"`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use local_cloud::{
    aws::config::PutRule,
    cloud::{Cloud, Options},
};

const USAGE: &str = "\
usage: cloud [--port NUMBER]

Runs EC2 and AWS Config on this machine, until Ctrl-C. Without a number the port is any that is free.
This is only the cloud: automirror does not run in it, as it does in `make demo ARGS=--serve`.";

/// The Config rule that there is.
const RULE: &str = "mirroring";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(0),
        ["--help"] => {
            writeln!(io::stdout(), "{USAGE}")?;
            return Ok(ExitCode::SUCCESS);
        }
        ["--port", port] => port.parse().ok(),
        _ => None,
    };
    let Some(port) = port else {
        writeln!(io::stderr(), "{USAGE}")?;
        return Ok(ExitCode::from(2));
    };
    if let Err(err) = run(port).await {
        writeln!(io::stderr(), "cloud: {err:#}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(port: u16) -> anyhow::Result<()> {
    let cloud = Cloud::start(&Options { port, auto_tick: true, ..Options::default() })?;
    let text = format!(
        "EC2 and AWS Config at {endpoint}.
This is only the cloud: automirror does not run in it, as it does in `make demo ARGS=--serve`.
In another terminal:

# An access key of this cloud is the number of an account.
export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=x

aws ec2 run-instances --instance-type t3.micro --count 2
aws ec2 create-traffic-mirror-filter
aws ec2 describe-traffic-mirror-sessions
aws configservice get-compliance-details-by-config-rule --config-rule-name {RULE}

A function of the rule puts evaluations with the token
{token}",
        endpoint = cloud.endpoint(),
        token = token(&cloud)?
    );
    writeln!(io::stdout(), "{text}")?;
    tokio::signal::ctrl_c().await.context("could not wait for Ctrl-C")
}

/// A result token, which a rule's function would get with its event.
fn token(cloud: &Cloud) -> anyhow::Result<String> {
    let world = cloud.world();
    let mut config = cloud.config();
    config.put_rule(&PutRule::new(RULE))?;
    Ok(config.issue_token(&world, RULE))
}
