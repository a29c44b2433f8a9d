//! One process of a function, with the Runtime API and the environment that Lambda gives it.

use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::answer::Answer;
use super::log::{LogLine, LogPipe};
use super::runtime_api::{self, Event, Report};
use super::{FunctionOptions, REGION};

/// Dropping it ends all its tasks, and so kills the process.
#[derive(Debug)]
pub(super) struct Sandbox {
    events: mpsc::UnboundedSender<Event>,
    reports: mpsc::UnboundedReceiver<Report>,
    log: LogPipe,
    process: Process,
    _tasks: JoinSet<()>,
}

impl Sandbox {
    pub(super) async fn launch(
        options: &FunctionOptions,
        all_lines: Arc<Mutex<Vec<LogLine>>>,
    ) -> io::Result<Sandbox> {
        let (events, events_out) = mpsc::unbounded_channel();
        let (reports_in, reports) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let address = runtime_api::serve(events_out, reports_in.clone(), &mut tasks).await?;
        let credentials = options.credentials.environment(options, &mut tasks).await?;
        let log = LogPipe::open(all_lines)?;
        let child = Command::new(&options.binary)
            .env_clear()
            .envs(lambda_environment(options, address))
            .envs(credentials)
            .envs(options.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.stdio()?)
            .stderr(log.stdio()?)
            .kill_on_drop(true)
            .spawn()?;
        let process = Process::watch(child, reports_in, &mut tasks);
        Ok(Sandbox { events, reports, log, process, _tasks: tasks })
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until the process asks for its first event, or has ended.
    pub(super) async fn started(&mut self) -> Result<(), ExitStatus> {
        loop {
            match self.report().await {
                Report::AskedForEvent => return Ok(()),
                Report::InitError(body) => self.log.note(&body),
                Report::Answered(_) => unreachable!("the API refuses answers without an event"),
                Report::Ended(status) => return Err(status),
            }
        }
    }

    /// Hands the event over and waits for its answer.
    ///
    /// As in Lambda, an invocation is over when the process asks for the next event; only then is
    /// all that it wrote in the pipe. A process that answers and ends has answered: AWS's emulator
    /// hands such an answer on, too.
    pub(super) async fn invoke(&mut self, event: Event) -> Result<Answer, ExitStatus> {
        self.events.send(event).expect("the API lives as long as its sandbox");
        let mut answer = None;
        loop {
            match self.report().await {
                Report::Answered(given) => answer = Some(given),
                Report::InitError(body) => self.log.note(&body),
                Report::AskedForEvent => {
                    // Without an answer it is a poll that the process gave up and began anew.
                    if let Some(answer) = answer {
                        return Ok(answer);
                    }
                }
                Report::Ended(status) => return answer.ok_or(status),
            }
        }
    }

    /// What the process wrote since the last cut.
    pub(super) async fn cut_log(&mut self) -> Vec<LogLine> {
        self.log.cut().await
    }

    async fn report(&mut self) -> Report {
        self.reports.recv().await.expect("the API holds a sender as long as its sandbox lives")
    }
}

/// A handle to a process, to kill it and to learn of its end.
#[derive(Debug, Clone)]
pub(super) struct Process {
    id: Option<u32>,
    kill: Arc<Notify>,
    ended: watch::Receiver<bool>,
}

impl Process {
    fn watch(
        mut child: Child,
        reports: mpsc::UnboundedSender<Report>,
        tasks: &mut JoinSet<()>,
    ) -> Process {
        let id = child.id();
        let kill = Arc::new(Notify::new());
        let killed = Arc::clone(&kill);
        let (ended_in, ended) = watch::channel(false);
        tasks.spawn(async move {
            let waited = tokio::select! {
                waited = child.wait() => waited,
                () = killed.notified() => {
                    child.kill().await.expect("a child of ours can be killed");
                    child.wait().await
                }
            };
            let status = waited.expect("a child of ours can be waited for");
            // Nobody listens to a sandbox that is being dropped.
            reports.send(Report::Ended(status)).ok();
            ended_in.send_replace(true);
        });
        Process { id, kill, ended }
    }

    pub(super) fn is_running(&self) -> bool {
        !*self.ended.borrow()
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.id.filter(|_| self.is_running())
    }

    /// Returns when the process is gone.
    pub(super) async fn kill(&self) {
        self.kill.notify_one();
        // An error means that the sandbox was dropped, which kills as well.
        self.ended.clone().wait_for(|ended| *ended).await.ok();
    }
}

/// Where Lambda puts what a process writes.
pub(super) const LOG_STREAM: &str = "2026/01/01/[$LATEST]00000000";

/// What Lambda sets for a function with JSON logging.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
/// The credentials say who calls, in the form in which the local cloud's EC2 reads it.
fn lambda_environment(options: &FunctionOptions, api: SocketAddr) -> Vec<(&'static str, String)> {
    let name = options.name();
    let role = options.role.as_ref();
    let log_group =
        role.map_or_else(|| format!("/aws/lambda/{name}"), |it| it.log_group().to_owned());
    vec![
        ("AWS_LAMBDA_RUNTIME_API", api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", LOG_STREAM.to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
    ]
}

/// The role that the function assumes.
pub(super) fn role_name(options: &FunctionOptions) -> String {
    options.role.as_ref().map_or_else(|| options.name(), |role| role.name().to_owned())
}
