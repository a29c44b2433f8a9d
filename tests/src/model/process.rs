//! An execution environment of automirror whose calls are held until the model checker lets them through.

use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;

use automirror::event::cloudtrail::Identity;
use automirror::handler::Handler;
use lambda_runtime::LambdaEvent;
use tokio::task::{JoinHandle, LocalSet};

use super::clock;
use super::held::Held;
use super::message::Message;
use super::site::Site;
use crate::cloud::{Cloud, Gate};
use crate::lambda::Answer;
use crate::simulation::process::{answer, context, credentials, sdk_config_over};

const NAME: &str = "automirror";

/// One for all execution environments: CloudTrail marks automirror's own calls with it, and the queue gets no
/// events about those.
const ACCESS_KEY: &str = "ASIAEXAMPLE";

#[derive(Clone)]
pub(super) struct Process {
    handler: Rc<Handler>,
    pub(super) held: Held,
    /// How many sessions it has deleted: its client tokens depend on that.
    pub(super) deletions: usize,
}

/// An execution environment with a message.
pub(super) struct Work {
    pub(super) process: Process,
    pub(super) message: Message,
    pub(super) task: JoinHandle<Answer>,
}

impl Process {
    pub(super) fn new(cloud: &Cloud, site: &Site, waits: fn(&str) -> bool) -> Self {
        let held = Held::new(waits);
        let open: Gate = Arc::new(|_, _| Box::pin(ready(())));
        let config =
            sdk_config_over(held.before(cloud.connect(open)), credentials(ACCESS_KEY, NAME));
        let own = Identity { function_name: NAME.to_owned(), access_key: ACCESS_KEY.to_owned() };
        let handler = Rc::new(Handler::new(
            site.policy.clone(),
            site.run_settings.clone(),
            own,
            &config,
            clock::now,
        ));
        Self { handler, held, deletions: 0 }
    }

    pub(super) fn begin(self, mut message: Message, local: &LocalSet) -> Work {
        message.receives += 1;
        let request_id = format!("{} {}", message.name, message.receives);
        let context = context(NAME, request_id, clock::since_1970());
        let event = LambdaEvent::new(message.batch().into(), context);
        let handler = Rc::clone(&self.handler);
        let task = local.spawn_local(async move { answer(handler.handle(event).await) });
        Work { process: self, message, task }
    }
}
