//! AWS's ids as types, so that one kind cannot be passed for another.

use std::{fmt, str::FromStr, sync::Arc};

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id that starts with `{prefix}`, followed by lower-case letters and digits")]
pub struct IdError {
    prefix: &'static str,
}

/// The most characters after the prefix; EC2 uses 8 or 17 today.
const MAX_LENGTH: usize = 64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(try_from = "String")
        )]
        pub struct $name(Arc<str>);

        #[cfg(feature = "serde")]
        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl $name {
            /// The id as EC2 writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = |rest: &str| {
                    (1..=MAX_LENGTH).contains(&rest.len())
                        && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                };
                match text.strip_prefix($prefix) {
                    Some(rest) if fits(rest) => Ok(Self(text.into())),
                    _ => Err(IdError { prefix: $prefix }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// An EC2 instance, `i-…`.
    InstanceId = "i-";
    /// A network interface, `eni-…`: a mirror source, or the interface behind a mirror target.
    InterfaceId = "eni-";
    /// A Traffic Mirror session, `tms-…`.
    SessionId = "tms-";
    /// A Traffic Mirror target, `tmt-…`.
    TargetId = "tmt-";
    /// A Traffic Mirror filter, `tmf-…`.
    FilterId = "tmf-";
    /// A VPC, `vpc-…`.
    VpcId = "vpc-";
}

/// An AWS account: twelve digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String")
)]
pub struct AccountId(Arc<str>);

#[cfg(feature = "serde")]
impl TryFrom<String> for AccountId {
    type Error = AccountIdError;

    fn try_from(text: String) -> Result<Self, AccountIdError> {
        text.parse()
    }
}

/// Why a text is not an account id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id of twelve digits")]
pub struct AccountIdError;

impl AccountId {
    /// The account in an ARN, `arn:PARTITION:SERVICE:REGION:ACCOUNT:…`.
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        arn.split(':').nth(4)?.parse().ok()
    }

    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(AccountIdError)
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_own_prefix_and_plain_characters() {
        assert!("tmt-0123456789abcdef0".parse::<TargetId>().is_ok());
        let long = format!("tmt-{}", "a".repeat(65));
        for text in ["", "tmt-", "tmf-1", "tmt-1 ", "tmt-1,tmt-2", "TMT-1", "tmt-\u{e9}", &long] {
            assert!(text.parse::<TargetId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert!("012345678901".parse::<AccountId>().is_ok());
        let arn = "arn:aws-us-gov:lambda:us-gov-west-1:012345678901:function:automirror";
        assert_eq!(AccountId::of_arn(arn), "012345678901".parse().ok());
        assert_eq!(AccountId::of_arn("arn:aws:s3:::bucket"), None);
        for text in ["", "1234", "12345678901x", "1234567890123"] {
            assert!(text.parse::<AccountId>().is_err(), "{text:?}");
        }
    }

    /// Files come from outside.
    #[cfg(feature = "serde")]
    #[test]
    fn an_id_in_a_file_is_checked_as_well() {
        assert!(serde_json::from_str::<TargetId>("\"tmt-1\"").is_ok());
        assert!(serde_json::from_str::<TargetId>("\"tmf-1\"").is_err());
        assert!(serde_json::from_str::<AccountId>("\"012345678901\"").is_ok());
        assert!(serde_json::from_str::<AccountId>("\"1234\"").is_err());
    }
}
