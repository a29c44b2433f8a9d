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
    assert_eq!(files_with("shared", ".describe_"), ["describe.rs"]);
    assert_eq!(files_with("automirror", ".describe_"), [""; 0]);
    assert_eq!(files_with("config-rule", ".describe_"), [""; 0]);
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
    assert!(handler.contains("client: &self.ec2,"));
    assert_eq!(files_with("config-rule", ".put_evaluations()"), ["report.rs"]);
}

/// The files of `shared` that read EC2.
const READING: [&str; 6] =
    ["client.rs", "convert.rs", "describe.rs", "loads.rs", "observe.rs", "surroundings.rs"];

#[test]
fn the_decision_knows_no_sdk_no_clock_and_no_settings() {
    for what in ["aws_sdk_ec2", "std::env", "SystemTime", "Instant", "async ", "tracing"] {
        let files = files_with("shared", what);
        let is_allowed = |file: &String| READING.contains(&file.as_str());
        assert!(files.iter().all(is_allowed), "{what}: {files:?}");
    }
}

#[test]
fn the_user_can_read_every_setting_and_reason_in_the_readme() {
    let read = |path: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
    };
    let readme = read("README.md");
    let between = |text: &str, from: &str, to: &str| -> Vec<String> {
        let part = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
        part.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let settings = between(&read("shared/src/settings.rs"), "const NAMES", "];");
    assert!(settings.len() > 15);
    for setting in settings {
        assert!(readme.contains(&format!("`{setting}`")), "{setting}");
    }
    let codes = between(&read("shared/src/reason.rs"), "fn code", "impl ");
    assert!(codes.len() > 30);
    for code in codes {
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
