//! Standard output, standard error and exit code together: of the documentation, and of every command and
//! format. `TRYCMD=overwrite` writes them anew.

use std::{fmt::Write, fs, path::Path};

use local_cloud::{aws::ec2::vxlan::pcap, lambda::binary::binary};
use regex_lite::Regex;
use serde_json::Value;
use trycmd::TestCases;

use super::{
    ENVIRONMENT, changes::old_session, command, folder, is_as_written, root, sensor::alone, story,
};
use crate::stage::{Stage, stage, tagged};

/// When the function swept last, which is another time in each run.
fn last_sweep(endpoint: &str) -> Option<String> {
    let output = command(endpoint, &["status", "--output", "json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    let at = &status["places"][0]["function"]["last_sweep"]["at"];
    at.as_str().map(str::to_owned)
}

/// Runs the commands of a markdown file of the project, in a folder of their own with a capture in it.
fn check(endpoint: &str, path: &str, capture: &[u8]) {
    let original = root().join(path);
    let folder = folder(Path::new(path).file_stem().unwrap().to_str().unwrap());
    let copy = folder.join("commands.md");
    fs::copy(&original, &copy).unwrap();
    // The folder that the commands run in.
    fs::create_dir(folder.join("commands.in")).unwrap();
    fs::write(folder.join("commands.in/capture.pcap"), capture).unwrap();
    let cases = TestCases::new();
    cases.register_bin("mirrorctl", binary("mirrorctl"));
    cases.env("AWS_ENDPOINT_URL", endpoint);
    for (name, value) in ENVIRONMENT {
        cases.env(name, value);
    }
    if let Some(at) = last_sweep(endpoint) {
        cases.insert_var("[SWEPT]", at).unwrap();
    }
    cases.case(&copy);
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cases.run()));
    if fs::read(&copy).unwrap() != fs::read(&original).unwrap() {
        fs::copy(&copy, &original).unwrap();
    }
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}

/// What comes to the sensors of the account, from 2026-01-01T00:00:00Z on.
fn capture(stage: &Stage) -> Vec<u8> {
    let world = stage.world();
    let is_own = |target: &str| world.target(target).is_some_and(|it| it.owner == "111122223333");
    let mut copies = world.copies();
    copies.retain(|copy| is_own(&copy.target));
    pcap(&copies, 1_767_225_600)
}

/// `apply` makes several sessions at once, in whatever order EC2 answers, so nothing after it may show their ids.
#[tokio::test]
async fn what_the_documentation_shows_is_what_is_printed() {
    let stage = story().await;
    check(&stage.deployment.cloud.endpoint(), "docs/mirrorctl.md", &capture(&stage));
}

#[tokio::test]
async fn every_command_prints_in_every_format_what_it_printed_before() {
    let stage = story().await;
    check(&stage.deployment.cloud.endpoint(), "tests/mirrorctl/formats.md", &capture(&stage));
}

/// One instance that is to be mirrored, and a session that can be taken over.
#[tokio::test]
async fn what_changes_something_prints_in_every_format_what_it_printed_before() {
    let stage = stage().await;
    // A token of the same minute would be answered with the session that is gone.
    stage.world().token_outlives_session = false;
    old_session(&stage);
    stage.launch(&tagged());
    stage.let_run();
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    check(&stage.deployment.cloud.endpoint(), "tests/mirrorctl/changes.md", &[]);
}

/// More than a snapshot should have: its first code and its last in each format. Every code in markdown is
/// docs/reasons.md.
#[test]
fn the_codes_are_printed_in_every_format_as_they_were() {
    let mut found =
        "The first and the last lines of what `codes` prints. `TRYCMD=overwrite` writes it \
                     anew.\n"
            .to_owned();
    for format in ["text", "json", "ndjson", "csv"] {
        let answer = alone(&["codes", "--output", format]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{format}");
        let lines: Vec<_> = answer.out.lines().collect();
        let (first, last) =
            (lines[..12.min(lines.len())].join("\n"), lines[lines.len() - 12..].join("\n"));
        write!(
            found,
            "\n```console\n$ mirrorctl codes --output {format}\n{first}\n...\n{last}\n```\n"
        )
        .unwrap();
    }
    is_as_written("tests/mirrorctl/codes.md", &found);
}

/// Times differ from run to run, so trycmd cannot compare this.
#[tokio::test]
async fn the_history_of_an_instance_is_told_in_every_format_as_it_was_before() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    let times = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    let mut found =
        "What `history` prints in every format. `TRYCMD=overwrite` writes it anew.\n".to_owned();
    for format in ["text", "markdown", "json", "ndjson", "csv"] {
        let answer = stage.mirrorctl(&["history", &instance, "--output", format]);
        let (out, err) = (times.replace_all(&answer.out, "[TIME]"), &answer.err);
        let command =
            format!("$ mirrorctl history {instance} --output {format}\n? {}", answer.code);
        write!(found, "\n```console\n{command}\n{out}{err}\n```\n").unwrap();
    }
    is_as_written("tests/mirrorctl/history.md", &found);
}

#[test]
fn the_help_of_every_command_is_what_it_was() {
    check("http://127.0.0.1:9", "tests/mirrorctl/help.md", &[]);
}
