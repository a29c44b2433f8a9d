//! What a shell and `man` read.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{arguments::Arguments, output::unless_gone};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    // The generator itself would panic where nobody reads its output.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "mirrorctl", &mut text);
    print(&text)
}

/// Prints the man page.
pub(crate) fn man() -> io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    unless_gone(out.write_all(text).and_then(|()| out.flush()))
}
