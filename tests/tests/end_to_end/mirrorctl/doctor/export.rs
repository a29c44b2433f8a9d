//! `doctor --output asff` and `ocsf`: what Security Hub and a SIEM are told. tests/findings judges the files that are
//! written here by the formats' own schemas.

use local_cloud::{
    aws::ec2::{CreateSession, RunInstances},
    cloud::fault::{self, Fault},
};
use regex_lite::Regex;
use serde_json::Value;

use super::{
    super::{
        Answer, folder, is_as_written,
        problems::{is_problem, refusal},
        story,
    },
    WHOLE, Way,
    way::Kind,
};
use crate::stage::{stage, tagged, user};

const FORMATS: [&str; 2] = ["asff", "ocsf"];

/// What a finding says: its id, what is wrong, its result, and whether it is open.
fn said(finding: &Value) -> [String; 4] {
    let text = |pointer: &str| finding.pointer(pointer)?.as_str().map(str::to_owned);
    let either = |asff: &str, ocsf: &str| text(asff).or_else(|| text(ocsf)).unwrap();
    let code = either("/GeneratorId", "/compliance/status_code");
    [
        either("/Id", "/finding_info/uid"),
        code.trim_start_matches("mirrorctl/doctor").trim_start_matches('/').replace("fine", ""),
        either("/Compliance/Status", "/compliance/status"),
        either("/RecordState", "/activity_name"),
    ]
}

fn all(answer: &Answer) -> Vec<[String; 4]> {
    answer.json().as_array().unwrap().iter().map(said).collect()
}

fn ask(way: &Way, format: &str, arguments: &[&str]) -> Answer {
    way.doctor(&[&WHOLE, &["--output", format], arguments].concat())
}

/// The finding of the only source, without its id, which must be this.
#[track_caller]
fn of_source(way: &Way, answer: &Answer) -> [String; 3] {
    let source = way.stage.interface(&way.source);
    let id = format!("mirrorctl/doctor/111122223333/us-east-1/{source}");
    let found = all(answer);
    let found = found.iter().find(|[it, ..]| *it == id);
    let [_, rest @ ..] = found.unwrap_or_else(|| panic!("{}", answer.out)).clone();
    rest
}

/// What passed and was closed, in each format.
fn is_closed([code, result, state]: &[String; 3]) -> bool {
    let (result, state) = (result.as_str(), state.as_str());
    code.is_empty() && matches!((result, state), ("PASSED", "ARCHIVED") | ("Pass", "Close"))
}

#[tokio::test]
async fn what_is_broken_opens_a_finding_and_what_is_fine_again_closes_it() {
    let open = |asff, ocsf| [("asff", asff, "ACTIVE"), ("ocsf", ocsf, "Create")];
    let way = Way::new(Kind::Balancer).await;
    for format in FORMATS {
        assert!(is_closed(&of_source(&way, &ask(&way, format, &[]))), "{format}");
    }
    let sensor = way.sensor.clone();
    way.balancer(|it| it.listeners.clear());
    for (format, result, state) in open("FAILED", "Fail") {
        let answer = ask(&way, format, &[]);
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert_eq!(of_source(&way, &answer), ["no-listener", result, state]);
    }
    way.balancer(|it| it.listen(&[&sensor]));
    way.stage.fault(Fault::new("DescribeListeners", refusal("AccessDenied")));
    for (format, result, state) in open("NOT_AVAILABLE", "Unknown") {
        let answer = ask(&way, format, &[]);
        assert_eq!(answer.code, 1, "{}", answer.err);
        assert_eq!(of_source(&way, &answer), ["no-permission", result, state]);
    }
    way.stage.recover();
    for (format, result, state) in open("WARNING", "Warning") {
        let answer = way.doctor(&["--output", format]);
        assert_eq!(of_source(&way, &answer), ["packets-cut", result, state]);
    }
    for format in FORMATS {
        let answer = ask(&way, format, &[]);
        assert!(is_closed(&of_source(&way, &answer)), "{}", answer.out);
    }
}

/// Security Hub would take two findings with one id for one, and the second would undo the first.
#[tokio::test]
async fn a_source_with_two_sessions_has_one_finding_with_the_worse_of_both() {
    let way = Way::new(Kind::Balancer).await;
    let first = way.stage.session(&way.source);
    let second = CreateSession {
        interface: way.stage.interface(&way.source),
        target: way.target.clone(),
        filter: way.stage.filter.clone(),
        number: Some(2),
        tags: first.tags,
        ..CreateSession::default()
    };
    way.stage.world().create_session(&user(), &second).unwrap();
    for (format, result) in [("asff", "FAILED"), ("ocsf", "Fail")] {
        let answer = ask(&way, format, &[]);
        let [code, found, _] = of_source(&way, &answer);
        assert_eq!((code.as_str(), found.as_str()), ("duplicate", result), "{}", answer.out);
        assert_eq!(all(&answer).len(), 2, "the place and the source: {}", answer.out);
    }
}

#[tokio::test]
async fn a_place_that_could_not_be_read_is_a_finding_until_it_can() {
    let way = Way::new(Kind::Balancer).await;
    let id = "mirrorctl/doctor/111122223333/us-east-1";
    for (format, result) in [("asff", "NOT_AVAILABLE"), ("ocsf", "Unknown")] {
        way.stage.fault(Fault::new("DescribeInstances", refusal("UnauthorizedOperation")));
        let answer = ask(&way, format, &[]);
        is_problem(&answer, "no-permission");
        let found = all(&answer);
        let [[found, code, unknown, _]] = &found[..] else { panic!("{}", answer.out) };
        assert_eq!([found, code, unknown], [id, "no-permission", result]);
        way.stage.recover();
        let [found, rest @ ..] = all(&ask(&way, format, &[]))[0].clone();
        assert!(found == id && is_closed(&rest), "{found} {rest:?}");
    }
}

/// Neither format has a place for it, so standard error has it, and nothing is closed.
#[tokio::test]
async fn what_belongs_to_no_account_closes_nothing() {
    let way = Way::new(Kind::Balancer).await;
    let missing = format!("{}={}", way.target, folder("export").join("none.json").display());
    let seen = ["--seen", &missing, "--seen-key", "none.pub"];
    for format in FORMATS {
        let answer = ask(&way, format, &seen);
        assert_eq!((answer.code, all(&answer)), (1, Vec::new()), "{}", answer.out);
        assert!(answer.err.contains("error["), "{}", answer.err);
    }
    way.balancer(|it| it.listeners.clear());
    for format in FORMATS {
        let [code, ..] = of_source(&way, &ask(&way, format, &seen));
        assert_eq!(code, "no-listener", "what is broken is told");
    }
    // Something that is there is not in the answer, whatever it is.
    way.stage.fault(Fault::new("DescribeTrafficMirrorTargets", unreadable()));
    for format in FORMATS {
        let answer = ask(&way, format, &[]);
        is_problem(&answer, "unreadable-item");
        let closed = all(&answer).iter().any(|it| it[3] == "ARCHIVED" || it[3] == "Close");
        assert!(!closed, "{}", answer.out);
    }
}

/// Every item of a list is unreadable.
fn unreadable() -> fault::Kind {
    fault::Kind::Unreadable { per_mille: 1000 }
}

#[tokio::test]
async fn what_is_accepted_is_closed() {
    let way = Way::new(Kind::Balancer).await;
    let old = RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() };
    let old = way.stage.interface(&way.stage.launch(&old));
    way.stage.let_run();
    for (format, text) in [("asff", "/Description"), ("ocsf", "/message")] {
        let [limited, accepted] = [&[][..], &["--ignore", "instance-type=*"]].map(|arguments| {
            let answer = ask(&way, format, arguments).json();
            let mut findings = answer.as_array().unwrap().iter();
            findings.find(|it| said(it)[0].ends_with(&old)).unwrap().clone()
        });
        assert_eq!(said(&limited)[1], "instance-type");
        let [_, rest @ ..] = said(&accepted);
        assert!(is_closed(&rest), "{accepted}");
        assert!(accepted.pointer(text).unwrap().as_str().unwrap().contains("--ignore accepts"));
    }
}

#[tokio::test]
async fn only_doctor_has_them() {
    let stage = stage().await;
    for format in FORMATS {
        let commands: [(&str, &[&str]); 6] = [
            ("plan", &["plan"]),
            ("status", &["status"]),
            ("codes", &["codes"]),
            ("map", &["map"]),
            ("explain", &["explain", "i-1"]),
            ("doctor --pre", &["doctor", "--pre"]),
        ];
        for (name, command) in commands {
            let answer = stage.mirrorctl(&[command, &["--output", format]].concat());
            assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{command:?}");
            for part in [
                format!("`{name}` has no --output {format}"),
                format!("`{name}` has: text, json, ndjson, csv, markdown\n"),
            ] {
                assert!(answer.err.contains(&part), "{}", answer.err);
            }
        }
    }
    assert!(stage.deployment.cloud.calls().is_empty(), "none of them asks AWS");
}

/// Another time in each run.
fn at_one_time(text: &str) -> String {
    let text =
        Regex::new(r#"(At": )"[^"]+""#).unwrap().replace_all(text, "$1\"2026-01-01T00:00:00Z\"");
    let numbers = Regex::new(r#"(time": )\d+"#).unwrap();
    numbers.replace_all(&text, "${1}1767225600000").into_owned()
}

#[tokio::test]
async fn the_findings_are_what_they_were() {
    let stage = story().await;
    let way = Way::new(Kind::Balancer).await;
    way.stage.launch(&tagged());
    way.stage.let_run();
    way.sweep().await;
    for format in FORMATS {
        // A region that is not enabled cannot be read.
        let regions = ["--region", "us-east-1,me-south-1"];
        let bad = stage.mirrorctl(&[&["doctor", "--output", format], &regions[..]].concat());
        assert_eq!(bad.code, 1, "{}", bad.err);
        is_as_written(&format!("tests/mirrorctl/{format}.json"), &at_one_time(&bad.out));
        let fine = ask(&way, format, &[]);
        assert_eq!(fine.code, 0, "{}", fine.err);
        is_as_written(&format!("tests/mirrorctl/{format}-fine.json"), &at_one_time(&fine.out));
    }
}
