//! mirrorctl: a command line over the decision that automirror obeys and config-rule reports.
//!
//! In reading order, each floor over the ones before it: `problem` is what can go wrong; `settings`,
//! `function` and `place` are whose settings count and where to look; `log` is what the function says, and
//! `trail` what CloudTrail does; `signed` is how files are signed, `seen` what a sensor has seen, and `map` what it
//! must know; `world` is what was observed, with its plan, `redact` what a file of it may leave out, and `quota` what AWS limits;
//! `read` reads worlds; `doctor` judges the way of the packets; `view` counts and groups a plan; `output` prints;
//! `command` has one file for each command.

#![deny(missing_docs)]

mod answer;
mod arguments;
mod command;
mod confirm;
mod doctor;
mod function;
mod log;
mod map;
mod output;
mod place;
mod problem;
mod quota;
mod read;
mod redact;
mod seen;
mod settings;
mod signed;
mod trail;
mod view;
mod world;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use answer::Answer;
use arguments::{Arguments, Command};
use output::{complain, hint, unless_gone};
use problem::{NOT_WRITTEN, Problem, UNREADABLE};
use read::Input;

/// The exit code for a wrong command line (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
const FAILED: u8 = 1;

/// Runs a command. `environment` has the settings of the environment and its endpoints of AWS, by name; `now` is the
/// clock.
pub async fn run(
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    now: fn() -> SystemTime,
) -> ExitCode {
    let arguments = match Arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let code = match answer(&arguments, environment, now).await {
        Ok(code) => code,
        Err(error) => {
            let problem = Problem::new(&NOT_WRITTEN, format!("standard output: {error}"));
            // If standard error is closed as well, the exit code is all that is left.
            complain(&mut anstream::stderr(), None, &problem).unwrap_or_default();
            FAILED
        }
    };
    ExitCode::from(code)
}

/// A wrong command line, or a request for help.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_wrong = error.use_stderr();
    // If that is closed, the exit code is all that is left.
    error.print().unwrap_or_default();
    if is_wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

async fn answer(
    arguments: &Arguments,
    environment: BTreeMap<String, String>,
    now: fn() -> SystemTime,
) -> io::Result<u8> {
    let flags = match settings::flags(&arguments.global.set) {
        Ok(flags) => flags,
        Err(why) => {
            writeln!(anstream::stderr(), "error: {why}")?;
            return Ok(USAGE);
        }
    };
    let warned = warn_on_stderr();
    let global = &arguments.global;
    let listens =
        matches!(arguments.command, Command::Plan(_) | Command::Status(_) | Command::Observe(_));
    let input = Input { global, flags: &flags, environment: &environment, listens, now };
    let mut answer = match &arguments.command {
        Command::Plan(plan) => command::plan::run(&input, plan).await,
        Command::Status(source) => command::status::run(&input, source).await,
        Command::Explain(explain) => match command::explain::run(&input, explain).await {
            Ok(answer) => answer,
            Err(problem) => return wrong(&problem),
        },
        Command::Doctor(doctor) => match command::doctor::run(&input, doctor).await {
            Ok(answer) => answer,
            Err(problem) => return wrong(&problem),
        },
        Command::Adopt(adopt) => command::adopt::run(&input, adopt).await,
        Command::Apply(apply) => command::apply::run(&input, apply).await,
        Command::Remove(remove) => command::remove::run(&input, remove).await,
        Command::History(history) => command::history::run(&input, history).await,
        Command::Codes => command::explain::codes(),
        Command::Map(map) => command::map::run(&input, map).await,
        Command::Seen(seen) => command::seen::run(&input, seen),
        Command::Observe(observe) => command::observe::run(&input, observe).await,
        Command::Report(report) => command::report::run(&input, report).await,
        Command::Completions { shell } => {
            return command::shell::completions(*shell).map(|()| 0);
        }
        Command::Man(man) => match &man.out {
            Some(folder) => command::shell::pages(folder),
            None => return command::shell::page(&man.command).map(|()| 0),
        },
    };
    if warned.load(Ordering::Relaxed) {
        answer.fail(None, Problem::new(&UNREADABLE, "see the warnings above"));
    }
    answer.close_nothing_unsure();
    print(&answer, arguments, arguments.command.name())
}

/// A command line that only the command itself could find wrong.
fn wrong(problem: &Problem) -> io::Result<u8> {
    unless_gone(complain(&mut anstream::stderr(), None, problem))?;
    Ok(USAGE)
}

/// Writes the answer to standard output, and what went wrong and what to type next to standard error. Where whoever
/// reads one of them has read enough, that changes neither the other nor the exit code.
fn print(answer: &Answer, arguments: &Arguments, name: &str) -> io::Result<u8> {
    let code = answer.exit_code(arguments.global.threshold);
    let mut out = io::BufWriter::new(anstream::stdout());
    let written = answer.document.write(&mut out, arguments.global.output, name, code);
    unless_gone(written.and_then(|()| out.flush()))?;
    unless_gone(say_more(answer))?;
    Ok(code)
}

fn say_more(answer: &Answer) -> io::Result<()> {
    let mut err = anstream::stderr();
    for (place, problem) in &answer.problems {
        complain(&mut err, place.as_deref(), problem)?;
    }
    for text in &answer.document.hints {
        hint(&mut err, text)?;
    }
    Ok(())
}

/// Sends the warnings of the readers to standard error, and notes that there was one: something was left
/// out, so the answer is not whole.
fn warn_on_stderr() -> Arc<AtomicBool> {
    let warned = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&warned);
    tracing_subscriber::fmt()
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .with_writer(move || {
            noted.store(true, Ordering::Relaxed);
            io::stderr()
        })
        .finish()
        // What else warns, such as the search for credentials, ends in an error or does no harm.
        .with(Targets::new().with_target("shared_ec2", tracing::Level::WARN))
        .init();
    warned
}
