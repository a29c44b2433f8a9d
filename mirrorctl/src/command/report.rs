//! `report`: one page that a manager can read, without any resource from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::Path,
};

use askama::Template;
use shared::{
    observed::Instance,
    plan::{nearest::nearest_supported, reason::Reason},
};
use shared_ec2::selector::Selector;

use crate::{
    answer::{Answer, Findings},
    arguments::Report,
    command::{status::Status, written},
    output::{Block, Mark, unless_gone},
    problem::{NOT_WRITTEN, Problem},
    read::Input,
    view::{coverage::Area, source::Coverage},
    world::Decided,
};

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    version: &'static str,
    hourly: f64,
    places: Vec<Section<'a>>,
    /// What could not be read.
    missing: Vec<Missing<'a>>,
}

/// What is said of an account and region.
struct Section<'a> {
    /// For links within the page.
    number: usize,
    as_of: String,
    status: Status<'a>,
    /// The zones, and the coverage of each VPC in each of them.
    zones: Vec<String>,
    heat: Vec<HeatRow>,
    types: Vec<TypeRow>,
}

struct HeatRow {
    vpc: String,
    /// One for each zone; none where nothing there should be mirrored.
    cells: Vec<Option<Coverage>>,
}

/// An instance type that EC2 cannot mirror.
struct TypeRow {
    name: String,
    instances: usize,
    nearest: String,
}

struct Missing<'a> {
    place: &'a str,
    problem: &'a Problem,
}

pub(crate) async fn run(input: &Input<'_>, report: &Report) -> Answer {
    let mut answer = Answer::default();
    answer.document.table = written::columns();
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.worlds(report.source.from.as_deref(), &selectors).await;
    let worlds = answer.sort_out(outcomes);
    for decided in &worlds {
        answer.findings.add(Findings::of(decided));
    }
    let hourly = input.global.price;
    let places = worlds.iter().enumerate();
    let places = places.map(|(number, decided)| Section::new(number, decided, hourly)).collect();
    let missing = answer.problems.iter().map(|(place, problem)| Missing {
        place: place.as_deref().unwrap_or("an account or region"),
        problem,
    });
    let version = env!("CARGO_PKG_VERSION");
    let page = Page { version, hourly, places, missing: missing.collect() };
    let path = report.html.display().to_string();
    match page.render().map_err(io::Error::other).and_then(|page| write(&report.html, &page)) {
        Ok(()) if path == "-" => answer.document.is_stdout_taken = true,
        Ok(()) => {
            let place = |it: &Decided| [it.world.account.to_string(), it.world.region.clone()];
            let places: Vec<_> = worlds.iter().map(place).collect();
            written::note(&mut answer.document, &places, &path);
            let head = format!("{path} is written: open it in a browser");
            answer.document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
        }
        Err(error) => {
            answer.fail(None, Problem::new(&NOT_WRITTEN, format!("{path}: {error}")));
        }
    }
    answer
}

fn write(path: &Path, page: &str) -> io::Result<()> {
    if path.as_os_str() == "-" {
        return unless_gone(io::stdout().write_all(page.as_bytes()));
    }
    fs::write(path, page)
}

impl<'a> Section<'a> {
    fn new(number: usize, decided: &'a Decided, hourly: f64) -> Self {
        let status = Status::new(decided, hourly);
        let zones: BTreeSet<&str> = status.areas.iter().map(|area| area.zone.as_str()).collect();
        let zones: Vec<String> = zones.into_iter().map(str::to_owned).collect();
        let heat = heat(&status.areas, &zones);
        let as_of = decided.world.as_of();
        Self { number, as_of, heat, types: unsupported_types(decided), zones, status }
    }
}

fn heat(areas: &[Area], zones: &[String]) -> Vec<HeatRow> {
    let vpcs: BTreeSet<&str> = areas.iter().map(|area| area.vpc.as_str()).collect();
    let cell = |vpc: &str, zone: &str| {
        let area = areas.iter().find(|area| area.vpc == vpc && area.zone == zone);
        area.map(|area| area.coverage)
    };
    let row = |vpc: &str| HeatRow {
        vpc: vpc.to_owned(),
        cells: zones.iter().map(|zone| cell(vpc, zone)).collect(),
    };
    vpcs.into_iter().map(row).collect()
}

/// The types that keep instances from being mirrored, with the nearest that does not.
fn unsupported_types(decided: &Decided) -> Vec<TypeRow> {
    let types: BTreeMap<_, &Instance> =
        decided.world.observed.instances.iter().map(|it| (&it.id, &**it)).collect();
    let mut found: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for step in &decided.plan.steps {
        if let (Reason::InstanceType { .. } | Reason::InstanceTypeUnknown { .. }, Some(id)) =
            (&step.reason, &step.instance)
            && let Some(instance) = types.get(id)
        {
            found.entry(&instance.instance_type).or_default().insert(id);
        }
    }
    let row = |(name, instances): (&str, BTreeSet<_>)| TypeRow {
        name: name.to_owned(),
        instances: instances.len(),
        nearest: nearest_supported(name).unwrap_or_else(|| "none in this series".to_owned()),
    };
    found.into_iter().map(row).collect()
}

impl Coverage {
    /// The shade of a cell: from none to all, in five steps.
    fn shade(&self) -> usize {
        match self.percent() {
            100.. => 4,
            75.. => 3,
            50.. => 2,
            1.. => 1,
            0 => 0,
        }
    }
}
