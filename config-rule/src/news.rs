//! Which evaluations AWS Config does not hold yet: each one that is sent costs money.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_config::primitives::DateTime;
use shared::plan::verdict::Verdict;

use crate::{evaluation::Evaluation, resource::ResourceKey};

/// How long to wait for what AWS Config has just seen but EC2 does not show, in seconds: EC2's answers
/// may lag behind ("Eventual consistency in the EC2 API"). Lambda retries an event after one minute and
/// after two more, so the last attempt is later, and reports what is there then.
pub(crate) const MAX_LAG: i64 = 120;

/// A verdict that AWS Config holds.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) verdict: Verdict,
    /// The codes of its reasons, in order.
    pub(crate) codes: BTreeSet<String>,
    /// When EC2 was read for it, else when AWS Config recorded it.
    pub(crate) time: Option<DateTime>,
}

impl Recorded {
    /// Whether it differs in what people and machines go by. The words of an annotation change with a version
    /// of this function, and there may be thousands of verdicts.
    pub(crate) fn differs_from(&self, evaluation: &Evaluation) -> bool {
        self.verdict != evaluation.verdict || self.codes != evaluation.codes()
    }
}

/// The verdicts that AWS Config holds for the rule, but for `NOT_APPLICABLE`.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) verdicts: BTreeMap<ResourceKey, Recorded>,
    /// How many of them were read.
    pub(crate) extent: Extent,
}

/// How much of what AWS Config holds was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Not even every `NON_COMPLIANT`.
    #[default]
    Part,
    /// Every `NON_COMPLIANT`, but not every `COMPLIANT`.
    NonCompliant,
    /// All.
    Whole,
}

/// Which of some evaluations to send.
pub(crate) struct News {
    /// What AWS Config does not hold yet, the worst verdicts first.
    pub(crate) evaluations: Vec<Evaluation>,
    /// Of so many it is not known what AWS Config holds on them.
    pub(crate) unknown: usize,
}

impl Held {
    /// The resources that AWS Config holds a verdict on and `evaluations` has none for: a sweep leaves out
    /// instances that should no longer be mirrored, and a list may leave out anything.
    pub(crate) fn not_evaluated(&self, evaluations: &[Evaluation]) -> Vec<ResourceKey> {
        let evaluated: BTreeSet<_> = evaluations.iter().map(|it| &it.resource).collect();
        self.verdicts.keys().filter(|it| !evaluated.contains(it)).cloned().collect()
    }

    /// Those of the evaluations that AWS Config does not hold yet, made from a look at EC2 at this time.
    ///
    /// `NOT_APPLICABLE` is only news where something else is held. So is a session that leads to an allowed
    /// target: it was evaluated when it was created, and there may be as many sessions as instances. Where not
    /// everything was read back, only what is certain to differ is news: a rule that sent the rest would pay
    /// for it each time.
    pub(crate) fn news(&self, mut evaluations: Vec<Evaluation>, look: DateTime) -> News {
        let mut unknown = 0;
        evaluations.retain(|evaluation| {
            match (self.verdicts.get(&evaluation.resource), evaluation.verdict) {
                (Some(held), _) => !is_newer(held.time, look) && held.differs_from(evaluation),
                (None, _) if self.is_unknown(evaluation) => {
                    unknown += 1;
                    false
                }
                (None, Verdict::NonCompliant) => true,
                (None, Verdict::Compliant) => !evaluation.is_about_session(),
                (None, Verdict::NotApplicable) => false,
            }
        });
        sort_worst_first(&mut evaluations);
        News { evaluations, unknown }
    }

    /// Whether an evaluation on which nothing was read back would be news, depending on what was not read.
    fn is_unknown(&self, evaluation: &Evaluation) -> bool {
        match (self.extent, evaluation.verdict) {
            (Extent::Whole, _) | (Extent::NonCompliant, Verdict::NonCompliant) => false,
            (Extent::NonCompliant, Verdict::Compliant) => !evaluation.is_about_session(),
            (Extent::NonCompliant, Verdict::NotApplicable) | (Extent::Part, _) => true,
        }
    }

    /// Whether the verdict on something that EC2 says does not exist is to be taken back. What was evaluated
    /// shortly before the look may be there, though EC2 does not know it everywhere yet.
    pub(crate) fn is_to_be_taken_back(&self, gone: &ResourceKey, look: DateTime) -> bool {
        let held = self.verdicts.get(gone);
        held.is_some_and(|held| held.time.is_none_or(|time| age(time, look) >= MAX_LAG))
    }
}

/// Whether a verdict of this time stands on a later look at EC2. Whether AWS Config itself would keep it, by its
/// ordering timestamp, nobody outside AWS knows.
pub(crate) fn is_newer(time: Option<DateTime>, look: DateTime) -> bool {
    time.is_some_and(|time| time > look)
}

/// The worst verdicts first: if the time does not suffice, the others can wait for the next schedule. Within
/// a verdict, resources of one type stand together, as they are sent.
pub(crate) fn sort_worst_first(evaluations: &mut [Evaluation]) {
    evaluations.sort_by(|one, next| {
        let verdicts = next.verdict.cmp(&one.verdict);
        verdicts.then_with(|| one.resource.cmp(&next.resource))
    });
}

/// Seconds from `time` to `now`.
pub(crate) fn age(time: DateTime, now: DateTime) -> i64 {
    now.secs().saturating_sub(time.secs())
}

#[cfg(test)]
mod tests {
    use Verdict::{Compliant, NonCompliant, NotApplicable};

    use super::*;

    /// When EC2 was looked at.
    const LOOK: i64 = 1_000;

    fn instance(id: &str) -> ResourceKey {
        ResourceKey::instance(&id.parse().unwrap())
    }

    fn session(id: &str) -> ResourceKey {
        ResourceKey::session(&id.parse().unwrap())
    }

    fn evaluation(resource: ResourceKey, verdict: Verdict, annotation: &str) -> Evaluation {
        Evaluation { resource, verdict, annotation: annotation.to_owned() }
    }

    fn recorded(verdict: Verdict, annotation: &str, time: i64) -> Recorded {
        let time = Some(DateTime::from_secs(time));
        Recorded { verdict, codes: crate::evaluation::codes(annotation), time }
    }

    /// Whether an evaluation is news where AWS Config holds this.
    fn is_news(held: Option<Recorded>, evaluation: Evaluation) -> bool {
        let verdicts = held.map(|held| (evaluation.resource.clone(), held)).into_iter().collect();
        let held = Held { verdicts, extent: Extent::Whole };
        !held.news(vec![evaluation], DateTime::from_secs(LOOK)).evaluations.is_empty()
    }

    #[test]
    fn news_is_what_differs_in_compliance_or_codes() {
        let now = "[not-mirrored] eni-1: should be mirrored and is not yet";
        for (verdict, annotation, expected) in [
            (NonCompliant, now, false),
            (NonCompliant, "[not-mirrored] eni-1: other words of another version", false),
            (NonCompliant, "[not-mirrored] eni-2: another interface", false),
            (NonCompliant, "[no-target] eni-1: there is no allowed target", true),
            (NonCompliant, "[not-mirrored] eni-1: a; [no-target] eni-2: b", true),
            (NonCompliant, "words of a version without codes", true),
            (NonCompliant, "", true),
            (Compliant, now, true),
        ] {
            let held = Some(recorded(verdict, annotation, LOOK - 1));
            let evaluation = evaluation(instance("i-1"), NonCompliant, now);
            assert_eq!(is_news(held, evaluation), expected, "{verdict:?} {annotation}");
        }
    }

    #[test]
    fn what_is_not_held_is_news_unless_it_says_nothing_new() {
        for (resource, verdict, expected) in [
            (instance("i-1"), NonCompliant, true),
            (instance("i-1"), Compliant, true),
            (instance("i-1"), NotApplicable, false),
            (session("tms-1"), NonCompliant, true),
            (session("tms-1"), Compliant, false),
            (session("tms-1"), NotApplicable, false),
        ] {
            let evaluation = evaluation(resource, verdict, "[a] b");
            assert_eq!(is_news(None, evaluation.clone()), expected, "{evaluation:?}");
        }
    }

    #[test]
    fn a_verdict_from_a_later_look_stays_whatever_it_says() {
        for (time, expected) in [(LOOK - 1, true), (LOOK, true), (LOOK + 1, false)] {
            for (held, now) in [
                (NonCompliant, Compliant),
                (Compliant, NonCompliant),
                (NonCompliant, NotApplicable),
            ] {
                let held = Some(recorded(held, "[a] b", time));
                let evaluation = evaluation(session("tms-1"), now, "[b] c");
                assert_eq!(is_news(held, evaluation.clone()), expected, "{time} {evaluation:?}");
            }
        }
        // Nothing tells how old it is.
        let held = Some(Recorded { time: None, ..recorded(Compliant, "[a] b", 0) });
        assert!(is_news(held, evaluation(instance("i-1"), NonCompliant, "[b] c")));
    }

    #[test]
    fn what_was_not_read_back_is_news_only_where_it_is_certain_to_differ() {
        let held = recorded(NonCompliant, "[a] b", LOOK - 1);
        let verdicts: BTreeMap<_, _> =
            [(instance("i-1"), held.clone()), (instance("i-2"), held)].into();
        let evaluations = [
            evaluation(instance("i-1"), NonCompliant, "[a] b"),
            evaluation(instance("i-2"), Compliant, "[c] d"),
            evaluation(instance("i-3"), NotApplicable, "[c] d"),
            evaluation(instance("i-4"), Compliant, "[c] d"),
            evaluation(instance("i-5"), NonCompliant, "[c] d"),
            evaluation(session("tms-1"), Compliant, "[c] d"),
        ];
        for (extent, expected, unknown) in [
            (Extent::Part, &["i-2"][..], 4),
            (Extent::NonCompliant, &["i-5", "i-2"], 2),
            (Extent::Whole, &["i-5", "i-2", "i-4"], 0),
        ] {
            let held = Held { verdicts: verdicts.clone(), extent };
            let news = held.news(evaluations.to_vec(), DateTime::from_secs(LOOK));
            let ids: Vec<_> = news.evaluations.iter().map(|it| it.resource.id.as_str()).collect();
            assert_eq!((&ids[..], news.unknown), (expected, unknown), "{extent:?}");
        }
    }

    #[test]
    fn the_worst_verdicts_come_first_and_resources_of_a_type_stand_together() {
        let all = [
            (session("tms-1"), NotApplicable),
            (instance("i-1"), Compliant),
            (session("tms-2"), NonCompliant),
            (instance("i-2"), NonCompliant),
            (session("tms-3"), Compliant),
            (instance("i-3"), NonCompliant),
        ];
        let mut all = all.map(|(resource, verdict)| evaluation(resource, verdict, "[a] b"));
        sort_worst_first(&mut all);
        let ids = all.map(|it| it.resource.id);
        assert_eq!(ids, ["i-2", "i-3", "tms-2", "i-1", "tms-3", "tms-1"]);
    }

    #[test]
    fn what_is_held_and_was_not_evaluated_is_named() {
        let held = recorded(Compliant, "[a] b", LOOK);
        let keys = [instance("i-1"), instance("i-2"), session("tms-1")];
        let verdicts = keys.iter().map(|key| (key.clone(), held.clone())).collect();
        let held = Held { verdicts, extent: Extent::Whole };
        let [one, two, three] = keys;
        let evaluations = [two, instance("i-3")].map(|key| evaluation(key, Compliant, "[a] b"));
        assert_eq!(held.not_evaluated(&evaluations), [one, three]);
    }

    #[test]
    fn what_ec2_says_is_gone_is_taken_back_unless_it_was_evaluated_shortly_before() {
        for (age, expected) in [(MAX_LAG, true), (MAX_LAG - 1, false), (-1, false)] {
            let held = recorded(Compliant, "[a] b", LOOK - age);
            let verdicts = [(instance("i-1"), held)].into();
            let held = Held { verdicts, extent: Extent::Whole };
            let is_taken_back =
                |id: &str| held.is_to_be_taken_back(&instance(id), DateTime::from_secs(LOOK));
            assert_eq!(is_taken_back("i-1"), expected, "{age}");
            assert!(!is_taken_back("i-2"), "nothing is held");
        }
    }
}
