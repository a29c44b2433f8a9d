//! What `doctor` prints.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::id::{InstanceId, SessionId, TargetId};

use super::told::{self, Told};
use crate::{
    doctor::{
        finding::{Finding, findings},
        link::{LINKS, Link},
        links::{Checked, Pair},
        trouble::{Grade, Trouble},
    },
    output::{Block, Document, Mark, Table},
    settings::Settings,
    view::price::Price,
    world::Decided,
};

/// The columns of the answer as a table: a row for each link that is not fine, or one for a source whose links
/// all are.
pub(super) const COLUMNS: [&str; 11] = [
    "account",
    "region",
    "interface",
    "instance",
    "session",
    "target",
    "state",
    "link",
    "code",
    "at",
    "text",
];

/// What is said where nothing is wrong.
const FINE: &str = "fine";
/// Sources of a finding that people are shown.
const NAMED: usize = 3;

/// The state of a place.
#[derive(Serialize)]
pub(super) struct Diagnosis<'a> {
    account: &'a str,
    region: &'a str,
    settings: &'a Settings,
    /// Pairs of a source and a target.
    counts: Counts,
    links: Vec<LinkRow>,
    /// Links that `--ignore` leaves out.
    ignored: usize,
    findings: Vec<FindingRow<'a>>,
    paths: Vec<PathRow<'a>>,
    /// Sessions that are billed though their packets do not arrive.
    dead: Price,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) fine: usize,
    pub(super) limited: usize,
    pub(super) cannot_tell: usize,
    pub(super) broken: usize,
}

#[derive(Debug, Serialize)]
struct LinkRow {
    link: Link,
    #[serde(flatten)]
    counts: Counts,
    /// It has no meaning for the kind of target, or one before it is broken.
    not_asked: usize,
}

#[derive(Debug, Serialize)]
struct FindingRow<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    links: Vec<&'static str>,
    targets: Vec<&'a str>,
    count: usize,
    sources: Vec<Name<'a>>,
}

#[derive(Clone, Debug, Serialize)]
struct Name<'a> {
    interface: &'a str,
    instance: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct PathRow<'a> {
    account: &'a str,
    region: &'a str,
    #[serde(flatten)]
    name: Name<'a>,
    session: Option<&'a str>,
    target: Option<&'a str>,
    state: &'static str,
    /// The state of each link that was asked.
    links: BTreeMap<&'static str, &'static str>,
    #[serde(skip)]
    troubles: Vec<(Link, &'a Trouble)>,
}

impl Counts {
    pub(super) fn add(&mut self, grade: Option<Grade>) {
        let counter = match grade {
            None => &mut self.fine,
            Some(Grade::Limited) => &mut self.limited,
            Some(Grade::CannotTell) => &mut self.cannot_tell,
            Some(Grade::Broken) => &mut self.broken,
        };
        *counter = counter.saturating_add(1);
    }

    pub(super) fn all(self) -> usize {
        let Self { fine, limited, cannot_tell, broken } = self;
        [limited, cannot_tell, broken].into_iter().fold(fine, usize::saturating_add)
    }
}

pub(super) fn state(grade: Option<Grade>) -> &'static str {
    grade.map_or(FINE, Grade::name)
}

impl<'a> Name<'a> {
    fn of(pair: &'a Pair) -> Self {
        let instance = pair.instance.as_ref().map(InstanceId::as_str);
        Self { interface: pair.source.as_str(), instance }
    }
}

impl<'a> Diagnosis<'a> {
    /// `hourly` is the price of a session in an hour, in USD.
    pub(super) fn new(
        decided: &'a Decided,
        checked: &'a [Checked],
        ignored: usize,
        hourly: f64,
    ) -> Self {
        let (account, region) = (decided.world.account.as_str(), decided.world.region.as_str());
        let mut counts = Counts::default();
        for checked in checked {
            counts.add(checked.grade());
        }
        let is_dead = |it: &&Checked| it.pair.session.is_some() && it.has(Grade::Broken);
        let finding = |finding: Finding<'a>| FindingRow::new((account, region), finding);
        let path = |checked: &'a Checked| PathRow::new((account, region), checked);
        Self {
            account,
            region,
            settings: &decided.world.settings,
            counts,
            links: LINKS.iter().filter_map(|link| LinkRow::new(*link, checked)).collect(),
            ignored,
            findings: findings(checked).into_iter().map(finding).collect(),
            paths: checked.iter().map(path).collect(),
            dead: Price::new(checked.iter().filter(is_dead).count(), hourly),
        }
    }

    pub(super) fn for_machines(self, document: &mut Document) {
        let mut diagnosis = self;
        document.place(&diagnosis);
        for path in &diagnosis.paths {
            document.table.rows.extend(path.cells());
            document.record("path", path);
        }
        for finding in &diagnosis.findings {
            document.record("fault", finding);
        }
        diagnosis.paths.clear();
        diagnosis.findings.clear();
        document.record("doctor", &diagnosis);
    }

    pub(super) fn show(&self, document: &mut Document, decided: &Decided) {
        decided.head(document);
        let Counts { fine, limited, cannot_tell, broken } = self.counts;
        let all = self.counts.all();
        let (mark, head) = match all {
            0 => (Mark::Plain, "there is no session, and none is to be made".to_owned()),
            _ => (
                if fine == all { Mark::Good } else { Mark::Bad },
                format!(
                    "of {all} paths from a source to a sensor {fine} are fine; {limited} limited, {cannot_tell} \
                     cannot tell, {broken} broken"
                ),
            ),
        };
        document.blocks.push(Block::Item(mark, head, Vec::new()));
        if all > 0 {
            self.show_links(document);
        }
        told::show(document, self.findings.iter().map(FindingRow::block));
        if self.ignored > 0 {
            document.line(format!("left out by --ignore: {} links", self.ignored));
        }
        if self.dead.sessions > 0 {
            let Price { sessions, .. } = self.dead;
            document.line(format!(
                "sessions that are billed though no packet arrives: {sessions}, {}",
                self.dead
            ));
        }
    }

    fn show_links(&self, document: &mut Document) {
        let columns = ["link", "fine", "limited", "cannot tell", "broken", "not asked"];
        let mut table = Table::new(&columns);
        for LinkRow { link, counts, not_asked } in &self.links {
            let Counts { fine, limited, cannot_tell, broken } = counts;
            let counts = [fine, limited, cannot_tell, broken, not_asked].map(ToString::to_string);
            table.rows.push([link.name().to_owned()].into_iter().chain(counts).collect());
        }
        document.blocks.push(Block::Table(table));
    }
}

impl LinkRow {
    fn new(link: Link, checked: &[Checked]) -> Option<Self> {
        let (mut counts, mut not_asked) = (Counts::default(), 0_usize);
        for Checked { links, .. } in checked {
            match links.get(&link) {
                Some(judgement) => counts.add(judgement.as_ref().err().map(|it| it.grade)),
                None => not_asked = not_asked.saturating_add(1),
            }
        }
        let is_meant = !link.is_extra() || counts.all() > 0;
        is_meant.then_some(Self { link, counts, not_asked })
    }
}

impl<'a> FindingRow<'a> {
    fn new(place: (&'a str, &'a str), finding: Finding<'a>) -> Self {
        let Finding { trouble, links, targets, pairs } = finding;
        Self {
            told: Told::new(place, trouble),
            links: links.into_iter().map(Link::name).collect(),
            targets: targets.into_iter().collect(),
            count: pairs.len(),
            sources: pairs.into_iter().map(Name::of).collect(),
        }
    }

    fn block(&self) -> Block {
        let count = self.count;
        let paths = if count == 1 { "1 path" } else { &format!("{count} paths") };
        let named = self.sources.iter().take(NAMED).map(|it| match it.instance {
            Some(instance) => format!("{instance} {}", it.interface),
            None => it.interface.to_owned(),
        });
        let mut named: Vec<_> = named.collect();
        let more = count.saturating_sub(named.len());
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        let what = format!("{}: {}", self.links.join(", "), named.join(", "));
        self.told.block(Some(paths), what)
    }
}

impl<'a> PathRow<'a> {
    fn new((account, region): (&'a str, &'a str), checked: &'a Checked) -> Self {
        let Checked { pair, links } = checked;
        let of_link = |judgement: &Result<(), Trouble>| {
            state(judgement.as_ref().err().map(|trouble| trouble.grade))
        };
        let troubles = links.iter().filter_map(|(link, it)| Some((*link, it.as_ref().err()?)));
        Self {
            account,
            region,
            name: Name::of(pair),
            session: pair.session.as_ref().map(SessionId::as_str),
            target: pair.target.as_ref().map(TargetId::as_str),
            state: state(checked.grade()),
            links: links.iter().map(|(link, it)| (link.name(), of_link(it))).collect(),
            troubles: troubles.collect(),
        }
    }

    /// A row for each link that is not fine, or one.
    fn cells(&self) -> Vec<Vec<String>> {
        let row = |state: &str, rest: [&str; 4]| {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let whose = [Some(self.account), Some(self.region), Some(self.name.interface)];
            let others = [self.name.instance, self.session, self.target, Some(state)];
            let rest = rest.map(Some);
            whose.into_iter().chain(others).chain(rest).map(text).collect()
        };
        if self.troubles.is_empty() {
            return vec![row(FINE, [""; 4])];
        }
        let cells = |(link, trouble): &(Link, &Trouble)| {
            row(trouble.grade.name(), [link.name(), trouble.code, &trouble.at, &trouble.detail])
        };
        self.troubles.iter().map(cells).collect()
    }
}
