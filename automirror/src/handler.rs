//! One invocation: parse the events, reconcile what they name, answer.

use std::{collections::BTreeSet, time::SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{
    id::AccountId,
    policy::{Policy, run::RunSettings},
    text::quote,
};
use shared_ec2::client::SdkConfig;
use tracing::{info, warn};

use crate::{
    act::deadline::Deadline,
    answer::batch_result::{BatchResult, Request, answer_batch, answer_single, diagnostic},
    event::{
        cloudtrail::Identity,
        parse::Parser,
        parsed::{ParsedEvent, Payload, Record, Shape},
    },
    reconcile::{Job, Reconciler},
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
    /// summary.
    ///
    /// # Errors
    /// Where what is not a batch must be retried as a whole.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let parser = Parser { policy: &self.reconciler.policy, own: &self.own };
        let Payload { shape, records } = parser.payload(payload);
        let requests = records.into_iter().filter_map(|record| request(record, shape));
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        let result = self.work(&context, &requests).await;
        match shape {
            Shape::Batch => answer_batch(&requests, &result, (self.now)()),
            Shape::Single => answer_single(&requests, &result, (self.now)()),
        }
    }

    async fn work(&self, context: &Context, requests: &[Request]) -> BatchResult {
        let deadline = Deadline::at(context.deadline, (self.now)());
        let selectors: BTreeSet<_> =
            requests.iter().flat_map(|request| request.scope.selectors.clone()).collect();
        if selectors.is_empty() {
            return BatchResult::default();
        }
        let arn = &context.invoked_function_arn;
        let Some(account) = AccountId::of_arn(arn) else {
            let why = format!("the function's ARN {} names no account", quote(arn));
            return BatchResult::failed(&why);
        };
        if requests.iter().any(|request| request.scope.new_target) {
            self.reconciler.forget_targets();
        }
        let deleted = requests.iter().filter_map(|request| request.scope.deleted.clone()).collect();
        let job = Job {
            id: &context.request_id,
            account: &account,
            selectors: &selectors,
            deleted: &deleted,
            deadline,
        };
        self.reconciler.reconcile(job).await
    }
}

/// What a record asks for. A record that asks for nothing is logged and done; only a direct call gets an
/// error.
fn request(record: Record, shape: Shape) -> Option<Result<Request, Diagnostic>> {
    let Record { message, receives, event } = record;
    let id = message.as_deref().unwrap_or("none");
    match (event, shape) {
        (ParsedEvent::Reconcile(scope), _) => Some(Ok(Request { message, receives, scope })),
        (ParsedEvent::Ignored(why), _) => {
            info!(message.id = id, "ignored an event: {why}");
            None
        }
        (ParsedEvent::Unreadable(why), Shape::Batch) => {
            warn!(message.id = id, "dropped a message that cannot be read: {why}");
            None
        }
        (ParsedEvent::Unreadable(why), Shape::Single) => {
            warn!("cannot read the event: {why}");
            Some(Err(diagnostic("UnreadableEvent", why)))
        }
    }
}
