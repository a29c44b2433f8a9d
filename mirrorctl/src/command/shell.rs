//! What a shell and `man` read.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{
    answer::Answer,
    arguments::Arguments,
    output::{Block, Mark, unless_gone},
    problem::{NOT_WRITTEN, Problem},
};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    // The generator itself would panic where nobody reads its output.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "mirrorctl", &mut text);
    print(&text)
}

/// Prints the man page of the command that the words name.
pub(crate) fn page(words: &[String]) -> io::Result<()> {
    let named = Arguments::documented(words).ok_or_else(|| io::Error::other("no such command"))?;
    let mut text = Vec::new();
    Man::new(named).render(&mut text)?;
    print(&text)
}

/// Writes the man page of each command to a folder.
pub(crate) fn pages(folder: &Path) -> Answer {
    let mut answer = Answer::default();
    let shown = folder.display();
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    match written {
        Ok(()) => {
            let head = format!("{shown} holds the page of each command");
            answer.document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
        }
        Err(error) => {
            answer.fail(None, Problem::new(&NOT_WRITTEN, format!("{shown}: {error}")));
        }
    }
    answer
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    unless_gone(out.write_all(text).and_then(|()| out.flush()))
}
