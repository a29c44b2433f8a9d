//! The terminal.

use std::env;
use std::io::{self, IsTerminal, StdoutLock, Write};

/// Lines are wrapped here: wider than an old terminal, narrower than half a screen.
const WIDTH: usize = 100;
/// Where the second and the third column begin.
const SUBJECT: usize = 10;
const TEXT: usize = 31;

/// Standard output, in colour where that is wanted.
pub(crate) struct Screen {
    out: StdoutLock<'static>,
    in_colour: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Magenta,
    Cyan,
}

impl Paint {
    /// The parameter of the terminal's escape sequence.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Red => Some("31"),
            Self::Green => Some("32"),
            Self::Yellow => Some("33"),
            Self::Magenta => Some("35"),
            Self::Cyan => Some("36"),
        }
    }
}

impl Screen {
    pub(crate) fn open() -> Self {
        // https://no-color.org
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = io::stdout().lock();
        let in_colour = out.is_terminal() && !is_refused;
        Self { out, in_colour }
    }

    pub(crate) fn line(&mut self, paint: Paint, text: &str) -> io::Result<()> {
        let text = self.paint(paint, text);
        writeln!(self.out, "{text}")
    }

    /// A line of three columns, the last one wrapped.
    pub(crate) fn row(
        &mut self,
        (paint, label): (Paint, &str),
        subject: &str,
        text: &str,
    ) -> io::Result<()> {
        let label = self.paint(paint, &pad(&format!("  {label}"), SUBJECT));
        // What is said by the way is dim all along.
        let paint = if matches!(paint, Paint::Dim) { Paint::Dim } else { Paint::Plain };
        let indent = " ".repeat(TEXT);
        let text = wrap(text, WIDTH - TEXT).join(&format!("\n{indent}"));
        let rest = self.paint(paint, &(pad(subject, TEXT - SUBJECT) + &text));
        writeln!(self.out, "{label}{rest}")
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        match paint.code() {
            Some(code) if self.in_colour => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Fills up with spaces, at least one.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$} ", width = width.saturating_sub(1))
}

/// Breaks a text between words; always at least one line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_between_words_only() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("longer than that", 4), ["longer", "than", "that"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
