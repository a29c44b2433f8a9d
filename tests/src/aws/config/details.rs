//! The evaluation results that a rule has, as AWS Config gives them back.

use super::page::{self, Token};
use super::rule::{Rule, invalid};
use super::{Compliance, Config, ResourceKey, Verdict};
use crate::aws::ec2::Refusal;

/// Whose results to read.
#[derive(Clone, Debug)]
pub enum Question {
    /// All of the rule with this name.
    Rule(String),
    /// Those of every rule on this resource.
    Resource(ResourceKey),
}

/// What to read.
#[derive(Clone, Debug)]
pub struct DetailsQuery {
    pub of: Question,
    /// None for all that applies.
    pub compliance: Vec<Compliance>,
    pub limit: Option<i64>,
    pub next_token: Option<String>,
}

impl DetailsQuery {
    pub fn new(rule: &str) -> Self {
        let of = Question::Rule(rule.to_owned());
        Self { of, compliance: Vec::new(), limit: None, next_token: None }
    }
}

/// A verdict with the rule that it is of.
pub type Detail<'a> = (&'a Rule, &'a Verdict);

impl Config {
    /// A page of verdicts, by type and id of the resource, or by the rule.
    ///
    /// `NOT_APPLICABLE` is shown only if it is asked for by name. AWS documents neither that nor
    /// the contrary; its console and summaries treat such a resource as not evaluated, and a rule
    /// that clears old verdicts would otherwise read all it ever cleared on every run.
    pub fn compliance_details(
        &self,
        query: &DetailsQuery,
    ) -> Result<(Vec<Detail<'_>>, Option<String>), Refusal> {
        let size = page::size(query.limit, self.max_page)
            .ok_or_else(|| invalid("The limit is from 0 to 100"))?;
        let (asked, mut rows) = self.details_of(&query.of)?;
        rows.retain(|(_, verdict)| {
            if query.compliance.is_empty() {
                verdict.compliance != Compliance::NotApplicable
            } else {
                query.compliance.contains(&verdict.compliance)
            }
        });
        let token = Token::of(&(asked, &query.compliance));
        let after = token.read(query.next_token.as_deref())?;
        rows.retain(|row| after.is_none_or(|after| after < &*name(row)));
        let (page, next) = token.cut(rows.iter(), size, name);
        Ok((page.into_iter().copied().collect(), next))
    }

    /// What a token is good for, and the verdicts in the order of their names.
    fn details_of(&self, question: &Question) -> Result<(String, Vec<Detail<'_>>), Refusal> {
        match question {
            Question::Rule(name) => {
                // A rule may have a name of up to 128 characters, but cannot be read back by it.
                if !(1..=64).contains(&name.chars().count()) {
                    return Err(invalid("The name of the rule is too short or too long"));
                }
                let rule = self.rule(name).ok_or_else(|| Rule::missing(name))?;
                Ok((rule.id.clone(), rule.verdicts().map(|verdict| (rule, verdict)).collect()))
            }
            Question::Resource(key) => {
                let rows = self.rules.values().filter_map(|it| Some((it, it.verdict(key)?)));
                Ok((format!("{key:?}"), rows.collect()))
            }
        }
    }
}

/// Sorts as the verdicts are kept: no type of resource, and no name of a rule, has a space in it.
fn name((rule, verdict): &Detail<'_>) -> String {
    format!("{} {} {}", verdict.key.resource_type, verdict.key.id, rule.name)
}
