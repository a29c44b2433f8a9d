//! The codes: the documentation is the catalogue.

use std::fs;

use super::{Answer, command, root};

/// What stands above the codes.
const HEAD: &str = "# Reasons and errors

Every code that automirror, the Config rule and `mirrorctl` give, with its level, what it means, why it matters, how to
mend it, and where AWS says so. `mirrorctl explain CODE` prints one of them. A code never changes its meaning.
[decisions.md](decisions.md) says how the decision is made.

";

/// The levels, each with what its codes have in common.
const LEVELS: [(&str, &str); 6] = [
    ("mirrored", "as it should be"),
    ("change", "automirror changes a session"),
    ("not-selected", "should not be mirrored"),
    ("unsupported", "should be mirrored, and EC2 cannot mirror it"),
    ("action-needed", "should be mirrored, and is not until somebody changes something"),
    ("error", "why `mirrorctl` has no answer"),
];

#[test]
fn the_documentation_of_the_codes_is_the_catalogue() {
    let codes = ["codes", "--output", "markdown"];
    let answer: Answer = command("http://127.0.0.1:9", &codes).output().unwrap().into();
    assert_eq!(answer.code, 0, "{}", answer.err);
    let catalogue = answer.out.trim_end();
    let expected = format!("{HEAD}{}\n{catalogue}\n", index(catalogue));
    let path = root().join("docs/reasons.md");
    if std::env::var_os("TRYCMD").is_some_and(|it| it == "overwrite") {
        fs::write(&path, &expected).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == expected, "TRYCMD=overwrite writes it anew");
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
