//! mirrorctl, the real binary, in the local cloud: what its documentation shows, every command in every
//! format, and what it says when something goes wrong.

mod catalogue;
mod changes;
mod doctor;
mod exit;
mod function;
mod history;
mod machine;
mod markdown;
mod matrix;
mod pages;
mod problems;
mod reader;
mod reasons;
mod saved;
mod scale;
mod sensor;
mod settings;
mod snapshots;
pub(crate) mod terminal;
mod worlds;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use local_cloud::{
    aws::{ec2::RunInstances, lambda::DeployedFunction},
    lambda::binary::binary,
};
use serde_json::Value;

use crate::stage::{Stage, load_balancer, machine, other_account, stage, tagged, tags, user};

/// What the command line is run with: the local cloud's credentials, and nothing of this machine.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("AWS_ACCESS_KEY_ID", "111122223333"),
    ("AWS_SECRET_ACCESS_KEY", "x"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("NO_COLOR", "1"),
];

/// An answer of the command line.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|err| panic!("{err}: {}", self.out))
    }
}

/// The command, without any setting of this machine.
fn command(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("mirrorctl"));
    command.env_clear().envs(ENVIRONMENT).env("AWS_ENDPOINT_URL", endpoint).args(arguments);
    command.stdin(Stdio::null());
    command
}

impl Stage {
    fn mirrorctl(&self, arguments: &[&str]) -> Answer {
        command(&self.deployment.cloud.endpoint(), arguments).output().unwrap().into()
    }

    /// Lets Lambda show automirror with these settings, beside the rule's function and a stranger.
    fn deploy(&self, settings: &[(&str, &str)]) {
        let function =
            |name: &str, description: &str, environment: &[(&str, &str)]| DeployedFunction {
                name: name.to_owned(),
                description: description.to_owned(),
                environment: tags(environment),
            };
        let mut functions = self.deployment.cloud.functions();
        functions.push(function("web", "", &[("PATH", "/")]));
        functions.push(function(
            "config-rule",
            "Evaluates for AWS Config whether instances are mirrored as they should be",
            settings,
        ));
        let description = "Creates, modifies and deletes Traffic Mirror sessions as the tags of the \
                           instances require";
        functions.push(function("automirror", description, settings));
    }
}

/// What a security team finds after a month: something of everything, with the ids that the documentation
/// shows.
async fn story() -> Stage {
    let stage = stage().await;
    let sensor = stage.sensor("us-east-1a");
    let mut mirrored = Vec::new();
    // One at a time: of several creations at once, nobody knows which session gets which id.
    for _ in 0..3 {
        mirrored.push(stage.launch(&tagged()));
        stage.let_run();
        stage.sweep().await;
    }
    let [_, shop, batch] = &mirrored[..] else { unreachable!() };
    // automirror has not looked since: a tag was removed, and others were launched.
    stage.untag(batch, "Mirror");
    let elsewhere = RunInstances { availability_zone: Some("us-east-1b".to_owned()), ..tagged() };
    stage.launch(&elsewhere);
    stage.launch(&RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() });
    stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", "tmt-0123456789abcdef0")]));
    stage.launch(&machine(&[("Mirror", "False")]));
    stage.launch(&machine(&[]));
    stage.let_run();
    // Somebody else takes the packets of one.
    let theirs = {
        let mut world = stage.world();
        let target = load_balancer(&mut world, &other_account());
        world.share_target(&target, "111122223333");
        target
    };
    let session = stage.session(shop).id;
    stage.world().delete_session(&user(), &session).unwrap();
    stage.foreign(&stage.interface(shop), 1, &theirs);
    let targets = format!("{},{sensor}", stage.target);
    stage.deploy(&[("MIRROR_TARGET_IDS", &targets), ("MIRROR_SCOPE", "")]);
    stage.lose_events();
    stage
}

/// The root of the project.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn is_told_to_write() -> bool {
    std::env::var_os("TRYCMD").is_some_and(|it| it == "overwrite")
}

/// Compares with a file of the project, or writes that anew.
#[track_caller]
fn is_as_written(path: &str, found: &str) {
    let path = root().join(path);
    if is_told_to_write() {
        std::fs::write(&path, found).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == found, "TRYCMD=overwrite writes it anew: {found}");
}

/// A folder of its own for a test.
fn folder(name: &str) -> PathBuf {
    let folder = root().join("target/mirrorctl").join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
