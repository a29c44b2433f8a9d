//! Whose credentials are used, and what a terminal shows that nothing else does.

use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use local_cloud::aws::ec2::RunInstances;
use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::{
    Answer, command, folder,
    problems::{healthy, is_problem},
};
use crate::stage::{Stage, stage, tagged};

const CONFIG: &str = "\
[profile one]
region = us-east-1
[profile two]
region = eu-central-1
";

const CREDENTIALS: &str = "\
[one]
aws_access_key_id = 111122223333
aws_secret_access_key = x
[two]
aws_access_key_id = 444455556666
aws_secret_access_key = x
";

/// The command in a home with two profiles, and with no credentials but theirs.
fn at_home(stage: &Stage, name: &str, arguments: &[&str]) -> Answer {
    let mut command = in_home(stage, name, arguments);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env_remove(name);
    }
    command.output().unwrap().into()
}

/// The same with the keys of the environment, too.
fn in_home(stage: &Stage, name: &str, arguments: &[&str]) -> Command {
    let home = folder(name);
    for (file, text) in [("config", CONFIG), ("credentials", CREDENTIALS)] {
        std::fs::write(home.join(file), text).unwrap();
    }
    let mut command = command(&stage.deployment.cloud.endpoint(), arguments);
    command.env("AWS_CONFIG_FILE", home.join("config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", home.join("credentials"));
    command
}

#[tokio::test]
async fn a_profile_has_its_account_and_its_region() {
    let stage = stage().await;
    let place = |arguments: &[&str]| {
        let arguments = [&["status", "--output", "json"], arguments].concat();
        let answer = at_home(&stage, "profiles", &arguments);
        assert_eq!(answer.code, 0, "{}", answer.err);
        let place = answer.json()["places"][0].clone();
        ["account", "region"].map(|name| place[name].as_str().unwrap().to_owned())
    };
    assert_eq!(place(&["--profile", "one"]), ["111122223333", "us-east-1"]);
    assert_eq!(place(&["--profile", "two"]), ["444455556666", "eu-central-1"]);
    // What is said on the command line goes before what the profile says.
    assert_eq!(
        place(&["--profile", "two", "--region", "us-east-1"]),
        ["444455556666", "us-east-1"]
    );
}

#[tokio::test]
async fn a_profile_goes_before_the_keys_of_the_environment() {
    let stage = stage().await;
    for (arguments, account) in
        [(&["--profile", "two"] as &[&str], "444455556666"), (&[], "111122223333")]
    {
        let arguments = [&["status", "--output", "json"], arguments].concat();
        let answer: Answer = in_home(&stage, "both", &arguments).output().unwrap().into();
        assert_eq!(answer.code, 0, "{}", answer.err);
        assert_eq!(answer.json()["places"][0]["account"], account);
    }
}

#[tokio::test]
async fn without_its_profile_nothing_is_asked() {
    let stage = stage().await;
    is_problem(
        &at_home(&stage, "no-profile", &["status", "--region", "us-east-1"]),
        "no-credentials",
    );
    let unknown = ["status", "--profile", "three", "--region", "us-east-1"];
    let answer = at_home(&stage, "unknown-profile", &unknown);
    is_problem(&answer, "no-credentials");
    assert!(answer.err.contains("three"), "{}", answer.err);
    // The keys of the environment are another account's: they are not taken instead.
    let answer: Answer = in_home(&stage, "keys-or-profile", &unknown).output().unwrap().into();
    is_problem(&answer, "no-credentials");
    assert!(answer.err.contains("three"), "{}", answer.err);
    let file = ["status", "--profile", "one", "--from", "world.json"];
    assert_eq!(at_home(&stage, "file-or-profile", &file).code, 64);
    assert!(stage.deployment.cloud.calls().is_empty());
}

/// Runs the command with standard error on a terminal of 100 columns, and says what that has shown. Where something is
/// typed, standard input is there, too.
pub(super) fn on_a_terminal(command: &mut Command, typed: Option<&str>) -> (Option<i32>, String) {
    let (controller, terminal) = terminal();
    if let Some(typed) = typed {
        rustix::io::write(&controller, typed.as_bytes()).unwrap();
        command.stdin(terminal.try_clone().unwrap());
    }
    shown(command.stdout(Stdio::null()).stderr(terminal), controller)
}

/// A terminal of 100 columns: the end of whoever types and looks, and the end of the command.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let terminal: OwnedFd = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    (controller, terminal)
}

/// Runs the command, and says what it has shown on its terminal.
pub(crate) fn shown(command: &mut Command, controller: OwnedFd) -> (Option<i32>, String) {
    let mut child = command.env("TERM", "xterm").spawn().unwrap();
    // The last end of the terminal that is open is the child's.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let reader = thread::spawn(move || {
        let (mut shown, mut file) = (Vec::new(), File::from(controller));
        // A terminal that nobody writes to any more ends with an error.
        file.read_to_end(&mut shown).ok();
        String::from_utf8_lossy(&shown).into_owned()
    });
    let status = child.wait().unwrap();
    (status.code(), reader.join().unwrap())
}

#[tokio::test]
async fn a_terminal_shows_how_far_it_is_and_nothing_else_does() {
    let stage = healthy().await;
    let endpoint = stage.deployment.cloud.endpoint();
    let bar = "accounts and regions";
    let two = ["status", "--region", "us-east-1,eu-central-1", "--no-function"];
    let (code, shown) = on_a_terminal(&mut command(&endpoint, &two), None);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(&format!("of 2 {bar}")), "{shown:?}");
    let (_, shown) = on_a_terminal(&mut command(&endpoint, &["status"]), None);
    assert!(!shown.contains(bar), "one place needs no bar: {shown:?}");
    let answer = stage.mirrorctl(&two);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
}

#[tokio::test]
async fn a_terminal_shows_how_many_changes_are_made_and_nothing_else_does() {
    let stage = stage().await;
    stage.launch_many(&RunInstances { count: 9, ..tagged() });
    stage.let_run();
    let endpoint = stage.deployment.cloud.endpoint();
    let apply = ["apply", "--confirm", "111122223333"];
    let (code, shown) = on_a_terminal(&mut command(&endpoint, &apply), None);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("of 9 changes, Ctrl-C stops"), "{shown:?}");
    stage.launch_many(&RunInstances { count: 9, ..tagged() });
    stage.let_run();
    let answer = stage.mirrorctl(&apply);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(!answer.err.contains("Ctrl-C"), "{}", answer.err);
}
