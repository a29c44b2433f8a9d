//! Plays a story with the real automirror and config-rule in the local cloud: `cargo run --bin demo`.
//!
//! What is shown is read from the cloud and from automirror's own log, and each scene is checked
//! against the cloud and the rule's verdicts: the demo fails where it is not as told.

mod check;
mod cost;
mod decision;
mod evaluate;
mod event;
mod label;
mod packets;
mod screen;
mod serve;
mod stage;
mod story;
mod table;
mod user;

use std::io::{self, Write};
use std::process::ExitCode;

use stage::Stage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let serves = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--serve"] => true,
        _ => {
            writeln!(io::stderr(), "usage: demo [--serve]")?;
            return Ok(ExitCode::from(2));
        }
    };
    if let Err(err) = run(serves).await {
        writeln!(io::stderr(), "demo: {err:#}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(serves: bool) -> anyhow::Result<()> {
    let mut stage = Stage::open().await?;
    story::play(&mut stage).await?;
    table::show(&mut stage)?;
    stage.show_totals()?;
    if serves {
        serve::serve(&mut stage).await?;
    }
    Ok(())
}
