//! Reading the verdicts of a rule back.

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

#[cfg(test)]
mod tests {
    use super::super::{Evaluation, PutEvaluations, PutRule, ResourceKey, Time};
    use super::*;
    use crate::aws::ec2::World;

    use Compliance::{Compliant, NonCompliant, NotApplicable};

    /// As many of each verdict as asked for.
    fn with(counts: &[(Compliance, usize)]) -> Config {
        let (mut world, mut config) = (World::default(), Config::default());
        config.put_rule(&PutRule::new("mirroring")).unwrap();
        let evaluation = |(compliance, n): (Compliance, usize)| Evaluation {
            key: ResourceKey::instance(&format!("i-{}-{n:03}", compliance.name())),
            compliance,
            annotation: None,
            ordering: Time(1),
        };
        let each = counts.iter().flat_map(|&(it, count)| (0..count).map(move |n| (it, n)));
        let evaluations: Vec<_> = each.map(evaluation).collect();
        for chunk in evaluations.chunks(100) {
            let request = PutEvaluations {
                evaluations: chunk.to_vec(),
                result_token: config.issue_token(&world, "mirroring"),
                test_mode: false,
            };
            config.put_evaluations(&mut world, &request, 0).unwrap();
        }
        config
    }

    fn pages(config: &Config, mut query: DetailsQuery) -> Vec<usize> {
        let mut sizes = Vec::new();
        loop {
            let (rows, next_token) = config.compliance_details(&query).unwrap();
            sizes.push(rows.len());
            query.next_token = next_token;
            if query.next_token.is_none() {
                return sizes;
            }
        }
    }

    #[test]
    fn pages_have_ten_rows_unless_told_otherwise_and_a_hundred_at_most() {
        let mut config = with(&[(Compliant, 120), (NonCompliant, 5)]);
        let query = DetailsQuery::new("mirroring");
        let limit = |limit| DetailsQuery { limit: Some(limit), ..query.clone() };
        assert_eq!(pages(&config, query.clone()).len(), 13);
        assert_eq!(pages(&config, limit(0)).len(), 13);
        assert_eq!(pages(&config, limit(100)), [100, 25]);
        for limit in [-1, 101] {
            let query = DetailsQuery { limit: Some(limit), ..query.clone() };
            let refusal = config.compliance_details(&query).unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterValueException");
        }
        config.max_page = Some(60);
        assert_eq!(pages(&config, limit(100)), [60, 60, 5]);
    }

    #[test]
    fn what_does_not_apply_is_shown_only_if_asked_for() {
        let config = with(&[(Compliant, 1), (NonCompliant, 2), (NotApplicable, 4)]);
        let count = |compliance: &[Compliance]| {
            let query =
                DetailsQuery { compliance: compliance.to_vec(), ..DetailsQuery::new("mirroring") };
            config.compliance_details(&query).unwrap().0.len()
        };
        assert_eq!(count(&[]), 3);
        assert_eq!(count(&[NotApplicable]), 4);
        assert_eq!(count(&[NonCompliant, NotApplicable]), 6);
    }

    #[test]
    fn unknown_rules_and_tokens_are_refused() {
        let config = with(&[(Compliant, 11)]);
        let code = |query: DetailsQuery| config.compliance_details(&query).unwrap_err().code;
        assert_eq!(code(DetailsQuery::new("gone")), "NoSuchConfigRuleException");
        assert_eq!(code(DetailsQuery::new(&"x".repeat(65))), "InvalidParameterValueException");
        let query = DetailsQuery::new("mirroring");
        let (_, next_token) = config.compliance_details(&query).unwrap();
        let other = DetailsQuery { next_token, compliance: vec![Compliant], ..query.clone() };
        assert_eq!(code(other), "InvalidNextTokenException");
        let garbage = DetailsQuery { next_token: Some("garbage".to_owned()), ..query };
        assert_eq!(code(garbage), "InvalidNextTokenException");
    }
}
