//! Compares config-rule's evaluations with the world, once all has come to rest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use config_rule::handler::Handler;
use lambda_runtime::LambdaEvent;
use shared_ec2::client::{Ec2, own_retries};
use shared_elb::Elb;

use super::check::Found;
use super::clock;
use super::expect::{Expected, Obstacle, is_deserted, is_tagged};
use super::process::{answer, context, credentials, sdk_config};
use super::site::Site;
use super::targets::{Health, health, is_allowed};
use super::truth;
use crate::aws::config::{Compliance, PutRule, ResourceKey, Status};
use crate::aws::ec2::{Instance, Session, State, World};
use crate::cloud::Cloud;
use crate::lambda::Answer;

/// The access key of its usual execution environment.
pub(super) const KEY: &str = "ASIACONFIGRULE";

thread_local! {
    /// Those of the run on this thread: a function reads its settings from its environment.
    static SETTINGS: RefCell<BTreeMap<&'static str, String>> = RefCell::default();
}

fn setting(name: &str) -> Option<String> {
    SETTINGS.with_borrow(|settings| settings.get(name).cloned())
}

/// The scheduled run agrees with the world.
pub(super) async fn agrees(cloud: &Arc<Cloud>, site: &Site) -> anyhow::Result<()> {
    let outcome = evaluate(cloud, site).await;
    let (world, config) = (cloud.world(), cloud.config());
    if config.dislikes.is_empty() {
        outcome?;
    }
    // What AWS Config does not accept keeps no other verdict from it.
    let is_disliked = |key: &ResourceKey| {
        [&key.resource_type, &key.id].iter().any(|it| config.dislikes.contains_key(*it))
    };
    let rule = config.rule(site.which.rule()).context("the rule is gone")?;
    // Where the setting of VPCs may be mistyped, it reads only a part of what is stopped.
    let is_deserted = is_deserted(&world, &site.policy);
    let may_be_unread = |it: &Instance| is_deserted && it.state == State::Stopped;
    for instance in world.instances() {
        if is_disliked(&ResourceKey::instance(&instance.id)) || may_be_unread(instance) {
            continue;
        }
        let verdict = rule.verdict(&ResourceKey::instance(&instance.id));
        let said = verdict.map_or(Compliance::NotApplicable, |it| it.compliance);
        let right = judge(&world, site, instance);
        ensure!(
            said == right,
            "{instance:?} should be {right:?} and is {verdict:?}; {}",
            described(&world, site, instance)
        );
        let is_blind = instance.interfaces.iter().any(|id| truth::is_blind(&world, site, id));
        ensure!(
            said != Compliance::Compliant || !is_blind,
            "packets of {instance:?} do not arrive, and it is {verdict:?}"
        );
    }
    let sessions = world.sessions();
    for session in sessions.filter(|it| !is_disliked(&ResourceKey::session(&it.id))) {
        let verdict = rule.verdict(&ResourceKey::session(&session.id));
        let is_accused = verdict.is_some_and(|it| it.compliance == Compliance::NonCompliant);
        let target = &session.target;
        let may_be = is_allowed(&world, site, target) && health(&world, target) != Health::Gone;
        let should_be = !may_be && is_in_vpcs(&world, site, session);
        ensure!(is_accused == should_be, "{session:?} is {verdict:?}");
    }
    Ok(())
}

/// The scheduled run with settings that name nothing that exists: whatever should be mirrored is accused, as
/// nothing is done for it any more.
pub(super) async fn accuses_all(
    cloud: &Arc<Cloud>,
    site: &Site,
    selected: &BTreeSet<String>,
) -> anyhow::Result<()> {
    evaluate(cloud, site).await?;
    let config = cloud.config();
    let rule = config.rule(site.which.rule()).context("the rule is gone")?;
    for instance in selected {
        let verdict = rule.verdict(&ResourceKey::instance(instance));
        let is_accused = verdict.is_some_and(|it| {
            let annotation = it.annotation.as_deref().unwrap_or_default();
            it.compliance == Compliance::NonCompliant && annotation.contains("[setting-broken]")
        });
        ensure!(is_accused, "{instance} is {verdict:?}");
    }
    Ok(())
}

/// The instances that should be mirrored and can be.
pub(super) fn selected(world: &World, site: &Site) -> BTreeSet<String> {
    let is_selected = |instance: &&Instance| {
        let interfaces = instance.interfaces.iter();
        let mut found = interfaces.filter_map(|id| Found::on(world, site, instance, id));
        found.any(|found| matches!(found.expected, Expected::Sessions(_)))
    };
    world.instances().filter(is_selected).map(|it| it.id.clone()).collect()
}

/// A scheduled run.
pub(super) async fn evaluate(cloud: &Arc<Cloud>, site: &Site) -> anyhow::Result<()> {
    evaluate_one(cloud, site, None).await
}

/// A run because of a change to one resource, or a scheduled one.
pub(super) async fn evaluate_one(
    cloud: &Arc<Cloud>,
    site: &Site,
    changed: Option<ResourceKey>,
) -> anyhow::Result<()> {
    evaluate_as(KEY, cloud, site, changed).await
}

/// The same, in the execution environment with this access key.
pub(super) async fn evaluate_as(
    access_key: &str,
    cloud: &Arc<Cloud>,
    site: &Site,
    changed: Option<ResourceKey>,
) -> anyhow::Result<()> {
    SETTINGS.set(site.settings.clone());
    let credentials = credentials(access_key, "config-rule");
    let sdk_config = sdk_config(cloud, credentials, 0);
    // Otherwise all runs of this process would share one budget of retries.
    let config = aws_sdk_config::config::Builder::from(&sdk_config)
        .retry_partition(own_retries("config"))
        .build();
    let handler = Handler {
        setting,
        now: clock::now,
        ec2: Ec2::new(&sdk_config),
        elb: Elb::new(&sdk_config),
        config: aws_sdk_config::Client::from_conf(config),
    };
    let event = {
        let world = cloud.world();
        let mut config = cloud.config();
        let rule = site.which.rule();
        if config.rule(rule).is_none() {
            config.put_rule(&PutRule::new(rule))?;
        }
        let message = match changed {
            None => config.scheduled_notification(&world),
            Some(key) => config.bare_item(&world, key, Status::Ok).notification(),
        };
        config.invocation(&world, rule, &message, false)
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

fn described(world: &World, site: &Site, instance: &Instance) -> String {
    let found = instance.interfaces.iter().filter_map(|id| Found::on(world, site, instance, id));
    found.map(|found| found.to_string()).collect::<Vec<_>>().join("; ")
}

/// What should be said of an instance.
fn judge(world: &World, site: &Site, instance: &Instance) -> Compliance {
    let found = instance.interfaces.iter().filter_map(|id| Found::on(world, site, instance, id));
    let judged: Vec<_> = found.map(|found| Judged::of(world, site, &found)).collect();
    let is_mirrored = judged.iter().any(|it| it.is_mirrored);
    // Who asks for an instance by its tag and gets nothing must hear of it.
    let is_vain = judged.iter().any(|it| it.is_unsupported) && is_tagged(instance) && !is_mirrored;
    if is_vain || judged.iter().any(|it| it.is_wrong) {
        Compliance::NonCompliant
    } else if is_mirrored {
        Compliance::Compliant
    } else {
        Compliance::NotApplicable
    }
}

/// What there is to say of an interface.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) is_mirrored: bool,
    pub(super) is_wrong: bool,
    pub(super) is_unsupported: bool,
}

impl Judged {
    pub(super) fn of(world: &World, site: &Site, found: &Found<'_>) -> Self {
        let mut judged = Self::but_for_twins(world, site, found);
        judged.is_wrong |= found.is_looked_after() && found.has_twin();
        judged
    }

    fn but_for_twins(world: &World, site: &Site, found: &Found<'_>) -> Self {
        let has_none = found.owned.is_empty();
        match &found.expected {
            Expected::Anything | Expected::Nothing | Expected::Leaving => Self::default(),
            Expected::NothingNew(obstacle, _) if has_none => Self::because_of(*obstacle),
            Expected::Doubtful | Expected::Unclear | Expected::NothingNew(_, None) => {
                Self { is_wrong: true, ..Self::default() }
            }
            Expected::NothingNew(obstacle, Some(_)) => {
                let is_left = !found.unserved().is_empty() || *obstacle == Obstacle::MadeATarget;
                let obstacle = if is_left { Self::because_of(*obstacle) } else { Self::default() };
                let mut judged = Self::with_sessions(world, site, found).and(&obstacle);
                judged.is_wrong |= found.has_astray();
                judged
            }
            Expected::Sessions(_) => {
                let is_wrong = !found.unserved().is_empty();
                let lacking = Self { is_wrong, ..Self::default() };
                Self::with_sessions(world, site, found).and(&lacking)
            }
        }
    }

    fn because_of(obstacle: Obstacle) -> Self {
        Self {
            is_mirrored: false,
            is_wrong: obstacle == Obstacle::MadeATarget,
            is_unsupported: matches!(obstacle, Obstacle::IsTarget | Obstacle::InstanceType),
        }
    }

    fn with_sessions(world: &World, site: &Site, found: &Found<'_>) -> Self {
        let serving = found.serving();
        // One that leads to where nothing receives takes the packets as well.
        let stray = |it: &&&Session| {
            !is_allowed(world, site, &it.target) || health(world, &it.target) != Health::Up
        };
        let is_shadowed = |session: &Session| {
            let mut strays = found.foreign.iter().filter(stray);
            strays.any(|stray| stray.number <= session.number)
        };
        let is_lost = |session: &Session| {
            health(world, &session.target) != Health::Up || !truth::takes_all(world, site, session)
        };
        let is_gone = |it: &&Session| health(world, &it.target) == Health::Gone;
        let is_wrong = serving.iter().any(|it| is_shadowed(it) || is_lost(it))
            || found.owned.iter().any(is_gone);
        Self { is_mirrored: !serving.is_empty(), is_wrong, is_unsupported: false }
    }

    fn and(self, other: &Self) -> Self {
        Self {
            is_mirrored: self.is_mirrored || other.is_mirrored,
            is_wrong: self.is_wrong || other.is_wrong,
            is_unsupported: self.is_unsupported || other.is_unsupported,
        }
    }
}

/// Whether the settings concern the VPC of the session.
pub(super) fn is_in_vpcs(world: &World, site: &Site, session: &Session) -> bool {
    let vpcs = &site.policy.vpcs;
    let vpc = world.interface(&session.interface).map(|interface| interface.vpc.as_str());
    vpcs.is_empty() || vpcs.iter().any(|it| Some(it.as_str()) == vpc)
}
