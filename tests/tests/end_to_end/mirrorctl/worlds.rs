//! A world as a file is the world.

use serde_json::Value;

use super::{Answer, folder, story};
use crate::stage::{Stage, machine};

/// What `--from` is given, with the flags before it.
fn without_place(answer: &Answer) -> Value {
    answer.json()["places"].clone()
}

async fn observed(name: &str, flags: &[&str]) -> (Stage, String) {
    let stage = story().await;
    // A value that means nothing to the decision.
    stage.launch(&machine(&[("Mirror", "perhaps the cat of Mrs Smith"), ("Mirror-Target", "a b")]));
    stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", "Mrs Smith")]));
    stage.let_run();
    let path = folder(name).join("world.json").to_str().unwrap().to_owned();
    let answer = stage.mirrorctl(&[&["observe", "--out", &path], flags].concat());
    assert_eq!(answer.code, 0, "{}", answer.err);
    (stage, path)
}

#[tokio::test]
async fn plan_and_status_from_the_file_are_those_of_the_world() {
    let (stage, path) = observed("same", &[]).await;
    for name in ["plan", "status"] {
        let live = stage.mirrorctl(&[name, "--output", "json"]);
        stage.deployment.cloud.clear_calls();
        let filed = stage.mirrorctl(&[name, "--from", &path, "--output", "json"]);
        assert_eq!(
            (live.code, without_place(&live)),
            (filed.code, without_place(&filed)),
            "{name}"
        );
        assert!(stage.deployment.cloud.calls().is_empty(), "{name} --from asks nobody");
    }
}

#[tokio::test]
async fn what_a_file_says_is_told_with_its_time() {
    let (stage, path) = observed("time", &[]).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let world = file["worlds"][0].as_object_mut().unwrap();
    world.insert("read_at".to_owned(), 1_700_000_000_000_u64.into());
    let page = folder("time").join("page.html").to_str().unwrap().to_owned();
    let mut tell = |at: Option<&str>| {
        std::fs::write(&path, file.to_string()).unwrap();
        let told = at.map_or("a time that the file does not tell", |at| at);
        for name in ["plan", "status"] {
            let out = stage.mirrorctl(&[name, "--from", &path]).out;
            assert!(out.contains(&format!("from a file: as it was at {told}\n")), "{name}: {out}");
        }
        stage.mirrorctl(&["report", "--from", &path, "--html", &page]);
        let page = std::fs::read_to_string(&page).unwrap();
        assert!(page.contains(&format!("As it was at {told}.")), "{page}");
        // Another mirrorctl wrote it.
        file["worlds"][0].as_object_mut().unwrap().remove("read_at");
    };
    tell(Some("2023-11-14T22:13:20Z"));
    tell(None);
    assert!(!stage.mirrorctl(&["status"]).out.contains("from a file"));
    // `observe --out - | plan --from -`.
    let mut plan = super::command(&stage.deployment.cloud.endpoint(), &["plan", "--from", "-"]);
    let plan: Answer = plan.stdin(std::fs::File::open(&path).unwrap()).output().unwrap().into();
    assert_eq!(plan.out, stage.mirrorctl(&["plan", "--from", &path]).out);
}

#[tokio::test]
async fn a_redacted_file_says_nothing_of_tags_and_gives_the_same_plan() {
    let (stage, path) = observed("redacted", &["--redact"]).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("Smith") && text.contains("redacted-1"), "{text}");
    let counts = |answer: &Answer| answer.json()["places"][0]["counts"].clone();
    let live = stage.mirrorctl(&["plan", "--output", "json"]);
    let filed = stage.mirrorctl(&["plan", "--from", &path, "--output", "json"]);
    assert_eq!(counts(&live), counts(&filed));
}

#[tokio::test]
async fn what_if_is_answered_as_far_as_the_file_goes() {
    let (stage, tagged) = observed("tagged", &[]).await;
    let lacks = |flags: &[&str]| {
        let answer = stage.mirrorctl(&[&["plan", "--from", &tagged], flags].concat());
        assert_eq!(answer.code, 1, "{flags:?}: {}{}", answer.out, answer.err);
        assert!(answer.err.contains("error[file-lacks]"), "{}", answer.err);
    };
    lacks(&["--set", "scope=all"]);
    lacks(&["--set", "tag-key=Copy"]);
    lacks(&["--set", "tag-value=Yes"]);
    lacks(&["--set", "owner=somebody"]);
    lacks(&["--set", "keep-stopped=true"]);
    let (stage, all) = observed("all", &["--set", "scope=all"]).await;
    let interfaces = ["status", "--output", "json", "--set", "interfaces=primary"];
    let live = stage.mirrorctl(&[&interfaces[..], &["--set", "scope=all"]].concat());
    let filed = stage.mirrorctl(&[&interfaces[..], &["--from", &all]].concat());
    let coverage = |answer: &Answer| answer.json()["places"][0]["coverage"].clone();
    assert_eq!(coverage(&live), coverage(&filed), "{}", filed.err);
    // In scope `tagged` a session goes because a tag is absent, which nobody has read twice.
    let answer = stage.mirrorctl(&["plan", "--from", &all, "--set", "scope=tagged"]);
    assert_eq!(answer.code, 1, "{}", answer.out);
    assert!(answer.err.contains("a second read of the tags of i-"), "{}", answer.err);
}

#[tokio::test]
async fn a_saved_plan_is_a_world_too() {
    let stage = story().await;
    let path = folder("saved").join("plan.json").to_str().unwrap().to_owned();
    let live = stage.mirrorctl(&["plan", "--out", &path, "--output", "json"]);
    let filed = stage.mirrorctl(&["plan", "--from", &path, "--output", "json"]);
    assert_eq!((live.code, without_place(&live)), (filed.code, without_place(&filed)));
}
