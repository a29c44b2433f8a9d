//! How an answer is printed: for people as text and markdown, for machines as JSON, lines of JSON and CSV, and as what
//! a command has in a format of others.
//! The rules of the machine formats are in docs/mirrorctl.md.

mod block;
mod markdown;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anstyle::{AnsiColor, Style};
use comfy_table::presets;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{arguments::Format, problem::Problem};
pub(crate) use block::{Block, Mark, Table};

/// The version of the machine formats. A new field leaves it as it is.
pub(crate) const VERSION: &str = "mirrorctl/1";

/// An answer, for people and for machines.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// For people.
    pub(crate) blocks: Vec<Block>,
    /// One for each place: the whole answer.
    pub(crate) places: Vec<Value>,
    /// The answer in pieces, each with a `type`.
    pub(crate) records: Vec<Value>,
    /// The answer as one table.
    pub(crate) table: Table,
    /// The answer in a format of others, where one was asked for.
    pub(crate) exported: Vec<Exported>,
    /// What to type next.
    pub(crate) hints: Vec<String>,
    /// Standard output is a file that the command wrote, so nothing else goes there.
    pub(crate) is_stdout_taken: bool,
}

/// A finding in a format of others.
#[derive(Debug)]
pub(crate) struct Exported {
    /// It says that something is fine, and so closes what was said of it before.
    pub(crate) is_fine: bool,
    pub(crate) fields: Value,
}

/// The first of so many, in a sentence.
pub(crate) fn listed(first: &[String], all: usize) -> String {
    let more = all.saturating_sub(first.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", first.join(", "))
}

impl Document {
    pub(crate) fn title(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Title(text.into()));
    }

    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Line(text.into()));
    }

    pub(crate) fn hint(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.hints.contains(&text) {
            self.hints.push(text);
        }
    }

    /// Adds a record for lines of JSON.
    pub(crate) fn record(&mut self, kind: &str, of: impl Serialize) {
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(of) {
            fields.insert("type".to_owned(), kind.into());
            self.records.push(Value::Object(fields));
        }
    }

    /// Adds the whole answer of a place.
    pub(crate) fn place(&mut self, of: impl Serialize) {
        self.places.extend(serde_json::to_value(of));
    }

    /// Adds a field to the answer of the last place, and says whether there is one.
    pub(crate) fn add_to_place(&mut self, name: &str, of: impl Serialize) -> bool {
        let (Some(Value::Object(place)), Ok(value)) =
            (self.places.last_mut(), serde_json::to_value(of))
        else {
            return false;
        };
        place.insert(name.to_owned(), value);
        true
    }

    /// Writes the answer. `exit` is the exit code, which machines find in the answer, too.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        format: Format,
        command: &str,
        exit: u8,
    ) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        if self.is_stdout_taken {
            return Ok(());
        }
        match format {
            Format::Text => self.write_text(out),
            Format::Markdown => markdown::write(out, &self.blocks),
            Format::Json => {
                let answer = json!({
                    "format": VERSION, "command": command, "version": version,
                    "exit": exit, "places": self.places,
                });
                serde_json::to_writer_pretty(&mut *out, &answer)?;
                writeln!(out)
            }
            Format::Ndjson => {
                let first = json!({
                    "type": "version", "format": VERSION, "command": command, "version": version,
                });
                let last = json!({"type": "end", "exit": exit});
                for record in std::iter::once(&first).chain(&self.records).chain([&last]) {
                    writeln!(out, "{record}")?;
                }
                Ok(())
            }
            Format::Csv => self.write_csv(out),
            Format::Asff | Format::Ocsf => {
                let findings: Vec<_> = self.exported.iter().map(|it| &it.fields).collect();
                serde_json::to_writer_pretty(&mut *out, &findings)?;
                writeln!(out)
            }
        }
    }

    /// Shows people what there is so far, before they are asked something. Machines get their answer whole and at the
    /// end, so what somebody at a terminal is asked about goes where the question goes.
    pub(crate) fn show_now(&mut self, format: Format, is_asked: bool) -> io::Result<()> {
        let mut out = anstream::stdout();
        let shown = match format {
            Format::Text => self.write_text(&mut out),
            // A blank line keeps it apart from what follows.
            Format::Markdown => {
                markdown::write(&mut out, &self.blocks).and_then(|()| writeln!(out))
            }
            Format::Json | Format::Ndjson | Format::Csv | Format::Asff | Format::Ocsf
                if is_asked =>
            {
                self.write_text(&mut anstream::stderr())
            }
            Format::Json | Format::Ndjson | Format::Csv | Format::Asff | Format::Ocsf => Ok(()),
        };
        self.blocks.clear();
        unless_gone(shown.and_then(|()| out.flush()))
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (index, block) in self.blocks.iter().enumerate() {
            match block {
                Block::Title(text) => {
                    if index > 0 {
                        writeln!(out)?;
                    }
                    let bold = Style::new().bold();
                    writeln!(out, "{bold}{text}{bold:#}")?;
                }
                Block::Line(text) => writeln!(out, "{text}")?,
                Block::Item(mark, head, details) => {
                    let style = mark.style();
                    writeln!(out, "{style}{head}{style:#}")?;
                    for detail in details {
                        writeln!(out, "    {detail}")?;
                    }
                }
                Block::Table(table) => {
                    let grid = table.grid(presets::NOTHING);
                    for line in grid.lines() {
                        writeln!(out, "{}", line.trim_end())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        // The errors of its writer do not say that the reader is gone.
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(&self.table.columns)?;
        for row in &self.table.rows {
            csv.write_record(row.iter().map(|cell| harmless(cell)))?;
        }
        let table = csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        out.write_all(&table)
    }
}

/// Whoever reads may have read enough (`| head -1`): that is no failure of a command.
pub(crate) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A cell that a spreadsheet takes for a formula gets an apostrophe in front: tags can be written by many.
pub(crate) fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{cell}");
    }
    cell.to_owned()
}

/// Says what went wrong, and what to type next.
pub(crate) fn complain(
    err: &mut dyn Write,
    place: Option<&str>,
    problem: &Problem,
) -> io::Result<()> {
    let red = AnsiColor::Red.on_default().bold();
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    writeln!(err, "{red}error{red:#}{problem_at}", problem_at = At(&place, problem))?;
    hint(err, problem.kind.mend)
}

struct At<'a>(&'a str, &'a Problem);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(place, Problem { kind, detail }) = self;
        write!(f, "[{}]: {place}{}: {detail}", kind.code, kind.sentence)
    }
}

/// Says what to type next.
pub(crate) fn hint(err: &mut dyn Write, text: &str) -> io::Result<()> {
    let cyan = AnsiColor::Cyan.on_default();
    writeln!(err, "{cyan}hint:{cyan:#} {text}")
}

/// Writes the whole file or none: a half one under this name would be taken for it. `write` is given the path to
/// write to.
pub(crate) fn whole_or_none(
    path: &Path,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let part = path.with_added_extension("part");
    write(&part)?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_of_a_table_is_a_formula() {
        let mut document = Document { table: Table::new(&["name"]), ..Document::default() };
        for cell in ["=1+1", "@x", "+1", "-1", "i-1", "a,b"] {
            document.table.rows.push(vec![cell.to_owned()]);
        }
        let mut written = Vec::new();
        document.write(&mut written, Format::Csv, "plan", 0).unwrap();
        let expected = "name\n'=1+1\n'@x\n'+1\n'-1\ni-1\n\"a,b\"\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
