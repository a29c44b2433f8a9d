//! The time, memory and calls that a sweep of a large account takes.

use local_cloud::aws::config::PutRule;
use local_cloud::cloud::call::count;
use serde_json::{Value, json};

use crate::Size;
use crate::packages::Packages;
use crate::stage::{PAGE, Stage, invoke};
use crate::statistics::{megabytes, milliseconds, number};
use crate::table::Table;

const COLUMNS: [&str; 8] = [
    "calls",
    "the least possible",
    "DescribeInstances",
    "DescribeTrafficMirrorSessions",
    "PutEvaluations",
    "wall, ms",
    "CPU, ms",
    "peak memory, MB",
];
/// The most evaluations in a call of AWS Config.
const EVALUATIONS: usize = 100;
const RULE: &str = "mirroring";

/// An account and what looks at it.
struct Sweep {
    name: &'static str,
    function: &'static str,
    scope: &'static str,
    /// Instances that are tagged, each with its session.
    mirrored: usize,
    /// Instances without a session.
    others: usize,
    /// The value of their tag.
    others_mirror: Option<&'static str>,
}

const SWEEPS: [Sweep; 8] = [
    Sweep {
        name: "10,000 instances, all tagged, 10,000 sessions",
        function: "automirror",
        scope: "tagged",
        mirrored: 10_000,
        others: 0,
        others_mirror: None,
    },
    Sweep {
        name: "100,000 instances, 500 tagged",
        function: "automirror",
        scope: "tagged",
        mirrored: 500,
        others: 99_500,
        others_mirror: None,
    },
    Sweep {
        name: "100,000 instances, 10,000 tagged, 10,000 sessions",
        function: "automirror",
        scope: "tagged",
        mirrored: 10_000,
        others: 90_000,
        others_mirror: None,
    },
    Sweep {
        name: "the same with scope all, the others opted out",
        function: "automirror",
        scope: "all",
        mirrored: 10_000,
        others: 90_000,
        others_mirror: Some("False"),
    },
    Sweep {
        name: "the same with scope all, the others tagged, too: more than fit into an account",
        function: "automirror",
        scope: "all",
        mirrored: 10_000,
        others: 90_000,
        others_mirror: Some("True"),
    },
    Sweep {
        name: "config-rule: 10,000 instances, 10,000 sessions, no verdict yet",
        function: "config-rule",
        scope: "tagged",
        mirrored: 10_000,
        others: 0,
        others_mirror: None,
    },
    Sweep {
        name: "config-rule: 100,000 instances, 10,000 tagged, 10,000 sessions, no verdict yet",
        function: "config-rule",
        scope: "tagged",
        mirrored: 10_000,
        others: 90_000,
        others_mirror: None,
    },
    Sweep {
        name: "config-rule: the same with scope all, the others tagged, too",
        function: "config-rule",
        scope: "all",
        mirrored: 10_000,
        others: 90_000,
        others_mirror: Some("True"),
    },
];

pub(crate) async fn measure(size: Size, packages: &Packages) -> anyhow::Result<Table> {
    let mut table = Table::new("Sweeps, EC2 by HTTP", &COLUMNS);
    for sweep in SWEEPS {
        table.row(sweep.name, sweep.run(size, packages).await?.map(Some));
    }
    Ok(table)
}

impl Sweep {
    async fn run(&self, size: Size, packages: &Packages) -> anyhow::Result<[f64; 8]> {
        let (mirrored, others) = (self.mirrored / size.divisor, self.others / size.divisor);
        let stage = Stage::open()?;
        let instances = stage.launch(mirrored, Some("True"))?;
        if others > 0 {
            stage.launch(others, self.others_mirror)?;
        }
        stage.mirror(&instances)?;
        // Of the whole size, that is AWS's limit.
        stage.cloud.world().session_limit = mirrored;
        let settings = [("MIRROR_SCOPE", self.scope)];
        let function = stage.start(packages.binary(self.function), &settings).await?;
        let event = self.event(&stage)?;
        stage.take_calls();
        let before = function.cpu_time().await?;
        let wall = invoke(&function, &event).await?.wall_time;
        let cpu = function.cpu_time().await? - before;
        let calls = stage.take_calls();
        let pages = |action| number(count(&calls, action));
        let looked_at = if self.scope == "all" { mirrored + others } else { mirrored };
        // Sessions and instances; targets, filters and the interfaces of services are a page each.
        let mut least = mirrored.div_ceil(PAGE) + looked_at.div_ceil(PAGE) + 3;
        if self.function == "config-rule" {
            // Of what it holds, AWS Config says that it is nothing yet.
            least += looked_at.div_ceil(EVALUATIONS) + 1;
        } else if self.others_mirror == Some("True") {
            // EC2 must have said once that the account is full.
            least += 1;
        }
        Ok([
            number(calls.len()),
            number(least),
            pages("DescribeInstances"),
            pages("DescribeTrafficMirrorSessions"),
            pages("PutEvaluations"),
            milliseconds(wall),
            milliseconds(cpu),
            megabytes(function.peak_memory()?),
        ])
    }

    fn event(&self, stage: &Stage) -> anyhow::Result<Value> {
        if self.function == "automirror" {
            return Ok(json!({"sweep": true}));
        }
        let world = stage.cloud.world();
        let mut config = stage.cloud.config();
        config.put_rule(&PutRule::new(RULE))?;
        let message = config.scheduled_notification(&world);
        Ok(config.invocation(&world, RULE, &message, false))
    }
}
