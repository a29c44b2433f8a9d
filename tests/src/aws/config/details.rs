//! The evaluation results that a rule has, as AWS Config gives them back.

use super::page::{self, Page, Token};
use super::rule::{Rule, invalid};
use super::{Compliance, Config, Verdict};
use crate::aws::ec2::Refusal;

/// What to read.
#[derive(Clone, Debug)]
pub struct DetailsQuery {
    pub rule: String,
    /// None for all that applies.
    pub compliance: Vec<Compliance>,
    pub limit: Option<i64>,
    pub next_token: Option<String>,
}

impl DetailsQuery {
    pub fn new(rule: &str) -> Self {
        Self { rule: rule.to_owned(), compliance: Vec::new(), limit: None, next_token: None }
    }
}

impl Config {
    /// A page of a rule's verdicts, by type and id.
    ///
    /// `NOT_APPLICABLE` is shown only if it is asked for by name. AWS documents neither that nor
    /// the contrary; its console and summaries treat such a resource as not evaluated, and a rule
    /// that clears old verdicts would otherwise read all it ever cleared on every run.
    pub fn compliance_details(&self, query: &DetailsQuery) -> Result<Page<'_, Verdict>, Refusal> {
        // A rule may have a name of up to 128 characters, but cannot be read back by it.
        if !(1..=64).contains(&query.rule.chars().count()) {
            return Err(invalid("The name of the rule is too short or too long"));
        }
        let rule = self.rule(&query.rule).ok_or_else(|| Rule::missing(&query.rule))?;
        let size = page::size(query.limit, self.max_page)
            .ok_or_else(|| invalid("The limit is from 0 to 100"))?;
        let token = Token::of(&(&rule.id, &query.compliance));
        let after = token.read(query.next_token.as_deref())?;
        let asked_for = |verdict: &&Verdict| {
            if query.compliance.is_empty() {
                verdict.compliance != Compliance::NotApplicable
            } else {
                query.compliance.contains(&verdict.compliance)
            }
        };
        let rows = rule.verdicts().filter(|row| after.is_none_or(|after| after < &*name(row)));
        Ok(token.cut(rows.filter(asked_for), size, name))
    }
}

fn name(verdict: &Verdict) -> String {
    // No type has a space in its name, so this sorts as the verdicts are kept.
    format!("{} {}", verdict.key.resource_type, verdict.key.id)
}
