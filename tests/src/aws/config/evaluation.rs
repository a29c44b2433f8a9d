//! The evaluations that a rule's function sends, and which of them AWS Config stores.

use std::time::Duration;

use super::rule::{Rule, invalid};
use super::{Config, ResourceKey, Time, event};
use crate::aws::ec2::{Refusal, World};

const PER_CALL: usize = 100;
const ANNOTATION: usize = 256;

/// What a rule says about a resource. `INSUFFICIENT_DATA` is what there is without an evaluation,
/// and cannot be handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compliance {
    Compliant,
    NonCompliant,
    NotApplicable,
}

/// One evaluation of a call.
#[derive(Clone, Debug)]
pub struct Evaluation {
    pub key: ResourceKey,
    pub compliance: Compliance,
    pub annotation: Option<String>,
    pub ordering: Time,
}

/// The call.
#[derive(Clone, Debug)]
pub struct PutEvaluations {
    pub evaluations: Vec<Evaluation>,
    pub result_token: String,
    pub test_mode: bool,
}

/// An evaluation that was stored.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub key: ResourceKey,
    pub compliance: Compliance,
    pub annotation: Option<String>,
    /// When the resource was looked at, as the rule's function says.
    pub ordering: Time,
    pub recorded: Time,
    /// When the rule's function was invoked.
    pub invoked: Time,
}

impl Compliance {
    pub fn name(self) -> &'static str {
        match self {
            Self::Compliant => "COMPLIANT",
            Self::NonCompliant => "NON_COMPLIANT",
            Self::NotApplicable => "NOT_APPLICABLE",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        let all = [Self::Compliant, Self::NonCompliant, Self::NotApplicable];
        let found = all.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| invalid(format!("The compliance type '{name}' is not valid")))
    }
}

impl PutEvaluations {
    fn check(&self) -> Result<(), Refusal> {
        if self.evaluations.len() > PER_CALL {
            return Err(invalid(format!("At most {PER_CALL} evaluations can be put at once")));
        }
        for evaluation in &self.evaluations {
            if let Some(annotation) = &evaluation.annotation
                && !(1..=ANNOTATION).contains(&annotation.chars().count())
            {
                return Err(invalid(format!(
                    "An annotation has from 1 to {ANNOTATION} characters"
                )));
            }
            let ResourceKey { resource_type, id } = &evaluation.key;
            if !(1..=256).contains(&resource_type.len()) || !(1..=768).contains(&id.len()) {
                return Err(invalid("The type or the id of a resource is too short or too long"));
            }
        }
        Ok(())
    }
}

impl Config {
    /// Stores evaluations for the rule that the token stands for, and tells the world of the
    /// resources whose verdict changes. The first `failing` ones fail, without a reason, as
    /// AWS reserves for itself; they are the answer.
    pub fn put_evaluations(
        &mut self,
        world: &mut World,
        request: &PutEvaluations,
        failing: usize,
    ) -> Result<Vec<Evaluation>, Refusal> {
        request.check()?;
        self.check_likes(request)?;
        let (failed, good) = request.evaluations.split_at(failing.min(request.evaluations.len()));
        if request.test_mode && !request.result_token.is_empty() {
            return Ok(failed.to_vec());
        }
        let token = self.tokens.get(&request.result_token).cloned().ok_or_else(|| {
            Refusal::new("InvalidResultTokenException", "The specified ResultToken is not valid.")
        })?;
        let recorded = self.time(world);
        let rule = self.rules.values_mut().find(|rule| rule.id == token.rule);
        let rule = rule.ok_or_else(|| Rule::missing(&token.rule))?;
        for evaluation in good {
            let old = rule.verdicts.get(&evaluation.key);
            let is_late = old.is_some_and(|old| evaluation.ordering < old.ordering);
            if is_late && self.keeps_later_verdicts {
                continue;
            }
            let new = Verdict {
                key: evaluation.key.clone(),
                compliance: evaluation.compliance,
                annotation: evaluation.annotation.clone(),
                ordering: evaluation.ordering,
                recorded,
                invoked: token.invoked,
            };
            if old.map(|old| old.compliance) != Some(new.compliance) {
                event::tell_change(world, &self.account, rule, old, &new);
            }
            rule.verdicts.insert(new.key.clone(), new);
        }
        Ok(failed.to_vec())
    }

    /// Lets time pass: each verdict of a rule is from so much longer ago.
    pub fn age_verdicts(&mut self, rule: &str, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let verdicts = self.rules.get_mut(rule).into_iter().flat_map(|it| it.verdicts.values_mut());
        for verdict in verdicts {
            for time in [&mut verdict.ordering, &mut verdict.recorded, &mut verdict.invoked] {
                time.0 = time.0.saturating_sub(by);
            }
        }
    }

    /// One evaluation that is not accepted takes the whole call with it.
    fn check_likes(&self, request: &PutEvaluations) -> Result<(), Refusal> {
        for Evaluation { key, .. } in &request.evaluations {
            let disliked = [&key.resource_type, &key.id];
            if let Some(code) = disliked.iter().find_map(|it| self.dislikes.get(*it)) {
                let message = "One of the evaluations has a resource that is not valid";
                return Err(Refusal::new(code, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::PutRule;
    use super::*;

    struct Stage {
        world: World,
        config: Config,
        token: String,
    }

    impl Stage {
        fn new() -> Self {
            let (world, mut config) = (World::default(), Config::default());
            config.put_rule(&PutRule::new("mirroring")).unwrap();
            let token = config.issue_token(&world, "mirroring");
            Self { world, config, token }
        }

        fn put(&mut self, evaluations: &[Evaluation]) -> Result<Vec<Evaluation>, Refusal> {
            let token = self.token.clone();
            self.put_with(&token, false, evaluations)
        }

        fn put_with(
            &mut self,
            token: &str,
            test_mode: bool,
            evaluations: &[Evaluation],
        ) -> Result<Vec<Evaluation>, Refusal> {
            let evaluations = evaluations.to_vec();
            let request = PutEvaluations { evaluations, result_token: token.to_owned(), test_mode };
            self.config.put_evaluations(&mut self.world, &request, 0)
        }

        fn stored(&self) -> Vec<(&str, Compliance)> {
            let rule = self.config.rule("mirroring").unwrap();
            rule.verdicts().map(|it| (it.key.id.as_str(), it.compliance)).collect()
        }
    }

    fn evaluation(id: &str, compliance: Compliance, time: u64) -> Evaluation {
        let key = ResourceKey::instance(id);
        Evaluation { key, compliance, annotation: None, ordering: Time(time) }
    }

    use Compliance::{Compliant, NonCompliant, NotApplicable};

    #[test]
    fn the_verdict_with_the_later_time_stands_whichever_comes_first() {
        let mut stage = Stage::new();
        stage.put(&[evaluation("i-1", NonCompliant, 2)]).unwrap();
        stage.put(&[evaluation("i-1", Compliant, 1)]).unwrap();
        assert_eq!(stage.stored(), [("i-1", NonCompliant)]);
        // At the same time, the last word.
        stage.put(&[evaluation("i-1", NotApplicable, 2)]).unwrap();
        assert_eq!(stage.stored(), [("i-1", NotApplicable)]);
    }

    #[test]
    fn or_the_verdict_that_comes_last_stands() {
        let mut stage = Stage::new();
        stage.config.keeps_later_verdicts = false;
        stage.put(&[evaluation("i-1", NonCompliant, 2)]).unwrap();
        stage.put(&[evaluation("i-1", Compliant, 1)]).unwrap();
        assert_eq!(stage.stored(), [("i-1", Compliant)]);
    }

    #[test]
    fn one_evaluation_that_is_not_accepted_takes_the_call_with_it() {
        let mut stage = Stage::new();
        let code = "ValidationException".to_owned();
        stage.config.dislikes.insert("i-2".to_owned(), code.clone());
        let both = ["i-1", "i-2"].map(|id| evaluation(id, NonCompliant, 1));
        assert_eq!(stage.put(&both).unwrap_err().code, code);
        assert_eq!(stage.stored(), []);
        stage.put(&both[..1]).unwrap();
        assert_eq!(stage.stored(), [("i-1", NonCompliant)]);
    }

    #[test]
    fn only_a_change_of_the_verdict_is_an_event() {
        let mut stage = Stage::new();
        stage.put(&[evaluation("i-1", NonCompliant, 1)]).unwrap();
        let annotation = Some("other words".to_owned());
        stage.put(&[Evaluation { annotation, ..evaluation("i-1", NonCompliant, 2) }]).unwrap();
        stage.put(&[evaluation("i-1", Compliant, 3)]).unwrap();
        let events = stage.world.take_events();
        let told: Vec<_> = events
            .iter()
            .map(|it| &it["detail"]["newEvaluationResult"]["complianceType"])
            .collect();
        assert_eq!(told, ["NON_COMPLIANT", "COMPLIANT"]);
    }
}
