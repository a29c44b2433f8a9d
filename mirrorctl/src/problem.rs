//! What keeps the command line from an answer. Each problem has one entry: a code for machines that never
//! changes, what it means, why it matters and how to mend it. `explain CODE` prints it.

use std::{error::Error, fmt};

use aws_sdk_sts::error::ProvideErrorMetadata;
use shared_ec2::ObserveError;
use shared_elb::ElbError;

/// What there is to know of a kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// A code that does not change between versions.
    pub(crate) code: &'static str,
    /// What it means.
    pub(crate) sentence: &'static str,
    /// Why it matters.
    pub(crate) why: &'static str,
    /// How to mend it.
    pub(crate) mend: &'static str,
}

/// A problem that occurred.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: &'static Kind,
    /// What happened here.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// An error of a call, by what AWS answered.
    pub(crate) fn of_call(action: &str, code: Option<&str>, error: &dyn Error) -> Self {
        let kind = kind_of(code);
        let detail = match code {
            Some(code) => format!("{action}: {code}"),
            None => format!("{action}: {}", causes(error)),
        };
        Self { kind, detail }
    }

    /// The same, of the SDK's error.
    pub(crate) fn refused(action: &str, error: &(impl ProvideErrorMetadata + Error)) -> Self {
        Self::of_call(action, error.code(), error)
    }
}

impl From<ObserveError> for Problem {
    fn from(error: ObserveError) -> Self {
        Self::of_call(&error.action(), error.code.as_deref(), &error)
    }
}

impl From<ElbError> for Problem {
    fn from(error: ElbError) -> Self {
        Self::of_call(error.action, error.code.as_deref(), &error)
    }
}

/// An error and what caused it, outermost first. A cause that the text before it says already is left out. The SDK's own
/// `DisplayErrorContext` prints the SDK's types as well, which help nobody here.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        next = error.source();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

/// What an error code of AWS means here. Services spell the same thing in several ways.
fn kind_of(code: Option<&str>) -> &'static Kind {
    match code {
        None => &NO_ANSWER,
        Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException") => &NO_PERMISSION,
        Some("OptInRequired" | "RegionDisabledException") => &REGION_NOT_ENABLED,
        Some(
            "AuthFailure"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken",
        ) => &CREDENTIALS_REFUSED,
        Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => &CREDENTIALS_EXPIRED,
        Some(
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException",
        ) => &THROTTLED,
        Some(_) => &AWS_REFUSED,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}: {}", self.kind.code, self.kind.sentence, self.detail)
    }
}

macro_rules! kinds {
    ($($name:ident: $code:literal, $sentence:literal, $why:literal, $mend:literal;)*) => {
        $(pub(crate) static $name: Kind =
            Kind { code: $code, sentence: $sentence, why: $why, mend: $mend };)*
        /// Every kind.
        pub(crate) static KINDS: &[&Kind] = &[$(&$name,)*];
    };
}

kinds! {
    NO_CREDENTIALS: "no-credentials", "there are no AWS credentials",
        "Nothing can be read without them.",
        "Name a profile with --profile, log in (aws sso login), or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY.";
    NO_REGION: "no-region", "no region is set",
        "Traffic Mirroring belongs to a region: without one there is nothing to read.",
        "Name regions with --region, or set AWS_REGION.";
    BAD_AWS_CONFIG: "bad-aws-config", "the AWS configuration cannot be used",
        "No call can be made with it.",
        "Correct the profile, region or endpoint that is named: an argument, a variable of the environment (AWS_PROFILE, \
         AWS_REGION, AWS_ENDPOINT_URL), or a line of ~/.aws/config.";
    CREDENTIALS_REFUSED: "credentials-refused", "AWS does not accept the credentials",
        "Nothing could be read, so nothing is known about this account and region.",
        "Check with `aws sts get-caller-identity`. The same answer comes from a region that is not enabled \
         for the account: leave it out, or use --region all, which has only regions that are enabled.";
    CREDENTIALS_EXPIRED: "credentials-expired", "the credentials have expired",
        "Nothing could be read, so nothing is known about this account and region.",
        "Log in again, for example with `aws sso login`.";
    NO_PERMISSION: "no-permission", "a permission is missing",
        "What could not be read may be anything, so there is no answer for this account and region.",
        "Allow the action that is named. docs/mirrorctl.md lists all that mirrorctl needs.";
    REGION_NOT_ENABLED: "region-not-enabled", "the region is not enabled for the account",
        "Nothing could be read there.",
        "Leave the region out, or use --region all, which has only regions that are enabled.";
    THROTTLED: "throttled", "AWS throttles the calls",
        "The read is not complete, so there is no answer for this account and region.",
        "Wait a minute and try again. Fewer regions at once need fewer calls a second.";
    NO_ANSWER: "no-answer", "AWS did not answer",
        "The read is not complete, so there is no answer for this account and region.",
        "Check the network, HTTPS_PROXY and AWS_ENDPOINT_URL, then try again.";
    AWS_REFUSED: "aws-refused", "AWS refuses a call",
        "The read is not complete, so there is no answer for this account and region.",
        "AWS's code says why; the API reference of the action explains it.";
    TOO_MUCH: "too-much-to-read", "there is more than can be read in a reasonable time",
        "What was not read may be what the question is about.",
        "Ask for fewer days with --days, or search the log with CloudWatch Logs Insights.";
    NO_SUCH_FUNCTION: "no-such-function", "there is no such function",
        "The settings decide what should be mirrored, so another function's would give a wrong answer.",
        "`aws lambda list-functions` lists the functions. --no-function takes the settings from the \
         environment and --set.";
    SEVERAL_FUNCTIONS: "several-functions", "more than one function may be automirror",
        "Each has settings of its own, and each would give another answer.",
        "Name one with --function.";
    FUNCTION_IS_NEWER: "function-is-newer", "the function has a setting that this mirrorctl does not know",
        "The plan could differ from the function's.",
        "Use the mirrorctl of the function's version, or --no-function with --set for each setting.";
    BAD_SETTING: "bad-setting", "a setting cannot be used",
        "The function with this setting does not start, so nothing is mirrored or repaired.",
        "The message says what is accepted. Correct the parameter of the stack or module, or --set.";
    BAD_FILE: "bad-file", "the file cannot be used",
        "Nothing can be concluded from a file that cannot be read whole.",
        "Write it again with `mirrorctl observe --out FILE` of this version.";
    BAD_PLAN: "bad-plan", "the saved plan cannot be carried out here",
        "Nothing is done that was not shown in just this account and region.",
        "Save one with `mirrorctl plan --out FILE`, of this version and where it is to be carried out.";
    FILE_LACKS: "file-lacks", "the file does not hold what the question needs",
        "What was not read may be anything, so the answer would be a guess.",
        "Write the file with the same settings: `mirrorctl observe --set NAME=VALUE --out FILE`.";
    NOT_WRITTEN: "not-written", "the answer could not be written",
        "Without it there is nothing to use or to send.",
        "Check the folder and its permissions.";
    STALE: "stale-plan", "the world has changed since the plan was saved, so nothing of it was done",
        "A plan that is carried out in another world could end in something that nobody was shown.",
        "Save a new one with `mirrorctl plan --out FILE`, and look at it.";
    NOT_DONE: "not-done", "a change was not made",
        "What it is about is not as it should be yet.",
        "The message is EC2's. `mirrorctl plan` shows what is left.";
    STOPPED: "stopped", "it was stopped before the end",
        "What was not done is not as it should be yet.",
        "`mirrorctl plan` shows what is left.";
    NOT_CONFIRMED: "not-confirmed", "nobody confirmed it, so nothing was changed",
        "What changes an account must not happen by accident.",
        "Type the number of the account when asked, or give it with --confirm ACCOUNT.";
    NOT_PAID_FOR: "not-paid-for", "nobody agreed to what it costs, so CloudWatch was not asked",
        "Whether copies leave the sources is not known without it. The rest was judged.",
        "Answer with y when asked, or say with --flow-cost USD what it may cost at most.";
    SEVERAL_PLACES: "several-places", "this is done in one account and region at a time",
        "What changes an account must not happen by accident.",
        "Name one region with --region and one role with --role-arn.";
    NOT_FOUND: "not-found", "nothing that was read has this id",
        "It may not exist, be in another region or account, or have been deleted.",
        "Name the region with --region, or check the id.";
    NO_SUCH_CODE: "no-such-code", "there is no such id or code",
        "A typing error would otherwise look like an answer.",
        "Ids begin with i-, eni-, tms- or tmt-. `mirrorctl codes` lists the codes.";
    NOT_A_CAPTURE: "not-a-capture", "there is no capture that can be read",
        "Nothing was counted, so nothing is known about what arrives.",
        "seen reads pcap and pcapng: `tcpdump -w - udp port 4789 | mirrorctl seen -`.";
    CUT_CAPTURE: "cut-capture", "the capture was not read to its end",
        "A source that is missing may have sent something in the part that was not read.",
        "Capture again, and let tcpdump end by itself: `timeout 60 tcpdump -w FILE udp port 4789`.";
    TOO_MANY_SENDERS: "too-many-senders", "there are more senders than are counted",
        "So many are hardly sessions: somebody may be sending forged packets, and sources may be missing.",
        "Capture only what comes from your VPCs: `tcpdump -w FILE udp port 4789 and src net CIDR`.";
    AMBIGUOUS: "ambiguous-sender", "packets of two interfaces look the same, so both are left out of the map",
        "A sensor would say of one interface what the other has sent.",
        "Give their sessions different VNIs: leave MIRROR_VNI unset, so that AWS chooses one for each. By inner \
         addresses alone, interfaces with one address can never be told apart: use --format zeek, csv or json.";
    UNSEEN_SOURCE: "unseen-source", "the source of a session cannot be seen from here",
        "The map lacks it, so the sensor cannot say whose packets these are.",
        "Name a role in the account of the session with --role-arn, beside those of the others.";
    BAD_KEY: "bad-key", "the key cannot be used",
        "Without it nothing can be signed or verified.",
        "`mirrorctl seen --new-key FILE` makes a pair: FILE signs, FILE.pub verifies.";
    BAD_SIGNATURE: "bad-signature", "the file is not what was signed with this key",
        "Somebody else may have written it, or changed it since.",
        "Copy the file and its .sig again from where they were written, and check whose key it is.";
    EXPIRED: "expired-file", "the file has expired",
        "It says how things were, not how they are.",
        "Write it again.";
    UNREADABLE: "unreadable-item", "AWS describes something in a way that cannot be read",
        "It is left out of the answer, so the answer is not whole.",
        "The warnings say what it is. Please report it, with the file of `mirrorctl observe --redact`.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::plan::reason::REASONS;

    use super::*;

    #[test]
    fn no_two_kinds_or_reasons_share_a_code() {
        let kinds = KINDS.iter().map(|kind| kind.code);
        let codes: Vec<_> = kinds.chain(REASONS.iter().map(|entry| entry.code)).collect();
        let distinct: BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
    }
}
