//! `observe`: the world as a file, for `--from`.

use std::{
    collections::BTreeSet,
    fs::File as Disk,
    io::{self, BufWriter, Write},
    path::Path,
};

use shared_ec2::selector::Selector;

use crate::{
    answer::Answer,
    arguments::Observe,
    command::written,
    output::{Block, Mark, unless_gone, whole_or_none},
    problem::{NOT_WRITTEN, Problem},
    read::Input,
    redact::redact,
    world::{File, World},
};

pub(crate) async fn run(input: &Input<'_>, observe: &Observe) -> Answer {
    let mut answer = Answer::default();
    answer.document.table = written::columns();
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.worlds(None, &selectors).await;
    let worlds = answer.sort_out(outcomes).into_iter().map(|decided| decided.world);
    let worlds = if observe.redact {
        worlds.map(redact).collect::<Result<Vec<_>, _>>()
    } else {
        Ok(worlds.collect())
    };
    match worlds {
        Ok(worlds) => {
            let file = File::new(worlds, observe.redact);
            if save(&mut answer, &observe.out, &file) {
                let place = |it: &World| [it.account.to_string(), it.region.clone()];
                let places: Vec<_> = file.worlds.iter().map(place).collect();
                let path = observe.out.display().to_string();
                written::note(&mut answer.document, &places, &path);
            }
        }
        Err(problem) => answer.fail(None, problem),
    }
    answer
}

/// Writes the worlds to a file, or with `-` to standard output, and says whether they are there. A file of only some of
/// the worlds is not written: it would pass for all of them.
pub(crate) fn save(answer: &mut Answer, path: &Path, file: &File) -> bool {
    let place = path.display().to_string();
    if !answer.problems.is_empty() {
        let why = format!("{place}: it would not be whole");
        answer.fail(None, Problem::new(&NOT_WRITTEN, why));
        return false;
    }
    let count = file.worlds.len();
    if let Err(error) = write(path, file) {
        answer.fail(None, Problem::new(&NOT_WRITTEN, format!("{place}: {error}")));
        return false;
    }
    if path.as_os_str() == "-" {
        answer.document.is_stdout_taken = true;
    } else {
        let accounts = if count == 1 { "account and region" } else { "accounts and regions" };
        let head = format!("{place} holds {count} {accounts}");
        answer.document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
        let command = if file.shown.is_some() { "apply" } else { "plan --from" };
        answer.document.hint(format!("mirrorctl {command} {place}"));
    }
    true
}

fn write(path: &Path, file: &File) -> io::Result<()> {
    if path.as_os_str() == "-" {
        return unless_gone(write_to(io::stdout(), file));
    }
    whole_or_none(path, |part| write_to(Disk::create(part)?, file))
}

fn write_to(out: impl Write, file: &File) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, file)?;
    writeln!(out)?;
    out.flush()
}
