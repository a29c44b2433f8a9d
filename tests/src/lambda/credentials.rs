//! Where a function finds the credentials of its role: in its environment, or, as with `SnapStart`, at an
//! endpoint.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html>
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
#![expect(clippy::disallowed_methods, reason = "credentials expire by the clock")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::FunctionOptions;
use super::sandbox::role_name;
use crate::aws::ec2::timestamp;

/// Where the credentials are.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// In `AWS_ACCESS_KEY_ID` and its like.
    #[default]
    Environment,
    /// At the endpoint that `AWS_CONTAINER_CREDENTIALS_FULL_URI` names, and nowhere else.
    Endpoint {
        /// How long they last.
        lifetime: Duration,
        /// How often they were asked for.
        asked: Arc<AtomicUsize>,
    },
}

/// What the endpoint wants to see.
const TOKEN: &str = "let-me-in";

const JSON: [(axum::http::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

struct Endpoint {
    credentials: Value,
    lifetime: Duration,
    asked: Arc<AtomicUsize>,
}

impl Credentials {
    /// What a process of the function has in its environment. An endpoint lives until `tasks` is dropped.
    pub(super) async fn environment(
        &self,
        options: &FunctionOptions,
        tasks: &mut JoinSet<()>,
    ) -> std::io::Result<Vec<(&'static str, String)>> {
        let (account, name) = (options.account.clone(), options.name());
        let (secret, token) = ("secret", format!("assumed-role/{}/{name}", role_name(options)));
        let Self::Endpoint { lifetime, asked } = self else {
            return Ok(vec![
                ("AWS_ACCESS_KEY_ID", account),
                ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
                ("AWS_SESSION_TOKEN", token),
            ]);
        };
        let credentials = json!({
            "AccessKeyId": account,
            "SecretAccessKey": secret,
            "Token": token,
            "AccountId": account,
        });
        let endpoint = Endpoint { credentials, lifetime: *lifetime, asked: Arc::clone(asked) };
        let address = serve(endpoint, tasks).await?;
        Ok(vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{address}/credentials")),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN.to_owned()),
        ])
    }
}

async fn serve(endpoint: Endpoint, tasks: &mut JoinSet<()>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/credentials", get(answer)).with_state(Arc::new(endpoint));
    tasks.spawn(async move {
        axum::serve(listener, router).await.expect("axum's server does not end by itself");
    });
    Ok(address)
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap) -> Response {
    if headers.get(AUTHORIZATION).is_none_or(|token| token != TOKEN) {
        let error = json!({"code": "AccessDenied", "message": "The token is not valid."});
        return (StatusCode::UNAUTHORIZED, JSON, error.to_string()).into_response();
    }
    endpoint.asked.fetch_add(1, Ordering::Relaxed);
    let end = SystemTime::now() + endpoint.lifetime;
    let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut credentials = endpoint.credentials.clone();
    credentials["Expiration"] = json!(timestamp(end.as_secs()));
    (JSON, credentials.to_string()).into_response()
}
