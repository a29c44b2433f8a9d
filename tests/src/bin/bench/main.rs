//! Measures the functions in the local cloud: `make bench`. Every figure is measured in this run; what
//! it should be is not known here.
#![expect(clippy::disallowed_methods, reason = "measured times are the clock's")]
#![expect(
    clippy::indexing_slicing,
    clippy::unchecked_time_subtraction,
    reason = "a measurement may end at the first surprise, and CPU time only grows"
)]

mod cold;
mod events;
mod machine;
mod mirrorctl;
mod packages;
mod plan;
mod rounds;
mod seen;
mod share;
mod stage;
mod statistics;
mod sweeps;
mod table;
mod tls;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use packages::Packages;
use table::Table;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    /// How often what takes milliseconds is measured.
    runs: usize,
    /// Instances are fewer by this divisor.
    divisor: usize,
}

const WHOLE: Size = Size { runs: 51, divisor: 1 };
/// Enough to see that all is measured.
const SMALL: Size = Size { runs: 1, divisor: 100 };

const USAGE: &str = "usage: bench [--small] PACKAGES OUTPUT

PACKAGES is the folder in which package.py leaves FUNCTION/bootstrap, OUTPUT the JSON to write.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (size, packages, output) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        [packages, output] => (WHOLE, packages, output),
        ["--small", packages, output] => (SMALL, packages, output),
        _ => {
            writeln!(io::stderr(), "{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    if let Err(err) = run(size, &Packages::new(packages.as_ref()), output.as_ref()).await {
        writeln!(io::stderr(), "bench: {err:#}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(size: Size, packages: &Packages, output: &Path) -> anyhow::Result<()> {
    let machine = machine::describe()?;
    let mut screen = io::stdout();
    writeln!(screen, "{machine}\n")?;
    let mut tables = Map::new();
    let mut show = |table: Table| {
        tables.insert(table.title.to_owned(), table.json());
        writeln!(screen, "{table}")
    };
    show(packages.sizes()?)?;
    show(plan::measure(size, packages)?)?;
    show(cold::measure(size, packages, cold::Line::Https).await?)?;
    show(cold::measure(size, packages, cold::Line::Http).await?)?;
    show(events::measure(size, packages).await?)?;
    show(sweeps::measure(size, packages).await?)?;
    show(seen::measure(size)?)?;
    match packages.mirrorctl()? {
        Some(program) => show(mirrorctl::measure(size, &program)?)?,
        None => writeln!(io::stderr(), "mirrorctl is not measured: `make mirrorctl` builds it")?,
    }
    let all = json!({"machine": machine, "tables": Value::Object(tables)});
    std::fs::write(output, format!("{all:#}\n"))?;
    Ok(())
}
