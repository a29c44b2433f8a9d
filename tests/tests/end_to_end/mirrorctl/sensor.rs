//! What comes to a sensor: the copies that the local cloud sends, as `seen` counts them, `map` names them, and tshark
//! and OpenSSL judge them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use local_cloud::aws::ec2::{
    Copied, CreateSession, ModifySession,
    vxlan::{pcap, wrap},
};
use serde_json::Value;

use super::{Answer, command, folder, problems::is_problem, root, story};
use crate::stage::{Stage, machine, other_account, stage, tagged, two_interfaces, user};

/// 2026-01-01T00:00:00Z
pub(super) const START: u32 = 1_767_225_600;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes what all targets receive.
fn capture(stage: &Stage, folder: &Path) -> (Vec<Copied>, PathBuf) {
    let copies = stage.world().copies();
    let path = folder.join("capture.pcap");
    fs::write(&path, pcap(&copies, START)).unwrap();
    (copies, path)
}

/// mirrorctl where it needs no cloud.
pub(super) fn alone(arguments: &[&str]) -> Answer {
    command("http://127.0.0.1:9", arguments).output().unwrap().into()
}

/// The copies by outer address and VNI.
fn counted(copies: &[Copied]) -> BTreeMap<(String, u64), (u64, u64)> {
    let mut counted = BTreeMap::new();
    for copy in copies {
        let (packets, bytes) = counted.entry((copy.from.to_string(), copy.vni.into())).or_default();
        *packets += 1;
        *bytes += u64::try_from(copy.frame.len()).unwrap();
    }
    counted
}

fn senders(answer: &Answer) -> Vec<Value> {
    answer.json()["places"][0]["senders"].as_array().unwrap().clone()
}

fn key(sender: &Value) -> (String, u64) {
    (sender["address"].as_str().unwrap().to_owned(), sender["vni"].as_u64().unwrap())
}

/// Each copy is counted, and the map says whose it is.
#[tokio::test]
async fn every_session_that_works_is_seen_and_on_the_map() {
    let stage = story().await;
    let (copies, path) = capture(&stage, &folder("seen"));
    let working: BTreeSet<_> = copies.iter().map(|copy| copy.session.clone()).collect();
    let all = stage.world().sessions().count();
    assert_eq!((working.len(), all), (3, 3), "{working:?}");
    let answer = alone(&["seen", text(&path), "--output", "json"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let number = |sender: &Value, field: &str| sender[field].as_u64().unwrap();
    let seen = senders(&answer);
    let found: BTreeMap<_, _> = seen
        .iter()
        .map(|sender| (key(sender), (number(sender, "packets"), number(sender, "bytes"))))
        .collect();
    assert_eq!(found, counted(&copies));
    let map = stage.mirrorctl(&["map", "--output", "json"]);
    assert_eq!((map.code, map.err.as_str()), (0, ""));
    let map: BTreeMap<_, _> = senders(&map).into_iter().map(|row| (key(&row), row)).collect();
    for copy in &copies {
        let row = &map[&(copy.from.to_string(), copy.vni.into())];
        assert!(row["sessions"].as_array().unwrap().contains(&copy.session.clone().into()));
        let world = stage.world();
        let interface = world.interface(row["interface"].as_str().unwrap()).unwrap();
        assert_eq!(interface.ipv4, Some(copy.from));
        assert_eq!(row["instance"].as_str(), interface.instance());
    }
}

/// tshark knows nothing of this project: it finds the same, and nothing to complain of.
#[tokio::test]
async fn tshark_finds_the_same_copies_and_no_fault() {
    let stage = story().await;
    let (copies, path) = capture(&stage, &folder("tshark"));
    let fields =
        ["udp.dstport", "vxlan.vni", "vxlan.flag_i", "ip.src", "ip.dst", "ip.checksum.status"];
    let more = ["udp.length", "_ws.expert.message"];
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", text(&path), "-T", "fields", "-E", "separator=;"]);
    tshark.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    tshark.args(["-Y", "vxlan && !_ws.malformed"]);
    for field in fields.iter().chain(&more) {
        tshark.args(["-e", field]);
    }
    let Ok(output) = tshark.output() else {
        skip("tshark is not installed: nobody else has judged the copies");
        return;
    };
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), copies.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (line, copy) in lines.lines().zip(&copies) {
        let cells: Vec<Vec<&str>> = line.split(';').map(|it| it.split(',').collect()).collect();
        assert_eq!(cells[0][0], "4789", "{line}");
        assert_eq!(cells[1], [copy.vni.to_string()], "{line}");
        // The address of the outer packet comes first, then that of the packet that was mirrored.
        assert_eq!([cells[3][0], cells[4][0]], [copy.from.to_string(), copy.to.to_string()]);
        assert_eq!(cells[3].len(), 2, "{line}");
        assert!(cells[5].iter().all(|status| *status == "1"), "a checksum is wrong: {line}");
        assert_eq!(cells[6][0], (copy.frame.len() + 16).to_string(), "{line}");
    }
}

/// Notes at the end of `make test` what nobody has looked at.
fn skip(why: &str) {
    let path = root().join("target/skipped");
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    writeln!(file.unwrap(), "{why}").unwrap();
}

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

/// A folder with a capture and a pair of keys.
pub(super) fn signing(name: &str) -> (PathBuf, [String; 4]) {
    let folder = folder(name);
    let path = |name: &str| text(&folder.join(name)).to_owned();
    let [capture, key, public, out] =
        [path("capture.pcap"), path("sensor.key"), path("sensor.key.pub"), path("seen.json")];
    let copies = [("10.0.0.5", 7), ("10.0.0.5", 7), ("10.0.0.6", 7)].map(|(from, vni)| Copied {
        session: String::new(),
        target: String::new(),
        vni,
        from: from.parse().unwrap(),
        to: "10.0.0.9".parse().unwrap(),
        frame: vec![0x5a; 60],
    });
    fs::write(&capture, pcap(&copies, START)).unwrap();
    let made = alone(&["seen", "--new-key", &key]);
    assert_eq!(made.code, 0, "{}", made.err);
    (folder, [capture, key, public, out])
}

#[test]
fn a_file_is_whose_key_signed_it_and_nobody_has_changed_it() {
    let (folder, [capture, key, public, out]) = signing("signed");
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can read the private key");
    let answer = alone(&["seen", &capture, "--out", &out, "--expires", "2", "--key", &key]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let content = fs::read(&out).unwrap();
    assert!(!content.windows(4).any(|bytes| bytes == b"ZZZZ"), "it has what was sent");
    let verify = ["seen", "verify", &out, "--key", &public];
    let answer = alone(&verify);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("2 senders"), "{}", answer.out);
    // OpenSSL agrees, and its own keys do as well.
    let signature = format!("{out}.sig");
    let judge = ["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", &public, "-in", &out];
    let judged = openssl(&[&judge[..], &["-sigfile", &signature]].concat());
    assert!(judged.status.success(), "{judged:?}");
    let other = text(&folder.join("other.key")).to_owned();
    let other_public = format!("{other}.pub");
    assert!(openssl(&["genpkey", "-algorithm", "ed25519", "-out", &other]).status.success());
    assert!(openssl(&["pkey", "-in", &other, "-pubout", "-out", &other_public]).status.success());
    is_problem(&alone(&["seen", "verify", &out, "--key", &other_public]), "bad-signature");
    // One packet more.
    let changed = String::from_utf8(content).unwrap().replace("\"packets\":2", "\"packets\":3");
    fs::write(&out, &changed).unwrap();
    is_problem(&alone(&verify), "bad-signature");
    let answer = alone(&["seen", &capture, "--out", &out, "--key", &other]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(alone(&["seen", "verify", &out, "--key", &other_public]).code, 0);
    fs::remove_file(signature).unwrap();
    is_problem(&alone(&["seen", "verify", &out, "--key", &other_public]), "bad-file");
}

#[test]
fn a_file_that_has_expired_is_refused_though_it_is_signed() {
    let (_, [capture, key, public, out]) = signing("expired");
    assert_eq!(alone(&["seen", &capture, "--out", &out]).code, 0);
    let mut file: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    for (expires, code) in [("2026-01-01T00:00:00Z", "expired-file"), ("soon", "bad-file")] {
        file["expires"] = expires.into();
        fs::write(&out, file.to_string()).unwrap();
        let signature = format!("{out}.sig");
        let sign = ["pkeyutl", "-sign", "-rawin", "-inkey", &key, "-in", &out, "-out", &signature];
        assert!(openssl(&sign).status.success());
        is_problem(&alone(&["seen", "verify", &out, "--key", &public]), code);
    }
}

#[test]
fn a_key_is_never_replaced_and_only_the_right_one_is_taken() {
    let (folder, [capture, key, public, out]) = signing("keys");
    let before = fs::read(&key).unwrap();
    is_problem(&alone(&["seen", "--new-key", &key]), "not-written");
    assert_eq!(fs::read(&key).unwrap(), before);
    for wrong in [&public, &capture, text(&folder.join("none"))] {
        is_problem(&alone(&["seen", &capture, "--out", &out, "--key", wrong]), "bad-key");
        assert!(!Path::new(&out).exists());
    }
    assert_eq!(alone(&["seen", &capture, "--out", &out, "--key", &key]).code, 0);
    is_problem(&alone(&["seen", "verify", &out, "--key", &key]), "bad-key");
    // A signature needs a file to be beside.
    is_problem(&alone(&["seen", &capture, "--out", "-", "--key", &key]), "not-written");
}

#[test]
fn what_is_no_whole_capture_gives_no_file() {
    let (folder, [capture, _, _, out]) = signing("captures");
    let none = text(&folder.join("none")).to_owned();
    let other = text(&folder.join("other")).to_owned();
    fs::write(&other, "GET / HTTP/1.1\r\n\r\n some text that is no capture").unwrap();
    for path in [&none, &other] {
        is_problem(&alone(&["seen", path, "--out", &out]), "not-a-capture");
    }
    let whole = fs::read(&capture).unwrap();
    fs::write(&other, &whole[..whole.len() - 1]).unwrap();
    let answer = alone(&["seen", &other, "--out", &out]);
    is_problem(&answer, "cut-capture");
    assert!(answer.err.contains("error[not-written]"), "{}", answer.err);
    assert!(answer.out.contains("2 copies"), "what was read is shown: {}", answer.out);
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_pipe_is_a_capture_and_standard_output_a_file() {
    let (_, [capture, ..]) = signing("pipe");
    let mut seen = command("http://127.0.0.1:9", &["seen", "-", "--out", "-"]);
    let mut child = seen.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(capture).unwrap()).unwrap();
    let answer: Answer = child.wait_with_output().unwrap().into();
    let file: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((answer.code, &file["format"]), (0, &"mirrorctl-seen/1".into()));
    let rows: Vec<_> =
        file["senders"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let expected = "{\"address\":\"10.0.0.5\",\"bytes\":120,\"first\":\"2026-01-01T00:00:00Z\",\
                    \"last\":\"2026-01-01T00:00:00.001Z\",\"packets\":2,\"vni\":7}";
    assert_eq!(rows[0], expected);
}

#[test]
fn more_senders_than_are_counted_are_told() {
    let (_, [capture, _, _, out]) = signing("flood");
    let copy = |vni| Copied {
        session: String::new(),
        target: String::new(),
        vni,
        from: "10.0.0.5".parse().unwrap(),
        to: "10.0.0.9".parse().unwrap(),
        frame: Vec::new(),
    };
    let copies: Vec<_> = (0..100_002).map(copy).collect();
    fs::write(&capture, pcap(&copies, START)).unwrap();
    let answer = alone(&["seen", &capture, "--out", &out]);
    is_problem(&answer, "too-many-senders");
    assert!(answer.err.contains("2 packets"), "{}", answer.err);
    assert!(answer.out.lines().count() < 40, "{}", answer.out);
    assert!(!Path::new(&out).exists());
}

/// Two instances with a session each.
async fn two() -> (Stage, [String; 2]) {
    let stage = stage().await;
    let name = |name| machine(&[("Mirror", "True"), ("Name", name), ("Team", "=cmd")]);
    let instances = ["shop", "batch"].map(|it| stage.launch(&name(it)));
    stage.let_run();
    stage.sweep().await;
    (stage, instances)
}

fn map_rows(answer: &Answer) -> Vec<Value> {
    senders(answer)
}

#[tokio::test]
async fn a_map_takes_three_calls_and_names_what_was_asked_for() {
    let (stage, [shop, _]) = two().await;
    stage.deployment.cloud.clear_calls();
    let answer = stage.mirrorctl(&["map", "--tag", "Team", "--output", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let actions: Vec<_> =
        stage.deployment.cloud.calls().into_iter().map(|call| call.action).collect();
    let expected = ["DescribeTrafficMirrorSessions", "DescribeNetworkInterfaces", "DescribeTags"];
    assert_eq!(
        actions.iter().filter(|it| it.starts_with("Describe")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    let rows = map_rows(&answer);
    let row = rows.iter().find(|row| row["instance"] == shop.as_str()).unwrap();
    assert_eq!((&row["name"], &row["tags"]["Team"]), (&"shop".into(), &"=cmd".into()));
    assert_eq!(row["tags"].as_object().unwrap().len(), 1, "{row}");
    let interface = stage.interface(&shop);
    let address = stage.world().interface(&interface).unwrap().ipv4.unwrap().to_string();
    assert_eq!((&row["address"], &row["addresses"][0]), (&address.clone().into(), &address.into()));
    let none = stage.mirrorctl(&["map", "--target", "tmt-0123456789abcdef0", "--output", "json"]);
    assert_eq!((none.code, map_rows(&none).len()), (0, 0));
    let table = stage.mirrorctl(&["map", "--output", "csv"]);
    assert_eq!(table.out.lines().count(), 3, "{}", table.out);
}

#[tokio::test]
async fn a_map_of_every_format_is_signed_and_verified() {
    let (stage, _) = two().await;
    let (folder, [_, key, public, _]) = signing("maps");
    for format in ["csv", "json", "zeek", "arkime", "suricata"] {
        let path = text(&folder.join(format)).to_owned();
        let arguments = ["map", "--tag", "Team", "--format", format, "--out", &path, "--key", &key];
        let answer = stage.mirrorctl(&arguments);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{format}");
        let verify = ["map", "verify", &path, "--key", &public];
        let answer = alone(&verify);
        assert_eq!(answer.code, 0, "{format}: {}", answer.err);
        assert!(answer.out.contains("2 rows"), "{format}: {}", answer.out);
        let content = fs::read_to_string(&path).unwrap();
        assert!(content.contains("shop") && content.contains("=cmd"), "{content}");
        fs::write(&path, content.replace("shop", "shot")).unwrap();
        is_problem(&alone(&verify), "bad-signature");
    }
    let other = text(&folder.join("seen.json")).to_owned();
    let capture = text(&folder.join("capture.pcap")).to_owned();
    assert_eq!(alone(&["seen", &capture, "--out", &other, "--key", &key]).code, 0);
    is_problem(&alone(&["map", "verify", &other, "--key", &public]), "bad-file");
}

/// One VNI for all and VPCs that overlap: nobody can tell the packets apart, and the map does not pretend to.
#[tokio::test]
async fn senders_that_look_the_same_are_left_out_and_named() {
    let (stage, instances) = two().await;
    let [first, second] = instances.map(|it| stage.interface(&it));
    let address = stage.world().interface(&first).unwrap().ipv4;
    let sessions: Vec<_> = stage.world().sessions().map(|session| session.id.clone()).collect();
    for session in sessions {
        let same = ModifySession { session, vni: Some(7), ..ModifySession::default() };
        stage.world().modify_session(&user(), &same).unwrap();
    }
    // One VNI alone does no harm.
    let answer = stage.mirrorctl(&["map", "--output", "json"]);
    assert_eq!((answer.code, map_rows(&answer).len()), (0, 2), "{}", answer.err);
    stage.world().interface_mut(&second).unwrap().ipv4 = address;
    let path = text(&folder("ambiguous").join("map.tsv")).to_owned();
    let answer = stage.mirrorctl(&["map", "--format", "zeek", "--out", &path]);
    is_problem(&answer, "ambiguous-sender");
    assert!(answer.err.contains(&first) && answer.err.contains(&second), "{}", answer.err);
    let rows = fs::read_to_string(&path).unwrap();
    assert_eq!(rows.lines().filter(|line| !line.starts_with('#')).count(), 0, "{rows}");
}

/// An address that two VPCs have is fine with different VNIs, and nobody's where sensors look at addresses alone.
#[tokio::test]
async fn by_inner_addresses_alone_what_two_interfaces_have_is_left_out() {
    let (stage, instances) = two().await;
    let [first, second] = instances.map(|it| stage.interface(&it));
    let address = stage.world().interface(&first).unwrap().ipv4;
    stage.world().interface_mut(&second).unwrap().ipv4 = address;
    let folder = folder("inner");
    let path = text(&folder.join("map")).to_owned();
    let answer = stage.mirrorctl(&["map", "--format", "zeek", "--out", &path]);
    assert_eq!((answer.code, answer.err.contains("error")), (0, false), "{}", answer.err);
    for format in ["arkime", "suricata"] {
        let answer = stage.mirrorctl(&["map", "--format", format, "--out", &path]);
        is_problem(&answer, "ambiguous-sender");
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "{format}");
    }
}

/// The owner of a shared target sees others' sessions on it, and not their interfaces.
#[tokio::test]
async fn what_another_account_must_be_asked_about_is_told_until_it_is() {
    let (stage, _) = two().await;
    let theirs = {
        let mut world = stage.world();
        let other = other_account();
        let instance = world.run_instances(&other, &two_interfaces()).unwrap().remove(0);
        world.share_target(&stage.target, "999999999999");
        world.tick();
        let interface = world.instance(&instance).unwrap().interfaces[0].clone();
        let filter = world.create_filter(&other, None, local_cloud::aws::ec2::Tags::new()).unwrap();
        let target = stage.target.clone();
        let request = CreateSession {
            interface,
            target,
            filter,
            number: Some(1),
            ..CreateSession::default()
        };
        world.create_session(&other, &request).unwrap()
    };
    let answer = stage.mirrorctl(&["map", "--output", "json"]);
    is_problem(&answer, "unseen-source");
    assert!(
        answer.err.contains(&theirs.id) && answer.err.contains("999999999999"),
        "{}",
        answer.err
    );
    assert_eq!(map_rows(&answer).len(), 2);
    let roles = "arn:aws:iam::111122223333:role/reader,arn:aws:iam::999999999999:role/reader";
    let answer = stage.mirrorctl(&["map", "--role-arn", roles, "--output", "json"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let rows = map_rows(&answer);
    let row = rows.iter().find(|row| row["account"] == "999999999999").unwrap();
    assert_eq!((rows.len(), &row["interface"]), (3, &theirs.interface.into()));
}

/// A map of one account where two were asked for would take away what the sensor knows of the other.
#[tokio::test]
async fn a_map_that_is_not_whole_is_not_written() {
    let (stage, _) = two().await;
    let path = folder("part").join("map.csv");
    let answer =
        stage.mirrorctl(&["map", "--region", "us-east-1,me-south-1", "--out", text(&path)]);
    is_problem(&answer, "credentials-refused");
    assert!(answer.err.contains("error[not-written]"), "{}", answer.err);
    assert!(!path.exists());
}

/// An instance whose packets somebody else takes, and one that has stopped, are not seen.
#[tokio::test]
async fn what_would_not_arrive_in_aws_is_not_seen() {
    let stage = stage().await;
    let [fine, shadowed, stopped] = [(); 3].map(|()| stage.launch(&tagged()));
    stage.let_run();
    stage.sweep().await;
    stage.world().stop_instances(&user(), std::slice::from_ref(&stopped)).unwrap();
    stage.let_run();
    let first = stage.session(&shadowed).id;
    let later = ModifySession { session: first, number: Some(9), ..ModifySession::default() };
    stage.world().modify_session(&user(), &later).unwrap();
    let elsewhere = stage.sensor("us-east-1a");
    stage.foreign(&stage.interface(&shadowed), 1, &elsewhere);
    let copies = stage.world().copies();
    let here: BTreeSet<_> =
        copies.iter().filter(|it| it.target == stage.target).map(|it| it.session.clone()).collect();
    assert_eq!(here, [stage.session(&fine).id].into());
    assert!(copies.iter().any(|copy| copy.target == elsewhere), "they go to somebody else");
    assert!(copies.iter().all(|copy| wrap(copy).len() == copy.frame.len() + 14 + 20 + 8 + 8));
}
