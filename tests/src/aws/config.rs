//! AWS Config: the recorder, the rules, and the verdicts that the rules' functions hand in.
//!
//! A service of its own beside the `World`, which it only looks at. As there: plain data under
//! plain methods, no I/O, and no clock but the world's. It is the Config of one account and region.

mod configuration;
mod details;
mod evaluation;
mod event;
mod invocation;
mod item;
mod page;
mod record;
mod recorder;
mod rule;
mod time;
pub(crate) mod wire;

use std::collections::{BTreeMap, HashMap};

pub use details::{Detail, DetailsQuery, Question};
pub use evaluation::{Compliance, Evaluation, PutEvaluations, Verdict};
pub use item::{Item, Relationship, ResourceKey, Status};
pub use page::Page;
pub use recorder::Recorder;
pub use rule::{PutRule, Rule};
pub use time::Time;

use crate::aws::ec2::{DEFAULT_ACCOUNT, World};
use invocation::{Pending, Token};
use record::Recorded;

pub const INSTANCE: &str = "AWS::EC2::Instance";
pub const SESSION: &str = "AWS::EC2::TrafficMirrorSession";
pub const TARGET: &str = "AWS::EC2::TrafficMirrorTarget";

/// The Config of an account.
#[derive(Debug)]
pub struct Config {
    pub account: String,
    pub region: String,
    /// The recorder that the customer manages, as it is described.
    pub recorder: Option<Recorder>,
    /// Whether the recorder is on: without it only scheduled messages reach the rules.
    pub recording: bool,
    /// An item of more bytes is only summed up for the rules: 0 for every item.
    pub item_limit: usize,
    /// The most rows a page may have, whatever was asked for: AWS may return fewer than the limit
    /// too.
    pub max_page: Option<usize>,
    /// Whether a verdict with an earlier ordering timestamp than the one that is held is dropped. AWS documents
    /// what the timestamp is for, not what it does.
    pub keeps_later_verdicts: bool,
    /// Evaluations of these types of resources, or of resources with these ids, are not accepted: each refuses
    /// the whole call, with this code.
    pub dislikes: BTreeMap<String, String>,
    rules: BTreeMap<String, Rule>,
    recorded: Recorded,
    /// The items of each resource, oldest first.
    history: BTreeMap<ResourceKey, Vec<Item>>,
    pending: Vec<Pending>,
    tokens: HashMap<String, Token>,
    latest: Time,
    made: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
            recorder: Some(Recorder::default()),
            recording: true,
            // What Lambda takes as an event of an asynchronous invocation.
            item_limit: 256 * 1024,
            max_page: None,
            keeps_later_verdicts: true,
            dislikes: BTreeMap::new(),
            rules: BTreeMap::new(),
            recorded: Recorded::default(),
            history: BTreeMap::new(),
            pending: Vec::new(),
            tokens: HashMap::new(),
            latest: Time::default(),
            made: 0,
        }
    }
}

impl Config {
    /// The world's time, but never the same twice: the order of captures and verdicts hangs on it,
    /// and the world counts in seconds.
    fn time(&mut self, world: &World) -> Time {
        self.latest = Time::of_seconds(world.now).max(self.latest.next());
        self.latest
    }

    /// Text without a meaning, never the same twice, but the same in each run.
    fn random(&mut self, length: usize, symbol: fn(&mut fastrand::Rng) -> char) -> String {
        self.made += 1;
        let mut rng = fastrand::Rng::with_seed(self.made);
        (0..length).map(|_| symbol(&mut rng)).collect()
    }
}
