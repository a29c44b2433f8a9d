//! `doctor --seen`: what sensors have captured is the last link.

use std::{fs, path::PathBuf, time::SystemTime};

use local_cloud::aws::ec2::{Copied, CreateSession, ModifySession, vxlan::pcap};
use serde_json::Value;

use super::{
    super::{
        Answer,
        problems::is_problem,
        sensor::{START, alone, signing},
    },
    Way, ask, findings, is_fine,
    way::Kind,
};
use crate::stage::{machine, tagged, user};

/// A sensor: where it captures, and its keys.
pub(super) struct Sensor {
    capture: PathBuf,
    key: String,
    public: String,
    out: String,
}

impl Sensor {
    pub(super) fn new(name: &str) -> Self {
        let (_, [capture, key, public, out]) = signing(name);
        Self { capture: capture.into(), key, public, out }
    }

    /// Writes what it has seen: copies of these, a moment ago.
    #[expect(clippy::disallowed_methods, reason = "mirrorctl reads the real clock")]
    pub(super) fn sees(&self, copies: &[Copied]) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        self.saw(copies, now.try_into().unwrap());
    }

    /// The same from this second on.
    fn saw(&self, copies: &[Copied], second: u32) {
        fs::write(&self.capture, pcap(copies, second)).unwrap();
        let capture = self.capture.to_str().unwrap();
        let answer = alone(&["seen", capture, "--out", &self.out, "--key", &self.key]);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }

    /// It is behind this target.
    fn behind(&self, target: &str) -> [String; 4] {
        let seen = format!("{target}={}", self.out);
        ["--seen", &seen, "--seen-key", &self.public].map(str::to_owned)
    }
}

/// Asks with what these sensors have seen.
pub(super) fn ask_with(way: &Way, sensors: &[&Sensor], arguments: &[&str]) -> Answer {
    let seen: Vec<_> = sensors.iter().flat_map(|it| it.behind(&way.target)).collect();
    let seen = seen.iter().map(String::as_str);
    ask(way, &seen.chain(arguments.iter().copied()).collect::<Vec<_>>())
}

pub(super) fn copies(way: &Way) -> Vec<Copied> {
    way.stage.world().copies()
}

fn state(code: &str, links: &str) -> (String, String, Vec<String>) {
    (code.to_owned(), "cannot-tell".to_owned(), vec![links.to_owned()])
}

/// What has arrived has come the way of which AWS shows nothing. Only whether long packets arrive whole is open where
/// nobody sees what is at the target.
#[tokio::test]
async fn a_capture_is_evidence_for_the_whole_way() {
    let kinds = [Kind::Interface, Kind::Peered, Kind::Balancer, Kind::Endpoint, Kind::Shared];
    for kind in kinds {
        let way = Way::new(kind).await;
        let sensor = Sensor::new(&format!("arrival-{kind:?}"));
        sensor.sees(&copies(&way));
        let answer = ask_with(&way, &[&sensor], &[]);
        let path = answer.json()["places"][0]["paths"][0].clone();
        assert_eq!(path["links"]["arrival"], "fine", "{path}");
        if kind == Kind::Shared {
            assert_eq!(findings(&answer), [state("other-account", "mtu")]);
            let accepted = ask_with(&way, &[&sensor], &["--ignore", "other-account=*"]);
            is_fine(&accepted, "accepted");
        } else {
            is_fine(&answer, &format!("{kind:?}"));
        }
        let is_known = !matches!(kind, Kind::Endpoint | Kind::Shared);
        assert_eq!(ask(&way, &[]).code == 0, is_known, "{kind:?}: without a capture");
    }
}

/// The advice: capture again while the source sends something.
#[tokio::test]
async fn a_source_that_no_sensor_has_seen_is_not_green() {
    let way = Way::new(Kind::Balancer).await;
    let second = way.stage.launch(&tagged());
    way.stage.let_run();
    way.sweep().await;
    let silent = way.stage.session(&second).id;
    let sensor = Sensor::new("silent");
    let all = copies(&way);
    let heard: Vec<_> = all.iter().filter(|it| it.session != silent).cloned().collect();
    sensor.sees(&heard);
    let answer = ask_with(&way, &[&sensor], &[]);
    assert_eq!(findings(&answer), [state("not-seen", "arrival")]);
    assert_eq!(answer.code, 1);
    let accepted = format!("not-seen={second}");
    let answer = ask_with(&way, &[&sensor], &["--ignore", &accepted]);
    assert_eq!((answer.code, findings(&answer)), (0, Vec::new()));
    // Two sensors share what there is, each with a key of its own.
    let other = Sensor::new("silent-too");
    let rest: Vec<_> = all.iter().filter(|it| it.session == silent).cloned().collect();
    other.sees(&rest);
    for both in [[&sensor, &other], [&other, &sensor]] {
        let answer = ask_with(&way, &both, &[]);
        assert_eq!((answer.code, findings(&answer)), (0, vec![]));
    }
    sensor.sees(&all);
    assert_eq!(ask_with(&way, &[&sensor], &[]).code, 0);
    // An old capture says nothing of today, however new its file is.
    sensor.saw(&all, START);
    let answer = ask_with(&way, &[&sensor], &[]);
    assert_eq!((answer.code, findings(&answer)), (1, vec![state("not-seen", "arrival")]));
    // What is broken explains why nothing comes; what has come all the same is told beside it.
    way.balancer(|it| it.listeners.clear());
    for (seen, arrival) in [(&all[..], "fine"), (&[][..], "null")] {
        sensor.sees(seen);
        let answer = ask_with(&way, &[&sensor], &[]);
        assert_eq!(answer.code, 2, "{}", answer.out);
        let paths = answer.json()["places"][0]["paths"].clone();
        let state = &paths[0]["links"]["arrival"];
        assert_eq!(state.as_str().unwrap_or("null"), arrival, "{paths}");
    }
    // Who accepts that it is broken has the more need of a capture.
    let answer = ask_with(&way, &[&sensor], &["--ignore", "no-listener=*"]);
    assert_eq!((answer.code, findings(&answer)), (1, vec![state("not-seen", "arrival")]));
}

/// The advice: a VNI of its own for each session.
#[tokio::test]
async fn copies_that_two_sessions_may_have_sent_are_nobodys() {
    let way = Way::new(Kind::Interface).await;
    let ours = way.stage.session(&way.source);
    let foreign = CreateSession {
        interface: ours.interface.clone(),
        target: way.target.clone(),
        filter: way.stage.filter.clone(),
        number: Some(9),
        vni: Some(ours.vni.into()),
        ..CreateSession::default()
    };
    let foreign = way.stage.world().create_session(&user(), &foreign).unwrap().id;
    let sensor = Sensor::new("same-sender");
    sensor.sees(&copies(&way));
    let answer = ask_with(&way, &[&sensor], &[]);
    assert_eq!(findings(&answer), [state("same-sender", "arrival")]);
    assert_eq!(answer.code, 1);
    let own = ModifySession { session: foreign, vni: Some(7), ..ModifySession::default() };
    way.stage.world().modify_session(&user(), &own).unwrap();
    sensor.sees(&copies(&way));
    assert_eq!(ask_with(&way, &[&sensor], &[]).code, 0);
}

/// A session of somebody else in the account is none of them, whatever its VNI is.
#[tokio::test]
async fn whoever_sends_for_no_session_is_named() {
    let way = Way::new(Kind::Interface).await;
    let untagged = way.stage.launch(&machine(&[]));
    way.stage.let_run();
    let foreign = CreateSession {
        interface: way.stage.interface(&untagged),
        target: way.target.clone(),
        filter: way.stage.filter.clone(),
        number: Some(1),
        vni: Some(4_242),
        ..CreateSession::default()
    };
    way.stage.world().create_session(&user(), &foreign).unwrap();
    let sensor = Sensor::new("strangers");
    let mut all = copies(&way);
    assert!(all.iter().any(|copy| copy.vni == 4_242));
    let strangers: Vec<_> =
        (1..=5).map(|vni| Copied { vni, from: [10, 9, 8, 7].into(), ..all[0].clone() }).collect();
    all.extend(strangers);
    sensor.sees(&all);
    let seen = sensor.behind(&way.target);
    let with = |more: &[&str]| {
        let seen = seen.iter().map(String::as_str);
        way.doctor(
            &["--source-mtu", "1500"]
                .into_iter()
                .chain(seen)
                .chain(more.iter().copied())
                .collect::<Vec<_>>(),
        )
    };
    let text = with(&[]);
    assert_eq!(text.code, 0, "{}", text.out);
    let target = &way.target;
    let line = format!(
        "captured, and of no session whose address was read: 10.9.8.7 VNI 1 at {target}, 10.9.8.7 VNI 2 at \
         {target}, 10.9.8.7 VNI 3 at {target} and 2 more"
    );
    assert!(text.out.contains(&line), "{}", text.out);
    let lines = with(&["--output", "ndjson"]).out;
    assert_eq!(lines.lines().filter(|line| line.contains("\"stranger\"")).count(), 5, "{lines}");
    let json = with(&["--output", "json"]).json();
    assert_eq!(json["places"][1]["strangers"].as_array().unwrap().len(), 5, "{json}");
    // Twice the same place is still one session.
    let twice = with(&["--region", "us-east-1,us-east-1"]);
    assert_eq!(twice.code, 0, "{}", twice.out);
}

/// Without a file to rely on the rest is told, and nothing of it is green by that file.
#[tokio::test]
async fn a_file_that_cannot_be_relied_on_proves_nothing() {
    let way = Way::new(Kind::Endpoint).await;
    let (sensor, other) = (Sensor::new("unreliable"), Sensor::new("of-somebody-else"));
    sensor.sees(&copies(&way));
    let with = |file: &str, key: &str| {
        let seen = format!("{}={file}", way.target);
        ask(&way, &["--seen", &seen, "--seen-key", key])
    };
    for (answer, code) in [
        (with(&sensor.out, &other.public), "bad-signature"),
        (with(&sensor.out, &sensor.key), "bad-key"),
        (with("none.json", &sensor.public), "bad-file"),
    ] {
        is_problem(&answer, code);
        let places = answer.json()["places"].as_array().unwrap().clone();
        let [_, place] = places.as_slice() else { panic!("{places:?}") };
        let links = &place["paths"][0]["links"];
        assert_eq!((&links["health"], &links["arrival"]), (&"cannot-tell".into(), &Value::Null));
    }
    let [_, seen, _, key] = sensor.behind(&way.target);
    for wrong in [&["--seen", &seen][..], &["--seen-key", &key]] {
        assert_eq!(ask(&way, wrong).code, 64, "{wrong:?}");
    }
    for wrong in [&sensor.out, "tmt-1", "tmt-1=", "=x", "i-1=x"] {
        assert_eq!(ask(&way, &["--seen", wrong, "--seen-key", &key]).code, 64, "{wrong}");
    }
}
