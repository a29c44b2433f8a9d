//! `--serve`: the cloud goes on after the story until Ctrl-C.

use std::time::Duration;

use anyhow::Context;
use local_cloud::aws::lambda::{DeployedFunction, Invoke};
use local_cloud::lambda::{Answer, FunctionError};

use crate::screen::{BOLD, CYAN, PLAIN};
use crate::stage::{SETTINGS, Stage};

/// How often the cloud moves on.
const INTERVAL: Duration = Duration::from_millis(200);
/// How often both functions look at everything: automirror's schedule in AWS says every 15 minutes.
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);

/// Lets the cloud live on, and shows what automirror and the rule do there, until Ctrl-C.
pub(crate) async fn serve(stage: &mut Stage) -> anyhow::Result<()> {
    deploy(stage);
    let mut invocations = stage.deployment.cloud.invocations();
    show_commands(stage)?;
    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    let mut interval = tokio::time::interval(INTERVAL);
    let mut sweeps = tokio::time::interval(SWEEP_INTERVAL);
    sweeps.reset();
    loop {
        tokio::select! {
            interrupted = &mut interrupt => {
                return interrupted.context("could not wait for Ctrl-C");
            }
            Some(invoke) = invocations.recv() => answer(stage, invoke).await?,
            _ = sweeps.tick() => {
                stage.screen.detail((CYAN, "sweep"), "on schedule, both look at everything")?;
                stage.sweep_now().await?;
                stage.evaluate_everything_now().await?;
            }
            _ = interval.tick() => {
                stage.deployment.cloud.world().tick();
                stage.deliver().await?;
                stage.evaluate().await?;
            }
        }
    }
}

/// Shows both functions in Lambda's API, as the template describes them.
fn deploy(stage: &Stage) {
    let environment = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, description) in [
        ("automirror", "Creates, modifies and deletes Traffic Mirror sessions"),
        ("config-rule", "Evaluates for AWS Config whether instances are mirrored"),
    ] {
        stage.deployment.cloud.functions().push(DeployedFunction {
            name: name.to_owned(),
            description: description.to_owned(),
            environment: environment.clone().into(),
        });
    }
}

/// Lets a function answer who invokes it. Whatever he sends, the demo goes on.
async fn answer(stage: &mut Stage, invoke: Invoke) -> anyhow::Result<()> {
    let Invoke { function, payload, caller, answer } = invoke;
    let sent = String::from_utf8_lossy(&payload);
    let text = format!("{caller} invokes {function}: {}", sent.trim_end());
    stage.screen.row((CYAN, "invoke"), &text)?;
    stage.deployment.cloud.clear_calls();
    let is_rule = function == "config-rule";
    let invoked = if is_rule {
        stage.rule()?.function.invoke(&payload).await
    } else {
        let worker = stage.deployment.workers.first().context("there is no worker")?;
        worker.invoke(&payload).await
    };
    let given = match invoked {
        Ok(invocation) => {
            if is_rule {
                stage.screen.log(&invocation.log)?;
            } else {
                stage.show_work(&invocation)?;
            }
            invocation.answer
        }
        Err(err) => Answer::Error(FunctionError {
            error_type: "Runtime.ExitError".to_owned(),
            error_message: err.to_string(),
        }),
    };
    // Whoever has hung up needs no answer.
    answer.send(given).ok();
    Ok(())
}

fn show_commands(stage: &mut Stage) -> anyhow::Result<()> {
    let pay = stage.instance("pay")?.id;
    let endpoint = stage.deployment.cloud.endpoint();
    let headline =
        "The cloud goes on until Ctrl-C, and is swept every 15 seconds. In another terminal:";
    // The first version of the CLI does not read AWS_REGION.
    let text = format!(
        r#"# An access key of this cloud is the number of an account.
export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=x

aws ec2 run-instances --instance-type t3.micro --output text --query 'Instances[].InstanceId' \
  --tag-specifications 'ResourceType=instance,Tags=[{{Key=Mirror,Value=True}}]'
aws ec2 describe-traffic-mirror-sessions --output table --query 'TrafficMirrorSessions[].[
  Tags[?Key==`Name`]|[0].Value,TrafficMirrorSessionId,SessionNumber,TrafficMirrorTargetId]'
aws configservice get-compliance-details-by-config-rule --config-rule-name mirroring \
  --compliance-types NON_COMPLIANT --output text --query 'EvaluationResults[].[
  EvaluationResultIdentifier.EvaluationResultQualifier.ResourceId,Annotation]'
echo '{{"sweep":true}}' |
  aws lambda invoke --function-name automirror --payload fileb:///dev/stdin /dev/stdout

target/debug/mirrorctl status
target/debug/mirrorctl plan
target/debug/mirrorctl explain {pay}
target/debug/mirrorctl report --html report.html
aws ec2 delete-tags --resources {pay} --tags Key=Mirror
"#
    );
    stage.screen.line(PLAIN, "")?;
    stage.screen.line(BOLD, headline)?;
    text.lines().try_for_each(|line| stage.screen.line(PLAIN, line))?;
    stage.screen.line(PLAIN, "")?;
    Ok(())
}
