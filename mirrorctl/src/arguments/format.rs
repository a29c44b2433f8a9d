//! How an answer is printed.

use clap::ValueEnum;

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
    pub(super) fn is_of_findings(self) -> bool {
        matches!(self, Self::Asff | Self::Ocsf)
    }

    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }
}
