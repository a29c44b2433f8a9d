//! `--serve`: the cloud goes on after the story until Ctrl-C.

use std::time::Duration;

use anyhow::Context;

use crate::screen::{BOLD, PLAIN};
use crate::stage::Stage;

const INTERVAL: Duration = Duration::from_millis(200);

/// Lets the cloud live on, and shows what automirror and the rule do there, until Ctrl-C.
pub(crate) async fn serve(stage: &mut Stage) -> anyhow::Result<()> {
    show_commands(stage)?;
    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            interrupted = &mut interrupt => {
                return interrupted.context("could not wait for Ctrl-C");
            }
            _ = interval.tick() => {}
        }
        stage.deployment.cloud.world().tick();
        stage.deliver().await?;
        stage.evaluate().await?;
    }
}

fn show_commands(stage: &mut Stage) -> anyhow::Result<()> {
    let pay = stage.instance("pay")?.id;
    // The first version of the CLI does not read AWS_REGION.
    let key = "AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=us-east-1";
    let endpoint = stage.deployment.cloud.endpoint();
    stage.screen.line(PLAIN, "")?;
    stage.screen.line(BOLD, "The cloud goes on until Ctrl-C; try in another terminal:")?;
    for command in [
        "ec2 run-instances --instance-type t3.micro --tag-specifications \
         'ResourceType=instance,Tags=[{Key=Mirror,Value=True},{Key=Name,Value=mine}]'",
        "ec2 describe-traffic-mirror-sessions --output table",
        "configservice get-compliance-details-by-config-rule --config-rule-name mirroring \
         --compliance-types NON_COMPLIANT",
        &format!("ec2 delete-tags --resources {pay} --tags Key=Mirror"),
    ] {
        let line = format!("{key} aws --endpoint-url {endpoint} {command}");
        stage.screen.line(PLAIN, &line)?;
    }
    stage.screen.line(PLAIN, "")?;
    let key = key.replace("AWS_DEFAULT_REGION", "AWS_REGION");
    let line = format!("export AWS_ENDPOINT_URL={endpoint} {key}");
    stage.screen.line(PLAIN, &line)?;
    for command in ["status", "plan", &format!("explain {pay}"), "report --html report.html"] {
        stage.screen.line(PLAIN, &format!("target/debug/mirrorctl {command}"))?;
    }
    stage.screen.line(PLAIN, "")?;
    Ok(())
}
