//! What the formats of others are told: a verdict on each source, and one on each account and region. Every run says it
//! of all of them, and under the same id, so that what is fine again closes what it had opened.

use std::collections::{BTreeMap, BTreeSet};

use shared::id::{InstanceId, InterfaceId};

use crate::doctor::{
    link::Link,
    links::Checked,
    trouble::{Grade, Trouble},
};

pub(super) struct Verdict<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) subject: Subject<'a>,
    /// Each link that was asked, and what is wrong with it; of several sessions the worse.
    pub(super) links: BTreeMap<Link, Option<&'a Trouble>>,
    /// What is told first.
    pub(super) worst: Option<&'a Trouble>,
}

/// What the verdict is on.
pub(super) enum Subject<'a> {
    /// An account and region, which could be read or not.
    Place,
    /// A source, with all its sessions: a session may be replaced, and then nobody would close what was said of it.
    Source {
        interface: &'a InterfaceId,
        instance: Option<&'a InstanceId>,
        sessions: BTreeSet<&'a str>,
        targets: BTreeSet<&'a str>,
    },
}

/// A resource, as the formats name it.
pub(super) struct Resource<'a> {
    /// In the AWS Security Finding Format.
    pub(super) asff: &'static str,
    /// In CloudFormation.
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) uid: String,
}

/// The beginnings of the regions of each partition but `aws`, of botocore's partitions.json.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("eusc-", "aws-eusc"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
];

fn grade(trouble: Option<&Trouble>) -> Option<Grade> {
    trouble.map(|trouble| trouble.grade)
}

/// Of equally bad ones the first on the way.
fn worst<'a>(links: &BTreeMap<Link, Option<&'a Trouble>>) -> Option<&'a Trouble> {
    // Of equal ones the last counts.
    links.values().rev().copied().flatten().max_by_key(|trouble| trouble.grade)
}

impl<'a> Verdict<'a> {
    pub(super) fn on_place(account: &'a str, region: &'a str, unread: Option<&'a Trouble>) -> Self {
        let links = BTreeMap::new();
        Self { account, region, subject: Subject::Place, links, worst: unread }
    }

    /// The verdicts on the sources of a place. What was checked is in the order of the sources.
    pub(super) fn on_sources(
        account: &'a str,
        region: &'a str,
        checked: &'a [Checked],
    ) -> impl Iterator<Item = Self> {
        let by_source = checked.chunk_by(|one, other| one.pair.source == other.pair.source);
        by_source.filter_map(move |checked| Self::on_source(account, region, checked))
    }

    fn on_source(account: &'a str, region: &'a str, checked: &'a [Checked]) -> Option<Self> {
        let pairs = || checked.iter().map(|checked| &checked.pair);
        let subject = Subject::Source {
            interface: &checked.first()?.pair.source,
            instance: pairs().find_map(|pair| pair.instance.as_ref()),
            sessions: pairs().filter_map(|pair| Some(pair.session.as_ref()?.as_str())).collect(),
            targets: pairs().filter_map(|pair| Some(pair.target.as_ref()?.as_str())).collect(),
        };
        let mut links = BTreeMap::new();
        for (link, judgement) in checked.iter().flat_map(|checked| &checked.links) {
            let trouble = judgement.as_ref().err();
            let known = links.entry(*link).or_insert(trouble);
            if grade(*known) < grade(trouble) {
                *known = trouble;
            }
        }
        let worst = worst(&links);
        Some(Self { account, region, subject, links, worst })
    }

    pub(super) fn grade(&self) -> Option<Grade> {
        grade(self.worst)
    }

    /// The code of what is wrong.
    pub(super) fn code(&self) -> Option<&'static str> {
        self.worst.map(|trouble| trouble.code)
    }

    /// The same in every run.
    pub(super) fn id(&self) -> String {
        let Self { account, region, .. } = self;
        match self.subject {
            Subject::Place => format!("mirrorctl/doctor/{account}/{region}"),
            Subject::Source { interface, .. } => {
                format!("mirrorctl/doctor/{account}/{region}/{interface}")
            }
        }
    }

    /// It is the same for all that have one cause.
    pub(super) fn title(&self) -> String {
        let Some(Trouble { grade, code, .. }) = self.worst else {
            return match self.subject {
                Subject::Place => "Sessions, sources and targets could be read".to_owned(),
                Subject::Source { .. } => {
                    "Every link from the source to its sensor is fine".to_owned()
                }
            };
        };
        match grade {
            Grade::Limited => format!("Traffic mirroring is limited: {code}"),
            Grade::CannotTell => format!("Nobody can tell whether mirrored packets arrive: {code}"),
            Grade::Broken => format!("Mirrored packets do not arrive: {code}"),
        }
    }

    pub(super) fn description(&self) -> String {
        let Self { account, region, .. } = self;
        let whose = match self.subject {
            Subject::Place => format!("{account} {region}"),
            Subject::Source { interface, .. } => interface.to_string(),
        };
        if let Some(trouble) = self.worst {
            let [why, _] = trouble.advice();
            return format!("{whose}: {}. {why}", told(trouble)).trim_end().to_owned();
        }
        match self.subject {
            Subject::Place => {
                format!(
                    "{whose}: what lies between a source and its sensor is said of each source."
                )
            }
            Subject::Source { .. } if self.links.is_empty() => {
                format!("{whose}: --ignore accepts all that was found.")
            }
            Subject::Source { .. } => {
                let links: Vec<_> = self.links.keys().map(|link| link.name()).collect();
                format!(
                    "{whose}: of the links that were looked at, each is fine: {}.",
                    links.join(", ")
                )
            }
        }
    }

    /// How to mend what is wrong.
    pub(super) fn mend(&self) -> Option<&'static str> {
        let [_, mend] = self.worst?.advice();
        (!mend.is_empty()).then_some(mend)
    }

    pub(super) fn partition(&self) -> &'static str {
        let found = PARTITIONS.iter().find(|(beginning, _)| self.region.starts_with(beginning));
        found.map_or("aws", |(_, partition)| partition)
    }

    pub(super) fn resources(&self) -> Vec<Resource<'a>> {
        let Self { account, region, .. } = *self;
        let Subject::Source { interface, instance, .. } = self.subject else {
            let uid = format!("AWS::::Account:{account}");
            return vec![Resource { asff: "AwsAccount", kind: "AWS::Account", name: account, uid }];
        };
        let of_ec2 = |asff, kind, noun: &str, name: &'a str| {
            let uid = format!("arn:{}:ec2:{region}:{account}:{noun}/{name}", self.partition());
            Resource { asff, kind, name, uid }
        };
        let interface = of_ec2(
            "AwsEc2NetworkInterface",
            "AWS::EC2::NetworkInterface",
            "network-interface",
            interface.as_str(),
        );
        let instance = instance
            .map(|id| of_ec2("AwsEc2Instance", "AWS::EC2::Instance", "instance", id.as_str()));
        [interface].into_iter().chain(instance).collect()
    }
}

/// What is wrong, in one sentence.
pub(super) fn told(trouble: &Trouble) -> String {
    let Trouble { grade, code, at, detail } = trouble;
    format!("{} {code} at {at}: {detail}", grade.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::trouble::{NO_LISTENER, NO_ROUTE, NOT_SHOWN};

    #[test]
    fn the_worst_is_told_and_of_equally_bad_ones_the_first_on_the_way() {
        let trouble = |fault| Trouble::new(fault, "x", "y");
        let (hidden, deaf, lost) = (trouble(&NOT_SHOWN), trouble(&NO_LISTENER), trouble(&NO_ROUTE));
        let links = [
            (Link::Session, None),
            (Link::Target, Some(&hidden)),
            (Link::Listener, Some(&deaf)),
            (Link::Route, Some(&lost)),
        ];
        assert_eq!(worst(&links.into()), Some(&deaf));
        assert_eq!(worst(&[(Link::Session, None)].into()), None);
    }

    #[test]
    fn the_region_tells_the_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let verdict = Verdict::on_place("111122223333", region, None);
            assert_eq!(verdict.partition(), partition, "{region}");
        }
    }
}
