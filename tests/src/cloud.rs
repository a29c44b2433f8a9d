//! The local cloud: EC2 and AWS Config as a server on loopback, one process, nothing to install.

/// The record of calls, and how the cloud answered.
pub mod call;
mod cbor;
mod connection;
/// Faults on demand.
pub mod fault;
#[cfg(feature = "in-process")]
mod in_process;
mod reply;
mod serve;
mod service;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;

use crate::aws::cloudtrail::Trail;
use crate::aws::config::Config;
use crate::aws::ec2::{Rates, World};
use crate::aws::iam::Role;
use crate::aws::lambda::{DeployedFunction, Invocations, Invoke};
use crate::aws::logs::Logs;
use call::Call;
use fault::Faults;
#[cfg(feature = "in-process")]
pub use in_process::{Gate, Moment};
pub(crate) use service::Service;

/// How to run a cloud.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// 0 for any that is free.
    pub port: u16,
    /// Whether instances move on and are recorded by themselves, five times a second; otherwise with
    /// [`World::tick`] and [`Config::record`] only.
    pub auto_tick: bool,
    /// Whether [`World::now`] stays as it is set, instead of following the real time.
    pub fixed_time: bool,
    /// For the faults that strike by chance.
    pub seed: u64,
}

/// A cloud. Its server, if it has one, stops when it is dropped.
#[derive(Debug)]
pub struct Cloud {
    shared: Arc<Shared>,
    server: Option<Server>,
}

/// It has threads of its own, so a test may block its own runtime as it likes.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    runtime: Runtime,
}

/// What the requests work on.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    config: Mutex<Config>,
    functions: Mutex<Vec<DeployedFunction>>,
    trails: Mutex<Vec<Trail>>,
    invocations: Mutex<Invocations>,
    logs: Arc<Mutex<Logs>>,
    faults: Faults,
    calls: Mutex<Vec<Call>>,
    connections: AtomicUsize,
    /// Those with a policy.
    roles: Mutex<BTreeMap<String, Role>>,
    /// None: there is no throttling.
    rates: Mutex<Option<Rates>>,
    fixed_time: bool,
}

impl Cloud {
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .with_context(|| format!("could not listen on port {}", options.port))?;
        listener.set_nonblocking(true).context("could not prepare the listener")?;
        let address = listener.local_addr().context("could not read the listener's address")?;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("local-cloud")
            .enable_all()
            .build()
            .context("could not start the cloud's threads")?;
        let shared = Arc::new(Shared::new(options));
        let inside = runtime.enter();
        let listener =
            tokio::net::TcpListener::from_std(listener).context("could not use the listener")?;
        drop(inside);
        runtime.spawn(serve::serve(listener, Arc::clone(&shared)));
        if options.auto_tick {
            runtime.spawn(tick(Arc::clone(&shared)));
        }
        Ok(Self { shared, server: Some(Server { address, runtime }) })
    }

    /// A cloud without a server, for clients in this process ([`Cloud::connect`]). Its time stays as it
    /// is set.
    pub fn in_process(seed: u64) -> Self {
        let options = Options { seed, fixed_time: true, ..Options::default() };
        Self { shared: Arc::new(Shared::new(&options)), server: None }
    }

    /// What clients take as `AWS_ENDPOINT_URL`.
    ///
    /// # Panics
    /// Without a server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("a cloud in process has no address").address
    }

    /// The state. Requests wait while it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The state of AWS Config. Whoever needs the world too takes the world first, as the requests
    /// do: the other way round, both would wait for ever.
    pub fn config(&self) -> MutexGuard<'_, Config> {
        self.shared.config()
    }

    /// The functions that are deployed, as Lambda's API shows them.
    pub fn functions(&self) -> MutexGuard<'_, Vec<DeployedFunction>> {
        self.shared.functions()
    }

    /// The trails of CloudTrail, of all accounts.
    pub fn trails(&self) -> MutexGuard<'_, Vec<Trail>> {
        self.shared.trails()
    }

    /// From now on calls of Lambda's `Invoke` come from here, for whoever runs the functions.
    pub fn invocations(&self) -> mpsc::UnboundedReceiver<Invoke> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.shared.invocations() = Some(sender);
        receiver
    }

    /// What the functions have written.
    pub fn logs(&self) -> MutexGuard<'_, Logs> {
        self.shared.logs()
    }

    /// Where a function writes its log.
    pub fn log_sink(&self) -> Arc<Mutex<Logs>> {
        Arc::clone(&self.shared.logs)
    }

    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// From now on the role of this name may only do what its policy allows, in whatever account. Users
    /// and roles without a policy may do anything.
    pub fn permit(&self, role: &Role) {
        self.shared.roles().insert(role.name().to_owned(), role.clone());
    }

    /// From now on requests are throttled at EC2's rate.
    pub fn limit_rate(&self) {
        *self.shared.rates() = Some(Rates::default());
    }

    /// From now on as much is left of EC2's rate as others leave: of reads and of changes, so many at once and
    /// so many a second.
    pub fn limit_rate_to(&self, reads: (f64, f64), changes: (f64, f64)) {
        *self.shared.rates() = Some(Rates::new(reads, changes));
    }

    /// From now on nothing is throttled for its rate.
    pub fn lift_rate(&self) {
        *self.shared.rates() = None;
    }

    /// Whether EC2 accepts one more request of another caller, which uses a token.
    pub fn takes(&self, action: &str) -> bool {
        self.shared.takes(action)
    }

    /// The requests so far, in the order in which they took effect.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls().clone()
    }

    /// The requests from the one with this number on, counted from 0.
    pub fn calls_from(&self, first: usize) -> Vec<Call> {
        self.shared.calls().get(first..).unwrap_or_default().to_vec()
    }

    /// How many requests there were so far.
    pub fn count_calls(&self) -> usize {
        self.shared.calls().len()
    }

    pub fn clear_calls(&self) {
        self.shared.calls().clear();
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Calls that hang would be waited for otherwise, and waiting is not allowed within another
        // runtime.
        if let Some(server) = self.server.take() {
            server.runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn new(options: &Options) -> Self {
        Self {
            world: Mutex::default(),
            config: Mutex::default(),
            functions: Mutex::default(),
            trails: Mutex::default(),
            invocations: Mutex::default(),
            logs: Arc::default(),
            faults: Faults::new(options.seed),
            calls: Mutex::default(),
            connections: AtomicUsize::default(),
            roles: Mutex::default(),
            rates: Mutex::default(),
            fixed_time: options.fixed_time,
        }
    }

    // A test that panics while it holds a lock has failed already; the others need not.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.fixed_time {
            world.now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
        }
        world
    }

    fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn functions(&self) -> MutexGuard<'_, Vec<DeployedFunction>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trails(&self) -> MutexGuard<'_, Vec<Trail>> {
        self.trails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn invocations(&self) -> MutexGuard<'_, Invocations> {
        self.invocations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn roles(&self) -> MutexGuard<'_, BTreeMap<String, Role>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rates(&self) -> MutexGuard<'_, Option<Rates>> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn takes(&self, action: &str) -> bool {
        self.rates().as_mut().is_none_or(|rates| rates.take(action))
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tick(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(Duration::from_millis(200));
    loop {
        interval.tick().await;
        let mut world = shared.world();
        world.tick();
        shared.config().record(&world);
    }
}
