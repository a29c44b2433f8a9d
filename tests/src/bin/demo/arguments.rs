//! What the command line asks for.

use std::io::{self, IsTerminal};

pub(crate) const USAGE: &str = "\
usage: demo [--fast] [--verbose] [--log] [--serve] [--port NUMBER]

  --fast         do not wait for Enter between the scenes; only a terminal waits anyway
  --verbose      show each event, check and cost, too, and what stays as it is
  --log          show the functions' own log, too
  --serve        keep the cloud running after the story, and show commands to try
  --port NUMBER  the port of the cloud; without it, any that is free";

pub(crate) struct Arguments {
    pub(crate) shown: Shown,
    pub(crate) serves: bool,
    pub(crate) port: u16,
}

/// What is shown, and how.
pub(crate) struct Shown {
    pub(crate) is_fast: bool,
    pub(crate) is_verbose: bool,
    pub(crate) has_log: bool,
}

impl Arguments {
    /// None: only the usage is asked for. The error says what is wrong.
    pub(crate) fn read(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let shown = Shown { is_fast: false, is_verbose: false, has_log: false };
        let mut read = Self { shown, serves: false, port: 0 };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--fast" => read.shown.is_fast = true,
                "--verbose" => read.shown.is_verbose = true,
                "--log" => read.shown.has_log = true,
                "--serve" => read.serves = true,
                "--port" => read.port = port(arguments.next())?,
                "--help" => return Ok(None),
                _ => return Err(format!("`{argument}` is not known")),
            }
        }
        Ok(Some(read))
    }
}

impl Shown {
    /// Whether somebody is there who can press Enter.
    pub(crate) fn waits(&self) -> bool {
        !self.is_fast && io::stdin().is_terminal() && io::stdout().is_terminal()
    }
}

fn port(value: Option<String>) -> Result<u16, String> {
    let value = value.ok_or("`--port` needs a port number")?;
    value.parse().map_err(|_| format!("`--port` needs a port number, not `{value}`"))
}
