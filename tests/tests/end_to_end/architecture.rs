//! The invariants of ARCHITECTURE.md that neither the compiler nor tests/architecture/modules.py holds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use shared::policy::setting::NAMES;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The files below a folder that contain `what`, by their names.
fn files_with(folder: &str, what: &str) -> Vec<String> {
    let contains = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(what);
    let files = files(folder).into_iter().filter(contains);
    files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The dependencies of a crate, as its manifest lists them.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest = read(manifest);
    let section = manifest.split_once("[dependencies]\n").unwrap().1;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| Some(line.split_once(".workspace")?.0.to_owned())).collect()
}

const PRODUCT: [&str; 7] = [
    "shared/src",
    "shared/ec2/src",
    "shared/elb/src",
    "automirror/src",
    "config-rule/src",
    "mirrorctl/src",
    "mirrorctl/capture/src",
];

/// What the functions are made of.
const FUNCTIONS: [&str; 4] = ["shared/src", "shared/ec2/src", "automirror/src", "config-rule/src"];

#[test]
fn two_modules_read_ec2_for_the_decision_and_one_changes_it() {
    let calling_in = |folders: &[&str], call: &str| -> Vec<String> {
        folders.iter().flat_map(|folder| files_with(folder, call)).collect()
    };
    let calling = |call: &str| calling_in(&FUNCTIONS, call);
    // Every kind of read that the decision needs.
    let reads = [
        (".describe_regions()", "call.rs"),
        (".describe_instances()", "call.rs"),
        (".describe_tags()", "call.rs"),
        (".describe_traffic_mirror_sessions()", "call.rs"),
        (".describe_traffic_mirror_targets()", "call.rs"),
        (".describe_traffic_mirror_filters()", "call.rs"),
        (".describe_network_interfaces()", "interfaces.rs"),
    ];
    for (call, file) in reads {
        assert_eq!(calling(call), [file], "{call}");
    }
    // What stands in front of a target is nothing to the decision: config-rule asks, where it is told to.
    assert_eq!(calling(".describe_security_groups()"), ["doors.rs"]);
    assert_eq!(calling(".describe_"), ["call.rs", "doors.rs", "interfaces.rs"]);
    assert_eq!(calling_in(&PRODUCT, ".describe_load_balancers()"), ["read.rs"]);
    let all = ["call.rs", "interfaces.rs"].map(|file| read(&format!("shared/ec2/src/{file}")));
    let names: BTreeSet<_> = all
        .iter()
        .flat_map(|source| source.split(".describe_").skip(1))
        .map(|it| it.split('(').next().unwrap())
        .collect();
    assert_eq!(names.len(), reads.len(), "{names:?}");
    for verb in ["create", "modify", "delete"] {
        let call = format!(".{verb}_traffic_mirror_session()");
        assert_eq!(calling_in(&PRODUCT, &call), ["executor.rs"], "{call}");
    }
    assert_eq!(calling_in(&PRODUCT, ".put_evaluations()"), ["report.rs"]);
    assert_eq!(calling_in(&PRODUCT, ".create_tags()"), ["adopt.rs"]);
    // What lies between source and sensor is nothing to the decision: the command line reads it for `doctor`.
    let reads = calling_in(&["mirrorctl/src"], ".describe_");
    assert_eq!(reads, ["cloudtrail.rs", "config.rs", "ec2.rs"]);
    assert_eq!(calling_in(&["mirrorctl/src/doctor/read"], ".describe_"), ["ec2.rs"]);
    let before = calling_in(&["mirrorctl/src/doctor/pre/read"], ".describe_");
    assert_eq!(before, ["cloudtrail.rs", "config.rs"]);
}

#[test]
fn config_rule_cannot_change_what_it_evaluates() {
    // Without the SDK it has nothing but `shared_ec2::client::Ec2`, whose client is private there.
    let dependencies = dependencies("config-rule/Cargo.toml");
    assert!(dependencies.contains(&"shared-ec2".to_owned()), "{dependencies:?}");
    assert!(!dependencies.contains(&"aws-sdk-ec2".to_owned()), "{dependencies:?}");
    assert!(!dependencies.contains(&"automirror".to_owned()), "{dependencies:?}");
    assert!(!read("shared/ec2/src/client.rs").contains("pub client"));
}

#[test]
fn the_decision_knows_no_sdk_no_clock_and_no_environment() {
    assert_eq!(dependencies("shared/Cargo.toml"), ["thiserror"]);
    // What was observed as a file: only the command line is built with it.
    assert!(read("shared/Cargo.toml").contains("optional = true"));
    for function in ["automirror", "config-rule", "shared/ec2"] {
        let manifest = read(&format!("{function}/Cargo.toml"));
        assert!(manifest.contains("\nshared.workspace = true\n"), "{function}");
    }
    for what in ["std::env", "SystemTime", "Instant", "async ", "std::fs", "std::net"] {
        assert_eq!(files_with("shared/src", what), [""; 0], "{what}");
    }
}

/// Longer than others: the tests of the decision, one for each situation, and its properties.
const LONG_FILES: [&str; 3] = ["plan/tests.rs", "plan/evidence.rs", "plan/properties.rs"];

#[test]
fn no_product_file_is_longer_than_350_lines() {
    for path in PRODUCT.iter().flat_map(|folder| files(folder)) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let is_exempt = LONG_FILES.iter().any(|file| path.ends_with(file));
        assert!(is_exempt || lines <= 350, "{} has {lines} lines", path.display());
    }
}

/// The table of settings has each of them, and no other.
#[test]
fn the_user_can_read_every_setting() {
    let document = read("docs/settings.md");
    let rows = document.lines().filter(|line| line.starts_with("| `MIRROR_"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let names: BTreeSet<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert_eq!(names, BTreeSet::from(NAMES));
}
