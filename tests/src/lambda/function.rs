//! A Lambda function: the real binary, run as Lambda runs it, one invocation at a time.
//!
//! A process is started by `start`, and again by the first `invoke` after it crashed, timed out or
//! was killed: a cold start. Each process has a sandbox of its own (its own Runtime API, its own
//! pipe), so that nothing a dead process left behind can reach its successor.
#![expect(clippy::disallowed_methods, reason = "deadlines and measured times are the clock's")]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tokio::time::{sleep, timeout};

use super::runtime_api::Event;
use super::sandbox::{LOG_STREAM, Process, Sandbox};
use super::{Answer, Credentials, LogLine, log, usage};
use crate::aws::iam::Role;
use crate::aws::logs::Logs;

/// The Region a function is told it runs in, unless its `env` says otherwise.
pub const REGION: &str = "us-east-1";

/// How long Lambda lets a process start before it asks for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What to run, and as whom.
#[derive(Debug, Clone)]
pub struct FunctionOptions {
    /// The function is called as this file is.
    pub binary: PathBuf,
    /// Overrides what Lambda sets. Nothing else of this process's environment reaches the function.
    pub env: Vec<(String, String)>,
    /// The longest one invocation may take. The start of a process does not count.
    pub timeout: Duration,
    /// The account whose role the function assumes: the access key it signs with.
    pub account: String,
    /// Where the access key is found.
    pub credentials: Credentials,
    /// The role, for whose policy Lambda asks when it writes the log. Without one the role has the
    /// function's name, and may do anything.
    pub role: Option<Role>,
    /// What keeps the log as CloudWatch Logs does.
    pub log: Option<Arc<Mutex<Logs>>>,
}

impl FunctionOptions {
    /// With a time-out that no busy machine reaches, but a test that hangs does.
    pub fn new(binary: impl Into<PathBuf>) -> FunctionOptions {
        FunctionOptions {
            binary: binary.into(),
            env: Vec::new(),
            timeout: Duration::from_mins(1),
            account: "111122223333".to_owned(),
            credentials: Credentials::Environment,
            role: None,
            log: None,
        }
    }

    pub(super) fn name(&self) -> String {
        self.binary.file_name().unwrap_or(OsStr::new("function")).to_string_lossy().into_owned()
    }
}

/// An invocation that was answered, well or badly.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub request_id: String,
    pub answer: Answer,
    /// From the hand-over of the event until the process was ready for the next one.
    pub wall_time: Duration,
    /// What the process wrote since the invocation before, in its order.
    pub log: Vec<LogLine>,
}

/// Why an invocation has no answer. The process is gone in each case.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("could not start {}", binary.display())]
    NotStarted { binary: PathBuf, source: std::io::Error },
    #[error("the process ended before it asked for an event ({status}): {}", log::join(log))]
    InitFailed { status: ExitStatus, log: Vec<LogLine> },
    #[error("the process ended during the invocation ({status}): {}", log::join(log))]
    Crashed { status: ExitStatus, log: Vec<LogLine> },
    #[error("no answer before the deadline: {}", log::join(log))]
    TimedOut { log: Vec<LogLine> },
}

impl InvokeError {
    /// What the process wrote before it ended.
    #[must_use]
    pub fn log(&self) -> &[LogLine] {
        match self {
            InvokeError::NotStarted { .. } => &[],
            InvokeError::InitFailed { log, .. }
            | InvokeError::Crashed { log, .. }
            | InvokeError::TimedOut { log } => log,
        }
    }
}

/// A function and its process, which dies with it.
#[derive(Debug)]
pub struct Function {
    options: FunctionOptions,
    /// The lock makes concurrent invocations queue. Empty while one is under way, so that one
    /// given up half-way takes its process with it instead of leaving it to the next invocation.
    sandbox: tokio::sync::Mutex<Option<Sandbox>>,
    /// The latest process. Apart from its sandbox, because a kill must not queue.
    latest: Mutex<Latest>,
    log: Arc<Mutex<Vec<LogLine>>>,
}

#[derive(Debug, Default)]
struct Latest {
    process: Option<Process>,
    init_time: Duration,
}

impl Function {
    /// Starts the process and waits until it asks for its first event.
    ///
    /// The error is an [`InvokeError`] within: `InitFailed`, or `NotStarted`.
    pub async fn start(options: FunctionOptions) -> anyhow::Result<Function> {
        let function = Function {
            options,
            sandbox: tokio::sync::Mutex::default(),
            latest: Mutex::default(),
            log: Arc::default(),
        };
        let sandbox = function.cold_start().await?;
        *function.sandbox.lock().await = Some(sandbox);
        Ok(function)
    }

    /// Gives an invocation more time: a busy machine needs minutes for tens of thousands of instances.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.options.timeout = timeout;
    }

    /// Invokes the function once, after the invocations that came before. There is no retry.
    ///
    /// The payload is bytes, since not all that arrives is JSON.
    pub async fn invoke(&self, payload: &[u8]) -> Result<Invocation, InvokeError> {
        let mut place = self.sandbox.lock().await;
        let mut sandbox = match place.take() {
            Some(warm) if warm.process().is_running() => warm,
            _ => self.cold_start().await?,
        };
        let request_id = request_id(INVOCATIONS.fetch_add(1, Ordering::Relaxed));
        let event = Event {
            request_id: request_id.clone(),
            function_arn: format!(
                "arn:aws:lambda:{REGION}:{}:function:{}",
                self.options.account,
                self.options.name()
            ),
            deadline: SystemTime::now() + self.options.timeout,
            payload: payload.to_vec(),
        };

        let begun = Instant::now();
        let outcome = timeout(self.options.timeout, sandbox.invoke(event)).await;
        let wall_time = begun.elapsed();
        if outcome.is_err() {
            sandbox.process().kill().await;
        }
        let log = sandbox.cut_log().await;
        self.put_log_events(&log);
        match outcome {
            Ok(Ok(answer)) => {
                *place = Some(sandbox);
                Ok(Invocation { request_id, answer, wall_time, log })
            }
            Ok(Err(status)) => Err(InvokeError::Crashed { status, log }),
            Err(_elapsed) => Err(InvokeError::TimedOut { log }),
        }
    }

    /// Kills the process, whatever it is at, and returns when it is gone.
    pub async fn kill(&self) {
        let process = self.latest.lock().expect("nothing panics under this lock").process.clone();
        if let Some(process) = process {
            process.kill().await;
        }
    }

    /// All lines so far, of all processes, those of their starts and their last ones included.
    pub fn log(&self) -> Vec<LogLine> {
        self.log.lock().expect("nothing panics under this lock").clone()
    }

    /// The most memory the latest process has had so far, in bytes, as Linux counts it.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        usage::peak_memory(self.process_id()?).context("the process is gone")
    }

    /// The CPU time of the latest process so far, once it has nothing to do.
    pub async fn cpu_time(&self) -> anyhow::Result<Duration> {
        let process = self.process_id()?;
        while !usage::is_idle(process) {
            sleep(Duration::from_micros(100)).await;
        }
        usage::cpu_time(process).context("the process is gone")
    }

    /// The id of the latest process.
    pub fn process_id(&self) -> anyhow::Result<u32> {
        let process = self.latest.lock().expect("nothing panics under this lock").process.clone();
        process.and_then(|process| process.id()).context("the process is gone")
    }

    /// How long the latest process took from its start until it asked for its first event.
    pub fn init_time(&self) -> Duration {
        self.latest.lock().expect("nothing panics under this lock").init_time
    }

    fn put_log_events(&self, log: &[LogLine]) {
        if let Some(role) = self.options.role.as_ref().filter(|_| !log.is_empty()) {
            role.put_log_events(LOG_STREAM);
        }
        if let Some(sink) = &self.options.log {
            let group = format!("/aws/lambda/{}", self.options.name());
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let mut logs = sink.lock().expect("nothing panics under this lock");
            for line in log {
                logs.put(&group, now, line.to_string());
            }
        }
    }

    async fn cold_start(&self) -> Result<Sandbox, InvokeError> {
        let begun = Instant::now();
        let mut sandbox =
            Sandbox::launch(&self.options, Arc::clone(&self.log)).await.map_err(|source| {
                InvokeError::NotStarted { binary: self.options.binary.clone(), source }
            })?;
        let process = sandbox.process().clone();
        self.latest.lock().expect("nothing panics under this lock").process = Some(process.clone());

        let started = if let Ok(started) = timeout(INIT_LIMIT, sandbox.started()).await {
            started
        } else {
            process.kill().await;
            sandbox.started().await
        };
        let init_time = begun.elapsed();
        // What is written while starting belongs to no invocation.
        let log = sandbox.cut_log().await;
        if let Some(role) = &self.options.role {
            role.create_log_stream(LOG_STREAM);
        }
        self.put_log_events(&log);
        started.map_err(|status| InvokeError::InitFailed { status, log })?;
        self.latest.lock().expect("nothing panics under this lock").init_time = init_time;
        Ok(sandbox)
    }
}

/// Counts the invocations of all functions: no two have the same id.
static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Looks like Lambda's.
fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
