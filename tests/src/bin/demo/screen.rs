//! The terminal.

use std::io::{self, StdoutLock, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSplitter};

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = PLAIN.bold();
pub(crate) const DIM: Style = PLAIN.dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const MAGENTA: Style = AnsiColor::Magenta.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Lines are wrapped here: wider than an old terminal, narrower than half a screen.
const WIDTH: usize = 100;
/// Where the third column begins.
const TEXT: usize = 31;

/// Standard output, in colour where that is wanted.
pub(crate) struct Screen(AutoStream<StdoutLock<'static>>);

impl Screen {
    pub(crate) fn open() -> Self {
        Self(anstream::stdout().lock())
    }

    pub(crate) fn line(&mut self, style: Style, text: &str) -> io::Result<()> {
        writeln!(self.0, "{style}{text}{style:#}")
    }

    /// A line of three columns, the last one wrapped.
    pub(crate) fn row(
        &mut self,
        (style, label): (Style, &str),
        subject: &str,
        text: &str,
    ) -> io::Result<()> {
        // What is said by the way is dim all along.
        let rest = if style == DIM { DIM } else { PLAIN };
        let text = wrap(text, WIDTH - TEXT).join(&format!("\n{:TEXT$}", ""));
        writeln!(self.0, "{style}  {label:<8}{style:#}{rest}{subject:<20} {text}{rest:#}")
    }
}

/// Breaks a text between words only: ids stay whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).break_words(false);
    let lines = textwrap::wrap(text, options.word_splitter(WordSplitter::NoHyphenation));
    lines.into_iter().map(String::from).collect()
}
