//! What can be typed.

mod change;
mod doctor;
mod format;
mod price;
mod region;
mod sensor;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use clap_complete::Shell;
use shared::id::{InstanceId, InterfaceId, SessionId};

pub(crate) use change::{Adopt, Apply, Remove};
pub(crate) use doctor::{Captured, Doctor};
pub(crate) use format::Format;
use price::price;
use region::region;
pub(crate) use region::{ALL, is_region};
pub(crate) use sensor::{Map, MapFormat, Seen, SignedFile, Verify};

/// Shows what automirror would do, why, and how well an account is mirrored. It makes the same decision
/// as automirror and the Config rule, with your permissions. A command that changes something says so, and asks first.
#[derive(Debug, Parser)]
#[command(name = "mirrorctl", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads the command line. A format that the command lacks is as wrong as one that none has.
    pub(crate) fn read(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let read = Self::try_parse_from(arguments)?;
        if let Some(why) = read.command.why_not(read.global.output) {
            return Err(Self::command().error(ErrorKind::ArgumentConflict, why));
        }
        if let Command::Man(Man { command, .. }) = &read.command
            && Self::documented(command).is_none()
        {
            let why = format!("there is no command `{}`", command.join(" "));
            return Err(Self::command().error(ErrorKind::InvalidSubcommand, why));
        }
        Ok(read)
    }

    /// The command that the words name, as its man page shows it.
    pub(crate) fn documented(words: &[String]) -> Option<clap::Command> {
        // `help` itself says nothing that a page does not.
        let mut command = Self::command().disable_help_subcommand(true);
        command.build();
        let mut named = &command;
        for word in words {
            named = named.find_subcommand(word)?;
        }
        Some(named.clone())
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0   everything is as it should be
  2   there are changes or findings at or above --threshold
  1   something failed or could not be read, so nobody can tell
  64  the command line is wrong
Of several regions and accounts the first of 1, 2 and 0 that occurs counts.";

/// What every command understands.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The profile of the AWS configuration files
    #[arg(long, global = true, value_name = "NAME", help_heading = "Where")]
    pub(crate) profile: Option<String>,
    /// The regions, separated by commas, or `all`: every region that is enabled
    #[arg(
        long,
        global = true,
        value_name = "REGION",
        value_delimiter = ',',
        value_parser = region,
        help_heading = "Where"
    )]
    pub(crate) region: Vec<String>,
    /// The roles to assume, separated by commas: one for each account
    #[arg(long, global = true, value_name = "ARN", value_delimiter = ',', help_heading = "Where")]
    pub(crate) role_arn: Vec<String>,
    /// The deployed function whose settings count; without it, the only automirror there is
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    pub(crate) function: Option<String>,
    /// Ask no function: the settings are those of the environment and of --set
    #[arg(long, global = true, conflicts_with = "function", help_heading = "Settings")]
    pub(crate) no_function: bool,
    /// Another value for a setting, such as scope=all: what if?
    #[arg(long, global = true, value_name = "NAME=VALUE", help_heading = "Settings")]
    pub(crate) set: Vec<String>,
    /// How to print the answer
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) output: Format,
    /// Which findings make the exit code 2
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) threshold: Threshold,
    /// What a session costs in an hour, in USD; the default is the price in us-east-1
    #[arg(
        long,
        global = true,
        value_name = "USD",
        default_value = "0.015",
        value_parser = price,
        help_heading = "Output"
    )]
    pub(crate) price: f64,
}

/// The least finding that makes the exit code 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Threshold {
    /// Whatever is not mirrored though it should be, also what EC2 cannot mirror
    Unsupported,
    /// Changes that automirror would make, and whatever somebody must act on
    #[default]
    Change,
    /// Only what somebody must act on
    ActionNeeded,
    /// Nothing
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What a sweep of automirror would do, and why
    Plan(Plan),
    /// How well the account is mirrored, on one screen
    Status(Source),
    /// Do the packets arrive? Every link between the sources and their sensors
    Doctor(Doctor),
    /// Why an instance, interface, session or target is as it is; what a code means
    Explain(Explain),
    /// What happened to the mirroring of an instance, interface or session, and who did it
    History(History),
    /// List every code of a reason or an error, with what it means and how to mend it
    Codes,
    /// Write everything that the decision depends on to a file, for --from
    Observe(Observe),
    /// Write a page that a manager can read
    Report(Report),
    /// Carry out the plan, or one that `plan --out` saved: show it, ask, do it
    Apply(Apply),
    /// Delete automirror's sessions: show them, ask, do it
    Remove(Remove),
    /// Take over the sessions of 3CORESec's AutoMirror: tag them as automirror's own
    Adopt(Adopt),
    /// On a sensor: count in a capture which sources send copies, and keep nothing of what they sent
    Seen(Seen),
    /// For a sensor: which interface and instance sends with which outer address and VNI
    Map(Map),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a man page, or write all of them
    Man(Man),
}

impl Command {
    /// What is typed for it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Status(_) => "status",
            Self::Doctor(_) => "doctor",
            Self::Explain(_) => "explain",
            Self::Adopt(_) => "adopt",
            Self::Apply(_) => "apply",
            Self::Remove(_) => "remove",
            Self::History(_) => "history",
            Self::Codes => "codes",
            Self::Seen(_) => "seen",
            Self::Map(_) => "map",
            Self::Observe(_) => "observe",
            Self::Report(_) => "report",
            Self::Completions { .. } => "completions",
            Self::Man(_) => "man",
        }
    }

    /// Why it does not have this format, if it does not.
    fn why_not(&self, format: Format) -> Option<String> {
        let name = match self {
            Self::Completions { .. } | Self::Man(_) if format != Format::Text => {
                let name = self.name();
                return Some(format!(
                    "`{name}` has no --output {}: it prints what a shell or `man` reads",
                    format.name()
                ));
            }
            // It judges no source, so it has no findings on any.
            Self::Doctor(doctor) if doctor.pre => "doctor --pre",
            Self::Doctor(_) => return None,
            other => other.name(),
        };
        if !format.is_of_findings() {
            return None;
        }
        let others = Format::value_variants().iter().filter(|it| !it.is_of_findings());
        let others: Vec<_> = others.map(|it| it.name()).collect();
        let others = others.join(", ");
        Some(format!(
            "`{name}` has no --output {}, which is a format of `doctor` alone; `{name}` has: {others}",
            format.name()
        ))
    }
}

/// Where the world comes from.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// A file that `observe` or `plan --out` wrote, instead of AWS; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "region", "role_arn", "function"])]
    pub(crate) from: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Save the plan, with everything that it was made from
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print every step
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// An id (i-…, eni-…, tms-…, tmt-…), or the code of a reason or an error
    #[arg(value_name = "ID|CODE")]
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Args, Debug)]
pub(crate) struct History {
    /// An id: i-…, eni-… or tms-…
    #[arg(value_name = "ID", value_parser = source_id)]
    pub(crate) id: String,
    /// So many days are looked back; CloudTrail keeps 90
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=90))]
    pub(crate) days: u16,
}

#[derive(Args, Debug)]
pub(crate) struct Observe {
    /// The file to write; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the values of tags that mean nothing to the decision
    #[arg(long)]
    pub(crate) redact: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The file to write; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) html: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The command whose page is printed, such as `seen verify`; without it, that of mirrorctl itself
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

fn source_id(text: &str) -> Result<String, String> {
    let is_id = text.parse::<InstanceId>().is_ok()
        || text.parse::<InterfaceId>().is_ok()
        || text.parse::<SessionId>().is_ok();
    is_id.then(|| text.to_owned()).ok_or_else(|| "an id such as i-…, eni-… or tms-…".to_owned())
}
