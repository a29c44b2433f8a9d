//! The end of a run, when nothing is under way any more: the returned messages are retried, and a sweep runs.

use super::clock;
use super::message::Message;
use super::run::Run;
use super::site::is_owned;
use crate::aws::ec2::Session;

/// Longer than SQS's visibility timeout, in minutes.
const VISIBILITY: u64 = 7;

/// How often SQS delivers a message at most.
const RECEIVES: usize = 5;

/// What is wrong at the end, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// When all messages are done.
    pub(super) after_messages: Option<String>,
    /// Whether a session is missing then.
    pub(super) unmirrored: bool,
    /// After a sweep.
    pub(super) after_sweep: Option<String>,
}

impl Run {
    pub(super) fn end_all(mut self) -> Ending {
        for message in std::mem::take(&mut self.returned) {
            self.retry(message);
        }
        let after_messages = self.what_is_wrong();
        let unmirrored = self.is_unmirrored();
        self.retry(Message::sweep("sweep at last"));
        let mut after_sweep = self.what_is_wrong();
        let before = self.changes();
        self.retry(Message::sweep("second sweep"));
        let changes = self.changes() - before;
        if changes > 0 && after_sweep.is_none() {
            after_sweep = Some(format!("a second sweep tries {changes} changes"));
        }
        Ending { after_messages, unmirrored, after_sweep }
    }

    /// Delivers a message as often as it is returned, each time to a new execution environment.
    fn retry(&mut self, mut message: Message) {
        while message.receives < RECEIVES {
            self.minute += VISIBILITY;
            clock::set(self.minute);
            self.cloud.world().now = clock::since_1970().as_secs();
            let process = self.new_process(|_| false);
            let work = process.begin(message, &self.local);
            let answer = self.local.block_on(&self.runtime, work.task).expect("no panic");
            if !work.message.is_returned(&answer) {
                return;
            }
            message = work.message;
        }
    }

    fn changes(&self) -> usize {
        self.cloud.calls().iter().filter(|call| !call.action.starts_with("Describe")).count()
    }

    fn is_unmirrored(&self) -> bool {
        let world = self.cloud.world();
        self.site.is_tagged(&world) && !world.sessions().any(|it| self.is_desired(it))
    }

    fn is_desired(&self, session: &Session) -> bool {
        is_owned(session)
            && session.target == self.site.allowed
            && session.filter == self.site.filter
    }

    fn what_is_wrong(&self) -> Option<String> {
        let world = self.cloud.world();
        let owned: Vec<_> = world.sessions().filter(|session| is_owned(session)).collect();
        let is_right = match (self.site.is_tagged(&world), &owned[..]) {
            (true, [session]) => self.is_desired(session),
            (is_tagged, owned) => !is_tagged && owned.is_empty(),
        };
        let wrong = (!is_right).then(|| format!("the owned sessions are {owned:?}"));
        self.guard.check(&world).or(wrong)
    }
}
