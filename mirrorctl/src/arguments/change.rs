//! What can be typed after the commands that change something.

use std::path::PathBuf;

use clap::Args;
use shared::id::VpcId;

/// What a script answers before it is asked.
#[derive(Args, Debug)]
pub(crate) struct Yes {
    /// Says yes in a script: the number of the account
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) confirm: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// A saved plan: carried out as it was shown, or not at all
    #[arg(value_name = "FILE", conflicts_with = "set")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) yes: Yes,
}

#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// Only the sessions in this VPC
    #[arg(long, value_name = "VPC")]
    pub(crate) vpc: Option<VpcId>,
    /// The sessions of another owner: those with the tag ManagedBy=OWNER
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    #[command(flatten)]
    pub(crate) yes: Yes,
}

#[derive(Args, Debug)]
pub(crate) struct Adopt {
    #[command(flatten)]
    pub(crate) yes: Yes,
}
