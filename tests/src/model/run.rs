//! One order of calls and acts, played as far as it has been chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::choice::Choice;
use super::clock;
use super::guard::Guard;
use super::held::Fate;
use super::marks::Race;
use super::message::Message;
use super::names::Names;
use super::person::Act;
use super::process::{Process, Work};
use super::scenario::Scenario;
use super::site::{Site, is_owned};
use crate::cloud::Cloud;
use crate::cloud::fault::{Fault, Kind};
use crate::deployment::passes;

pub(super) const CREATE: &str = "CreateTrafficMirrorSession";
pub(super) const DELETE: &str = "DeleteTrafficMirrorSession";

pub(super) struct Run {
    /// Before the runtime, so that it ends first: its tasks hold timers.
    pub(super) local: LocalSet,
    pub(super) runtime: Runtime,
    pub(super) cloud: Arc<Cloud>,
    pub(super) site: Site,
    pub(super) scenario: Arc<Scenario>,
    /// By their messages' names.
    pub(super) at_work: Vec<Work>,
    /// Idle ones that have deleted sessions.
    pub(super) warm: Vec<Process>,
    pub(super) queue: Vec<Message>,
    /// They are retried at the end of the run.
    pub(super) returned: Vec<Message>,
    pub(super) turns: usize,
    pub(super) kills: usize,
    pub(super) stale: usize,
    pub(super) minute: u64,
    pub(super) names: Names,
    /// The session that each token created last.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) guard: Guard,
    /// What has happened in the last steps.
    pub(super) marks: BTreeSet<Race>,
    pub(super) broken: Option<String>,
}

impl Run {
    pub(super) fn new(scenario: &Arc<Scenario>) -> Self {
        let runtime =
            runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let cloud = Arc::new(Cloud::in_process(0));
        let site = Site::make(&cloud, scenario);
        let mut queue = Vec::new();
        let events = cloud.world().take_events();
        let running = events.iter().find(|event| event["detail"]["state"] == "running");
        let running = running.expect("the instance runs");
        for number in 1..=scenario.events {
            queue.push(Message::new(format!("event {number}"), running.clone()));
        }
        queue.extend(scenario.sweep.then(|| Message::sweep("sweep")));
        let mut run = Self {
            local: LocalSet::new(),
            runtime: runtime.expect("a runtime"),
            cloud,
            site,
            scenario: Arc::clone(scenario),
            at_work: Vec::new(),
            warm: Vec::new(),
            queue,
            returned: Vec::new(),
            turns: scenario.turns,
            kills: scenario.kills,
            stale: scenario.stale,
            minute: 0,
            names: Names::default(),
            tokens: BTreeMap::new(),
            guard: Guard::default(),
            marks: BTreeSet::new(),
            broken: None,
        };
        run.enter_sessions("the beginning");
        run.guard.remember_foreign(&run.cloud.world());
        run
    }

    pub(super) fn play(&mut self, choice: &Choice) {
        clock::set(self.minute);
        self.cloud.world().now = clock::since_1970().as_secs();
        match choice {
            Choice::Begin { message, deletions } => self.begin(message, *deletions),
            Choice::Call { message, call, .. } => self.let_through(message, *call, Fate::Answered),
            Choice::Outdated { message, call, action } => {
                self.stale -= 1;
                self.marks.insert(Race::StaleRead);
                self.cloud.faults().add(Fault::once(action, Kind::StaleRead));
                self.let_through(message, *call, Fate::Answered);
            }
            Choice::EndUnanswered { message, call, .. } => {
                self.let_through(message, *call, Fate::Unanswered);
                self.end(message);
            }
            Choice::End { message } => self.end(message),
            Choice::Act(act) => self.act(*act),
            Choice::Minute => self.minute += 1,
        }
        self.wait();
        self.finish_work();
        self.name_tokens();
        let broken = self.guard.check(&self.cloud.world());
        self.broken = self.broken.take().or(broken);
        self.mark_waiting();
    }

    /// Lets EC2 execute a call.
    fn let_through(&mut self, message: &str, call: usize, fate: Fate) {
        let held = self.work(message).process.held.clone();
        let request = held.waiting().swap_remove(call);
        let before = self.cloud.world().copy();
        held.let_through(call, fate);
        self.wait();
        if self.shown(&before) != self.shown(&self.cloud.world()) {
            self.cloud.world().freeze_at(before);
        }
        if request.action() == CREATE {
            let token = self.names.named(request.get("ClientToken").to_owned());
            let is_new = self.enter_sessions(&token);
            let answer = held.last_answer();
            self.mark_created(is_new, fate, &answer);
        } else if request.action() == DELETE {
            self.mark_deleted();
        }
    }

    /// Names the new sessions after the token that created them. Returns whether there are any.
    fn enter_sessions(&mut self, token: &str) -> bool {
        let world = self.cloud.world();
        let new = world.sessions().filter(|session| !self.names.knows(&session.id));
        let new: Vec<_> = new.cloned().collect();
        drop(world);
        for session in &new {
            let creator = if is_owned(session) { token } else { "a person" };
            self.names.give(&session.id, &format!("session of {creator}"));
            self.guard.enter(session, token);
            self.tokens.insert(token.to_owned(), self.names.named(session.id.clone()));
        }
        !new.is_empty()
    }

    /// Lets every invocation run until it has ended or waits for EC2.
    fn wait(&self) {
        self.local.block_on(&self.runtime, async { sleep(Duration::from_millis(5)).await });
    }

    fn work(&self, message: &str) -> &Work {
        let mut work = self.at_work.iter();
        work.find(|work| work.message.name == message).expect("it is at work")
    }

    fn begin(&mut self, message: &str, deletions: Option<usize>) {
        let position = self.queue.iter().position(|it| it.name == message);
        let message = self.queue.remove(position.expect("it is in the queue"));
        let process = match deletions {
            None => self.new_process(self.waits()),
            Some(deletions) => {
                let mut warm = self.warm.iter();
                let position = warm.position(|process| process.deletions == deletions);
                self.warm.remove(position.expect("it is idle"))
            }
        };
        self.at_work.push(process.begin(message, &self.local));
        self.at_work.sort_by(|left, right| left.message.name.cmp(&right.message.name));
    }

    pub(super) fn new_process(&self, waits: fn(&str) -> bool) -> Process {
        // Its timers use this runtime's clock, which stands still.
        let _inside = self.runtime.enter();
        Process::new(&self.cloud, &self.site, waits)
    }

    /// Which calls are held.
    fn waits(&self) -> fn(&str) -> bool {
        let about_sessions: fn(&str) -> bool =
            |action| !action.starts_with("Describe") || action == "DescribeTrafficMirrorSessions";
        if self.scenario.acts.iter().any(|act| act.is_about_tags()) {
            |action| {
                !action.starts_with("Describe")
                    || matches!(action, "DescribeTrafficMirrorSessions" | "DescribeInstances")
            }
        } else {
            about_sessions
        }
    }

    /// Ends an execution environment. Its message is retried later.
    fn end(&mut self, message: &str) {
        let position = self.at_work.iter().position(|work| work.message.name == message);
        let work = self.at_work.remove(position.expect("it is at work"));
        work.task.abort();
        self.returned.push(work.message);
        self.kills -= 1;
    }

    fn act(&mut self, act: Act) {
        self.turns -= 1;
        let mut world = self.cloud.world();
        world.take_events();
        world.freeze();
        act.perform(&mut world, &self.site);
        let events = world.take_events();
        self.guard.remember_foreign(&world);
        drop(world);
        for event in events.into_iter().filter(|event| passes(event, true)) {
            let name = format!("{act:?} {}", self.turns);
            self.queue.push(Message::new(name, event));
        }
        self.enter_sessions("");
    }

    /// Settles the invocations that have answered.
    fn finish_work(&mut self) {
        let (done, at_work) =
            mem::take(&mut self.at_work).into_iter().partition(|work| work.task.is_finished());
        self.at_work = at_work;
        for Work { mut process, message, task } in done {
            let answer = self.local.block_on(&self.runtime, task).expect("no panic");
            if message.is_returned(&answer) {
                self.returned.push(message);
            }
            process.deletions += process.held.deletions();
            process.held.forget();
            if process.deletions > 0 {
                self.warm.push(process);
                self.warm.sort_by_key(|process| process.deletions);
            }
        }
        self.returned.sort_by(|left, right| left.name.cmp(&right.name));
        self.queue.sort_by(|left, right| left.name.cmp(&right.name));
    }

    /// Names the new tokens after all that a token is derived from.
    fn name_tokens(&mut self) {
        for Work { process, message, .. } in &self.at_work {
            for request in process.held.waiting().iter().filter(|it| it.action() == CREATE) {
                let of = |name| request.get(name);
                let purpose = format!(
                    "token of minute {} after {} deletions{} for {} to {} through {}",
                    self.minute,
                    process.deletions + process.held.deletions(),
                    self.names.named(message.deleted().to_owned()),
                    of("SessionNumber"),
                    of("TrafficMirrorTargetId"),
                    of("TrafficMirrorFilterId"),
                );
                self.names.give(of("ClientToken"), &purpose);
            }
        }
    }
}
