//! The kinds of faults, and which calls each can befall.

use super::Parameters;
use crate::aws::ec2::Refusal;
use crate::aws::ec2::wire::flaw::Flaw;
use crate::cloud::Service;

/// What happens to a call that is struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EC2: 503 `RequestLimitExceeded`; Config: 400 `ThrottlingException`.
    Throttle,
    /// EC2: 500 `InternalError`; Config: 500 `InternalFailure`.
    ServerError,
    /// EC2: 503 `Unavailable`; Config: 503 `ServiceUnavailable`.
    Unavailable,
    /// An error of your choice.
    Refuse { code: String, message: String, status: u16 },
    /// Never answered, and nothing done.
    HangBefore,
    /// Done, but never answered.
    HangAfter,
    /// The connection is reset, and nothing done.
    ResetBefore,
    /// Done, but the connection is reset instead of an answer.
    ResetAfter,
    /// A describe call answers from the world as it was frozen
    /// ([`World::freeze`](crate::aws::ec2::World::freeze)); other actions are not struck by it.
    StaleRead,
    /// Done, but the answer is a 200 that is neither XML nor JSON.
    Garbage,
    /// Of the evaluations in a `PutEvaluations`, the first so many fail; other actions are not
    /// struck by it.
    FailEvaluations(usize),
    /// Waits for [`Faults::release`](super::Faults::release) before it is done.
    Hold,
    /// `DescribeInstances` shows no tags, unless it was asked for instances with certain ids or tags. AWS says that
    /// it may, and that `DescribeTags` and filters by tags do not.
    OmitTags,
    /// `DescribeInstances` does not show the tag with this key, unless it was asked for certain ids.
    OmitTag(String),
    /// Each row of a list is left out with this chance in thousandths, and the pages go on as if it was there. Who
    /// asks for certain ids gets them: what EC2 says of those is no list.
    OmitRows { per_mille: u16 },
    /// From the second page of a list on, the token of the next page is the one that led to this page. Not for
    /// certain ids. Of AWS Config, the lists of compliance details.
    RepeatToken,
    /// Each row of a list lacks its id with this chance in thousandths. Not for certain ids.
    Unreadable { per_mille: u16 },
}

impl Kind {
    /// The error it answers with, and its HTTP status, if that is all it does.
    pub(crate) fn refusal(&self, service: Service) -> Option<(u16, Refusal)> {
        let (code, message) = match (self, service) {
            (Self::Throttle, Service::Lambda) => ("TooManyRequestsException", "Rate exceeded"),
            (Self::Throttle, Service::Elb | Service::Sts) => ("Throttling", "Rate exceeded"),
            (Self::Throttle, Service::Ec2) => ("RequestLimitExceeded", "Request limit exceeded."),
            (Self::Throttle, Service::Config | Service::Logs | Service::CloudTrail) => {
                ("ThrottlingException", "Rate exceeded")
            }
            (Self::ServerError, Service::Ec2) => {
                ("InternalError", "An internal error has occurred")
            }
            (
                Self::ServerError,
                Service::Config | Service::Elb | Service::Sts | Service::Logs | Service::CloudTrail,
            ) => ("InternalFailure", "Internal failure"),
            (Self::Unavailable, Service::Ec2) => {
                ("Unavailable", "The server is overloaded and can't handle the request.")
            }
            (
                Self::Unavailable,
                Service::Config | Service::Elb | Service::Sts | Service::Logs | Service::CloudTrail,
            ) => ("ServiceUnavailable", "Service unavailable"),
            (Self::ServerError | Self::Unavailable, Service::Lambda) => {
                ("ServiceException", "The service encountered an internal error.")
            }
            (Self::Refuse { code, message, status }, _) => {
                return Some((*status, Refusal::new(code, message)));
            }
            _ => return None,
        };
        let refusal = Refusal::new(code, message);
        Some((refusal.status(), refusal))
    }

    /// Whether it can befall such a call at all.
    pub(super) fn can_strike(&self, action: &str, parameters: &Parameters) -> bool {
        let is_read = action.starts_with("Describe");
        let is_list = is_read && !parameters.keys().any(|name| names_id(name));
        match self {
            Self::StaleRead => is_read,
            Self::FailEvaluations(_) => action == "PutEvaluations",
            Self::OmitTags => {
                action == "DescribeInstances" && is_list && !parameters.iter().any(chooses_tags)
            }
            Self::OmitTag(_) => action == "DescribeInstances" && is_list,
            Self::OmitRows { .. } | Self::Unreadable { .. } => is_list,
            Self::RepeatToken => {
                let is_list = is_list || action == "GetComplianceDetailsByConfigRule";
                is_list && parameters.contains_key("NextToken")
            }
            _ => true,
        }
    }

    /// What it does to the answer of a describe call of EC2; the seed is for its chances.
    pub(crate) fn flaw(&self, seed: impl FnOnce() -> u64) -> Flaw {
        match *self {
            Self::StaleRead => Flaw::Stale,
            Self::OmitTags => Flaw::OmitTags,
            Self::OmitTag(ref key) => Flaw::OmitTag(key.clone()),
            Self::OmitRows { per_mille } => Flaw::OmitRows { per_mille, seed: seed() },
            Self::RepeatToken => Flaw::RepeatToken,
            Self::Unreadable { per_mille } => Flaw::Unreadable { per_mille, seed: seed() },
            _ => Flaw::None,
        }
    }

    /// Whether the answer looks like any other: what happened to it shows in nothing but its content, or when it
    /// comes.
    pub(crate) fn is_unseen(&self) -> bool {
        *self == Self::Hold || self.flaw(|| 0) != Flaw::None
    }
}

/// `InstanceId.1` and the like.
fn names_id(name: &str) -> bool {
    name.split_once('.').is_some_and(|(list, number)| {
        list.ends_with("Id") && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a parameter is the name of a filter by tags.
fn chooses_tags((name, value): (&String, &String)) -> bool {
    let is_name = name.starts_with("Filter.") && name.ends_with(".Name");
    is_name && (value.starts_with("tag:") || value == "tag-key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_own_codes_for_the_same_faults() {
        for (kind, ec2, config) in [
            (Kind::Throttle, (503, "RequestLimitExceeded"), (400, "ThrottlingException")),
            (Kind::ServerError, (500, "InternalError"), (500, "InternalFailure")),
            (Kind::Unavailable, (503, "Unavailable"), (503, "ServiceUnavailable")),
        ] {
            for (service, (status, code)) in [(Service::Ec2, ec2), (Service::Config, config)] {
                let (found, refusal) = kind.refusal(service).unwrap();
                assert_eq!((found, refusal.code.as_str()), (status, code));
            }
        }
    }

    fn parameters(given: &[(&str, &str)]) -> Parameters {
        given.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_list_may_be_flawed_but_never_what_is_asked_for_by_its_id() {
        let omit = Kind::OmitRows { per_mille: 1000 };
        for kind in [omit, Kind::Unreadable { per_mille: 1 }, Kind::RepeatToken] {
            let list = parameters(&[("NextToken", "x"), ("Filter.1.Value.1", "i-1")]);
            assert!(kind.can_strike("DescribeTags", &list));
            assert!(!kind.can_strike("CreateTags", &list));
            for name in [
                "NetworkInterfaceId.1",
                "InstanceId.2",
                "TrafficMirrorTargetId.1",
                "TrafficMirrorSessionId.1",
                "TrafficMirrorFilterId.10",
            ] {
                let mut ids = list.clone();
                ids.insert(name.to_owned(), "x".to_owned());
                assert!(!kind.can_strike("DescribeInstances", &ids), "{name}");
                assert!(!Kind::OmitTags.can_strike("DescribeInstances", &ids), "{name}");
                assert!(!Kind::OmitTag("a".to_owned()).can_strike("DescribeInstances", &ids));
            }
        }
    }

    #[test]
    fn tags_are_left_out_by_describe_instances_only_and_not_if_they_were_asked_for() {
        let plain = parameters(&[("Filter.1.Name", "instance-id"), ("Filter.1.Value.1", "tag:a")]);
        let one = Kind::OmitTag("a".to_owned());
        assert!(Kind::OmitTags.can_strike("DescribeInstances", &plain));
        assert!(one.can_strike("DescribeInstances", &plain));
        for action in ["DescribeTags", "DescribeNetworkInterfaces"] {
            assert!(!Kind::OmitTags.can_strike(action, &plain), "{action}");
            assert!(!one.can_strike(action, &plain), "{action}");
        }
        for name in ["tag:Mirror", "tag-key"] {
            let by_tag = parameters(&[("Filter.1.Name", "vpc-id"), ("Filter.2.Name", name)]);
            assert!(!Kind::OmitTags.can_strike("DescribeInstances", &by_tag), "{name}");
            assert!(one.can_strike("DescribeInstances", &by_tag), "{name}");
        }
    }

    #[test]
    fn a_token_comes_again_where_there_is_one() {
        assert!(!Kind::RepeatToken.can_strike("DescribeInstances", &Parameters::new()));
    }
}
