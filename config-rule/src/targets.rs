//! The targets that the sessions of instances lead to: what stands behind each, since when AWS Config holds that
//! nothing receives there, and the rule's verdict on it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_config::primitives::DateTime;
use shared::{
    id::{InterfaceId, TargetId},
    observed::{Observed, Target},
    plan::{
        step::{Action, Plan},
        verdict::Verdict,
    },
};

use crate::{
    evaluation::Evaluation,
    news::{Recorded, age},
    resource::ResourceKey,
    standing::{Standing, can_be_seen},
};

/// The code of a target behind which nothing receives.
const UNHEALTHY: &str = "target-unhealthy";

/// What is known of the targets that were looked at. Of any other nothing is said.
#[derive(Debug, Default)]
pub(crate) struct Targets(pub(crate) BTreeMap<TargetId, Known>);

/// What is known of a target.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    /// Where nothing is seen to receive: for how long AWS Config holds that.
    pub(crate) held: HeldFor,
}

/// How long AWS Config has held that nothing receives behind a target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeldFor {
    /// It holds no such verdict.
    NotYet,
    /// For less than the grace time.
    Short,
    /// For the grace time or longer.
    Long,
    /// It could not be asked, and why.
    Unread(String),
}

/// What the targets of one source come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reception<'a> {
    /// Something receives, or nothing is known to the contrary.
    Fine,
    /// Nothing receives, since a short time only.
    Waiting(&'a TargetId, &'a str),
    /// Nobody knows whether anything receives.
    Unread,
    /// Nothing receives.
    Broken(&'a TargetId, &'a str),
}

impl Known {
    /// Where AWS does not say, the fault that AWS Config holds goes on until AWS shows that it is over. Sensors that
    /// start and fail over and over are starting in one look and not healthy in the next, and a list may leave out
    /// a row.
    pub(crate) fn new(seen: Standing, held: HeldFor) -> Self {
        let standing = match (seen, &held) {
            (Standing::Unknown(why), HeldFor::Short | HeldFor::Long) => {
                Standing::Unhealthy(format!("{why}, and nothing received when that was last seen"))
            }
            (Standing::Unknown(_), HeldFor::Unread(why)) => Standing::Unread(why.clone()),
            (seen, _) => seen,
        };
        Self { standing, held }
    }
}

impl HeldFor {
    /// By the verdict that AWS Config holds on the target, and the grace time in seconds.
    pub(crate) fn of(held: Option<&Recorded>, now: DateTime, grace: i64) -> Self {
        let is_it =
            |it: &&Recorded| it.verdict == Verdict::NonCompliant && it.codes.contains(UNHEALTHY);
        match held.filter(is_it).map(|it| it.time) {
            None => Self::NotYet,
            Some(None) => Self::Unread("AWS Config does not say how old a verdict is".to_owned()),
            Some(Some(time)) if age(time, now) < grace => Self::Short,
            Some(Some(_)) => Self::Long,
        }
    }
}

impl Targets {
    /// What becomes of the packets of a source with sessions to these targets: one that receives is enough.
    pub(crate) fn reception<'a>(&'a self, targets: &[&'a TargetId]) -> Reception<'a> {
        let mut found = None;
        for id in targets {
            let reception = self.of_one(id);
            found = Some(match (found, reception) {
                (_, Reception::Fine) => return Reception::Fine,
                (Some(Reception::Unread), _) | (_, Reception::Unread) => Reception::Unread,
                (Some(waiting @ Reception::Waiting(..)), _) => waiting,
                (_, next) => next,
            });
        }
        found.unwrap_or(Reception::Fine)
    }

    fn of_one<'a>(&'a self, id: &'a TargetId) -> Reception<'a> {
        let Some(Known { standing, held }) = self.0.get(id) else { return Reception::Fine };
        match (standing, held) {
            (Standing::Healthy | Standing::Unknown(_), _) => Reception::Fine,
            (Standing::Unread(_), _) | (Standing::Unhealthy(_), HeldFor::Unread(_)) => {
                Reception::Unread
            }
            (Standing::Unhealthy(why), HeldFor::Long) => Reception::Broken(id, why),
            (Standing::Unhealthy(why), HeldFor::NotYet | HeldFor::Short) => {
                Reception::Waiting(id, why)
            }
        }
    }

    /// Why nothing can be said of some.
    pub(crate) fn problems(&self) -> BTreeSet<String> {
        let why = |known: &Known| match &known.held {
            HeldFor::Unread(why) => Some(why.clone()),
            HeldFor::NotYet | HeldFor::Short | HeldFor::Long => unread(&known.standing),
        };
        self.0.values().filter_map(why).collect()
    }

    /// The targets that no verdict is made of, as they could not be read.
    pub(crate) fn unread(&self) -> impl Iterator<Item = ResourceKey> + '_ {
        let is_unread = |known: &Known| matches!(known.standing, Standing::Unread(_));
        self.0.iter().filter(move |it| is_unread(it.1)).map(|(id, _)| ResourceKey::target(id))
    }

    /// The verdict on each.
    pub(crate) fn evaluations(&self) -> Vec<Evaluation> {
        self.0.iter().filter_map(|(id, known)| evaluation(id, &known.standing)).collect()
    }

    /// That nothing is said of the other targets that EC2 lists.
    pub(crate) fn others(&self, observed: &Observed) -> impl Iterator<Item = Evaluation> {
        let others = observed.targets.iter().filter(|target| !self.0.contains_key(&target.id));
        others.map(|target| not_judged(&target.id)).collect::<Vec<_>>().into_iter()
    }

    /// The verdicts on those behind which nothing receives and of which AWS Config does not hold that.
    pub(crate) fn newly_unhealthy(&self) -> Vec<Evaluation> {
        let new = self.0.iter().filter(|(_, known)| known.held == HeldFor::NotYet);
        let new = new.filter_map(|(id, known)| evaluation(id, &known.standing));
        new.filter(|it| it.verdict == Verdict::NonCompliant).collect()
    }
}

/// Why nothing can be said of a target.
fn unread(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Unread(why) => Some(format!("what is behind targets was not read: {why}")),
        Standing::Healthy | Standing::Unknown(_) | Standing::Unhealthy(_) => None,
    }
}

/// None where it could not be read.
fn evaluation(id: &TargetId, standing: &Standing) -> Option<Evaluation> {
    let (verdict, code, words) = match standing {
        Standing::Healthy => (
            Verdict::Compliant,
            "target-healthy",
            "what AWS shows of it is in order: state, listener, health and security groups",
        ),
        Standing::Unknown(why) => (Verdict::NotApplicable, "target-health-unknown", why.as_str()),
        Standing::Unhealthy(why) => (Verdict::NonCompliant, UNHEALTHY, why.as_str()),
        Standing::Unread(_) => return None,
    };
    Some(Evaluation::new(ResourceKey::target(id), verdict, code, words))
}

/// Nothing is said of what is behind this target.
pub(crate) fn not_judged(id: &TargetId) -> Evaluation {
    let words = "no session of an instance that is looked after is known to lead to it, or what is behind it cannot \
                 be seen from this account";
    Evaluation::new(ResourceKey::target(id), Verdict::NotApplicable, "target-not-judged", words)
}

/// The targets of this account that sessions of instances lead to which are looked after, as far as what is behind
/// them can be seen.
pub(crate) fn led_to<'a>(observed: &'a Observed, plan: &Plan) -> Vec<&'a Target> {
    let is_looked_after = |action: &Action| !matches!(action, Action::Ignore);
    let steps = plan.steps.iter().filter(|step| is_looked_after(&step.action));
    let sources: BTreeSet<&InterfaceId> =
        steps.filter(|step| step.instance.is_some()).map(|step| &step.source).collect();
    let sessions = observed.sessions.iter().filter(|session| sources.contains(&session.interface));
    let used: BTreeSet<_> = sessions.map(|session| &session.target).collect();
    let own = observed.targets.iter().filter(|target| target.account == observed.account);
    own.filter(|target| used.contains(&target.id) && can_be_seen(target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(known: &[(&str, Standing, HeldFor)]) -> Targets {
        let known = known.iter().map(|(id, standing, held)| {
            let held = match held {
                HeldFor::NotYet => HeldFor::NotYet,
                HeldFor::Short => HeldFor::Short,
                HeldFor::Long => HeldFor::Long,
                HeldFor::Unread(why) => HeldFor::Unread(why.clone()),
            };
            (id.parse().unwrap(), Known { standing: standing.clone(), held })
        });
        Targets(known.collect())
    }

    #[test]
    fn a_fault_that_is_held_goes_on_where_aws_does_not_say_and_its_age_is_that_of_its_verdict() {
        let held = |verdict, annotation: &str, time: Option<i64>| {
            let (codes, time) =
                (crate::evaluation::codes(annotation), time.map(DateTime::from_secs));
            HeldFor::of(Some(&Recorded { verdict, codes, time }), DateTime::from_secs(1_000), 60)
        };
        let ill = "[target-unhealthy] load balancer net/a/b has no UDP listener";
        assert_eq!(HeldFor::of(None, DateTime::from_secs(1_000), 60), HeldFor::NotYet);
        for (found, expected) in [
            (held(Verdict::NonCompliant, ill, Some(940)), "Long"),
            (held(Verdict::NonCompliant, ill, Some(941)), "Short"),
            (held(Verdict::NonCompliant, ill, Some(2_000)), "Short"),
            (held(Verdict::NonCompliant, ill, None), "Unread"),
            (held(Verdict::NonCompliant, "[another-code] x", Some(0)), "NotYet"),
            (held(Verdict::Compliant, "[target-healthy] x", Some(0)), "NotYet"),
        ] {
            assert!(format!("{found:?}").starts_with(expected), "{found:?} {expected}");
        }
        let unknown = |held| Known::new(Standing::Unknown("x".to_owned()), held).standing;
        assert_eq!(unknown(HeldFor::NotYet), Standing::Unknown("x".to_owned()));
        for held in [HeldFor::Short, HeldFor::Long] {
            assert!(matches!(unknown(held), Standing::Unhealthy(_)));
        }
        assert_eq!(unknown(HeldFor::Unread("y".to_owned())), Standing::Unread("y".to_owned()));
        let healthy = Known::new(Standing::Healthy, HeldFor::NotYet);
        assert_eq!(healthy.standing, Standing::Healthy);
    }

    #[test]
    fn one_target_that_receives_is_enough_and_nothing_is_broken_that_is_not_certain() {
        let unhealthy = || Standing::Unhealthy("because".to_owned());
        let all = targets(&[
            ("tmt-fine", Standing::Healthy, HeldFor::NotYet),
            ("tmt-unknown", Standing::Unknown("x".to_owned()), HeldFor::NotYet),
            ("tmt-unread", Standing::Unread("x".to_owned()), HeldFor::NotYet),
            ("tmt-undated", unhealthy(), HeldFor::Unread("x".to_owned())),
            ("tmt-new", unhealthy(), HeldFor::NotYet),
            ("tmt-short", unhealthy(), HeldFor::Short),
            ("tmt-long", unhealthy(), HeldFor::Long),
        ]);
        for (ids, expected) in [
            (&[][..], "Fine"),
            (&["tmt-fine"], "Fine"),
            (&["tmt-unknown"], "Fine"),
            (&["tmt-other"], "Fine"),
            (&["tmt-unread"], "Unread"),
            (&["tmt-undated"], "Unread"),
            (&["tmt-new"], "Waiting"),
            (&["tmt-short"], "Waiting"),
            (&["tmt-long"], "Broken"),
            (&["tmt-long", "tmt-fine"], "Fine"),
            (&["tmt-unread", "tmt-fine"], "Fine"),
            (&["tmt-long", "tmt-other"], "Fine"),
            (&["tmt-long", "tmt-unread"], "Unread"),
            (&["tmt-unread", "tmt-long"], "Unread"),
            (&["tmt-short", "tmt-unread"], "Unread"),
            (&["tmt-long", "tmt-short"], "Waiting"),
            (&["tmt-short", "tmt-long"], "Waiting"),
            (&["tmt-long", "tmt-long"], "Broken"),
        ] {
            let ids: Vec<TargetId> = ids.iter().map(|id| id.parse().unwrap()).collect();
            let found = format!("{:?}", all.reception(&ids.iter().collect::<Vec<_>>()));
            assert!(found.starts_with(expected), "{ids:?}: {found}");
        }
        let problems: Vec<_> = all.problems().into_iter().collect();
        assert_eq!(problems, ["what is behind targets was not read: x", "x"]);
        let new: Vec<_> = all.newly_unhealthy().into_iter().map(|it| it.resource.id).collect();
        assert_eq!(new, ["tmt-new"]);
        assert_eq!(all.evaluations().len(), 6);
        assert_eq!(all.unread().map(|key| key.id).collect::<Vec<_>>(), ["tmt-unread"]);
    }
}
