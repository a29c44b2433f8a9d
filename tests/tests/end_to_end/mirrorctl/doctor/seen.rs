//! `doctor --seen`: what sensors have captured is the last link.

use std::{fs, path::PathBuf};

use local_cloud::aws::ec2::{Copied, CreateSession, Endpoint, ModifySession, vxlan::pcap};
use serde_json::Value;

use super::{
    super::{
        problems::is_problem,
        sensor::{START, alone, signing},
    },
    Way, ask, findings, is_fine,
    way::Kind,
};
use crate::stage::{tagged, user};

/// A sensor: where it captures, and its keys.
struct Sensor {
    capture: PathBuf,
    key: String,
    public: String,
    out: String,
}

impl Sensor {
    fn new(name: &str) -> Self {
        let (_, [capture, key, public, out]) = signing(name);
        Self { capture: capture.into(), key, public, out }
    }

    /// Writes what it has seen: copies of these.
    fn sees(&self, copies: &[Copied]) {
        fs::write(&self.capture, pcap(copies, START)).unwrap();
        let capture = self.capture.to_str().unwrap();
        let answer = alone(&["seen", capture, "--out", &self.out, "--key", &self.key]);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }

    fn arguments(&self) -> [&str; 4] {
        ["--seen", &self.out, "--seen-key", &self.public]
    }
}

fn copies(way: &Way) -> Vec<Copied> {
    way.stage.world().copies()
}

fn state(code: &str, links: &str) -> (String, String, Vec<String>) {
    (code.to_owned(), "cannot-tell".to_owned(), vec![links.to_owned()])
}

/// What has arrived has come the way of which AWS shows nothing.
#[tokio::test]
async fn a_capture_is_evidence_for_the_whole_way() {
    let kinds = [Kind::Interface, Kind::Peered, Kind::Balancer, Kind::Endpoint, Kind::Shared];
    for kind in kinds {
        let way = Way::new(kind).await;
        let sensor = Sensor::new(&format!("arrival-{kind:?}"));
        sensor.sees(&copies(&way));
        let answer = ask(&way, &sensor.arguments());
        is_fine(&answer, &format!("{kind:?}"));
        let path = answer.json()["places"][0]["paths"][0].clone();
        assert_eq!(path["links"]["arrival"], "fine", "{path}");
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
    let answer = ask(&way, &sensor.arguments());
    assert_eq!(findings(&answer), [state("not-seen", "arrival")]);
    assert_eq!(answer.code, 1);
    let accepted = format!("not-seen={second}");
    let answer = ask(&way, &[&sensor.arguments()[..], &["--ignore", &accepted]].concat());
    assert_eq!((answer.code, findings(&answer)), (0, Vec::new()));
    // Two sensors share what there is, each with a key of its own.
    let other = Sensor::new("silent-too");
    let rest: Vec<_> = all.iter().filter(|it| it.session == silent).cloned().collect();
    other.sees(&rest);
    for both in [[&sensor, &other], [&other, &sensor]] {
        let arguments: Vec<_> = both.iter().flat_map(|it| it.arguments()).collect();
        assert_eq!((ask(&way, &arguments).code, findings(&ask(&way, &arguments))), (0, vec![]));
    }
    sensor.sees(&all);
    assert_eq!(ask(&way, &sensor.arguments()).code, 0);
    // What is broken explains why nothing comes; what has come all the same is told beside it.
    way.balancer(|it| it.listeners.clear());
    for (seen, arrival) in [(&all[..], "fine"), (&[][..], "null")] {
        sensor.sees(seen);
        let answer = ask(&way, &sensor.arguments());
        assert_eq!(answer.code, 2, "{}", answer.out);
        let paths = answer.json()["places"][0]["paths"].clone();
        let state = &paths[0]["links"]["arrival"];
        assert_eq!(state.as_str().unwrap_or("null"), arrival, "{paths}");
    }
}

/// The advice: a VNI of its own for each session.
#[tokio::test]
async fn copies_that_two_sessions_may_have_sent_are_nobodys() {
    let way = Way::new(Kind::Interface).await;
    let ours = way.stage.session(&way.source);
    let endpoint = Endpoint::Interface(way.stage.interface(&way.launch_sensor(Kind::Interface)));
    let target = way.target_of(endpoint);
    let foreign = CreateSession {
        interface: ours.interface.clone(),
        target,
        filter: way.stage.filter.clone(),
        number: Some(9),
        vni: Some(ours.vni.into()),
        ..CreateSession::default()
    };
    let foreign = way.stage.world().create_session(&user(), &foreign).unwrap().id;
    let sensor = Sensor::new("same-sender");
    sensor.sees(&copies(&way));
    let answer = ask(&way, &sensor.arguments());
    assert_eq!(findings(&answer), [state("same-sender", "arrival")]);
    assert_eq!(answer.code, 1);
    let own = ModifySession { session: foreign, vni: Some(7), ..ModifySession::default() };
    way.stage.world().modify_session(&user(), &own).unwrap();
    sensor.sees(&copies(&way));
    assert_eq!(ask(&way, &sensor.arguments()).code, 0);
}

#[tokio::test]
async fn whoever_sends_for_no_session_is_named() {
    let way = Way::new(Kind::Interface).await;
    let sensor = Sensor::new("strangers");
    let mut all = copies(&way);
    let strangers: Vec<_> =
        (1..=5).map(|vni| Copied { vni, from: [10, 9, 8, 7].into(), ..all[0].clone() }).collect();
    all.extend(strangers);
    sensor.sees(&all);
    let text = way.doctor(&[&["--source-mtu", "1500"], &sensor.arguments()[..]].concat());
    assert_eq!(text.code, 0, "{}", text.out);
    let line = "captured, and of no session that was looked at: 10.9.8.7 VNI 1, 10.9.8.7 VNI 2, \
                10.9.8.7 VNI 3 and 2 more";
    assert!(text.out.contains(line), "{}", text.out);
    let lines = way.doctor(&[&sensor.arguments()[..], &["--output", "ndjson"]].concat()).out;
    assert_eq!(lines.lines().filter(|line| line.contains("\"stranger\"")).count(), 5, "{lines}");
}

/// Without a file to rely on the rest is told, and nothing of it is green by that file.
#[tokio::test]
async fn a_file_that_cannot_be_relied_on_proves_nothing() {
    let way = Way::new(Kind::Endpoint).await;
    let (sensor, other) = (Sensor::new("unreliable"), Sensor::new("of-somebody-else"));
    sensor.sees(&copies(&way));
    let with = |seen, key| ask(&way, &["--seen", seen, "--seen-key", key]);
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
    for one in [["--seen", &sensor.out], ["--seen-key", &sensor.public]] {
        assert_eq!(ask(&way, &one).code, 64, "{one:?}");
    }
}
