//! Sends evaluations to AWS Config: the only module that writes there.
//!
//! Nobody's verdict is lost for another's. A call has evaluations of one type of resource, since AWS Config
//! may not take a type in some region; a call that it refuses is split until the refused evaluation is alone.

pub(crate) mod held;

use std::{collections::BTreeMap, error::Error, time::Duration};

use aws_sdk_config::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_evaluations::PutEvaluationsError,
    primitives::DateTime,
    types::{ComplianceType, Evaluation as Sent},
};
use futures_util::{StreamExt, stream};
use shared::{plan::verdict::Verdict, text::sanitize};
use shared_ec2::{deadline::Deadline, is_denied};
use tokio::time::sleep;

use crate::{evaluation::Evaluation, event::TEST_TOKEN};

/// The most evaluations that one call accepts (`PutEvaluations`).
const MAX_EVALUATIONS: usize = 100;
/// How often to send evaluations that AWS Config does not store.
const MAX_ATTEMPTS: usize = 3;
/// How long to wait before they are sent again.
const PAUSE: Duration = Duration::from_secs(1);
/// Concurrent calls: enough to hide the latency, and no load for AWS Config.
const MAX_CONCURRENT: usize = 4;
/// The most characters of what AWS Config says.
const MAX_MESSAGE: usize = 300;

/// AWS Config, for one invocation of a rule.
pub(crate) struct Reporter<'a> {
    pub(crate) config: &'a Client,
    pub(crate) rule: &'a str,
    /// The token that every answer must carry.
    pub(crate) token: &'a str,
    pub(crate) deadline: Deadline,
}

/// What became of evaluations.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Calls that AWS Config accepted.
    pub(crate) calls: usize,
    /// Evaluations that it stored.
    pub(crate) stored: usize,
    /// Resources whose evaluation it did not accept, each with the reason.
    pub(crate) refused: Vec<(String, String)>,
    /// Evaluations that there was no time for.
    pub(crate) not_reached: usize,
}

/// One call.
#[derive(Debug)]
struct Call {
    evaluations: Vec<Sent>,
    attempt: usize,
}

/// What AWS Config makes of a call.
enum Answer {
    /// It did not store these.
    Accepted(Vec<Sent>),
    /// It does not accept something about the evaluations.
    Refused(String),
    /// It accepts no such call now.
    Failed(String),
    NoTime,
}

impl Reporter<'_> {
    /// Whether AWS Config stores nothing of what is sent.
    pub(crate) fn is_test(&self) -> bool {
        self.token == TEST_TOKEN
    }

    /// Sends the evaluations in their order, made from a look at EC2 at this time; without any, the token
    /// alone, which AWS Config waits for. The first call goes alone: the resource that the invocation is
    /// about has its verdict before another can go wrong.
    pub(crate) async fn send(&self, evaluations: &[Evaluation], look: DateTime) -> Delivery {
        let mut delivery = Delivery::default();
        let mut calls = calls(evaluations, look, &mut delivery);
        if evaluations.is_empty() {
            calls.push(Call { evaluations: Vec::new(), attempt: 1 });
        }
        let rest = calls.split_off(calls.len().min(1));
        let mut next = Next::default();
        self.round(calls, &mut delivery, &mut next).await;
        self.round(rest, &mut delivery, &mut next).await;
        while !next.is_empty() {
            if !next.not_stored.is_empty() {
                // Whether the time was up does not matter: whatever starts next asks for it.
                let _ = self.deadline.wait(sleep(PAUSE)).await;
            }
            let calls = std::mem::take(&mut next).into_calls();
            self.round(calls, &mut delivery, &mut next).await;
        }
        delivery
    }

    /// Makes these calls, and notes what follows from the answers.
    async fn round(&self, calls: Vec<Call>, delivery: &mut Delivery, next: &mut Next) {
        let put = |call: Call| async move { (self.put(&call).await, call) };
        // A call that is not answered holds up no other.
        let mut answers = stream::iter(calls).map(put).buffer_unordered(MAX_CONCURRENT);
        while let Some((answer, call)) = answers.next().await {
            delivery.note(answer, call, next);
        }
    }

    async fn put(&self, call: &Call) -> Answer {
        if self.deadline.is_near() {
            return Answer::NoTime;
        }
        let request = self
            .config
            .put_evaluations()
            .result_token(self.token)
            .test_mode(self.is_test())
            .set_evaluations(Some(call.evaluations.clone()));
        match self.deadline.cut(request.send()).await {
            Some(Ok(answer)) => Answer::Accepted(answer.failed_evaluations.unwrap_or_default()),
            Some(Err(error)) if is_about_evaluations(&error) => Answer::Refused(words(&error)),
            Some(Err(error)) => Answer::Failed(words(&error)),
            None => Answer::NoTime,
        }
    }
}

/// What follows from the answers to some calls.
#[derive(Default)]
struct Next {
    /// The halves of calls that were refused.
    halves: Vec<Call>,
    /// What was not stored, by the attempt that comes next and the type of the resource: as many as fit go in
    /// one call.
    not_stored: BTreeMap<(usize, String), Vec<Sent>>,
}

impl Next {
    fn is_empty(&self) -> bool {
        self.halves.is_empty() && self.not_stored.is_empty()
    }

    fn into_calls(self) -> Vec<Call> {
        let mut calls = self.halves;
        for ((attempt, _), evaluations) in self.not_stored {
            let chunks = evaluations.chunks(MAX_EVALUATIONS);
            calls.extend(chunks.map(|chunk| Call { evaluations: chunk.to_vec(), attempt }));
        }
        calls
    }
}

impl Delivery {
    /// Adds what AWS Config answered to a call, and what follows from it.
    fn note(&mut self, answer: Answer, call: Call, next: &mut Next) {
        let Call { mut evaluations, attempt } = call;
        match answer {
            Answer::Accepted(failed) => {
                self.calls += 1;
                self.stored += evaluations.len().saturating_sub(failed.len());
                if attempt == MAX_ATTEMPTS {
                    self.refuse(&failed, "AWS Config did not store it, and does not say why");
                    return;
                }
                for evaluation in failed {
                    let kind = evaluation.compliance_resource_type.clone();
                    next.not_stored.entry((attempt + 1, kind)).or_default().push(evaluation);
                }
            }
            Answer::Refused(_) if evaluations.len() > 1 => {
                let second = evaluations.split_off(evaluations.len() / 2);
                let halves = [evaluations, second].map(|it| Call { evaluations: it, attempt });
                next.halves.extend(halves);
            }
            Answer::Refused(why) | Answer::Failed(why) if evaluations.is_empty() => {
                self.refused.push(("the result token".to_owned(), why));
            }
            Answer::Refused(why) | Answer::Failed(why) => self.refuse(&evaluations, &why),
            Answer::NoTime => self.not_reached += evaluations.len().max(1),
        }
    }

    fn refuse(&mut self, evaluations: &[Sent], why: &str) {
        let refused =
            evaluations.iter().map(|it| (it.compliance_resource_id.clone(), why.to_owned()));
        self.refused.extend(refused);
    }
}

/// The calls that carry these evaluations, in their order.
fn calls(evaluations: &[Evaluation], look: DateTime, delivery: &mut Delivery) -> Vec<Call> {
    let kind = |evaluation: &Evaluation| evaluation.resource.resource_type.clone();
    let groups = evaluations.chunk_by(|one, next| kind(one) == kind(next));
    let chunks = groups.flat_map(|group| group.chunks(MAX_EVALUATIONS));
    let mut call = |chunk: &[Evaluation]| {
        let sent = chunk.iter().filter_map(|evaluation| sent(evaluation, look, delivery));
        Call { evaluations: sent.collect(), attempt: 1 }
    };
    chunks.map(&mut call).filter(|call| !call.evaluations.is_empty()).collect()
}

fn sent(evaluation: &Evaluation, look: DateTime, delivery: &mut Delivery) -> Option<Sent> {
    let Evaluation { resource, verdict, annotation } = evaluation;
    let built = Sent::builder()
        .compliance_resource_type(&resource.resource_type)
        .compliance_resource_id(&resource.id)
        .compliance_type(compliance_type(*verdict))
        .annotation(annotation)
        .ordering_timestamp(look)
        .build();
    built.map_err(|error| delivery.refused.push((resource.id.clone(), error.to_string()))).ok()
}

fn compliance_type(verdict: Verdict) -> ComplianceType {
    match verdict {
        Verdict::NotApplicable => ComplianceType::NotApplicable,
        Verdict::Compliant => ComplianceType::Compliant,
        Verdict::NonCompliant => ComplianceType::NonCompliant,
    }
}

/// Whether AWS Config refuses the call for one of its evaluations. Its documentation names one code for that;
/// another one with which it says that a request is wrong, or too large, counts as such a one, too. What is
/// about the caller, the token, the rule or the rate has nothing to do with any evaluation.
fn is_about_evaluations(error: &SdkError<PutEvaluationsError>) -> bool {
    let is_about_request =
        error.raw_response().is_some_and(|it| matches!(it.status().as_u16(), 400 | 413));
    let code = error.code().unwrap_or_default();
    is_about_request && !is_denied(code) && !OTHER_CODES.iter().any(|other| code.contains(other))
}

/// Parts of the codes with which AWS services refuse a call whatever is in it ("Common Errors").
const OTHER_CODES: [&str; 10] = [
    // `InvalidResultTokenException`, `ExpiredToken` and their like.
    "Token",
    "NoSuchConfigRule",
    "Throttl",
    "TooManyRequests",
    "LimitExceeded",
    "Signature",
    "UnrecognizedClient",
    "UnknownOperation",
    "OptInRequired",
    "RequestExpired",
];

/// What AWS Config says, on one line, with the permission that is missing if that is why.
fn words(error: &SdkError<PutEvaluationsError>) -> String {
    said(error, "config:PutEvaluations")
}

/// What AWS Config says about a call that needs this permission.
fn said<E: ProvideErrorMetadata + Error + 'static>(
    error: &SdkError<E>,
    permission: &str,
) -> String {
    let code = error.code().unwrap_or_default();
    let said = match error.message() {
        Some(message) => format!("{code}: {message}"),
        // It has no answer of AWS Config.
        None => chain(error),
    };
    let said = sanitize(&said, MAX_MESSAGE);
    if is_denied(code) {
        format!("the role of this function lacks the permission {permission} ({said})")
    } else {
        said
    }
}

/// The error and its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
