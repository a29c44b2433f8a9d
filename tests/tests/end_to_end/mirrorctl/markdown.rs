//! What is printed as markdown is what a reader of markdown sees: nothing runs into what stands before it.

use super::{changes::old_session, folder, story};

/// What a line of markdown is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Nothing,
    Heading,
    List,
    Table,
    Paragraph,
}

fn part(line: &str) -> Part {
    match line.trim_start().chars().next() {
        None => Part::Nothing,
        Some('#') => Part::Heading,
        Some('-') => Part::List,
        Some('|') => Part::Table,
        Some(_) => Part::Paragraph,
    }
}

/// Between two parts is a blank line, and a table has a line of dashes under its head.
#[track_caller]
fn is_well_parted(text: &str, what: &str) {
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        let [before, after] = [part(pair[0]), part(pair[1])];
        let goes_on = before == after && matches!(before, Part::List | Part::Table);
        let is_parted = before == Part::Nothing || after == Part::Nothing;
        assert!(goes_on || is_parted, "{what}: {pair:?} in {text}");
        let is_gap = before == Part::Nothing && after == Part::Nothing;
        assert!(!is_gap, "{what}: two blank lines in {text}");
    }
    for (index, line) in lines.iter().enumerate() {
        let is_head =
            part(line) == Part::Table && (index == 0 || part(lines[index - 1]) != Part::Table);
        let is_right = !is_head || lines.get(index + 1).is_some_and(|next| next.starts_with("|--"));
        assert!(is_right, "{what}: no line of dashes after {line} in {text}");
    }
}

#[tokio::test]
async fn nothing_runs_into_what_stands_before_it() {
    let stage = story().await;
    old_session(&stage);
    let folder = folder("markdown").to_str().unwrap().to_owned();
    for line in [
        "plan",
        "plan --verbose",
        "status",
        "doctor",
        "doctor --pre",
        "explain i-0000000000000001e",
        "explain eni-0000000000000001f",
        "explain tms-00000000000000062",
        "explain tmt-0000000000000005d",
        "explain shadowed",
        "history i-0000000000000001e",
        "codes",
        "map",
        "observe --out FOLDER/world.json",
        "report --html FOLDER/report.html",
        "adopt",
        "remove",
        "adopt --confirm 111122223333",
        "apply --confirm 111122223333",
        "apply",
        "remove --confirm 111122223333",
        "remove",
    ] {
        let typed = line.replace("FOLDER", &folder);
        let arguments: Vec<_> = typed.split(' ').chain(["--output", "markdown"]).collect();
        let answer = stage.mirrorctl(&arguments);
        assert!(!answer.out.is_empty(), "{line}: {}", answer.err);
        is_well_parted(&answer.out, line);
    }
}
