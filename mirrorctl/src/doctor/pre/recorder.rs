//! Whether AWS Config records what its rule evaluates. Without the recorder a rule is not evaluated on changes ("Working
//! with the configuration recorder"), and what is recorded daily is evaluated daily (`RecordingMode`).

use std::collections::BTreeSet;

use super::{
    super::{
        network::Fact,
        trouble::{
            NO_RECORDER, RECORDED_DAILY, RECORDER_FAILING, RECORDER_STOPPED, TYPE_NOT_RECORDED,
            Trouble,
        },
    },
    check::{Check, Topic},
};

/// The types that the Config rule evaluates.
const TYPES: [&str; 2] = ["AWS::EC2::Instance", "AWS::EC2::TrafficMirrorSession"];

/// The recorder of the account in a region.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(super) name: String,
    pub(super) records: Recorded,
    /// What it records daily, as far as it records it.
    pub(super) daily: Recorded,
}

/// Types of resources.
#[derive(Clone, Debug)]
pub(super) enum Recorded {
    Only(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

/// What the recorder does.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(super) name: String,
    pub(super) is_recording: bool,
    /// AWS's code, where the last recording failed.
    pub(super) failure: Option<String>,
}

impl Recorded {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Only(types) => types.contains(name),
            Self::AllBut(types) => !types.contains(name),
        }
    }
}

pub(super) fn checks(
    region: &str,
    recorder: &Fact<Option<Recorder>>,
    status: &Fact<Option<Status>>,
) -> Vec<Check> {
    let mut checks = vec![Check { topic: Topic::Recorder, result: works(region, status) }];
    let recorder = match recorder {
        Ok(Some(recorder)) => Ok(recorder),
        Ok(None) => Err(missing(region)),
        Err(problem) => Err(Trouble::unread(problem)),
    };
    for (topic, judge) in [
        (Topic::RecordedTypes, records as fn(&Recorder, &str) -> _),
        (Topic::RecordingFrequency, records_changes),
    ] {
        match &recorder {
            Ok(recorder) => {
                let of_type = |name| Check { topic, result: judge(recorder, name) };
                checks.extend(TYPES.map(of_type));
            }
            Err(trouble) => checks.push(Check { topic, result: Err(trouble.clone()) }),
        }
    }
    checks
}

fn missing(region: &str) -> Trouble {
    Trouble::new(&NO_RECORDER, region, format!("AWS Config has no recorder in {region}"))
}

fn works(region: &str, status: &Fact<Option<Status>>) -> Result<String, Trouble> {
    let status = status.as_ref().map_err(Trouble::unread)?;
    let Status { name, is_recording, failure } = status.as_ref().ok_or_else(|| missing(region))?;
    if !is_recording {
        let detail = format!("recorder {name} is stopped");
        return Err(Trouble::new(&RECORDER_STOPPED, name, detail));
    }
    match failure {
        None => Ok(format!("recorder {name} records")),
        Some(code) => {
            let detail = format!("the last recording of {name} failed: {code}");
            Err(Trouble::new(&RECORDER_FAILING, name, detail))
        }
    }
}

fn records(recorder: &Recorder, name: &str) -> Result<String, Trouble> {
    let recorder_name = &recorder.name;
    if recorder.records.has(name) {
        return Ok(format!("recorder {recorder_name} records {name}"));
    }
    let detail = format!("recorder {recorder_name} does not record {name}");
    Err(Trouble::new(&TYPE_NOT_RECORDED, name, detail))
}

fn records_changes(recorder: &Recorder, name: &str) -> Result<String, Trouble> {
    let recorder_name = &recorder.name;
    // What is not recorded at all is another finding.
    records(recorder, name)?;
    if !recorder.daily.has(name) {
        return Ok(format!("recorder {recorder_name} records {name} continuously"));
    }
    let detail = format!("recorder {recorder_name} records {name} once a day");
    Err(Trouble::new(&RECORDED_DAILY, name, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn refused<T>(action: &str) -> Fact<T> {
        Err(Problem::of_call(action, Some("AccessDeniedException"), &std::fmt::Error))
    }

    fn types(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Each check that is not fine, by its name and code.
    fn found(
        recorder: &Fact<Option<Recorder>>,
        status: &Fact<Option<Status>>,
    ) -> Vec<(&'static str, &'static str)> {
        let checks = checks("z", recorder, status).into_iter();
        checks.filter_map(|it| Some((it.topic.name(), it.result.err()?.code))).collect()
    }

    #[test]
    fn what_one_call_does_not_tell_is_not_told_by_the_other() {
        let all = Recorded::AllBut(types(&[]));
        let recorder = Recorder {
            name: "r".to_owned(),
            records: all.clone(),
            daily: Recorded::Only(types(&[])),
        };
        let recorder = Ok(Some(recorder));
        let status = Status { name: "r".to_owned(), is_recording: true, failure: None };
        let status = Ok(Some(status));
        let hidden = "no-permission";
        assert_eq!(found(&recorder, &status), []);
        assert_eq!(found(&recorder, &refused("a:B")), [("recorder", hidden)]);
        let unread = found(&refused("a:B"), &status);
        assert_eq!(unread, [("recorded-types", hidden), ("recording-frequency", hidden)]);
        let none = found(&Ok(None), &Ok(None));
        let topics = ["recorder", "recorded-types", "recording-frequency"];
        assert_eq!(none, topics.map(|topic| (topic, "no-recorder")));
    }

    #[test]
    fn a_type_is_recorded_or_not_and_at_once_or_daily() {
        let [instance, session] = TYPES;
        let none = || Recorded::Only(types(&[]));
        for (records, daily, expected) in [
            (Recorded::Only(types(&TYPES)), none(), vec![]),
            (Recorded::AllBut(types(&["AWS::S3::Bucket"])), none(), vec![]),
            // What is not recorded is that for its frequency, too.
            (none(), none(), vec!["type-not-recorded"; 4]),
            (Recorded::AllBut(types(&[session])), none(), vec!["type-not-recorded"; 2]),
            (
                Recorded::AllBut(types(&[])),
                Recorded::AllBut(types(&[instance])),
                vec!["recorded-daily"],
            ),
            (Recorded::AllBut(types(&[])), Recorded::AllBut(types(&[])), vec!["recorded-daily"; 2]),
        ] {
            let recorder = Recorder { name: "r".to_owned(), records, daily };
            let status = Status { name: "r".to_owned(), is_recording: true, failure: None };
            let codes: Vec<_> = found(&Ok(Some(recorder.clone())), &Ok(Some(status)))
                .into_iter()
                .map(|(_, code)| code)
                .collect();
            assert_eq!(codes, expected, "{recorder:?}");
        }
    }
}
