//! Man pages and completions: each command has its own, and nothing is named that is not there.

use std::{collections::BTreeSet, fs, process::Command};

use regex_lite::Regex;

use super::{folder, sensor::alone};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// The first group of each match.
fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|it| it[1].to_owned()).collect()
}

/// The text of a page, without the backslashes of its source.
fn plain(page: &str) -> String {
    page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

#[test]
fn every_page_that_is_named_is_there_and_has_every_option_of_its_command() {
    let folder = folder("man");
    let answer = alone(&["man", "--out", folder.to_str().unwrap()]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert!(answer.out.ends_with(" holds the page of each command\n"), "{}", answer.out);
    let files = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|it| it.into_string().unwrap()).collect();
    let mut named = BTreeSet::from(["mirrorctl.1".to_owned()]);
    for file in &files {
        let page = fs::read_to_string(folder.join(file)).unwrap();
        let plain = plain(&page);
        let others = found(r"(mirrorctl-[a-z-]+)\(1\)", &plain);
        named.extend(others.iter().map(|other| format!("{other}.1")));
        let words: Vec<_> = file.strip_suffix(".1").unwrap().split('-').skip(1).collect();
        // The same page can be printed.
        assert_eq!(alone(&[&["man"], &words[..]].concat()).out, page, "{file}");
        let help = alone(&[&words[..], &["--help"]].concat()).out;
        let options = found(r"(?m)^ +(?:-[a-zA-Z], )?(--[a-z-]+)", &help);
        assert!(options.len() > 5, "{file}: {options:?}");
        for option in options {
            assert!(plain.contains(&option), "{file} lacks {option}");
        }
    }
    assert_eq!(named, files, "what is named, and what is there");
    assert!(files.contains("mirrorctl-seen-verify.1") && files.len() > 15, "{files:?}");
}

#[test]
fn the_page_of_no_command_is_a_wrong_command_line() {
    for arguments in [
        &["man", "sttus"][..],
        &["man", "plan", "verify"],
        &["man", "help"],
        &["man", "plan", "--out", "pages"],
    ] {
        let answer = alone(arguments);
        assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{arguments:?}");
    }
    let answer = alone(&["man", "--out", "/dev/null/pages"]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("error[not-written]"), "{}", answer.err);
}

/// The commands that the help names.
fn commands() -> BTreeSet<String> {
    let help = alone(&["-h"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    found(r"(?m)^  ([a-z]+) ", commands)
}

#[test]
fn each_shell_has_completions_of_every_command() {
    let commands = commands();
    assert!(commands.len() > 14 && commands.contains("apply"), "{commands:?}");
    for shell in SHELLS {
        let answer = alone(&["completions", shell]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{shell}");
        for command in &commands {
            assert!(answer.out.contains(command.as_str()), "{shell} lacks {command}");
        }
    }
    let script = folder("completions").join("mirrorctl.bash");
    fs::write(&script, alone(&["completions", "bash"]).out).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // What somebody who types `mirrorctl a` and the tabulator twice is offered.
    let ask = format!(
        "source {}; COMP_WORDS=(mirrorctl a); COMP_CWORD=1; _mirrorctl mirrorctl a mirrorctl; \
         echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    let offered = Command::new("bash").args(["-c", &ask]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&offered.stdout), "apply adopt\n");
}
