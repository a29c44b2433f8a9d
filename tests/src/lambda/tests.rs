//! The real binary run as Lambda runs it, tried with a small runtime in Python that does as the event says.
#![expect(clippy::disallowed_methods, reason = "deadlines are the clock's")]

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;

/// `env` prints what it was given and ends, so its log is the environment.
#[tokio::test]
async fn the_environment_is_lambdas_and_the_callers_and_nothing_of_ours() {
    let mut options = FunctionOptions::new("/usr/bin/env");
    options.env.push(("AWS_REGION".to_owned(), "eu-west-1".to_owned()));
    options.env.push(("MIRROR_TARGET".to_owned(), "tmt-1".to_owned()));
    let err = Function::start(options).await.unwrap_err();
    let log = err.downcast_ref::<InvokeError>().unwrap().log();
    let mut lines: Vec<String> = log.iter().map(LogLine::to_string).collect();
    lines.sort();
    let api = lines.iter().position(|line| line.starts_with("AWS_LAMBDA_RUNTIME_API=127.0.0.1:"));
    lines.remove(api.unwrap());
    assert_eq!(
        lines,
        [
            "AWS_ACCESS_KEY_ID=111122223333",
            "AWS_DEFAULT_REGION=us-east-1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
            "AWS_LAMBDA_FUNCTION_NAME=env",
            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
            "AWS_LAMBDA_LOG_FORMAT=JSON",
            "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/env",
            "AWS_LAMBDA_LOG_LEVEL=INFO",
            "AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/[$LATEST]00000000",
            "AWS_REGION=eu-west-1",
            "AWS_SECRET_ACCESS_KEY=secret",
            "AWS_SESSION_TOKEN=assumed-role/env/env",
            "LAMBDA_TASK_ROOT=/var/task",
            "MIRROR_TARGET=tmt-1",
        ]
    );
}

/// More lines than a pipe holds, from both streams, in many invocations: none is lost, none comes
/// with the wrong one.
#[tokio::test]
async fn each_line_belongs_to_the_invocation_that_wrote_it() {
    let function = start(&[]).await;
    for number in 0..20 {
        let lines: Vec<String> =
            (0..100).map(|line| format!("{number}.{line}:{:01000}", 0)).collect();
        let record = json!({"level": "INFO", "number": number});
        let event = json!({"do": "echo", "print": lines, "complain": [record.to_string()]});
        let mut expected: Vec<LogLine> = lines.iter().map(|line| text(line)).collect();
        expected.push(LogLine::Json(record));
        assert_eq!(invoke(&function, &event).await.log, expected);
    }
}

#[tokio::test]
async fn a_crash_ends_the_invocation_and_the_next_starts_cold() {
    let function = start(&[]).await;
    let event = json!({"do": "crash", "print": ["soon"]});
    match function.invoke(event.to_string().as_bytes()).await {
        Err(InvokeError::Crashed { status, log }) => {
            assert_eq!(status.code(), Some(3));
            assert_eq!(log, [text("soon"), text("half a line")]);
        }
        other => panic!("{other:?}"),
    }
    invoke(&function, &json!({"do": "echo"})).await;
    let all = ["starting", "soon", "half a line", "starting"].map(text);
    assert_eq!(function.log(), all);
}

#[tokio::test]
async fn a_process_that_does_not_answer_is_killed_at_its_deadline() {
    let mut options = options(&[]);
    options.timeout = Duration::from_millis(300);
    let function = Function::start(options).await.unwrap();
    let event = json!({"do": "hang"}).to_string();
    let outcome = function.invoke(event.as_bytes()).await;
    assert!(matches!(outcome, Err(InvokeError::TimedOut { .. })), "{outcome:?}");
    assert_eq!(function.log(), [text("starting")]);
}

#[tokio::test]
async fn an_answer_stands_even_if_the_process_then_ends() {
    let function = start(&[]).await;
    let answer = invoke(&function, &json!({"do": "answer and exit"})).await.answer;
    assert_eq!(answer, Answer::Response(json!("last words")));
    invoke(&function, &json!({"do": "echo"})).await;
}

#[tokio::test]
async fn a_kill_ends_the_invocation_under_way() {
    let function = start(&[]).await;
    let event = json!({"do": "hang"}).to_string();
    let (outcome, ()) = tokio::join!(function.invoke(event.as_bytes()), function.kill());
    match outcome {
        Err(InvokeError::Crashed { status, .. }) => assert_eq!(status.signal(), Some(9)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_kill_between_two_invocations_costs_a_cold_start_and_no_event() {
    let function = start(&[]).await;
    invoke(&function, &json!({"do": "echo"})).await;
    function.kill().await;
    invoke(&function, &json!({"do": "echo"})).await;
    assert_eq!(function.log(), ["starting", "starting"].map(text));
}

#[tokio::test]
async fn an_invocation_given_up_takes_its_process_with_it() {
    let function = start(&[]).await;
    let event = json!({"do": "hang"}).to_string();
    assert!(timeout(Duration::ZERO, function.invoke(event.as_bytes())).await.is_err());
    let event = json!({"do": "echo"});
    assert_eq!(invoke(&function, &event).await.answer, Answer::Response(event));
}

pub(crate) async fn start(env: &[(&str, &str)]) -> Function {
    Function::start(options(env)).await.unwrap()
}

fn options(env: &[(&str, &str)]) -> FunctionOptions {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lambda/fake_runtime.py");
    let mut options = FunctionOptions::new(script);
    // For `env python3` in the script's first line.
    options.env.push(("PATH".to_owned(), env::var("PATH").unwrap()));
    options.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    options
}

async fn invoke(function: &Function, event: &Value) -> Invocation {
    function.invoke(event.to_string().as_bytes()).await.unwrap()
}

fn text(line: &str) -> LogLine {
    LogLine::Text(line.to_owned())
}
