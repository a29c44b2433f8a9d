//! Checks the roles by what the tests recorded: do they permit all that the functions do, and nothing else?
//!
//! `proof FOLDER PLAN`: the records (`AUTHORIZATIONS=FOLDER cargo test`), and what
//! `terraform show -json` says of a plan of the root module with its defaults.
#![allow(clippy::print_stdout, reason = "it speaks to people")]

mod templates;
mod terraform;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use local_cloud::aws::iam::Record;

use templates::Proof;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, plan] = arguments.as_slice() else { bail!("usage: proof FOLDER PLAN") };
    let records = records(Path::new(folder))?;
    let mut proof = Proof::default();
    proof.check_functions(&records)?;
    let is_planned = Path::new(plan).is_file();
    if is_planned {
        let plan = std::fs::read(plan).with_context(|| format!("could not read {plan}"))?;
        let plan = serde_json::from_slice(&plan).context("the plan is not JSON")?;
        terraform::check(&mut proof, &plan, &records)?;
    }
    for line in &proof.facts {
        println!("{line}");
    }
    for problem in proof.problems.iter().take(20) {
        println!("PROBLEM: {problem}");
    }
    if !is_planned {
        println!(
            "Terraform's policies were not checked: there is no {plan}, which takes terraform."
        );
    }
    let is_proven = proof.problems.is_empty();
    Ok(if is_proven { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn records(folder: &Path) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    let files =
        folder.read_dir().with_context(|| format!("could not read {}", folder.display()))?;
    for file in files {
        let text = std::fs::read_to_string(file?.path()).context("could not read a record")?;
        for line in text.lines() {
            records
                .push(serde_json::from_str(line).with_context(|| format!("not a record: {line}"))?);
        }
    }
    ensure!(!records.is_empty(), "nothing is recorded in {}", folder.display());
    Ok(records)
}
