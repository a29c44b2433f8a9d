//! Resolves a CloudFormation template and prints what it comes to, as JSON.
//!
//! `template PATH [NAME=VALUE]…`, where a name is a parameter or `AWS::Region` and the like.
#![allow(clippy::print_stdout, reason = "the output is what it is for")]

use std::path::Path;

use anyhow::{Context, bail};
use local_cloud::aws::cloudformation::Template;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, given)) = arguments.split_first() else {
        bail!("usage: template PATH [NAME=VALUE]...");
    };
    let given: Vec<(&str, &str)> = given
        .iter()
        .map(|pair| pair.split_once('=').with_context(|| format!("{pair} is not NAME=VALUE")))
        .collect::<anyhow::Result<_>>()?;
    let stack = Template::read(Path::new(path))?.resolve(&given)?;
    println!("{}", serde_json::to_string_pretty(&stack)?);
    Ok(())
}
