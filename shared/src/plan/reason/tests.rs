//! The catalogue of reasons.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_reason_has_a_code_of_its_own_and_says_something() {
    let codes: BTreeSet<_> = REASONS.iter().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), REASONS.len());
    for Entry { code, sentence, .. } in REASONS {
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'6'), "{code}");
        assert!(sentence.len() > 10, "{code}");
    }
}

#[test]
fn text_from_outside_is_quoted() {
    let reason = Reason::NotSelected { key: "a\nb".to_owned(), value: "c".to_owned() };
    let expected = "the instance has no tag `a\u{fffd}b` with the value `c`";
    assert_eq!(reason.to_string(), expected);
    let reason = Reason::TargetNotAllowed {
        target: "tmt-1".parse().unwrap(),
        owner: "222222222222".parse().ok(),
    };
    assert_eq!(reason.to_string(), "target tmt-1 of account 222222222222 is not allowed");
    // Anybody may write a word into a tag that looks like an id. EC2's ids are shorter.
    let long = format!("tmf-{}", "x".repeat(64)).parse().unwrap();
    let shown = Reason::FilterUnknown { filter: long }.to_string();
    assert_eq!(shown, format!("filter tmf-{} does not exist", "x".repeat(20)));
    let id = "tmf-0123456789abcdef0";
    let shown = Reason::SameFilterTwice { filter: id.parse().unwrap() }.to_string();
    assert!(shown.contains(&format!("filter {id} would")), "{shown}");
}
