//! The conditions of a statement: the operators that the templates' policies use, and an error for any other.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use wildmatch::WildMatch;

use super::policy::arn_matches;

/// One operator on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    operator: Operator,
    /// `ForAllValues:`, which is true of a key that is absent.
    for_all_values: bool,
    key: String,
    /// One of them is enough.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringLike,
    /// `ArnEquals` does the same.
    ArnLike,
    /// `ArnNotEquals` does the same. It is true of a key that is absent, with `IfExists` and without.
    ArnNotLike,
    Bool,
    Null,
}

impl Condition {
    pub(super) fn parse(operator: &str, key: &str, values: Vec<String>) -> anyhow::Result<Self> {
        let for_all = operator.strip_prefix("ForAllValues:");
        let operator = match for_all.unwrap_or(operator) {
            "StringEquals" => Operator::StringEquals,
            "StringLike" => Operator::StringLike,
            "ArnLike" | "ArnEquals" => Operator::ArnLike,
            "ArnNotLike" | "ArnNotLikeIfExists" | "ArnNotEquals" | "ArnNotEqualsIfExists" => {
                Operator::ArnNotLike
            }
            "Bool" => Operator::Bool,
            "Null" if for_all.is_none() => Operator::Null,
            _ => bail!("the operator {operator} is not known"),
        };
        if matches!(operator, Operator::Bool | Operator::Null) {
            let is_bool = |value: &String| value == "true" || value == "false";
            ensure!(values.iter().all(is_bool), "{key} is compared with neither true nor false");
        }
        ensure!(!values.iter().any(|value| value.contains("${")), "variables are not known");
        Ok(Self { operator, for_all_values: for_all.is_some(), key: key.to_owned(), values })
    }

    /// Keys are the same in any case; values are not.
    pub(super) fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let is_key = |key: &String| key.eq_ignore_ascii_case(&self.key);
        let mut given =
            context.iter().filter(|(key, _)| is_key(key)).flat_map(|(_, values)| values).peekable();
        if let Operator::Null = self.operator {
            let is_absent = given.peek().is_none().to_string();
            return self.values.contains(&is_absent);
        }
        let fits = |given: &String| self.values.iter().any(|value| self.fits(value, given));
        match self.operator {
            Operator::ArnNotLike => !given.any(fits),
            _ if self.for_all_values => given.all(fits),
            _ => given.any(fits),
        }
    }

    fn fits(&self, value: &str, given: &str) -> bool {
        match self.operator {
            Operator::StringEquals => value == given,
            Operator::StringLike => WildMatch::new(value).matches(given),
            Operator::ArnLike | Operator::ArnNotLike => arn_matches(value, given),
            Operator::Bool => value.eq_ignore_ascii_case(given),
            Operator::Null => false,
        }
    }
}
