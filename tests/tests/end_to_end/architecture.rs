//! The invariants of ARCHITECTURE.md that a compiler cannot hold: who may speak to EC2.

use std::{fs, path::Path};

/// The Rust files of a crate in which `what` stands, by their names.
fn files_with(krate: &str, what: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("src");
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().contains(what) {
                found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn only_one_module_reads_ec2_and_one_changes_it() {
    for call in ["instances", "network_interfaces", "traffic_mirror_sessions"] {
        let call = format!(".describe_{call}()");
        assert_eq!(files_with("shared", &call), ["describe.rs"], "{call}");
        assert_eq!(files_with("automirror", &call), [""; 0], "{call}");
    }
    for verb in ["create", "modify", "delete"] {
        let call = format!(".{verb}_traffic_mirror_session()");
        assert_eq!(files_with("shared", &call), [""; 0], "{call}");
        assert_eq!(files_with("automirror", &call), ["execute.rs"], "{call}");
        assert_eq!(files_with("config-rule", &call), [""; 0], "{call}");
    }
}

#[test]
fn config_rule_cannot_change_what_it_judges() {
    // Its EC2 client goes into `observe` and nowhere else.
    assert_eq!(files_with("config-rule", "aws_sdk_ec2"), ["handler.rs", "main.rs"]);
    assert_eq!(files_with("config-rule", "self.ec2"), ["handler.rs"]);
    let handler = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config-rule/src/handler.rs");
    let handler = fs::read_to_string(handler).unwrap();
    assert_eq!(handler.matches("self.ec2").count(), 1);
    assert!(handler.contains("observe(&self.ec2, "));
    assert_eq!(files_with("config-rule", ".put_evaluations()"), ["report.rs"]);
}

#[test]
fn the_decision_knows_no_sdk_no_clock_and_no_settings() {
    for what in ["aws_sdk_ec2", "std::env", "SystemTime", "Instant", "async ", "tracing"] {
        let allowed = ["client.rs", "convert.rs", "describe.rs", "observe.rs"];
        let files = files_with("shared", what);
        assert!(files.iter().all(|file| allowed.contains(&file.as_str())), "{what}: {files:?}");
    }
}

#[test]
fn the_user_can_read_every_setting_and_reason_in_the_readme() {
    let read = |path: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
    };
    let readme = read("README.md");
    let quoted = |text: String, prefix: &str| -> Vec<String> {
        let words = text.split('"').filter(|word| word.starts_with(prefix));
        words.map(str::to_owned).collect()
    };
    let settings = quoted(read("shared/src/policy.rs"), "MIRROR_");
    assert!(settings.len() > 15);
    for setting in settings {
        assert!(readme.contains(&format!("`{setting}`")), "{setting}");
    }
    let reasons = read("shared/src/reason.rs");
    let codes = reasons.split_once("fn code").unwrap().1.split_once("impl fmt").unwrap().0;
    let codes: Vec<_> = codes.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 30);
    for code in codes {
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
