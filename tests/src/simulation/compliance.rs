//! Compares config-rule's evaluations with the world, once all has come to rest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use config_rule::handler::Handler;
use lambda_runtime::LambdaEvent;
use shared_ec2::client::{Ec2, own_retries};

use super::check::Found;
use super::clock;
use super::expect::Expected;
use super::process::{answer, context, credentials, sdk_config};
use super::site::Site;
use crate::aws::config::{Compliance, PutRule, ResourceKey};
use crate::aws::ec2::{Direction, Instance, Session, State, World};
use crate::cloud::Cloud;
use crate::lambda::Answer;

const RULE: &str = "mirroring";

thread_local! {
    /// Those of the run on this thread: a function reads its settings from its environment.
    static SETTINGS: RefCell<BTreeMap<&'static str, String>> = RefCell::default();
}

fn setting(name: &str) -> Option<String> {
    SETTINGS.with_borrow(|settings| settings.get(name).cloned())
}

/// The scheduled run agrees with the world.
pub(super) async fn agrees(cloud: &Arc<Cloud>, site: &Site) -> anyhow::Result<()> {
    evaluate(cloud, site).await?;
    let (world, config) = (cloud.world(), cloud.config());
    let rule = config.rule(RULE).context("the rule is gone")?;
    for instance in world.instances() {
        let verdict = rule.verdict(&ResourceKey::instance(&instance.id));
        let said = verdict.map_or(Compliance::NotApplicable, |it| it.compliance);
        let note = || format!("{instance:?} is {verdict:?}");
        check(&world, site, instance, said).with_context(note)?;
    }
    for session in world.sessions() {
        let verdict = rule.verdict(&ResourceKey::session(&session.id));
        let is_accused = verdict.is_some_and(|it| it.compliance == Compliance::NonCompliant);
        let may_stay = site.allowed.contains(&session.target);
        ensure!(is_accused != may_stay, "{session:?} is {verdict:?}");
    }
    Ok(())
}

/// A scheduled run.
pub(super) async fn evaluate(cloud: &Arc<Cloud>, site: &Site) -> anyhow::Result<()> {
    SETTINGS.set(site.settings.clone());
    let credentials = credentials("ASIACONFIGRULE", "config-rule");
    let sdk_config = sdk_config(cloud, credentials, 0);
    // Otherwise all runs of this process would share one budget of retries.
    let config = aws_sdk_config::config::Builder::from(&sdk_config)
        .retry_partition(own_retries("config"))
        .build();
    let handler = Handler {
        setting,
        now: clock::now,
        ec2: Ec2::new(&sdk_config),
        config: aws_sdk_config::Client::from_conf(config),
    };
    let event = {
        let world = cloud.world();
        let mut config = cloud.config();
        if config.rule(RULE).is_none() {
            config.put_rule(&PutRule::new(RULE))?;
        }
        let message = config.scheduled_notification(&world);
        config.invocation(&world, RULE, &message, false)
    };
    let event = LambdaEvent::new(
        event,
        context("config-rule", "config-rule".to_owned(), clock::since_1970()),
    );
    match answer(handler.handle(event).await) {
        Answer::Response(_) => Ok(()),
        other => bail!("{other:?}"),
    }
}

fn check(world: &World, site: &Site, instance: &Instance, said: Compliance) -> anyhow::Result<()> {
    let found = instance.interfaces.iter().filter_map(|id| Found::on(world, site, instance, id));
    let found: Vec<_> = found.collect();
    let is_mirrored = |it: &&Found<'_>| matches!(it.expected, Expected::Sessions(_));
    let is_unclear = found.iter().any(|it| it.expected == Expected::NothingNew);
    // automirror keeps sessions on a stopped instance, but creates none there.
    let is_stopped = matches!(instance.state, State::Stopping | State::Stopped);
    let lacks = found.iter().any(|it| !it.unserved().is_empty());
    let is_shadowed = found.iter().any(|it| is_shadowed(site, it));
    let takes = found.iter().filter(is_mirrored).all(|it| takes(world, it));
    let should_be_mirrored = found.iter().any(|it| is_mirrored(&it));
    match said {
        Compliance::Compliant => {
            let is_right = should_be_mirrored && (is_stopped || !lacks) && takes;
            ensure!(is_right && !is_shadowed, "it is not mirrored as it should be");
        }
        Compliance::NonCompliant => ensure!(
            is_unclear || lacks || is_shadowed || !takes,
            "it is mirrored as it should be, or should not be mirrored"
        ),
        Compliance::NotApplicable => {
            ensure!(is_unclear || is_stopped || !should_be_mirrored, "it should be mirrored");
        }
    }
    Ok(())
}

/// Whether a foreign session with a lower number takes the packets to a target that is not allowed.
fn is_shadowed(site: &Site, found: &Found<'_>) -> bool {
    let serving = found.serving();
    let stray = found.foreign.iter().filter(|session| !site.allowed.contains(&session.target));
    stray.into_iter().any(|stray| serving.iter().any(|session| stray.number <= session.number))
}

/// Whether the filters of the owned sessions accept anything.
fn takes(world: &World, found: &Found<'_>) -> bool {
    found.owned.iter().all(|session: &&Session| {
        world.filter(&session.filter).is_some_and(|filter| {
            let rules =
                [Direction::Ingress, Direction::Egress].map(|it| world.rules_of(filter, it));
            rules.iter().any(|rules| !rules.is_empty())
        })
    })
}
