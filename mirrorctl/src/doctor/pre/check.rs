//! What is found out about one thing that mirroring needs.

use serde::Serialize;
use shared::plan::reason::Reason;

use super::super::trouble::{Grade, Trouble};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Topic {
    /// AWS Config's recorder is there and works.
    Recorder,
    /// It records what the Config rule evaluates.
    RecordedTypes,
    /// It records that when it changes.
    RecordingFrequency,
    /// A CloudTrail trail logs the calls that automirror waits for.
    Trail,
    /// The settings select something.
    Sources,
    /// EC2 can mirror the types of these instances.
    InstanceTypes,
    /// AWS allows as many as are needed.
    Quota,
    /// What stands at a target receives.
    Target,
    /// The targets take all sources.
    Room,
    /// The filter that the settings name is there and accepts something.
    Filter,
}

/// What was seen to be fine, or what is the matter.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) topic: Topic,
    pub(crate) result: Result<String, Trouble>,
}

impl Topic {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Recorder => "recorder",
            Self::RecordedTypes => "recorded-types",
            Self::RecordingFrequency => "recording-frequency",
            Self::Trail => "trail",
            Self::Sources => "sources",
            Self::InstanceTypes => "instance-types",
            Self::Quota => "quota",
            Self::Target => "target",
            Self::Room => "room",
            Self::Filter => "filter",
        }
    }
}

impl Check {
    /// How it stands: none where it is fine.
    pub(crate) fn grade(&self) -> Option<Grade> {
        self.result.as_ref().err().map(|trouble| trouble.grade)
    }
}

/// What the plan would say, in its words.
pub(super) fn by_plan(grade: Grade, reason: &Reason, at: impl Into<String>) -> Trouble {
    Trouble { grade, code: reason.code(), at: at.into(), detail: reason.to_string() }
}
