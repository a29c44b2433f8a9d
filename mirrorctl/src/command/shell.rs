//! What a shell and `man` read.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    // The generator itself would panic where nobody reads its output.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "mirrorctl", &mut text);
    io::Write::write_all(&mut io::stdout(), &text)
}

/// Prints the man page.
pub(crate) fn man() -> io::Result<()> {
    clap_mangen::Man::new(Arguments::command()).render(&mut io::stdout())
}
