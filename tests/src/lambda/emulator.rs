//! AWS's own Runtime Interface Emulator: a check that a binary is right for Lambda, and not only
//! for the Runtime API of this crate. `tests/rie/fetch.py` fetches it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::lambda::{LogLine, LogPipe};

/// A running emulator. It starts the binary at the first invocation, and dies with this value;
/// the binary's runtime then finds its Runtime API gone, and ends as well.
#[derive(Debug)]
pub struct Emulator {
    client: Client<HttpConnector, Full<Bytes>>,
    invocations: Uri,
    log: Arc<Mutex<Vec<LogLine>>>,
    _child: Child,
}

impl Emulator {
    /// The binary's environment is `env` and what the emulator sets, nothing else.
    pub async fn start(
        emulator: &Path,
        binary: &Path,
        env: &[(String, String)],
    ) -> anyhow::Result<Emulator> {
        let [invocations, runtime_api] = free_addresses()?;
        let log = Arc::default();
        let pipe = LogPipe::open(Arc::clone(&log))?;
        // Both addresses, because the emulator's defaults listen on all interfaces.
        let child = Command::new(emulator)
            .args(["--runtime-interface-emulator-address", &invocations])
            .args(["--runtime-api-address", &runtime_api])
            .arg(binary)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(pipe.stdio()?)
            .stderr(pipe.stdio()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", emulator.display()))?;
        let started = timeout(Duration::from_secs(10), listening(&invocations));
        if started.await.is_err() {
            bail!("{} does not listen at {invocations}", emulator.display());
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let invocations =
            format!("http://{invocations}/2015-03-31/functions/function/invocations").parse()?;
        Ok(Emulator { client, invocations, log, _child: child })
    }

    /// What the function answers. An error of its handler is an answer too, with `errorType`.
    pub async fn invoke(&self, payload: &[u8]) -> anyhow::Result<Value> {
        let request = Request::post(&self.invocations)
            .body(Full::new(Bytes::copy_from_slice(payload)))
            .context("an invocation is a valid request")?;
        let response = self.client.request(request).await.context("could not invoke")?;
        let body = response.into_body().collect().await.context("could not read the answer")?;
        let body = body.to_bytes();
        serde_json::from_slice(&body)
            .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(&body)))
    }

    /// What the emulator and the binary wrote, as far as it has been read.
    pub fn log(&self) -> Vec<LogLine> {
        self.log.lock().expect("nothing panics under this lock").clone()
    }
}

/// Two, held at the same time so that they differ. The emulator cannot take port 0.
fn free_addresses() -> anyhow::Result<[String; 2]> {
    let first = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let second = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok([first.local_addr()?.to_string(), second.local_addr()?.to_string()])
}

/// The emulator does not say when it is ready, so it is asked.
async fn listening(address: &str) {
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
}
