//! What AWS Config shows of its recorder. Whoever names none is shown the one that the customer manages, and not those
//! of AWS's services (`DescribeConfigurationRecorders`). Both lists have one page.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_config::{
    Client,
    types::{
        ConfigurationRecorder, ConfigurationRecorderStatus, RecorderStatus, RecordingFrequency,
        RecordingGroup, RecordingMode, RecordingStrategyType, ResourceType,
    },
};
use shared::text::sanitize;

use super::super::{
    super::network::Fact,
    recorder::{Recorded, Recorder, Status},
};
use crate::problem::Problem;

pub(super) async fn recorders(
    config: &SdkConfig,
) -> (Fact<Option<Recorder>>, Fact<Option<Status>>) {
    let client = Client::new(config);
    tokio::join!(recorder(&client), status(&client))
}

async fn recorder(client: &Client) -> Fact<Option<Recorder>> {
    const ACTION: &str = "config:DescribeConfigurationRecorders";
    let answer = client.describe_configuration_recorders().send().await;
    let answer = answer.map_err(|error| Problem::refused(ACTION, &error))?;
    Ok(answer.configuration_recorders().first().map(Recorder::read))
}

async fn status(client: &Client) -> Fact<Option<Status>> {
    const ACTION: &str = "config:DescribeConfigurationRecorderStatus";
    let answer = client.describe_configuration_recorder_status().send().await;
    let answer = answer.map_err(|error| Problem::refused(ACTION, &error))?;
    Ok(answer.configuration_recorders_status().first().map(Status::read))
}

/// The longest name (`ConfigurationRecorder`). Whoever creates a recorder may write anything into it.
const MAX_NAME: usize = 256;

fn name(text: Option<&str>) -> String {
    sanitize(text.unwrap_or_default(), MAX_NAME)
}

impl Recorder {
    fn read(item: &ConfigurationRecorder) -> Self {
        // What is not shown is not recorded.
        let none = Recorded::Only(BTreeSet::new());
        Self {
            name: name(item.name()),
            records: item.recording_group().map_or(none, Recorded::of_group),
            daily: Recorded::daily(item.recording_mode()),
        }
    }
}

impl Recorded {
    /// An exclusion goes before everything else in the group (`RecordingStrategy`).
    fn of_group(group: &RecordingGroup) -> Self {
        let strategy = group.recording_strategy().and_then(|it| it.use_only());
        if strategy == Some(&RecordingStrategyType::ExclusionByResourceTypes) {
            let excluded = group.exclusion_by_resource_types();
            return Self::AllBut(
                excluded.into_iter().flat_map(|it| names(it.resource_types())).collect(),
            );
        }
        if group.all_supported() {
            return Self::AllBut(BTreeSet::new());
        }
        Self::Only(names(group.resource_types()).collect())
    }

    /// Continuous is the default (`RecordingMode`).
    fn daily(mode: Option<&RecordingMode>) -> Self {
        let Some(mode) = mode else { return Self::Only(BTreeSet::new()) };
        let is_daily = *mode.recording_frequency() == RecordingFrequency::Daily;
        let others = mode.recording_mode_overrides().iter();
        let others = others.filter(|it| it.recording_frequency() != mode.recording_frequency());
        let others = others.flat_map(|it| names(it.resource_types())).collect();
        if is_daily { Self::AllBut(others) } else { Self::Only(others) }
    }
}

fn names(types: &[ResourceType]) -> impl Iterator<Item = String> {
    types.iter().map(|it| it.as_str().to_owned())
}

impl Status {
    fn read(item: &ConfigurationRecorderStatus) -> Self {
        // AWS writes it in capitals, and its model does not.
        let status = item.last_status().map(RecorderStatus::as_str);
        let has_failed = status.is_some_and(|it| it.eq_ignore_ascii_case("failure"));
        let code = || item.last_error_code().unwrap_or("AWS names no code").to_owned();
        Self {
            name: name(item.name()),
            is_recording: item.recording(),
            failure: has_failed.then(code),
        }
    }
}
