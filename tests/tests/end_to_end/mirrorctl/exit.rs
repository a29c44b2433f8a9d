//! The exit codes of findings, and what somebody wrote who wanted to be printed.

use local_cloud::aws::ec2::{CreateSession, RunInstances};

use super::folder;
use crate::stage::{Stage, machine, stage, tagged, tags, user};

/// The exit code of each threshold, strictest first.
fn codes(stage: &Stage, command: &str) -> [i32; 4] {
    ["unsupported", "change", "action-needed", "never"]
        .map(|threshold| stage.mirrorctl(&[command, "--threshold", threshold]).code)
}

#[tokio::test]
async fn a_finding_counts_from_its_threshold_on() {
    let stage = stage().await;
    for command in ["plan", "status"] {
        assert_eq!(codes(&stage, command), [0, 0, 0, 0], "{command}: nothing is selected");
    }
    let old = RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() };
    stage.launch(&old);
    stage.let_run();
    assert_eq!(codes(&stage, "status"), [2, 0, 0, 0]);
    stage.launch(&tagged());
    stage.let_run();
    for command in ["plan", "status"] {
        assert_eq!(codes(&stage, command), [2, 2, 0, 0], "{command}");
    }
    stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", "tmt-0123456789abcdef0")]));
    stage.let_run();
    for command in ["plan", "status"] {
        assert_eq!(codes(&stage, command), [2, 2, 2, 0], "{command}");
    }
    // What the operator accepts counts as what EC2 cannot do.
    let accepted =
        ["status", "--set", "accepted-reasons=instance-type", "--threshold", "unsupported"];
    assert_eq!(stage.mirrorctl(&accepted).code, 2);
}

#[tokio::test]
async fn explain_has_the_code_of_what_it_explains() {
    let stage = stage().await;
    let [fine, broken] = [
        tagged(),
        machine(&[("Mirror", "True"), ("Mirror-Target", "tmt-x"), ("mirror-target", "tmt-y")]),
    ]
    .map(|request| stage.launch(&request));
    stage.let_run();
    stage.sweep().await;
    assert_eq!(stage.mirrorctl(&["explain", &fine]).code, 0);
    let session = stage.session(&fine).id;
    assert_eq!(stage.mirrorctl(&["explain", &session]).code, 0);
    let answer = stage.mirrorctl(&["explain", &broken]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.out.contains("two spellings of tag Mirror-Target differ"), "{}", answer.out);
    assert_eq!(stage.mirrorctl(&["explain", "shadowed"]).code, 0);
}

/// Whoever may tag may write anything.
#[tokio::test]
async fn a_tag_steers_no_terminal_no_page_and_no_spreadsheet() {
    let stage = stage().await;
    let evil = "=cmd<img src=x onerror=alert(1)>\u{202e}\n| a | b |";
    let instance = stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", evil)]));
    stage.let_run();
    let request = CreateSession {
        interface: stage.interface(&instance),
        target: stage.target.clone(),
        filter: stage.filter.clone(),
        number: Some(7),
        tags: tags(&[("ManagedBy", evil)]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap();
    for format in ["text", "markdown", "csv", "json", "ndjson"] {
        for command in [&["plan"][..], &["status"], &["explain", &instance]] {
            let answer = stage.mirrorctl(&[command, &["--output", format]].concat());
            assert!(!answer.out.contains('\u{202e}'), "{}", answer.out);
            assert!(!answer.out.contains("\n| a"), "{}", answer.out);
            assert!(
                !answer.out.lines().any(|line| line.split(',').any(|cell| cell.starts_with('=')))
            );
        }
    }
    let page = folder("evil").join("report.html");
    assert_eq!(stage.mirrorctl(&["report", "--html", page.to_str().unwrap()]).code, 2);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("=cmd") && !page.contains("<img"), "{page}");
}
