//! How a run ends when nothing is under way any more: what was given back comes again, and a sweep is made.

use super::clock;
use super::message::Message;
use super::run::Run;
use super::site::is_ours;
use crate::aws::ec2::Session;

/// Longer than SQS hides a message, in minutes.
const VISIBILITY: u64 = 7;

/// How often a message comes at most.
const RECEIVES: usize = 5;

/// What is wrong at the end, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// When all messages have been worked on.
    pub(super) after_messages: Option<String>,
    /// Whether that is a session that is missing.
    pub(super) unmirrored: bool,
    /// After a sweep.
    pub(super) after_sweep: Option<String>,
}

impl Run {
    pub(super) fn end_all(mut self) -> Ending {
        for message in std::mem::take(&mut self.returned) {
            self.bring_again(message);
        }
        let after_messages = self.what_is_wrong();
        let unmirrored = self.is_unmirrored();
        self.bring_again(Message::sweep("sweep at last"));
        let mut after_sweep = self.what_is_wrong();
        let before = self.changes();
        self.bring_again(Message::sweep("second sweep"));
        let changes = self.changes() - before;
        if changes > 0 && after_sweep.is_none() {
            after_sweep = Some(format!("a second sweep tries {changes} changes"));
        }
        Ending { after_messages, unmirrored, after_sweep }
    }

    /// A message as often as it comes back, each time to a new process.
    fn bring_again(&mut self, mut message: Message) {
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
        self.site.is_tagged(&world) && !world.sessions().any(|it| self.is_wanted(it))
    }

    fn is_wanted(&self, session: &Session) -> bool {
        is_ours(session)
            && session.target == self.site.allowed
            && session.filter == self.site.filter
    }

    fn what_is_wrong(&self) -> Option<String> {
        let world = self.cloud.world();
        let ours: Vec<_> = world.sessions().filter(|session| is_ours(session)).collect();
        let is_right = match (self.site.is_tagged(&world), &ours[..]) {
            (true, [session]) => self.is_wanted(session),
            (wanted, ours) => !wanted && ours.is_empty(),
        };
        let wrong = (!is_right).then(|| format!("our sessions are {ours:?}"));
        self.guard.check(&world).or(wrong)
    }
}
