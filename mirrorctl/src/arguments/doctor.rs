//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;
use shared::id::TargetId;

use super::price::price;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Look at what mirroring needs before the first deployment instead: AWS Config's recorder, a CloudTrail trail,
    /// quotas, targets, filter, instance types
    #[arg(
        long,
        conflicts_with_all = ["failure_threshold", "source_mtu", "seen", "seen_key", "flow", "flow_cost"]
    )]
    pub(crate) pre: bool,
    /// End with 2 only where the packets of so many sources do not arrive
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub(crate) failure_threshold: usize,
    /// Accept a finding: its code, and what it lies in or which source or target it concerns; `*` is all
    #[arg(long, value_name = "CODE=ID")]
    pub(crate) ignore: Vec<String>,
    /// The longest packet that the sources send; EC2 does not show it, so the default is the longest there is
    #[arg(long, value_name = "BYTES", default_value_t = 9001)]
    pub(crate) source_mtu: u16,
    /// What a sensor behind a target has captured, as `seen --out --key` wrote it; once for each sensor and target
    #[arg(long, value_name = "TARGET=FILE", requires = "seen_key", value_parser = captured)]
    pub(crate) seen: Vec<Captured>,
    /// The public key of a sensor that signed a file of --seen; once for each sensor that has its own
    #[arg(long, value_name = "FILE", requires = "seen")]
    pub(crate) seen_key: Vec<PathBuf>,
    /// Ask CloudWatch, too, whether the sources send copies and lose some: that costs a little, so it asks first
    #[arg(long)]
    pub(crate) flow: bool,
    /// Says yes to --flow in a script: what it may cost at most, in USD
    #[arg(long, value_name = "USD", requires = "flow", value_parser = price)]
    pub(crate) flow_cost: Option<f64>,
}

/// A capture, and the target that its sensor is behind.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) target: TargetId,
    pub(crate) file: PathBuf,
}

fn captured(text: &str) -> Result<Captured, String> {
    let (target, file) = text.split_once('=').unwrap_or(("", text));
    match target.parse() {
        Ok(target) if !file.is_empty() => Ok(Captured { target, file: file.into() }),
        _ => Err("a target, `=` and a file, such as tmt-0123456789abcdef0=seen.json".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a whole number from 1 on".to_owned())
}
