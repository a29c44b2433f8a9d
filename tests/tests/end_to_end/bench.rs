//! The benchmark measures every figure it promises. The figures themselves mean nothing here: the cloud is small.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use local_cloud::lambda::binary::binary;
use serde_json::Value;

/// The workspace's binaries, laid out as package.py leaves them.
fn packages() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    fs::remove_dir_all(&root).ok();
    for name in ["automirror", "config-rule", "hello", "planner"] {
        let folder = root.join("x86_64").join(name);
        fs::create_dir_all(&folder).unwrap();
        symlink(binary(name), folder.join("bootstrap")).unwrap();
    }
    for function in ["automirror", "config-rule"] {
        fs::write(root.join(format!("{function}-x86_64.zip")), "zip").unwrap();
    }
    root.join("x86_64")
}

#[test]
fn the_benchmark_measures_every_figure() {
    let packages = packages();
    let output = packages.join("bench.json");
    let bench =
        Command::new(binary("bench")).arg("--small").args([&packages, &output]).output().unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let all: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    assert!(all["machine"].as_str().unwrap().contains("rustc"));

    let mut missing = Vec::new();
    let mut found = Vec::new();
    for (title, rows) in all["tables"].as_object().unwrap() {
        let rows = rows.as_object().unwrap();
        let columns = rows.values().next().unwrap().as_object().unwrap().len();
        found.push((title.as_str(), rows.len(), columns));
        for (row, figures) in rows {
            for (column, figure) in figures.as_object().unwrap() {
                if !figure.is_number() {
                    missing.push(format!("{row}: {column}"));
                }
            }
        }
    }
    let expected = [
        ("Cold start, EC2 by HTTP", 5, 8),
        ("Cold start, EC2 by HTTPS", 5, 8),
        ("Events, EC2 by HTTP", 4, 11),
        ("Packages", 3, 2),
        ("Sweeps, EC2 by HTTP", 8, 8),
        ("`mirrorctl seen`, one core", 2, 2),
        ("`plan`", 2, 2),
    ];
    assert_eq!(found, expected);
    let expected = [
        "100 instances, tagged, in a batch: round trips",
        "500 instances, tagged, at once: round trips",
        "hello: zip, MB",
    ];
    assert_eq!(missing, expected);
}
