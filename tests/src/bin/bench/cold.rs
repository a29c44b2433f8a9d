//! A cold start, from the start of the process to its first answer, compared with a function that only says hello.

use std::path::PathBuf;

use anyhow::Context;
use local_cloud::aws::config::PutRule;
use local_cloud::lambda::Function;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Size;
use crate::packages::Packages;
use crate::share::Share;
use crate::stage::{self, Stage, invoke};
use crate::statistics::{median, milliseconds};
use crate::table::Table;
use crate::tls::Authority;

/// How EC2 and AWS Config are spoken to.
#[derive(Clone, Copy)]
pub(crate) enum Line {
    Http,
    Https,
}

const FUNCTIONS: [&str; 3] = ["hello", "automirror", "config-rule"];
const RULE: &str = "mirroring";
/// How often an execution environment is invoked after its first event.
const WARM: usize = 5;

const COLUMNS: [&str; 8] = [
    "start until it asks for work: CPU, ms",
    "wall, ms",
    "start until the first answer: CPU, ms",
    "wall, ms ",
    "wall with 128 MB's share after the start, ms",
    "first event: CPU, ms",
    "a warm one: CPU, ms",
    "peak memory, MB",
];

/// One cold start, in the order of the columns.
type Figures = [f64; 8];

pub(crate) async fn measure(size: Size, packages: &Packages, line: Line) -> anyhow::Result<Table> {
    let theatre = Theatre::open(line).await?;
    let mut figures: [Vec<Figures>; 3] = Default::default();
    // In turns, so that whatever else the machine does is shared out evenly.
    for _ in 0..size.runs {
        for (function, figures) in FUNCTIONS.into_iter().zip(&mut figures) {
            let binary = packages.binary(function);
            figures.push(theatre.run(function, binary).await?);
        }
    }
    let title = match line {
        Line::Http => "Cold start, EC2 by HTTP",
        Line::Https => "Cold start, EC2 by HTTPS",
    };
    let mut table = Table::new(title, &COLUMNS);
    let medians = figures.map(|runs| {
        std::array::from_fn::<_, { COLUMNS.len() }, _>(|column| {
            median(runs.iter().map(|run| run[column]).collect())
        })
    });
    for (function, medians) in FUNCTIONS.into_iter().zip(medians) {
        table.row(function, medians.map(Some));
    }
    for (function, row) in FUNCTIONS.into_iter().zip(medians).skip(1) {
        let times = row.into_iter().zip(medians[0]).map(|(function, hello)| Some(function / hello));
        table.row(&format!("{function}, times hello"), times);
    }
    Ok(table)
}

/// The cloud, and how it is reached.
struct Theatre {
    stage: Stage,
    endpoints: [String; 2],
    settings: Vec<(&'static str, String)>,
    _tasks: JoinSet<()>,
}

impl Theatre {
    async fn open(line: Line) -> anyhow::Result<Self> {
        let stage = Stage::open()?;
        stage.cloud.config().put_rule(&PutRule::new(RULE))?;
        let mut tasks = JoinSet::new();
        // The roots are read in any case: Lambda has such a bundle.
        let authority = Authority::new()?;
        let bundle = std::env::temp_dir().join(format!("bench-{}.pem", std::process::id()));
        authority.write_bundle(&bundle)?;
        let settings = vec![("SSL_CERT_FILE", bundle.display().to_string())];
        let endpoints = match line {
            Line::Http => [stage.cloud.endpoint(), stage.cloud.endpoint()],
            Line::Https => [
                authority.serve(stage.address(), &mut tasks).await?,
                authority.serve(stage.address(), &mut tasks).await?,
            ],
        };
        Ok(Self { stage, endpoints, settings, _tasks: tasks })
    }

    async fn start(&self, binary: PathBuf) -> anyhow::Result<Function> {
        let settings: Vec<_> = self.settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
        stage::start(binary, &self.endpoints.each_ref().map(String::as_str), &settings).await
    }

    async fn run(&self, name: &str, binary: PathBuf) -> anyhow::Result<Figures> {
        let function = self.start(binary.clone()).await?;
        let init = (function.cpu_time().await?, function.init_time());
        let first = invoke(&function, &self.event(name)?).await?.wall_time;
        let after_first = function.cpu_time().await?;
        let mut warm = Vec::new();
        let mut before = after_first;
        for _ in 0..WARM {
            invoke(&function, &self.event(name)?).await?;
            let after = function.cpu_time().await?;
            warm.push(milliseconds(after - before));
            before = after;
        }
        let memory = function.peak_memory()?;
        drop(function);

        let function = self.start(binary).await?;
        let event = self.event(name)?;
        let share = Share::of(function.process_id()?)?;
        let slow = invoke(&function, &event).await?.wall_time;
        drop(share);
        Ok([
            milliseconds(init.0),
            milliseconds(init.1),
            milliseconds(after_first),
            milliseconds(init.1 + first),
            milliseconds(function.init_time() + slow),
            milliseconds(after_first - init.0),
            median(warm),
            crate::statistics::megabytes(memory),
        ])
    }

    /// A new instance that is to be mirrored, as the function hears of it.
    fn event(&self, function: &str) -> anyhow::Result<Value> {
        self.stage.launch(1, Some("True"))?;
        let batch = self.stage.take_batches().pop().context("it runs")?;
        let world = self.stage.cloud.world();
        let mut config = self.stage.cloud.config();
        config.record(&world);
        let invocation = config.take_invocations(&world).pop().context("it is recorded")?;
        Ok(if function == "config-rule" { invocation } else { batch })
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        for (_, file) in &self.settings {
            std::fs::remove_file(file).ok();
        }
    }
}
