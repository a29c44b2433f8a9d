//! The recorder that the customer manages, as AWS Config describes it.

use serde_json::{Value, json};

/// What is recorded, in the words of the API. Whether it is on is [`Config::recording`](super::Config::recording).
#[derive(Clone, Debug)]
pub struct Recorder {
    pub name: String,
    /// `recordingGroup`.
    pub group: Value,
    /// `recordingMode`.
    pub mode: Value,
    /// AWS writes it in capitals, and its model does not.
    pub last_status: String,
}

impl Default for Recorder {
    /// As the console creates one: everything, continuously.
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            group: json!({
                "allSupported": true,
                "includeGlobalResourceTypes": false,
                "resourceTypes": [],
                "exclusionByResourceTypes": {"resourceTypes": []},
                "recordingStrategy": {"useOnly": "ALL_SUPPORTED_RESOURCE_TYPES"},
            }),
            mode: json!({"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": []}),
            last_status: "SUCCESS".to_owned(),
        }
    }
}

impl Recorder {
    pub(super) fn described(&self) -> Value {
        json!({
            "name": self.name,
            "roleARN": "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
            "recordingGroup": self.group,
            "recordingMode": self.mode,
            "recordingScope": "PAID",
        })
    }

    pub(super) fn status(&self, is_recording: bool) -> Value {
        let error = self.last_status.eq_ignore_ascii_case("failure").then_some("AccessDenied");
        json!({
            "name": self.name,
            "recording": is_recording,
            "lastStatus": self.last_status,
            "lastErrorCode": error,
        })
    }
}
