//! The exit code of each command, in one table, which the documentation has, too.

use std::{fs, fs::File, process::Stdio};

use local_cloud::{aws::ec2::vxlan::pcap, cloud::fault::Fault};

use super::{
    Answer, changes::ACCOUNT, changes::old_session, command, doctor::prepared, folder,
    problems::refusal, root, story,
};
use crate::stage::Stage;

/// What fails: the first call to AWS, or where nothing is asked, writing to a disk that is full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    Call(&'static str),
    FullDisk,
}
use Failure::{Call, FullDisk};

const ANY: Failure = Call("GetCallerIdentity");

/// A command, as the documentation names it and as it is typed; its exit code where all is as it should be, where
/// something is not, and where something fails; and what fails. `ID` is an instance.
#[rustfmt::skip]
const MATRIX: [(&str, &str, [i32; 3], Failure); 17] = [
    ("plan",         "plan",                             [0, 2, 1], ANY),
    ("status",       "status",                           [0, 2, 1], ANY),
    ("doctor",       "doctor --source-mtu 1500",         [0, 2, 1], ANY),
    ("doctor --pre", "doctor --pre",                     [0, 2, 1], ANY),
    ("explain ID",   "explain ID",                       [0, 2, 1], ANY),
    ("report",       "report --html FOLDER/report.html", [0, 2, 1], ANY),
    ("apply",        "apply --confirm ACCOUNT",          [0, 2, 1], ANY),
    ("remove",       "remove --confirm ACCOUNT",         [0, 0, 1], ANY),
    ("adopt",        "adopt --confirm ACCOUNT",          [0, 0, 1], ANY),
    ("history",      "history ID",                       [0, 0, 1], ANY),
    ("observe",      "observe --out FOLDER/world.json",  [0, 0, 1], ANY),
    ("map",          "map",                              [0, 0, 1], Call("DescribeTrafficMirrorSessions")),
    ("seen",         "seen FOLDER/capture.pcap",         [0, 0, 1], FullDisk),
    ("explain CODE", "explain shadowed",                 [0, 0, 1], FullDisk),
    ("codes",        "codes",                            [0, 0, 1], FullDisk),
    ("completions",  "completions bash",                 [0, 0, 1], FullDisk),
    ("man",          "man",                              [0, 0, 1], FullDisk),
];

/// The exit code of a wrong command line, of every command.
const WRONG: i32 = 64;

/// What is typed, in a folder with a capture.
fn typed(line: &str, folder: &str, instance: &str) -> Vec<String> {
    let word = |word: &str| {
        let word = word.replace("FOLDER", folder).replace("ACCOUNT", ACCOUNT);
        if word == "ID" { instance.to_owned() } else { word }
    };
    line.split(' ').map(word).collect()
}

fn run(stage: &Stage, arguments: &[String]) -> Answer {
    stage.mirrorctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn on_a_full_disk(stage: &Stage, arguments: &[String]) -> Answer {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut command = command(&stage.deployment.cloud.endpoint(), &arguments);
    command.stdout(full).stderr(Stdio::piped()).output().unwrap().into()
}

#[tokio::test]
async fn each_command_ends_as_the_table_says() {
    let folder = folder("matrix").to_str().unwrap().to_owned();
    let (fine, mirrored) = prepared().await;
    let unfinished = story().await;
    old_session(&unfinished);
    let capture = pcap(&fine.world().copies(), 1_767_225_600);
    fs::write(format!("{folder}/capture.pcap"), capture).unwrap();
    for (_, line, [good, findings, failed], failure) in MATRIX {
        // Before the commands that change something: they change what the next one sees.
        let arguments = typed(line, &folder, &mirrored);
        let answer = match failure {
            Call(action) => {
                fine.fault(Fault::new(action, refusal("AccessDenied")));
                run(&fine, &arguments)
            }
            FullDisk => on_a_full_disk(&fine, &arguments),
        };
        fine.recover();
        assert_eq!(answer.code, failed, "{line} fails: {}{}", answer.out, answer.err);
        let wrong = [&arguments[..], &["--no-such-option".to_owned()]].concat();
        assert_eq!(run(&fine, &wrong).code, WRONG, "{line}");
        if line.starts_with("remove") {
            // The sessions of `fine` are still looked at.
            let nothing = [&arguments[..], &["--owner".to_owned(), "nobody".to_owned()]].concat();
            assert_eq!(run(&fine, &nothing).code, good, "{line}");
        } else {
            let answer = run(&fine, &arguments);
            assert_eq!(answer.code, good, "{line} is fine: {}{}", answer.out, answer.err);
        }
        // A source of which somebody else takes the packets.
        let arguments = typed(line, &folder, "i-0000000000000001e");
        let answer = run(&unfinished, &arguments);
        assert_eq!(answer.code, findings, "{line} finds something: {}{}", answer.out, answer.err);
    }
}

#[test]
fn the_documentation_has_the_same_table() {
    let text = fs::read_to_string(root().join("docs/mirrorctl.md")).unwrap();
    let rows = MATRIX.map(|(name, _, [good, findings, failed], _)| {
        format!("| `{name}` | {good} | {findings} | {failed} | {WRONG} |\n")
    });
    let rows = rows.concat();
    assert!(text.contains(&format!("| --- | --- | --- | --- | --- |\n{rows}\n")), "{rows}");
}
