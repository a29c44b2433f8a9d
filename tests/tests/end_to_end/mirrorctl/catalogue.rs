//! The codes: the documentation is the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    process::Command,
};

use super::{Answer, command, is_as_written, is_told_to_write, root};

/// What stands above the codes.
const HEAD: &str = "# Reasons and errors

Every code that automirror, the Config rule and `mirrorctl` give, with its level, what it means, why it matters, how to
mend it, and where AWS says so. `mirrorctl explain CODE` prints one of them. A code never changes its meaning.
[decisions.md](decisions.md) says how the decision is made.

";

/// The levels, each with what its codes have in common.
const LEVELS: [(&str, &str); 9] = [
    ("mirrored", "as it should be"),
    ("change", "automirror changes a session"),
    ("not-selected", "should not be mirrored"),
    ("unsupported", "should be mirrored, and EC2 cannot mirror it"),
    ("action-needed", "should be mirrored, and is not until somebody changes something"),
    ("limited", "`doctor`: part of what should arrive does, or it does later"),
    ("broken", "`doctor`: no packet arrives, or would"),
    ("cannot-tell", "`doctor`: nobody can tell whether packets arrive, or would"),
    ("error", "why `mirrorctl` has no answer"),
];

#[test]
fn the_documentation_of_the_codes_is_the_catalogue() {
    let codes = ["codes", "--output", "markdown"];
    let answer: Answer = command("http://127.0.0.1:9", &codes).output().unwrap().into();
    assert_eq!(answer.code, 0, "{}", answer.err);
    let catalogue = answer.out.trim_end();
    let expected = format!("{HEAD}{}\n{catalogue}\n", index(catalogue));
    is_as_written("docs/reasons.md", &expected);
}

/// A table of the levels, with a link to each code.
fn index(catalogue: &str) -> String {
    let chapters = catalogue.split("## ").skip(1);
    let chapters: Vec<_> = chapters.map(|chapter| chapter.split_once("\n\n").unwrap()).collect();
    let rows = LEVELS.map(|(level, meaning)| {
        let prefix = format!("{level}: ");
        let of_level = chapters.iter().filter(|(_, text)| text.starts_with(&prefix));
        let links: Vec<_> = of_level.map(|(code, _)| format!("[`{code}`](#{code})")).collect();
        assert!(!links.is_empty(), "{level}");
        format!("| `{level}` | {meaning} | {} |\n", links.join(", "))
    });
    let links: usize = rows.iter().map(|row| row.matches("](#").count()).sum();
    assert_eq!(links, chapters.len(), "a code has a level that is not in the table");
    format!("| level | meaning | codes |\n| --- | --- | --- |\n{}", rows.concat())
}

/// The list of every code that was ever published.
const LIST: &str = "tests/mirrorctl/codes.txt";

/// What a line of the list says of a code that is no more.
const RETIRED: &str = ": retired: ";

/// Every code that was ever published, and of those that are no more what has taken their place.
fn published() -> BTreeMap<String, Option<String>> {
    let text = fs::read_to_string(root().join(LIST)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let entry = |line: &str| match line.split_once(RETIRED) {
        Some((code, instead)) => (code.to_owned(), Some(instead.to_owned())),
        None => (line.to_owned(), None),
    };
    lines.map(entry).collect()
}

fn live() -> BTreeSet<String> {
    let codes = ["codes", "--output", "json"];
    let answer: Answer = command("http://127.0.0.1:9", &codes).output().unwrap().into();
    let places = answer.json()["places"].as_array().unwrap().clone();
    places.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect()
}

/// A code that programs and people know never means something else, and never goes without a word.
#[test]
fn a_code_is_live_or_retired_and_never_both() {
    let (published, live) = (published(), live());
    for (code, instead) in &published {
        match instead {
            Some(instead) => {
                assert!(!live.contains(code), "{code} is retired: a code never comes back");
                assert!(!instead.is_empty(), "{code}: what has taken its place?");
            }
            None => assert!(
                live.contains(code),
                "{code} is gone: {LIST} says `{code}{RETIRED}`, and what has taken its place"
            ),
        }
    }
    let new: Vec<_> = live.iter().filter(|code| !published.contains_key(*code)).collect();
    if is_told_to_write() {
        let mut text = fs::read_to_string(root().join(LIST)).unwrap();
        for code in new {
            writeln!(text, "{code}").unwrap();
        }
        fs::write(root().join(LIST), text).unwrap();
    } else {
        assert!(new.is_empty(), "TRYCMD=overwrite adds them to {LIST}: {new:?}");
    }
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(root()).args(arguments).output();
    // Without git, or outside of its history, there is nothing to look at.
    output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default()
}

/// The versions of a file that the history has.
fn versions(path: &str) -> Vec<String> {
    let commits = git(&["log", "--format=%h", "--", path]);
    commits.lines().map(|commit| git(&["show", &format!("{commit}:{path}")])).collect()
}

/// The codes in a table of reasons, as the README has it.
fn codes_in_table(text: &str) -> Vec<String> {
    let after_head = text.split_once("\n| reason | ").map(|(_, rest)| rest).unwrap_or_default();
    let rows = after_head.lines().skip(2).take_while(|line| line.starts_with('|'));
    let code = |row: &str| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    rows.filter_map(code).collect()
}

/// The codes in the entries of a version of the catalogue, or of the document that is made of it.
fn codes_in_entries(text: &str) -> Vec<String> {
    let levels = ["Mirrored", "Change", "NotSelected", "Unsupported", "ActionNeeded"];
    let code = |line: &str| {
        if let Some(code) = line.strip_prefix("## ") {
            return Some(code.to_owned());
        }
        let (code, rest) = line.split_once("=> \"")?.1.split_once("\", ")?;
        levels.iter().any(|level| rest.starts_with(level)).then(|| code.to_owned())
    };
    text.lines().filter_map(code).collect()
}

#[test]
fn every_code_that_the_history_shows_is_in_the_list() {
    let listed = published();
    let tables = versions("README.md").into_iter().flat_map(|text| codes_in_table(&text));
    let entries = ["docs/reasons.md", "shared/src/plan/reason.rs", "shared/src/reason.rs"];
    let entries = entries.into_iter().flat_map(versions).flat_map(|text| codes_in_entries(&text));
    let missing: BTreeSet<_> =
        tables.chain(entries).filter(|code| !listed.contains_key(code)).collect();
    assert!(missing.is_empty(), "{LIST} does not have {missing:?}");
}

#[test]
fn codes_are_found_where_they_were_published() {
    let table = "# x\n\n| reason | meaning |\n| --- | --- |\n| **mirrored** | |\n| `a-b` | c |\n\n| `d` | e |\n";
    assert_eq!(codes_in_table(table), ["a-b"]);
    let entries = "## a-b\n### c\n    X { y } => \"d-e\", Change, \"f\";\n    X => \"g\",\n";
    assert_eq!(codes_in_entries(entries), ["a-b", "d-e"]);
}
