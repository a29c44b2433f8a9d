//! The scenes.

use crate::stage::Stage;

const MIRROR: (&str, &str) = ("Mirror", "True");
const PARTNER: &str = "444455556666";

/// Plays all scenes; each begins where the one before left the cloud.
pub(crate) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let sensor = prepare(stage).await?;
    launch(stage).await?;
    tag_what_somebody_mirrors(stage).await?;
    change_tags(stage).await?;
    stop_and_terminate(stage).await?;
    delete_sessions(stage).await?;
    sweep(stage).await?;
    fill(stage, &sensor).await
}

async fn prepare(stage: &mut Stage) -> anyhow::Result<String> {
    stage.scene("A sensor is set up: an instance whose interface is a mirror target")?;
    stage.launch(&["sensor"], "m5.large", 1, &[])?;
    let sensor = stage.make_sensor("sensor")?;
    stage.make_filter("everything")?;
    stage.settle().await?;
    stage.check(&[], &[], 0)?;
    Ok(sensor)
}

async fn launch(stage: &mut Stage) -> anyhow::Result<()> {
    stage.scene("Instances are launched, some of them with the tag Mirror=True")?;
    stage.launch(&["web", "api"], "t3.micro", 1, &[MIRROR])?;
    stage.launch(&["db"], "r6i.large", 2, &[MIRROR])?;
    stage.launch(&["build"], "c5.large", 1, &[])?;
    stage.launch(&["legacy"], "t2.micro", 1, &[MIRROR])?;
    stage.settle().await?;
    stage.check_said("legacy", "block", "instance-type")?;
    stage.check(&["web", "api", "db"], &["legacy"], 0)
}

async fn tag_what_somebody_mirrors(stage: &mut Stage) -> anyhow::Result<()> {
    stage
        .scene("Somebody already mirrors an instance, to another account, when it gets the tag")?;
    stage.launch(&["pay"], "m5.large", 1, &[])?;
    stage.siphon("pay", "mallory", PARTNER)?;
    stage.settle().await?;
    stage.check(&["web", "api", "db"], &["legacy"], 1)?;
    stage.add_tag("pay", MIRROR.0, MIRROR.1)?;
    stage.settle().await?;
    stage.check_said("pay", "block", "shadowed")?;
    stage.check(&["web", "api", "db", "pay"], &["legacy", "pay"], 1)
}

async fn change_tags(stage: &mut Stage) -> anyhow::Result<()> {
    stage.scene("The tag is added to one running instance and taken from another")?;
    stage.add_tag("build", MIRROR.0, MIRROR.1)?;
    stage.remove_tag("web", MIRROR.0)?;
    stage.settle().await?;
    stage.check(&["api", "db", "pay", "build"], &["legacy", "pay"], 1)
}

async fn stop_and_terminate(stage: &mut Stage) -> anyhow::Result<()> {
    stage.scene("One instance is stopped and started again, one is terminated")?;
    stage.stop("db")?;
    stage.terminate("build")?;
    stage.settle().await?;
    stage.check(&["api", "pay"], &["legacy", "pay"], 1)?;
    stage.start("db")?;
    stage.settle().await?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)
}

async fn delete_sessions(stage: &mut Stage) -> anyhow::Result<()> {
    stage.scene("Sessions are deleted behind automirror's back: CloudTrail tells of it")?;
    stage.sabotage("pay", "mallory")?;
    stage.settle().await?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)?;

    stage.scene(
        "A session is turned to a target of another account, and automirror turns it back",
    )?;
    stage.divert("api", "mallory")?;
    stage.settle().await?;
    stage.check_done("api", "modify", "drifted")?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)?;

    stage
        .scene("One is deleted without a trail: no event tells of it, but the Config rule does")?;
    stage.deployment.trail = false;
    stage.sabotage("api", "mallory")?;
    let missed = stage.evaluate().await?;
    stage.check(&["db", "pay"], &["legacy", "api", "pay"], 1)?;
    let restored = stage.deliver().await?;
    let found = stage.evaluate().await?;
    stage.settle().await?;
    stage.show_healing("api", [missed, restored, found])?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)
}

async fn sweep(stage: &mut Stage) -> anyhow::Result<()> {
    stage.scene("And with AWS Config's recorder off as well: nobody tells, the sweep finds it")?;
    stage.record(false, "mallory")?;
    stage.sabotage("db", "mallory")?;
    stage.settle().await?;
    stage.check_missed("db")?;
    stage.sweep().await?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)?;
    stage.record(true, "alice")?;
    stage.deployment.trail = true;
    stage.settle().await?;
    stage.check(&["api", "db", "pay"], &["legacy", "pay"], 1)
}

async fn fill(stage: &mut Stage, sensor: &str) -> anyhow::Result<()> {
    const APPS: [&str; 7] = ["app-1", "app-2", "app-3", "app-4", "app-5", "app-6", "app-7"];
    let (placed, left) = APPS.split_at(6);
    stage.scene("More instances than the sensor has room for: an m5.large takes 10 sources")?;
    stage.launch(&APPS, "t3.micro", 1, &[MIRROR])?;
    stage.settle().await?;
    for name in left {
        stage.check_said(name, "block", "targets-full")?;
    }
    stage.check_target_usage(sensor, 10)?;
    stage.check(
        &[&["api", "db", "pay"], placed].concat(),
        &[&["legacy", "pay"][..], left].concat(),
        1,
    )?;

    stage.scene(
        "A second target is created: the next sweep uses it, and the rule's schedule agrees",
    )?;
    let fleet = stage.make_balancer("fleet")?;
    stage.sweep().await?;
    stage.check_target_usage(sensor, 10)?;
    stage.check_target_usage(&fleet, left.len())?;
    stage.evaluate_everything().await?;
    stage.check(&[&["api", "db", "pay"], &APPS[..]].concat(), &["legacy", "pay"], 1)?;

    stage.scene("Do the packets arrive? The sensors capture, and mirrorctl seen says who sends")?;
    stage.watch(&[sensor, &fleet], &[&["api", "db"], &APPS[..]].concat(), &["legacy", "pay"])
}
