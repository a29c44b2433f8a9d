//! The log of a process, each line with the invocation that wrote it.

use std::fmt;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tokio::sync::mpsc;

/// One line of a process's standard output or standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// A record: a line that is a JSON object.
    Json(Value),
    Text(String),
}

impl LogLine {
    pub(super) fn parse(line: &[u8]) -> LogLine {
        match serde_json::from_slice(line) {
            Ok(value @ Value::Object(_)) => LogLine::Json(value),
            _ => LogLine::Text(String::from_utf8_lossy(line).into_owned()),
        }
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogLine::Json(value) => value.fmt(f),
            LogLine::Text(text) => text.fmt(f),
        }
    }
}

/// The lines for an error message, each below the one before.
pub(super) fn join(lines: &[LogLine]) -> String {
    lines.iter().flat_map(|line| ["\n  ".to_owned(), line.to_string()]).collect()
}

/// Ends the lines of one invocation. Standard streams hold text, so no process writes this.
const MARK: &[u8] = b"\0mark\n";

/// The one pipe of a process: both streams go into it, which keeps their order.
///
/// A pipe is first in, first out. When a process is back for its next event (or has ended), all it
/// wrote for the last one is in the pipe, though perhaps not read yet. A mark that we then write
/// into the same pipe comes out behind exactly those lines: no waiting and no guessing.
#[derive(Debug)]
pub(crate) struct LogPipe {
    writer: PipeWriter,
    cuts: mpsc::UnboundedReceiver<Vec<LogLine>>,
}

impl LogPipe {
    /// Each line is also added to `all`.
    pub(crate) fn open(all: Arc<Mutex<Vec<LogLine>>>) -> io::Result<LogPipe> {
        let (reader, writer) = io::pipe()?;
        let (sender, cuts) = mpsc::unbounded_channel();
        // A thread, not a task: a full pipe must be emptied even while the one thread of a test's
        // runtime writes the mark. It ends with the last writer.
        thread::spawn(move || read(reader, &all, &sender));
        Ok(LogPipe { writer, cuts })
    }

    /// An end for the process to write to.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.writer.try_clone()?.into())
    }

    /// Adds a line that the process did not write itself but reported.
    pub(super) fn note(&mut self, line: &[u8]) {
        let line = [line, b"\n"].concat();
        self.writer.write_all(&line).expect("the reading thread lives as long as this writer");
    }

    /// The lines written since the last cut.
    pub(super) async fn cut(&mut self) -> Vec<LogLine> {
        self.writer.write_all(MARK).expect("the reading thread lives as long as this writer");
        self.cuts.recv().await.expect("the reading thread answers each mark")
    }
}

fn read(pipe: PipeReader, all: &Mutex<Vec<LogLine>>, cuts: &mpsc::UnboundedSender<Vec<LogLine>>) {
    let mut pipe = BufReader::new(pipe);
    let mut since_cut = Vec::new();
    let mut bytes = Vec::new();
    while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
        // The mark may stand behind the half line of a process that was killed.
        let before_mark = bytes.strip_suffix(MARK);
        let text = before_mark.unwrap_or(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        if before_mark.is_none_or(|half_line| !half_line.is_empty()) {
            let line = LogLine::parse(text);
            all.lock().expect("nothing panics under this lock").push(line.clone());
            since_cut.push(line);
        }
        if before_mark.is_some() && cuts.send(std::mem::take(&mut since_cut)).is_err() {
            return;
        }
        bytes.clear();
    }
}
