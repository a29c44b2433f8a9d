//! The local cloud's wire format is AWS's: boto3 and the AWS CLI read it.

use std::{path::Path, process::Command};

use local_cloud::{
    aws::config::PutRule,
    cloud::{Cloud, Options},
};

/// The tools that the Makefile lays out for the tests.
pub(crate) fn tool(name: &str) -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    assert!(path.exists(), "{} is missing: run `make test`, which fetches it", path.display());
    path
}

#[test]
fn boto3_and_the_aws_cli_work_against_the_local_cloud() {
    let cloud = Cloud::start(&Options { auto_tick: true, ..Options::default() }).unwrap();
    cloud.config().put_rule(&PutRule::new("mirroring")).unwrap();
    let world = cloud.world();
    let token = cloud.config().issue_token(&world, "mirroring");
    drop(world);
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/check.py");
    let python = tool("venv/bin/python");
    let output = Command::new(python).arg(check).args([cloud.endpoint(), token]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("checks passed"), "{said}");
}
