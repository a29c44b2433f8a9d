//! The schedule of config-rule with a time-out that matters, in no real time.

use std::sync::Arc;
use std::time::Duration;

use config_rule::handler::Handler;
use lambda_runtime::LambdaEvent;
use shared_ec2::client::{Ec2, own_retries};
use shared_elb::Elb;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::process::{answer, context_until, credentials, sdk_config_over};
use super::site::Which;
use super::{clock, still};
use crate::aws::config::PutRule;
use crate::cloud::{Cloud, Gate, Moment};
use crate::lambda::Answer;

/// config-rule in one execution environment, each of whose calls takes a while.
pub struct Rule {
    runtime: Runtime,
    cloud: Arc<Cloud>,
    handler: Handler,
}

impl Rule {
    /// A rule with the default settings, whose calls take so long.
    ///
    /// # Panics
    /// If the rule cannot be created.
    pub fn new(cloud: &Arc<Cloud>, call: Duration) -> Self {
        let runtime = still(0);
        runtime.block_on(async { clock::start() });
        let credentials = credentials("ASIACONFIGRULE", "config-rule");
        let sdk_config = sdk_config_over(cloud.connect(gate(cloud, call)), credentials);
        let config = aws_sdk_config::config::Builder::from(&sdk_config)
            .retry_partition(own_retries("config"))
            .build();
        let handler = Handler {
            setting: |_| None,
            now: clock::now,
            ec2: Ec2::new(&sdk_config),
            elb: Elb::new(&sdk_config),
            config: aws_sdk_config::Client::from_conf(config),
        };
        cloud.config().put_rule(&PutRule::new(Which::First.rule())).expect("a rule");
        Self { runtime, cloud: Arc::clone(cloud), handler }
    }

    /// What the schedule comes to in so much time.
    pub fn scheduled(&self, timeout: Duration) -> Answer {
        let run = async {
            // Nothing else happens at the same moment.
            sleep(Duration::from_secs(1)).await;
            let event = {
                let mut world = self.cloud.world();
                world.now = clock::since_1970().as_secs();
                let mut config = self.cloud.config();
                let message = config.scheduled_notification(&world);
                config.invocation(&world, Which::First.rule(), &message, false)
            };
            let end = clock::since_1970() + timeout;
            let context = context_until("config-rule", "config-rule".to_owned(), end);
            answer(self.handler.handle(LambdaEvent::new(event, context)).await)
        };
        LocalSet::new().block_on(&self.runtime, run)
    }

    /// How much time has passed.
    pub fn elapsed(&self) -> Duration {
        let now = self.runtime.block_on(async { clock::since_1970() });
        now.saturating_sub(clock::BEGIN)
    }
}

fn gate(cloud: &Arc<Cloud>, call: Duration) -> Gate {
    let cloud = Arc::clone(cloud);
    Arc::new(move |_, moment| {
        let cloud = Arc::clone(&cloud);
        Box::pin(async move {
            if moment == Moment::Before {
                sleep(call).await;
                cloud.world().now = clock::since_1970().as_secs();
            }
        })
    })
}
