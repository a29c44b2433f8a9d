//! What the command line costs in a large account.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local_cloud::cloud::call::count;
use local_cloud::lambda::usage;

use crate::Size;
use crate::stage::{PAGE, Stage};
use crate::statistics::{megabytes, milliseconds, number};
use crate::table::Table;

const INSTANCES: usize = 10_000;
const TARGETS: usize = 20;
/// How often memory and CPU time are looked at.
const LOOK: Duration = Duration::from_millis(1);
const COLUMNS: [&str; 6] =
    ["calls", "the least possible", "DescribeInstances", "wall, ms", "CPU, ms", "peak memory, MB"];

pub(crate) fn measure(size: Size, program: &Path) -> anyhow::Result<Table> {
    let mut table = Table::new("mirrorctl, 10,000 instances, 20 targets", &COLUMNS);
    let count = INSTANCES / size.divisor;
    let stage = Stage::open()?;
    let instances = stage.launch(count, Some("True"))?;
    let targets = stage.sensors(TARGETS)?;
    let to_create = run(&stage, program, &["plan"], 2)?;
    stage.mirror_to(&instances, &targets)?;
    // Who calls, targets, filters and the interfaces of services are a call each.
    let world = 2 * count.div_ceil(PAGE) + 4;
    let commands = [
        ("status", &["status"][..], Some(world)),
        ("plan, nothing to do", &["plan"], Some(world)),
        ("report", &["report", "--html", "/dev/null"], Some(world)),
        ("doctor", &["doctor", "--source-mtu", "1500"], None),
        ("map", &["map"], None),
    ];
    // Of sessions there is a page, and the interfaces that have none are looked at once more, in two calls.
    table.row("plan, all to create", to_create.figures(Some(count.div_ceil(PAGE) + 7)));
    for (name, arguments, least) in commands {
        table.row(name, run(&stage, program, arguments, 0)?.figures(least));
    }
    Ok(table)
}

/// What a run took.
struct Taken {
    calls: usize,
    pages: usize,
    wall: Duration,
    cpu: Duration,
    /// In bytes.
    memory: u64,
}

impl Taken {
    /// `least` are the calls without which there is no answer, where somebody has reckoned them.
    fn figures(self, least: Option<usize>) -> [Option<f64>; 6] {
        [
            Some(number(self.calls)),
            least.map(number),
            Some(number(self.pages)),
            Some(milliseconds(self.wall)),
            Some(milliseconds(self.cpu)),
            Some(megabytes(self.memory)),
        ]
    }
}

fn run(stage: &Stage, program: &Path, arguments: &[&str], code: i32) -> anyhow::Result<Taken> {
    stage.take_calls();
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--no-function"])
        .env_clear()
        .envs([
            ("AWS_ENDPOINT_URL", stage.cloud.endpoint().as_str()),
            ("AWS_ACCESS_KEY_ID", "111122223333"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_REGION", "us-east-1"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("could not run mirrorctl")?;
    // What Linux tells of a process when it has ended holds the memory of the one that started it, too.
    let (mut cpu, mut memory) = (Duration::ZERO, 0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        cpu = cpu.max(usage::cpu_time(child.id()).unwrap_or_default());
        memory = memory.max(usage::peak_memory(child.id()).unwrap_or_default());
        sleep(LOOK);
    };
    let wall = start.elapsed();
    ensure!(status.code() == Some(code), "mirrorctl {arguments:?}: {status}");
    let calls = stage.take_calls();
    let pages = count(&calls, "DescribeInstances");
    Ok(Taken { calls: calls.len(), pages, wall, cpu, memory })
}
