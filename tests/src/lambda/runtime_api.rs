//! The Lambda Runtime API, for one process.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answer::Answer;

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) function_arn: String,
    pub(super) deadline: SystemTime,
    pub(super) payload: Vec<u8>,
}

/// What a process did. All through one channel, because the order decides: an answer followed by
/// an end is an answer.
#[derive(Debug)]
pub(super) enum Report {
    AskedForEvent,
    Answered(Answer),
    InitError(Bytes),
    Ended(ExitStatus),
}

/// The most Lambda takes as a response.
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024;

struct Api {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    reports: mpsc::UnboundedSender<Report>,
    /// The request that may be answered. Each may be answered once.
    under_way: Mutex<Option<String>>,
}

/// Serves the API on a free loopback port until `tasks` is dropped.
pub(super) async fn serve(
    events: mpsc::UnboundedReceiver<Event>,
    reports: mpsc::UnboundedSender<Report>,
    tasks: &mut JoinSet<()>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let api = Api { events: events.into(), reports, under_way: Mutex::default() };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(RESPONSE_LIMIT))
        .with_state(Arc::new(api));
    tasks.spawn(async move {
        axum::serve(listener, router).await.expect("axum's server does not end by itself");
    });
    Ok(address)
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.report(Report::AskedForEvent);
    let Some(event) = api.events.lock().await.recv().await else {
        return refused("Runtime.ExitError", "the function is gone");
    };
    *api.under_way.lock().expect("nothing panics under this lock") = Some(event.request_id.clone());
    let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id),
        ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", event.function_arn),
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".to_owned(),
        ),
    ];
    (headers, event.payload).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> Response {
    api.answered(&id, Answer::response(&body))
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> Response {
    api.answered(&id, Answer::error(&body))
}

async fn init_error(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    api.report(Report::InitError(body));
    accepted()
}

impl Api {
    fn answered(&self, id: &str, answer: Answer) -> Response {
        let request =
            self.under_way.lock().expect("nothing panics under this lock").take_if(|it| it == id);
        if request.is_none() {
            return refused("InvalidRequestID", "this request is not under way");
        }
        self.report(Report::Answered(answer));
        accepted()
    }

    fn report(&self, report: Report) {
        // Nobody listens once the sandbox is gone, and this server ends with it.
        self.reports.send(report).ok();
    }
}

fn accepted() -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    (StatusCode::ACCEPTED, json, r#"{"status":"OK"}"#).into_response()
}

fn refused(error_type: &str, message: &str) -> Response {
    let body = serde_json::json!({"errorType": error_type, "errorMessage": message});
    let json = [(CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, json, body.to_string()).into_response()
}
