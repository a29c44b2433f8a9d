//! The machine formats by their written rules, of the commands that change something or write a file, and as tables of all.

use std::collections::BTreeSet;

use local_cloud::cloud::fault::Fault;
use serde_json::Value;

use super::{
    Answer,
    changes::{ACCOUNT, old_session},
    command, folder,
    problems::{is_problem, refusal},
    story,
    terminal::on_a_terminal,
};
use crate::stage::Stage;

/// The cells of a line of CSV.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            // Two in a row are one in the text, which matters to nobody here.
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

/// The names of the columns, and the rows, which all have as many cells.
#[track_caller]
fn table(answer: &Answer) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = answer.out.lines().map(cells);
    let columns = lines.next().unwrap_or_else(|| panic!("no line: {}", answer.err));
    let rows: Vec<_> = lines.collect();
    for row in &rows {
        assert_eq!(row.len(), columns.len(), "{columns:?} {row:?}");
    }
    (columns, rows)
}

fn column(answer: &Answer, name: &str) -> Vec<String> {
    let (columns, rows) = table(answer);
    let at = columns.iter().position(|it| it == name).unwrap();
    rows.into_iter().map(|row| row[at].clone()).collect()
}

fn run(stage: &Stage, line: &str) -> Answer {
    stage.mirrorctl(&line.split(' ').collect::<Vec<_>>())
}

/// The only place of an answer.
#[track_caller]
fn only_place(answer: &Answer) -> Value {
    let places = answer.json()["places"].as_array().unwrap().clone();
    let [place] = &places[..] else { panic!("one place for each account and region: {places:?}") };
    assert_eq!((&place["account"], &place["region"]), (&ACCOUNT.into(), &"us-east-1".into()));
    place.clone()
}

/// The records of an answer in lines, without the first and the last.
#[track_caller]
fn records(answer: &Answer) -> Vec<Value> {
    let lines = answer.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut records: Vec<_> = lines.collect();
    assert_eq!(records.remove(0)["type"], "version");
    let end = records.pop().unwrap();
    assert_eq!((&end["type"], &end["exit"]), (&"end".into(), &answer.code.into()));
    records
}

fn of_type(records: &[Value], kind: &str) -> Vec<Value> {
    records.iter().filter(|it| it["type"] == kind).cloned().collect()
}

fn outcomes(changes: &Value) -> Vec<String> {
    let changes = changes.as_array().unwrap().iter();
    changes.map(|it| it["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_csv_is_a_line_of_names_and_rows_of_as_many_cells() {
    let stage = story().await;
    old_session(&stage);
    let folder = folder("csv").to_str().unwrap().to_owned();
    for (line, is_empty) in [
        ("plan", false),
        ("status", false),
        ("doctor", false),
        ("doctor --pre", false),
        ("explain i-0000000000000001e", false),
        ("explain shadowed", false),
        ("history i-0000000000000001e", false),
        ("codes", false),
        ("map", false),
        ("observe --out FOLDER/world.json", false),
        ("report --html FOLDER/report.html", false),
        ("apply", false),
        ("remove", false),
        ("adopt", false),
        ("remove --owner nobody", true),
        ("apply --region us-east-1,eu-central-1", true),
    ] {
        let line = format!("{} --output csv", line.replace("FOLDER", &folder));
        let answer = run(&stage, &line);
        let (columns, rows) = table(&answer);
        assert!(
            ["account", "address", "code"].contains(&columns[0].as_str()),
            "{line}: {columns:?}"
        );
        let names: BTreeSet<_> = columns.iter().collect();
        assert_eq!(names.len(), columns.len(), "{line}: {columns:?}");
        assert_eq!(rows.is_empty(), is_empty, "{line}: {rows:?}");
    }
}

#[tokio::test]
async fn changes_are_a_row_each_with_what_has_become_of_it() {
    let stage = story().await;
    old_session(&stage);
    let answer = run(&stage, "apply --output csv");
    assert_eq!(answer.code, 1);
    assert_eq!(column(&answer, "action"), ["create", "delete", "create"]);
    assert_eq!(column(&answer, "outcome"), ["left", "left", "left"]);
    let answer = run(&stage, "apply --output csv --confirm 111122223333");
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert_eq!(column(&answer, "action"), ["delete", "create", "create"]);
    assert_eq!(column(&answer, "outcome"), ["done", "done", "done"]);
    assert!(column(&answer, "session").iter().all(|it| it.starts_with("tms-")), "{}", answer.out);
    for line in ["adopt --output csv", "remove --output csv"] {
        let answer = run(&stage, &format!("{line} --confirm {ACCOUNT}"));
        assert_eq!(answer.code, 0, "{line}: {}", answer.err);
        let outcomes = column(&answer, "outcome");
        assert!(!outcomes.is_empty() && outcomes.iter().all(|it| it == "done"), "{}", answer.out);
    }
}

#[tokio::test]
async fn json_has_one_place_and_lines_have_one_for_each_change() {
    let stage = story().await;
    old_session(&stage);
    for (command, list, kind, count) in [
        ("apply", "changes", "change", 3),
        ("adopt", "sessions", "session", 1),
        ("remove", "changes", "change", 4),
    ] {
        // Nobody has said yes: what would be changed is all there.
        let answer = run(&stage, &format!("{command} --output json"));
        let place = only_place(&answer);
        assert_eq!(place["error"]["code"], "not-confirmed", "{command}");
        assert_eq!(outcomes(&place[list]), vec!["left"; count], "{command}");
        let lines = records(&run(&stage, &format!("{command} --output ndjson")));
        let asked = of_type(&lines, kind);
        assert_eq!(asked.len(), count, "{command}: {lines:?}");
        assert_eq!(of_type(&lines, "error").len(), 1, "{command}");
        let answer = run(&stage, &format!("{command} --output json --confirm {ACCOUNT}"));
        let place = only_place(&answer);
        assert_eq!(place["error"], Value::Null, "{command}");
        assert_eq!(outcomes(&place[list]), vec!["done"; count], "{command}");
        assert!(place["settings"].is_object(), "{command}: {place}");
        // And now there is nothing.
        let place = only_place(&run(&stage, &format!("{command} --output json")));
        if command != "apply" {
            assert_eq!(place[list], Value::Array(Vec::new()), "{command}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_told_where_it_was_tried() {
    let stage = story().await;
    old_session(&stage);
    stage.fault(Fault::once("CreateTrafficMirrorSession", refusal("UnauthorizedOperation")));
    let answer = run(&stage, &format!("apply --output json --confirm {ACCOUNT}"));
    is_problem(&answer, "not-done");
    let place = only_place(&answer);
    let mut found = outcomes(&place["changes"]);
    found.sort();
    assert_eq!(found, ["done", "done", "failed"]);
    let failed = place["changes"].as_array().unwrap().iter().find(|it| it["outcome"] == "failed");
    assert!(failed.unwrap()["error"].to_string().contains("UnauthorizedOperation"), "{place}");
    stage.fault(Fault::once("CreateTags", refusal("UnauthorizedOperation")));
    let answer = run(&stage, &format!("adopt --output json --confirm {ACCOUNT}"));
    is_problem(&answer, "no-permission");
    let place = only_place(&answer);
    assert_eq!(outcomes(&place["sessions"]), ["failed"]);
    assert_eq!(place["error"]["code"], "no-permission");
}

/// Standard output has the answer and nothing else.
#[tokio::test]
async fn who_is_asked_sees_at_the_terminal_what_is_asked_about() {
    let stage = story().await;
    old_session(&stage);
    let endpoint = stage.deployment.cloud.endpoint();
    for (name, seen) in
        [("apply", "2 to create"), ("remove", "tms-00000000000000019"), ("adopt", "tms-")]
    {
        let mut command = command(&endpoint, &[name, "--output", "json"]);
        let (code, shown) = on_a_terminal(&mut command, Some("no\n"));
        assert_eq!(code, Some(1), "{shown}");
        let (before, _) = shown.split_once("type the number of the account").unwrap();
        assert!(before.contains(seen), "{name}: {shown}");
        // Nobody is asked.
        let answer = run(&stage, &format!("{name} --output json"));
        assert!(answer.err.starts_with("error[not-confirmed]"), "{name}: {}", answer.err);
    }
}

#[tokio::test]
async fn a_file_on_standard_output_is_alone_there() {
    let stage = story().await;
    for format in ["text", "json", "ndjson", "csv", "markdown"] {
        for line in ["observe --out -", "plan --out -", "map --format json --out -"] {
            let answer = run(&stage, &format!("{line} --output {format}"));
            let format = answer.json()["format"].to_string();
            assert!(format.starts_with("\"mirrorctl-"), "{line}: {format}");
        }
        let page = run(&stage, &format!("report --html - --output {format}")).out;
        assert!(page.trim_end().ends_with("</html>"), "{page}");
    }
}

#[tokio::test]
async fn what_was_written_is_told_for_each_account_and_region() {
    let stage = story().await;
    let folder = folder("written").to_str().unwrap().to_owned();
    for (line, file) in [("observe --out", "world.json"), ("report --html", "report.html")] {
        let path = format!("{folder}/{file}");
        let answer = run(&stage, &format!("{line} {path} --output json"));
        assert_eq!(only_place(&answer)["file"], path.as_str());
        let lines = records(&run(&stage, &format!("{line} {path} --output ndjson")));
        assert_eq!(of_type(&lines, "file").len(), 1);
        assert_eq!(column(&run(&stage, &format!("{line} {path} --output csv")), "file"), [path]);
    }
}

#[tokio::test]
async fn what_a_shell_reads_has_no_other_format() {
    let stage = story().await;
    for line in ["completions bash", "man", "man plan", "man --out pages"] {
        for format in ["json", "ndjson", "csv", "markdown", "asff", "ocsf"] {
            let answer = run(&stage, &format!("{line} --output {format}"));
            assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{line} {format}");
            assert!(answer.err.contains(&format!("has no --output {format}")), "{}", answer.err);
        }
    }
}
