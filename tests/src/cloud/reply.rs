//! The reply to one request: finds the caller, applies a fault, executes the call, and records it.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};

use super::Shared;
use super::service::{Request, Service};
use crate::aws::ec2::{Caller, Refusal};
use crate::aws::lambda;
use crate::cloud::call::{Call, Outcome};
use crate::cloud::fault::Kind;
use crate::lambda::Answer;

/// What comes of a request, whichever way it came.
#[derive(Debug)]
pub(super) enum Reply {
    Answer {
        status: StatusCode,
        service: Service,
        body: String,
        /// Whether a function failed, which Lambda says in a header.
        function_failed: bool,
    },
    /// The connection stays open, without an answer.
    Never,
    /// The connection breaks.
    Reset,
}

pub(super) async fn reply(shared: &Shared, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Reply {
    let request = Request::read(uri, headers, body);
    let service = request.service;
    let Some((caller, region)) = signer(headers) else {
        let refusal = service.unsigned();
        return refused(service, refusal.status(), &refusal);
    };
    let action = &request.action;
    let too_many = (!shared.takes(action)).then_some(Kind::Throttle);
    let fault = too_many.or_else(|| shared.faults.strike(action, &caller, &request.parameters));
    if fault == Some(Kind::Hold) {
        shared.faults.wait().await;
    }
    let given = fault.as_ref().and_then(|kind| kind.refusal(service));
    let prevented = matches!(fault, Some(Kind::HangBefore | Kind::ResetBefore));
    let mut function_failed = false;
    let answer = match &given {
        Some((_, refusal)) => Err(refusal.clone()),
        None if prevented => Ok(String::new()),
        None if request.is_invoke() => {
            let answer = request.invoke(shared, &caller, &region).await;
            function_failed = matches!(answer, Ok(Answer::Error(_)));
            answer.map(|answer| lambda::body(&answer))
        }
        None => request.answer(shared, &caller, &region, fault.as_ref()),
    };
    let outcome = outcome(fault.as_ref(), &answer);
    let user_agent = text(headers, "user-agent").unwrap_or_default().to_owned();
    let Request { action, parameters, .. } = request;
    shared.calls().push(Call { action, caller, user_agent, parameters, outcome });
    match (fault, answer) {
        (Some(Kind::HangBefore | Kind::HangAfter), _) => Reply::Never,
        (Some(Kind::ResetBefore | Kind::ResetAfter), _) => Reply::Reset,
        (Some(Kind::Garbage), _) => {
            let body = "{\"message\": \"not XML".to_owned();
            Reply::Answer { status: StatusCode::OK, service, body, function_failed: false }
        }
        (_, Ok(body)) => Reply::Answer { status: StatusCode::OK, service, body, function_failed },
        (_, Err(refusal)) => {
            refused(service, given.map_or(refusal.status(), |(status, _)| status), &refusal)
        }
    }
}

/// What the record says; calls that are held, or lied to, are answered like any other.
fn outcome(fault: Option<&Kind>, answer: &Result<String, Refusal>) -> Outcome {
    match (fault.filter(|kind| !kind.is_unseen()), answer) {
        (Some(kind), _) => Outcome::Fault(kind.clone()),
        (None, Ok(_)) => Outcome::Done,
        (None, Err(refusal)) => Outcome::Refused(refusal.code.clone()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Who signed the request, and for which region; the signature itself is not looked at.
fn signer(headers: &HeaderMap) -> Option<(Caller, String)> {
    let (_, credential) = text(headers, "authorization")?.split_once("Credential=")?;
    let mut scope = credential.split('/');
    let (access_key, region) = (scope.next()?, scope.nth(1)?);
    let caller = Caller::from_credentials(access_key, text(headers, "x-amz-security-token"));
    Some((caller, region.to_owned()))
}

fn refused(service: Service, status: u16, refusal: &Refusal) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply::Answer { status, service, body: service.refuse(refusal), function_failed: false }
}
