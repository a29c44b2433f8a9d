//! Who makes a call.

use serde_json::{Value, json};

/// The account of everybody who does not say otherwise.
pub const DEFAULT_ACCOUNT: &str = "111122223333";

/// An account and a principal in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub access_key: String,
    /// `user/NAME` or `assumed-role/ROLE/SESSION`: the last part of the ARN.
    pub principal: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self::user(DEFAULT_ACCOUNT)
    }
}

impl Caller {
    /// Alice, in an account of your choice.
    pub fn user(account: &str) -> Self {
        Self::from_credentials(account, None)
    }

    /// A session of a role: how a Lambda function calls.
    pub fn role(account: &str, role: &str, session: &str) -> Self {
        Self::from_credentials(account, Some(&format!("assumed-role/{role}/{session}")))
    }

    /// An access key of 12 digits names the account, a session token `assumed-role/ROLE/SESSION`
    /// the role.
    pub(crate) fn from_credentials(access_key: &str, session_token: Option<&str>) -> Self {
        let is_account = access_key.len() == 12 && access_key.bytes().all(|b| b.is_ascii_digit());
        let account = if is_account { access_key } else { DEFAULT_ACCOUNT };
        let principal = session_token.filter(|token| role_and_session(token).is_some());
        Self {
            account: account.to_owned(),
            access_key: access_key.to_owned(),
            principal: principal.unwrap_or("user/alice").to_owned(),
        }
    }

    /// The role, if it is a session of one.
    pub(crate) fn role_name(&self) -> Option<&str> {
        role_and_session(&self.principal).map(|(role, _)| role)
    }

    pub fn arn(&self) -> String {
        let service = if self.principal.starts_with("assumed-role/") { "sts" } else { "iam" };
        format!("arn:aws:{service}::{}:{}", self.account, self.principal)
    }

    /// CloudTrail's `userIdentity`.
    pub(crate) fn identity(&self) -> Value {
        let Some((role, session)) = role_and_session(&self.principal) else {
            return json!({
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEEXAMPLEEX",
                "arn": self.arn(),
                "accountId": self.account,
                "accessKeyId": self.access_key,
                "userName": self.principal.trim_start_matches("user/"),
            });
        };
        json!({
            "type": "AssumedRole",
            "principalId": format!("AROAEXAMPLEEXAMPLEEX:{session}"),
            "arn": self.arn(),
            "accountId": self.account,
            "accessKeyId": self.access_key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEEXAMPLEEX",
                    "arn": format!("arn:aws:iam::{}:role/{role}", self.account),
                    "accountId": self.account,
                    "userName": role,
                },
            },
        })
    }
}

fn role_and_session(principal: &str) -> Option<(&str, &str)> {
    let (role, session) = principal.strip_prefix("assumed-role/")?.split_once('/')?;
    (!role.is_empty() && !session.is_empty()).then_some((role, session))
}
