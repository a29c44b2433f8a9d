//! One invocation: parse the events, reconcile what they name, answer.

use std::{collections::BTreeSet, time::SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{
    policy::{Policy, run::RunSettings},
    text::quote,
};
use shared_ec2::{client::SdkConfig, deadline::Deadline};
use tracing::error;

use crate::{
    answer::{
        batch_result::Request,
        reply,
        summary::{Frame, Summary},
    },
    event::{
        cloudtrail::Identity,
        envelope::RawPayload,
        parse::{Home, Parser},
        parsed::{Payload, Shape},
    },
    group::{Group, Invocation},
    intake::Intake,
    reconcile::Reconciler,
};

/// The function.
pub struct Handler {
    own: Identity,
    now: fn() -> SystemTime,
    reconciler: Reconciler,
}

impl Handler {
    /// The function for the account and region of `config`. `own` is how CloudTrail tells its calls from
    /// others', `now` the clock.
    pub fn new(
        policy: Policy,
        settings: RunSettings,
        own: Identity,
        config: &SdkConfig,
        now: fn() -> SystemTime,
    ) -> Self {
        let reconciler = Reconciler::new(policy, settings, config, now);
        Self { own, now, reconciler }
    }

    /// Does what the first event would otherwise wait for.
    pub async fn warm_up(&self) {
        self.reconciler.warm_up().await;
    }

    /// Answers one invocation: a batch with the messages that must be retried, anything else with a
    /// summary and its steps.
    ///
    /// # Errors
    /// Where what is not a batch must be retried as a whole, or cannot be read.
    pub async fn handle(&self, event: LambdaEvent<RawPayload>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let arn = &context.invoked_function_arn;
        let home = Home::of_arn(arn).ok_or_else(|| {
            let why = format!("the function's ARN {} names no account and region", quote(arn));
            error!("nothing was done, and the records are retried: {why}");
            reply::diagnostic("NoAccount", why)
        })?;
        let parser = Parser { policy: &self.reconciler.policy, own: &self.own, home: &home };
        let Payload { shape, records } = parser.payload(payload);
        let count = records.len();
        let intake = Intake::new(records, shape, &self.reconciler.memory, (self.now)());
        let groups = self.work(&context, &home, &intake).await;
        self.answer(shape, count, &intake, &groups)
    }

    async fn work<'a>(&self, context: &Context, home: &Home, intake: &'a Intake) -> Vec<Group<'a>> {
        if intake.requests.iter().any(|request| request.scope.new_target) {
            self.reconciler.forget_targets();
        }
        let invocation = Invocation {
            reconciler: &self.reconciler,
            context,
            home,
            deleted: &intake.deleted,
            orders: intake.orders(),
            deadline: Deadline::at(context.deadline, (self.now)()),
            now: self.now,
        };
        Group::work(invocation, &intake.requests).await
    }

    fn answer(
        &self,
        shape: Shape,
        records: usize,
        intake: &Intake,
        groups: &[Group<'_>],
    ) -> Result<Value, Diagnostic> {
        let now = (self.now)();
        let is_unfinished =
            |request: &&Request| groups.iter().any(|group| group.is_unfinished(request, now));
        let unfinished: Vec<_> = intake.requests.iter().filter(is_unfinished).collect();
        let returned: Vec<Option<&str>> = intake
            .returned
            .iter()
            .map(Option::as_deref)
            .chain(unfinished.iter().map(|request| request.message.as_deref()))
            .collect();
        let failures: BTreeSet<&str> = groups
            .iter()
            .filter_map(|group| Some(group.result.failed.as_ref()?.message.as_str()))
            .collect();
        for failure in &failures {
            error!("EC2 could not be read, and the records are retried: {failure}");
        }
        intake.warn_of_unread();
        let summary = summary(groups);
        // A look, or the removal of everything, is no sweep that repairs.
        let is_order = intake.orders().detect || intake.orders().remove;
        summary.log(&Frame {
            trigger: &intake.trigger(),
            records,
            returned: returned.len(),
            unreadable: intake.unreadable,
            sweep: !is_order && groups.iter().any(Group::is_sweep),
            complete: !is_order && groups.iter().any(Group::has_swept),
        });
        if shape == Shape::Batch {
            return reply::batch(&returned);
        }
        if let Some(why) = &intake.first_unreadable {
            return Err(reply::diagnostic("UnreadableEvent", why.clone()));
        }
        if let Some(failure) = failures.first() {
            return Err(reply::diagnostic("ReadFailed", (*failure).to_owned()));
        }
        if !unfinished.is_empty() && !intake.orders().remove {
            let steps: Vec<_> = groups.iter().flat_map(|group| &group.result.unfinished).collect();
            return Err(reply::unfinished(&steps));
        }
        let steps: Vec<_> = groups.iter().flat_map(|group| &group.result.reported).collect();
        reply::direct(&summary, &steps)
    }
}

/// The numbers of all groups. A sweep has looked at everything, so beside it only what the others have
/// changed is counted.
fn summary(groups: &[Group<'_>]) -> Summary {
    let has_swept = groups.iter().any(Group::has_swept);
    let mut summary = Summary::default();
    for group in groups {
        if has_swept && !group.is_sweep() {
            summary.add_changes(&group.result.summary());
        } else {
            summary.add(&group.result.summary());
        }
    }
    summary
}
