//! What it means that EC2 could not be read.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

/// EC2 could not be read. Nothing may be concluded from what was read before.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}{}", lacking(.operation, .code.as_deref()))]
pub struct ObserveError {
    operation: &'static str,
    /// EC2's error code, where it answered with one.
    pub code: Option<String>,
    /// The answer is there and makes no sense.
    is_garbled: bool,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A list is not what it should be, so it may lack anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IncompleteList {
    #[error("there was no time to read the list to its end")]
    OutOfTime,
    #[error("EC2 gave the same page token twice, so the list is incomplete")]
    RepeatedToken,
    #[error("EC2 gave more than {0} pages, which no account fills")]
    TooManyPages(usize),
    #[error("EC2 described something in a way that cannot be read")]
    Unreadable,
}

impl ObserveError {
    pub(crate) fn new<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        // The SDK takes most of what it cannot read for an error of the service, whatever the status.
        let is_garbled = error.raw_response().is_some_and(|raw| raw.status().is_success());
        Self { operation, code, is_garbled, source: Box::new(error) }
    }

    pub(crate) fn incomplete(operation: &'static str, why: IncompleteList) -> Self {
        let is_garbled = matches!(why, IncompleteList::Unreadable);
        Self { operation, code: None, is_garbled, source: Box::new(why) }
    }

    /// The IAM action of the call, such as `ec2:DescribeInstances`.
    #[must_use]
    pub fn action(&self) -> String {
        action(self.operation)
    }

    /// The permission that the function's role lacks, such as `ec2:DescribeInstances`, where that is why the
    /// call failed.
    #[must_use]
    pub fn missing_permission(&self) -> Option<String> {
        missing_permission(self.operation, self.code.as_deref())
    }

    #[cfg(test)]
    pub(crate) fn with_code(code: &str) -> Self {
        let (operation, is_garbled) = ("describe", false);
        Self { operation, code: Some(code.to_owned()), is_garbled, source: code.into() }
    }

    /// EC2 says that something which was asked for by its id does not exist. Its documentation spells the
    /// codes for mirroring in two more ways (`InvalidTrafficMirrorTargetNoFound`, `…FilterNotFound`).
    pub(crate) fn is_not_found(&self) -> bool {
        let ends_so = |code: &str| code.ends_with("NotFound") || code.ends_with("NoFound");
        self.code.as_deref().is_some_and(ends_so)
    }

    /// It lies in what was asked about: EC2 does not like it, or describes it in a way that cannot be read.
    /// Then the same question about something else may be answered.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        self.is_garbled || self.is_about_ids()
    }

    /// EC2 does not know a parameter of the request.
    pub(crate) fn is_unknown_parameter(&self) -> bool {
        self.code.as_deref() == Some("UnknownParameter")
    }

    /// EC2 does not like something about the ids that were asked for: it fails again as long as they are
    /// among them.
    pub(crate) fn is_about_ids(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("Invalid"))
    }
}

/// Whether an AWS service has answered with this code because the role lacks a permission, or something denies
/// it: EC2's code ("Error codes for the Amazon EC2 API") and that of AWS's other services.
#[must_use]
pub fn is_denied(code: &str) -> bool {
    matches!(code, "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException")
}

/// The action is named like the operation: `describe tags` needs `ec2:DescribeTags`.
fn action(operation: &str) -> String {
    let words = operation.split(' ').filter_map(|word| word.split_at_checked(1));
    let words = words.map(|(first, rest)| first.to_ascii_uppercase() + rest);
    format!("ec2:{}", words.collect::<String>())
}

fn missing_permission(operation: &str, code: Option<&str>) -> Option<String> {
    code.filter(|code| is_denied(code)).map(|_| action(operation))
}

fn lacking(operation: &str, code: Option<&str>) -> String {
    match missing_permission(operation, code) {
        Some(permission) => {
            format!(" (the role of this function lacks the permission {permission})")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_failed_is_named_as_iam_does() {
        for (operation, code, expected) in [
            ("describe traffic mirror sessions", None, "ec2:DescribeTrafficMirrorSessions"),
            ("describe tags", Some("UnauthorizedOperation"), "ec2:DescribeTags"),
        ] {
            let (code, source) = (code.map(str::to_owned), "because".into());
            let error = ObserveError { operation, code, is_garbled: false, source };
            assert_eq!(error.action(), expected);
        }
    }

    #[test]
    fn a_denied_read_names_the_permission_that_is_missing() {
        for (operation, code, expected) in [
            ("describe instances", "UnauthorizedOperation", Some("ec2:DescribeInstances")),
            (
                "describe traffic mirror sessions",
                "AccessDenied",
                Some("ec2:DescribeTrafficMirrorSessions"),
            ),
            ("describe tags", "AccessDeniedException", Some("ec2:DescribeTags")),
            ("describe tags", "RequestLimitExceeded", None),
        ] {
            let code = Some(code.to_owned());
            let source = "because".into();
            let error = ObserveError { operation, code, is_garbled: false, source };
            assert_eq!(error.missing_permission().as_deref(), expected);
            let hint = expected.map(|it| format!("lacks the permission {it})")).unwrap_or_default();
            assert!(error.to_string().ends_with(&hint), "{error}");
        }
        let error = ObserveError::incomplete("describe tags", IncompleteList::Unreadable);
        assert_eq!(error.to_string(), "could not describe tags");
    }
}
