//! Plays a story with the real automirror and config-rule in the local cloud: `cargo run --bin demo`.
//!
//! What is shown is read from the cloud and from automirror's own log, and each scene is checked
//! against the cloud and the rule's verdicts: the demo fails where it is not as told.

mod arguments;
mod check;
mod cost;
mod decision;
mod evaluate;
mod event;
mod invocation;
mod label;
mod packets;
mod proof;
mod screen;
mod serve;
mod stage;
mod story;
mod table;
mod user;

use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Arguments, USAGE};
use stage::Stage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            writeln!(io::stdout(), "{USAGE}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(problem) => {
            writeln!(io::stderr(), "demo: {problem}\n{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    if let Err(err) = run(arguments).await {
        writeln!(io::stderr(), "demo: {err:#}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut stage = Stage::open(arguments.shown, arguments.port).await?;
    story::play(&mut stage).await?;
    table::show(&mut stage)?;
    stage.show_proof()?;
    if arguments.serves {
        serve::serve(&mut stage).await?;
    }
    Ok(())
}
