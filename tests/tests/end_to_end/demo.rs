//! The demo and the cloud as programs: what they show, what they wait for, and how they end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{ChildStdout, Command, Output, Stdio},
};

use local_cloud::lambda::binary::binary;
use serde_json::{Value, json};

use crate::mirrorctl::terminal::{shown, terminal};

/// What fits on a screen beside another.
const WIDTH: usize = 100;
/// The most lines that somebody reads who wants to see what it is.
const LINES: usize = 130;

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command.args(arguments).stdin(Stdio::null()).env("RUST_BACKTRACE", "1").env("NO_COLOR", "1");
    command
}

#[track_caller]
fn printed(output: Output) -> String {
    let (out, err) = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).into();
    assert!(output.status.success() && err.is_empty(), "{err}{out}");
    out
}

/// The lines that are too wide.
fn wide(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.chars().count() > WIDTH).collect()
}

/// The words that begin as an id does, but are none.
fn cut_ids(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '…');
    let begins = |word: &str| {
        let ids = ["i-", "eni-", "tms-", "tmt-", "tmf-"];
        ids.iter().find_map(|id| word.strip_prefix(id).map(str::to_owned))
    };
    let is_whole = |rest: &str| rest.len() == 17 && rest.bytes().all(|it| it.is_ascii_hexdigit());
    words.filter(|word| begins(word).is_some_and(|rest| !is_whole(&rest))).collect()
}

#[test]
fn the_demo_is_short_can_be_pasted_from_and_says_what_it_proved() {
    let text = printed(program("demo", &[]).output().unwrap());
    assert_eq!(wide(&text), [""; 0]);
    assert_eq!(cut_ids(&text), [""; 0]);
    let lines = text.lines().count();
    assert!(lines <= LINES, "{lines} lines: {text}");
    for machinery in ["  took ", "  check ", "  event ", "  keep ", "plan: ", "ignored: ", "Enter"]
    {
        assert!(!text.contains(machinery), "{machinery}: {text}");
    }
    for action in ["create", "modify", "delete", "block", "verdict", "sweep", "healed", "seen"] {
        assert!(text.contains(&format!("\n  {action} ")), "{action}: {text}");
    }
    let (_, proof) = text.rsplit_once("\n\n").unwrap();
    assert!(proof.starts_with("Proved in 12 scenes: "), "{proof}");
    assert!(proof.contains("5 sessions that mallory"), "{proof}");
}

/// The README shows some lines of the demo.
#[test]
fn the_readme_shows_what_the_demo_shows() {
    let text = printed(program("demo", &[]).output().unwrap());
    let readme = include_str!("../../../README.md");
    let (_, shown) = readme.split_once("It shows:\n\n```text\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    for part in shown.split("…\n") {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_machinery_and_the_log_are_shown_to_who_asks() {
    let text = printed(program("demo", &["--verbose", "--log"]).output().unwrap());
    for detail in
        ["  took ", "  check   ok: ", "  event   state pending: web i-", "  keep ", "plan: "]
    {
        assert!(text.contains(detail), "{detail}: {text}");
    }
    let (records, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('{'));
    assert_eq!(wide(&rest.join("\n")), [""; 0]);
    let records: Vec<Value> =
        records.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |field: &str| records.iter().any(|record| !record["fields"][field].is_null());
    assert!(has("summary") && has("action") && has("judged"), "{text}");
    let started = records.iter().filter(|record| !record["fields"]["version"].is_null());
    assert!(started.count() >= 2, "both say how they start: {text}");
}

#[test]
fn arguments_that_are_not_known_are_answered_with_the_usage() {
    for (name, arguments) in [
        ("demo", &["--fats"][..]),
        ("demo", &["--port"]),
        ("demo", &["--port", "high"]),
        ("demo", &["serve"]),
        ("cloud", &["--prot", "1"]),
        ("cloud", &["--port"]),
        ("cloud", &["--port", "high"]),
    ] {
        let output = program(name, arguments).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {err}");
        assert!(err.contains(&format!("usage: {name} ")), "{err}");
        assert!(!err.contains("backtrace"), "{err}");
        let help = printed(program(name, &["--help"]).output().unwrap());
        assert!(err.ends_with(&help), "{help}");
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_without_a_backtrace() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in ["demo", "cloud"] {
        let output = program(name, &["--port", &port]).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.starts_with(&format!("{name}: could not listen on port {port}: ")), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn a_terminal_waits_for_enter_after_each_scene_unless_told_to_be_fast() {
    for (arguments, pauses) in [(&[][..], 13), (&["--fast"], 0)] {
        let (controller, terminal) = terminal();
        rustix::io::write(&controller, "\n".repeat(pauses).as_bytes()).unwrap();
        let mut command = program("demo", arguments);
        command.stdin(terminal.try_clone().unwrap()).stdout(terminal);
        let (code, shown) = shown(&mut command, controller);
        assert_eq!(code, Some(0), "{shown}");
        assert_eq!(shown.matches("Enter goes on").count(), pauses, "{shown}");
    }
}

/// Reads lines until one has this in it; the demo is over where none comes.
#[track_caller]
fn lines_until(lines: &mut BufReader<ChildStdout>, wanted: &str) -> String {
    let mut text = String::new();
    while !text.lines().last().is_some_and(|line| line.contains(wanted)) {
        assert!(lines.read_line(&mut text).unwrap() > 0, "{wanted}: {text}");
    }
    text
}

/// Invokes a function as AWS's clients do. The status line and the headers, and the answer.
fn invoke(port: &str, function: &str, payload: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(
        stream,
        "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nhost: local\r\n\
         connection: close\r\ncontent-length: {}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=111122223333/20260101/us-east-1/lambda/aws4_request\r\n\r\n{payload}",
        payload.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn a_served_cloud_is_swept_by_itself_and_by_whoever_invokes_the_function() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    // Where a line does not come, the test must not wait for ever. timeout hands signals on.
    let mut demo = Command::new("timeout");
    demo.arg("180").arg(binary("demo")).args(["--serve", "--verbose", "--port", &port]);
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    lines_until(&mut lines, "goes on until Ctrl-C");
    let hints = lines_until(&mut lines, "delete-tags");
    assert_eq!(wide(&hints), [""; 0]);
    assert_eq!(hints.matches("export ").count(), 2, "{hints}");
    let endpoint = format!("export AWS_ENDPOINT_URL=http://127.0.0.1:{port} ");
    assert!(hints.contains(&endpoint) && hints.contains("\naws ec2 run-instances"), "{hints}");

    let (head, answer) = invoke(&port, "automirror", r#"{"sweep":true}"#);
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("x-amz-function-error"), "{head}");
    assert_eq!(answer["summary"]["mirrored"], 11, "{answer}");
    let (head, answer) = invoke(&port, "automirror", r#"{"explain":"x"}"#);
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("x-amz-function-error"), "{head}");
    assert_eq!(answer["errorType"], json!("UnreadableEvent"), "{answer}");
    let (head, answer) = invoke(&port, "web", "{}");
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    assert_eq!(answer["__type"], json!("ResourceNotFoundException"), "{answer}");

    let swept = lines_until(&mut lines, "on schedule, both look at everything");
    assert!(swept.contains("invokes automirror: {\"sweep\":true}"), "{swept}");
    lines_until(&mut lines, "config-rule");
    let id = demo.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
