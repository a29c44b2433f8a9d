//! Whoever reads the answer may have read enough (`mirrorctl plan | head -1`): that is one rule for all commands.

use std::process::{Command, Stdio};

use super::{Answer, command, story};

/// Runs a command whose standard output nobody reads.
fn unread(command: &mut Command) -> Answer {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait_with_output().unwrap().into()
}

#[tokio::test]
async fn a_reader_that_is_gone_changes_neither_the_exit_code_nor_what_is_said() {
    let stage = story().await;
    let endpoint = stage.deployment.cloud.endpoint();
    let mut lines = vec![
        "completions bash".to_owned(),
        "completions zsh".to_owned(),
        "man".to_owned(),
        "man seen verify".to_owned(),
        "observe --out -".to_owned(),
        "report --html -".to_owned(),
        "map --format zeek --out -".to_owned(),
        "--help".to_owned(),
    ];
    for name in
        ["plan", "status", "doctor", "codes", "map", "remove", "explain i-0000000000000001e"]
    {
        for format in ["text", "json", "ndjson", "csv", "markdown"] {
            lines.push(format!("{name} --output {format}"));
        }
    }
    for line in lines {
        let arguments: Vec<_> = line.split(' ').collect();
        let read = stage.mirrorctl(&arguments);
        let unread = unread(&mut command(&endpoint, &arguments));
        assert_eq!((unread.code, &unread.err), (read.code, &read.err), "{line}");
        assert!(!unread.err.contains("Broken pipe"), "{line}: {}", unread.err);
    }
}

/// `mirrorctl plan 2>&1 | head -1`: neither is read.
#[tokio::test]
async fn nobody_reads_anything() {
    let stage = story().await;
    let mut plan = command(&stage.deployment.cloud.endpoint(), &["plan"]);
    let mut child = plan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

/// Who has said yes has said it, whether somebody reads to the end or not.
#[tokio::test]
async fn a_confirmed_change_does_not_depend_on_the_reader() {
    let stage = story().await;
    let apply = ["apply", "--confirm", "111122223333"];
    let answer = unread(&mut command(&stage.deployment.cloud.endpoint(), &apply));
    assert_eq!(answer.code, 2, "what is blocked is left: {}", answer.err);
    assert_eq!(stage.mirrorctl(&["plan", "--threshold", "change", "--output", "csv"]).code, 2);
    let left = stage.mirrorctl(&["plan"]).out;
    assert!(left.contains("0 to create, 0 to modify, 0 to delete"), "{left}");
}
