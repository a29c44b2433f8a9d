//! The time and calls that events take in a warm execution environment.

use std::time::Duration;

use local_cloud::cloud::call::count;
use local_cloud::lambda::Function;
use serde_json::Value;

use crate::Size;
use crate::packages::Packages;
use crate::rounds;
use crate::stage::{Stage, invoke};
use crate::statistics::{median, megabytes, milliseconds, number};
use crate::table::Table;

const ACTIONS: [&str; 6] = [
    "DescribeInstances",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "DescribeTrafficMirrorFilters",
    "DescribeNetworkInterfaces",
    "CreateTrafficMirrorSession",
];

pub(crate) async fn measure(size: Size, packages: &Packages) -> anyhow::Result<Table> {
    let columns = ["round trips", "wall, ms", "CPU, ms", "peak memory, MB", "calls"];
    let mut table = Table::new("Events, EC2 by HTTP", &[&columns[..], &ACTIONS[..]].concat());
    let one = Bench::open(packages).await?;
    table.row("one instance, tagged", one.repeated(size.runs, Some("True")).await?);
    table.row("one instance, not tagged", one.repeated(size.runs, None).await?);
    // Each with the whole of EC2's burst before it.
    let name = "100 instances, tagged, in a batch";
    table.row(name, Bench::open(packages).await?.once(100 / size.divisor).await?);
    let name = "500 instances, tagged, at once";
    table.row(name, Bench::open(packages).await?.once(500 / size.divisor).await?);
    Ok(table)
}

struct Bench {
    stage: Stage,
    function: Function,
}

type Row = Vec<Option<f64>>;

impl Bench {
    async fn open(packages: &Packages) -> anyhow::Result<Self> {
        let stage = Stage::open()?;
        let function = stage.start(packages.binary("automirror"), &[]).await?;
        let bench = Self { stage, function };
        bench.events(1, None).await?;
        Ok(bench)
    }

    /// The calls of one event, and the medians of many.
    async fn repeated(&self, runs: usize, mirror: Option<&str>) -> anyhow::Result<Row> {
        let mut times = Vec::new();
        for _ in 0..runs {
            times.push(self.events(1, mirror).await?);
        }
        let calls = self.calls();
        let event = self.launch(1, mirror)?.remove(0);
        let rounds = rounds::count(&self.stage, &self.function, &event).await?;
        let (wall, cpu): (Vec<_>, Vec<_>) =
            times.iter().map(|(wall, cpu)| (milliseconds(*wall), milliseconds(*cpu))).unzip();
        self.row(Some(number(rounds)), median(wall), median(cpu), calls)
    }

    /// As many events as there are instances, in batches.
    async fn once(&self, instances: usize) -> anyhow::Result<Row> {
        let (wall, cpu) = self.events(instances, Some("True")).await?;
        let calls = self.calls();
        self.row(None, milliseconds(wall), milliseconds(cpu), calls)
    }

    /// Wall and CPU time.
    async fn events(
        &self,
        instances: usize,
        mirror: Option<&str>,
    ) -> anyhow::Result<(Duration, Duration)> {
        let batches = self.launch(instances, mirror)?;
        let before = self.function.cpu_time().await?;
        let mut wall = Duration::ZERO;
        for batch in batches {
            wall += invoke(&self.function, &batch).await?.wall_time;
        }
        Ok((wall, self.function.cpu_time().await? - before))
    }

    /// Launches, and forgets what was called before.
    fn launch(&self, instances: usize, mirror: Option<&str>) -> anyhow::Result<Vec<Value>> {
        self.stage.launch(instances, mirror)?;
        self.stage.take_calls();
        Ok(self.stage.take_batches())
    }

    fn calls(&self) -> Row {
        let calls = self.stage.take_calls();
        let by_action = ACTIONS.iter().map(|action| count(&calls, action));
        [calls.len()].into_iter().chain(by_action).map(|it| Some(number(it))).collect()
    }

    fn row(&self, rounds: Option<f64>, wall: f64, cpu: f64, calls: Row) -> anyhow::Result<Row> {
        let memory = megabytes(self.function.peak_memory()?);
        Ok([rounds, Some(wall), Some(cpu), Some(memory)].into_iter().chain(calls).collect())
    }
}
