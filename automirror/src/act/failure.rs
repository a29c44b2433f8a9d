//! What a failed call means: the one place that tells transient failures from permanent ones.

use aws_sdk_ec2::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use shared::text::sanitize;
use shared_ec2::is_denied;

/// What to do about a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may work next time: the record is retried.
    Transient,
    /// EC2's answer contradicts what it showed, so one of the two is out of date: the record is retried a
    /// few times.
    Conflict,
    /// The target has no room: another target may have room.
    TargetFull,
    /// EC2 does not find what the call is about.
    NotFound,
    /// It will fail again until somebody changes something: it is logged once and left to the next sweep.
    Permanent,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do about it.
    pub kind: Kind,
    /// EC2's error code, where it answered with one.
    pub code: Option<String>,
    /// What EC2 said, or why it said nothing.
    pub message: String,
}

/// Codes with which EC2 throttles (EC2 API, "Error codes", and
/// other services' names for the same).
const THROTTLED: &[&str] = &[
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "EC2ThrottledException",
];

/// Codes with which EC2 says that it is not available, or that a request came too late.
const UNAVAILABLE: &[&str] =
    &["Unavailable", "ServiceUnavailable", "InternalError", "InternalFailure", "RequestExpired"];

/// Codes for a target that accepts no more sources (EC2 API, "Error codes").
const TARGET_FULL: &[&str] =
    &["TrafficMirrorSourcesPerTargetLimitExceeded", "TrafficMirrorSessionsPerTargetLimitExceeded"];

/// The code for an account that has reached its quota of sessions (EC2 API, "Error codes").
const ACCOUNT_FULL: &str = "TrafficMirrorSessionLimitExceeded";

/// The code for an interface that has its three sessions (EC2 API, "Error codes"). It was read with room, so
/// the read was out of date, or another account has a session there.
const INTERFACE_FULL: &str = "TrafficMirrorSessionsPerInterfaceLimitExceeded";

/// The code for a client token that was used for another request.
const TOKEN_KNOWN: &str = "IdempotentParameterMismatch";

/// The code for an interface that cannot be a source: it "must be attached to a supported instance".
const UNSUPPORTED: &str = "NetworkInterfaceNotSupported";

/// The most characters of a message. The longest that EC2 sends carry an encoded reason, which can
/// only be decoded as a whole.
const MAX_MESSAGE: usize = 4_000;

impl Failure {
    /// EC2 answered a creation with a session that another invocation created.
    pub(crate) fn token_is_known() -> Self {
        let message = "EC2 answered with a session that another invocation created".to_owned();
        Self { kind: Kind::Conflict, code: None, message }
    }

    /// Whether EC2 knows the client token of a creation.
    pub(crate) fn is_about_token(&self) -> bool {
        self.kind == Kind::Conflict && self.code.as_deref().is_none_or(|code| code == TOKEN_KNOWN)
    }

    /// Whether EC2 throttled the call.
    pub(crate) fn is_throttled(&self) -> bool {
        self.code.as_ref().is_some_and(|code| THROTTLED.contains(&code.as_str()))
    }

    /// Whether EC2 cannot mirror the interface, such as for its instance's type.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.code.as_deref() == Some(UNSUPPORTED)
    }

    /// Whether the role may not make the call.
    pub(crate) fn is_denied(&self) -> bool {
        self.code.as_deref().is_some_and(is_denied)
    }

    /// Whether the account has reached its quota of sessions.
    pub(crate) fn is_account_full(&self) -> bool {
        self.code.as_deref() == Some(ACCOUNT_FULL)
    }
}

impl<E> From<SdkError<E>> for Failure
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let code = error.code().map(str::to_owned);
        let kind = match &error {
            SdkError::ServiceError(answer) => kind(
                answer.raw().status().as_u16(),
                answer.err().code().unwrap_or_default(),
                answer.err().message().unwrap_or_default(),
            ),
            SdkError::ConstructionFailure(_) => Kind::Permanent,
            // No answer, or none that can be read: the call may or may not have had its effect.
            _ => Kind::Transient,
        };
        let message = match error.message() {
            Some(message) => {
                let request = error.request_id().unwrap_or("unknown");
                format!("{}: {message} (request {request})", code.as_deref().unwrap_or("no code"))
            }
            None => format!("{:#}", anyhow::Error::from(error)),
        };
        Self { kind, code, message: sanitize(&message, MAX_MESSAGE) }
    }
}

fn kind(status: u16, code: &str, message: &str) -> Kind {
    if TARGET_FULL.contains(&code) {
        return Kind::TargetFull;
    }
    // Documented as `InvalidTrafficMirrorTargetNoFound` (sic), seen as `…Id.NotFound`.
    if code.ends_with("NotFound") || code.ends_with("NoFound") {
        return Kind::NotFound;
    }
    // Another invocation has just used the token: the next read shows its session, or the next
    // minute's token creates one.
    let token_used = code == TOKEN_KNOWN;
    // No document names the code for a number that is taken: another execution environment was faster,
    // and the next read will show its session. Public tools go by the words "is in use by target".
    let says = format!("{code} {message}").to_ascii_lowercase();
    let is_about_number = says.contains("sessionnumber") || says.contains("session number");
    let says_in_use = says.contains("inuse") || says.contains("in use") || says.contains("already");
    let number_taken = says.contains("is in use by target") || (is_about_number && says_in_use);
    let interface_full = code == INTERFACE_FULL;
    if status >= 500 || UNAVAILABLE.contains(&code) || THROTTLED.contains(&code) {
        return Kind::Transient;
    }
    if token_used || number_taken || interface_full {
        return Kind::Conflict;
    }
    Kind::Permanent
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::{
        config::http::HttpResponse, error::ErrorMetadata,
        operation::create_traffic_mirror_session::CreateTrafficMirrorSessionError,
    };

    use super::*;

    #[test]
    fn what_ec2_says_stays_on_one_line_of_the_log() {
        let said = ErrorMetadata::builder().code("Odd").message("two\nlines\u{202e}").build();
        let error = CreateTrafficMirrorSessionError::generic(said);
        let answer = HttpResponse::new(400.try_into().unwrap(), Vec::new().into());
        let failure = Failure::from(SdkError::service_error(error, answer));
        assert_eq!(failure.message, "Odd: two\u{fffd}lines\u{fffd} (request unknown)");
    }

    #[test]
    fn failures_are_told_apart_by_their_code() {
        let full = "TrafficMirrorSourcesPerTargetLimitExceeded";
        let number = "Session number 1 is already in use on eni-1";
        for (status, code, message, expected) in [
            (503, "RequestLimitExceeded", "", Kind::Transient),
            (400, "RequestLimitExceeded", "", Kind::Transient),
            (500, "Whatever", "", Kind::Transient),
            (400, "InvalidParameterValue", number, Kind::Conflict),
            (400, "TrafficMirrorSessionNumberInUse", "", Kind::Conflict),
            (400, full, "", Kind::TargetFull),
            (400, "InvalidTrafficMirrorSessionId.NotFound", "", Kind::NotFound),
            (400, "InvalidTrafficMirrorSessionNotFound", "", Kind::NotFound),
            (400, "InvalidTrafficMirrorTargetNoFound", "", Kind::NotFound),
            (400, "NetworkInterfaceNotSupported", "", Kind::Permanent),
            (400, "TrafficMirrorSessionLimitExceeded", "", Kind::Permanent),
            (400, "TrafficMirrorSessionsPerInterfaceLimitExceeded", "", Kind::Conflict),
            (400, "InvalidParameterValue", "Session number 40000 is out of range", Kind::Permanent),
            (400, "Odd", "interface eni-1 is in use by target tmt-1", Kind::Conflict),
            (400, "Odd", "The SessionNumber already exists", Kind::Conflict),
            (400, "InvalidParameterValue", "eni-1 is already attached", Kind::Permanent),
            (403, "UnauthorizedOperation", "", Kind::Permanent),
            (400, "IdempotentParameterMismatch", "", Kind::Conflict),
            (400, "SomethingNew", "", Kind::Permanent),
            (400, "", "", Kind::Permanent),
        ] {
            assert_eq!(kind(status, code, message), expected, "{status} {code}");
        }
    }
}
