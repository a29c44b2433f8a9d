//! What is typed about a sensor: what it has seen, and what it must know.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use shared::id::TargetId;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Seen {
    #[command(subcommand)]
    pub(crate) verify: Option<Verify>,
    /// A capture in the format of pcap or pcapng; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "new_key")]
    pub(crate) capture: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) file: SignedFile,
    /// Make a pair of keys: FILE signs, FILE.pub verifies
    #[arg(long, value_name = "FILE", conflicts_with_all = ["capture", "out"])]
    pub(crate) new_key: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Map {
    #[command(subcommand)]
    pub(crate) verify: Option<Verify>,
    /// A tag of the instances that the map should have, such as Team; may be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) tag: Vec<String>,
    /// Only the sessions that lead to these targets, separated by commas
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<TargetId>,
    /// How the file of --out is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: MapFormat,
    #[command(flatten)]
    pub(crate) file: SignedFile,
}

/// What reads a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MapFormat {
    /// A table, by outer address and VNI
    #[default]
    Csv,
    /// One object, by outer address and VNI
    Json,
    /// A table for Zeek's input framework, by outer address and VNI
    Zeek,
    /// Lines of JSON for Arkime's WISE, by the addresses of the interface
    Arkime,
    /// Lines of JSON for a dataset of Suricata, one for each address of an interface
    Suricata,
}

/// A file that is taken elsewhere.
#[derive(Args, Debug)]
pub(crate) struct SignedFile {
    /// Write what was found to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The file counts for so many hours
    #[arg(
        long,
        value_name = "HOURS",
        default_value_t = 24,
        value_parser = clap::value_parser!(u16).range(1..=8_760)
    )]
    pub(crate) expires: u16,
    /// Sign the file with this private key; the signature is FILE.sig
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// Check the signature and the expiry of a file that --out and --key wrote
    Verify {
        /// The file; its signature is FILE.sig
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The public key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}
