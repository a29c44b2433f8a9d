//! The codes: the documentation is the catalogue.

use std::fs;

use super::{Answer, command, root};

/// What stands above the codes.
const HEAD: &str = "# Reasons and errors

Every code that automirror, the Config rule and `mirrorctl` give, with its level, what it means, why it matters, how to
mend it, and where AWS says so. `mirrorctl explain CODE` prints one of them. A code never changes its meaning.

`mirrored`: as it should be. `change`: automirror changes a session. `not-selected`: it should not be mirrored.
`unsupported`: it should be, and EC2 cannot. `action-needed`: it should be, and is not until somebody acts. `error`: why
`mirrorctl` has no answer.

";

#[test]
fn the_documentation_of_the_codes_is_the_catalogue() {
    let codes = ["codes", "--output", "markdown"];
    let answer: Answer = command("http://127.0.0.1:9", &codes).output().unwrap().into();
    assert_eq!(answer.code, 0, "{}", answer.err);
    let expected = format!("{HEAD}{}\n", answer.out.trim_end());
    let path = root().join("docs/reasons.md");
    if std::env::var_os("TRYCMD").is_some_and(|it| it == "overwrite") {
        fs::write(&path, &expected).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == expected, "TRYCMD=overwrite writes it anew");
}
