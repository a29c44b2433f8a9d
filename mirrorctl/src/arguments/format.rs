//! How an answer is printed, and which command has which format.

use clap::ValueEnum;

use super::Command;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One object
    Json,
    /// One object a line; the first names the format
    Ndjson,
    /// One table
    Csv,
    /// For a pull request or a ticket
    Markdown,
    /// Findings for AWS Security Hub; of `doctor` only
    Asff,
    /// Findings for a SIEM, as OCSF; of `doctor` only
    Ocsf,
}

impl Format {
    /// Whether people read it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Text | Self::Markdown)
    }

    /// Whether it is a format of findings, which `doctor` alone has.
    fn is_of_findings(self) -> bool {
        matches!(self, Self::Asff | Self::Ocsf)
    }

    fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }

    /// Why the command does not have this format, if it does not.
    pub(super) fn why_not(self, command: &Command) -> Option<String> {
        let format = self.name();
        let name = match command {
            Command::Completions { .. } | Command::Man(_) if self != Self::Text => {
                let name = command.name();
                return Some(format!(
                    "`{name}` has no --output {format}: it prints what a shell or `man` reads"
                ));
            }
            // It judges no source, so it has no findings on any.
            Command::Doctor(doctor) if doctor.pre => "doctor --pre",
            Command::Doctor(_) => return None,
            other => other.name(),
        };
        if !self.is_of_findings() {
            return None;
        }
        let others = Self::value_variants().iter().filter(|it| !it.is_of_findings());
        let others: Vec<_> = others.map(|it| it.name()).collect();
        let others = others.join(", ");
        Some(format!(
            "`{name}` has no --output {format}, which is a format of `doctor` alone; `{name}` has: {others}"
        ))
    }
}
