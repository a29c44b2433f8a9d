//! The terminal.

use std::io::{self, BufRead, StdoutLock, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use local_cloud::lambda::LogLine;
use textwrap::{Options, WordSplitter};

use crate::arguments::Shown;

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
/// Where the text of a row begins.
const TEXT: usize = 10;

/// Standard output, in colour where that is wanted.
pub(crate) struct Screen {
    output: AutoStream<StdoutLock<'static>>,
    shown: Shown,
}

impl Screen {
    pub(crate) fn open(shown: Shown) -> Self {
        Self { output: anstream::stdout().lock(), shown }
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, style: Style, text: &str) -> io::Result<()> {
        writeln!(self.output, "{style}{text}{style:#}")
    }

    pub(crate) fn paragraph(&mut self, style: Style, text: &str) -> io::Result<()> {
        wrap(text, WIDTH).iter().try_for_each(|line| self.line(style, line))
    }

    /// A label and a text.
    pub(crate) fn row(&mut self, (style, label): (Style, &str), text: &str) -> io::Result<()> {
        // What is said by the way is dim all along.
        let rest = if style == DIM { DIM } else { PLAIN };
        let text = wrap(text, WIDTH - TEXT).join(&format!("\n{:TEXT$}", ""));
        writeln!(self.output, "{style}  {label:<8}{style:#}{rest}{text}{rest:#}")
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.shown.is_verbose
    }

    /// A row that most people can do without.
    pub(crate) fn detail(&mut self, label: (Style, &str), text: &str) -> io::Result<()> {
        if self.is_verbose() { self.row(label, text) } else { Ok(()) }
    }

    /// What a function wrote, a line for each record whatever its width, as other programs read it.
    pub(crate) fn log(&mut self, lines: &[LogLine]) -> io::Result<()> {
        let lines = if self.shown.has_log { lines } else { &[] };
        lines.iter().try_for_each(|line| writeln!(self.output, "{line}"))
    }

    /// Waits for Enter, if somebody is there to press it.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        if !self.shown.waits() {
            return Ok(());
        }
        write!(self.output, "\n{DIM}Enter goes on{DIM:#} ")?;
        self.output.flush()?;
        io::stdin().lock().skip_until(b'\n')?;
        Ok(())
    }
}

/// Breaks a text between words only: ids stay whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).break_words(false);
    let lines = textwrap::wrap(text, options.word_splitter(WordSplitter::NoHyphenation));
    lines.into_iter().map(String::from).collect()
}
