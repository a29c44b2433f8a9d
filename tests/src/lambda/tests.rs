//! The real binary run as Lambda runs it, tried with a small runtime in Python that does as the event says.
#![expect(clippy::disallowed_methods, reason = "deadlines are the clock's")]

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn echoes_one_event_after_the_other_in_one_process() {
    let function = start(&[]).await;
    for number in 0..3 {
        let event = json!({"do": "echo", "number": number});
        assert_eq!(invoke(&function, &event).await.answer, Answer::Response(event));
    }
    assert_eq!(function.log(), [text("starting")]);
    assert!(function.init_time() > Duration::ZERO);
}

#[tokio::test]
async fn concurrent_invocations_queue() {
    let function = start(&[]).await;
    let events: Vec<Value> =
        (0..10).map(|n| json!({"do": "echo", "print": [n.to_string()]})).collect();
    let invocations = join_all(events.iter().map(|event| invoke(&function, event))).await;
    for (number, invocation) in invocations.into_iter().enumerate() {
        assert_eq!(invocation.log, [text(&number.to_string())]);
    }
}

#[tokio::test]
async fn an_event_comes_with_lambdas_headers() {
    let function = start(&[]).await;
    let invocation = invoke(&function, &json!({"do": "headers"})).await;
    let Answer::Response(headers) = invocation.answer else { panic!("{:?}", invocation.answer) };
    assert_eq!(headers["lambda-runtime-aws-request-id"], invocation.request_id);
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-east-1:111122223333:function:fake_runtime.py"
    );
    let deadline: u128 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    assert!(deadline > now);
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
}

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

#[tokio::test]
async fn answers_are_told_apart() {
    let function = start(&[]).await;
    let cases = [
        ("", Answer::Response(Value::Null)),
        ("null", Answer::Response(Value::Null)),
        ("{", Answer::NotJson("{".to_owned())),
    ];
    for (body, answer) in cases {
        assert_eq!(invoke(&function, &json!({"do": "answer", "body": body})).await.answer, answer);
    }
    let failed = invoke(&function, &json!({"do": "fail", "message": "no target"})).await;
    let Answer::Error(error) = failed.answer else { panic!("{:?}", failed.answer) };
    assert_eq!((error.error_type.as_str(), error.error_message.as_str()), ("Oops", "no target"));
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let function = start(&[]).await;
    let answer = invoke(&function, &json!({"do": "answer another"})).await.answer;
    assert_eq!(answer, Answer::Response(json!(400)));
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

/// What is not JSON reaches the process as it is; this one ends with a Python traceback.
#[tokio::test]
async fn a_payload_is_bytes() {
    let function = start(&[]).await;
    let err = function.invoke(b"\xff{").await.unwrap_err();
    assert!(err.log().iter().any(|line| line.to_string().contains("UnicodeDecodeError")), "{err}");
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

#[tokio::test]
async fn a_process_that_ends_before_its_first_event_fails_the_start() {
    let err = Function::start(options(&[("START", "exit")])).await.unwrap_err();
    match err.downcast_ref() {
        Some(InvokeError::InitFailed { status, log }) => {
            assert_eq!(status.code(), Some(7));
            assert_eq!(log, &[text("starting")]);
        }
        _ => panic!("{err:#}"),
    }
}

#[tokio::test]
async fn an_error_reported_while_starting_is_in_the_log() {
    let err = Function::start(options(&[("START", "report")])).await.unwrap_err();
    assert!(err.to_string().contains("Runtime.NoSetting"), "{err:#}");
}

#[tokio::test]
async fn a_binary_that_is_not_there_is_named() {
    let err = Function::start(FunctionOptions::new("/nowhere/automirror")).await.unwrap_err();
    assert_eq!(err.to_string(), "could not start /nowhere/automirror");
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
