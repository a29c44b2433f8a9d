//! Annotations: at most 256 characters that begin with the codes of their reasons in brackets.

use std::collections::BTreeSet;

use shared::id::InterfaceId;

/// The longest annotation AWS Config accepts, in characters (`PutEvaluations`).
const MAX_LENGTH: usize = 256;
/// An annotation names at most this many interfaces for one reason.
const MAX_NAMED: usize = 3;

/// What an annotation says, one part after the other.
#[derive(Default)]
pub(crate) struct Annotation(Vec<Part>);

/// One reason.
pub(crate) struct Part {
    /// What stands before the code.
    pub(crate) before: &'static str,
    pub(crate) code: &'static str,
    pub(crate) words: String,
}

impl FromIterator<Part> for Annotation {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl Annotation {
    /// The text, in which each code stands before its words. Where that is too long, all codes come first:
    /// none is cut off, as they are what is searched, counted and compared.
    pub(crate) fn text(&self) -> String {
        let text = self.parts(|Part { before, code, words }| format!("{before}[{code}] {words}"));
        if fits(&text) {
            return text;
        }
        let mut codes: Vec<&str> = Vec::new();
        for part in &self.0 {
            if !codes.contains(&part.code) {
                codes.push(part.code);
            }
        }
        let codes = codes.join("][");
        let words = self.parts(|Part { before, code, words }| match *before {
            "" => words.clone(),
            before => format!("{before}[{code}] {words}"),
        });
        cut(&format!("[{codes}] {words}"))
    }

    fn parts(&self, show: impl Fn(&Part) -> String) -> String {
        self.0.iter().map(show).collect::<Vec<_>>().join("; ")
    }
}

/// The codes in an annotation: what stands in brackets.
pub(crate) fn codes(annotation: &str) -> BTreeSet<String> {
    let is_code = |text: &&str| {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !text.is_empty() && text.bytes().all(is_plain)
    };
    let in_brackets =
        annotation.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    in_brackets.filter(is_code).map(str::to_owned).collect()
}

/// The interface that an annotation about a session names: it comes first.
pub(crate) fn interface_in(annotation: &str) -> Option<InterfaceId> {
    let is_part_of_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    annotation.split(|c| !is_part_of_id(c)).find_map(|word| word.parse().ok())
}

/// Some interfaces by their ids.
pub(crate) fn named(ids: &[&InterfaceId]) -> String {
    let first: Vec<_> = ids.iter().take(MAX_NAMED).map(|id| id.as_str()).collect();
    match ids.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The text, cut between characters to the longest annotation.
pub(crate) fn cut(text: &str) -> String {
    if fits(text) {
        return text.to_owned();
    }
    let mut units = 0;
    let is_left = |c: &char| {
        units += c.len_utf16();
        units < MAX_LENGTH
    };
    text.chars().take_while(is_left).chain(['…']).collect()
}

/// AWS does not say whether it counts characters or UTF-16 units, so the larger count, that of the units,
/// must fit.
fn fits(text: &str) -> bool {
    text.encode_utf16().count() <= MAX_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_fits_however_aws_counts() {
        assert_eq!(cut("short"), "short");
        for text in ["a".repeat(300), "é".repeat(300), "🦀".repeat(300)] {
            let cut = cut(&text);
            assert!(cut.encode_utf16().count() <= MAX_LENGTH && cut.ends_with('…'), "{cut}");
            assert!(cut.encode_utf16().count() >= MAX_LENGTH - 1);
        }
        let exact = "a".repeat(MAX_LENGTH);
        assert_eq!(cut(&exact), exact);
    }

    fn annotation(words: &[&str]) -> Annotation {
        let codes = ["drifted", "target-gone", "drifted", "ipv6-only"];
        let parts = codes.iter().zip(words).enumerate().map(|(index, (code, words))| Part {
            before: if index == 3 { "not mirrored " } else { "" },
            code,
            words: (*words).to_owned(),
        });
        parts.collect()
    }

    #[test]
    fn each_code_stands_before_its_words_and_all_come_first_where_that_is_too_long() {
        let short = annotation(&["eni-1: a", "eni-2: b", "eni-3: c", "eni-4"]).text();
        let expected = "[drifted] eni-1: a; [target-gone] eni-2: b; [drifted] eni-3: c; not mirrored \
                        [ipv6-only] eni-4";
        assert_eq!(short, expected);
        let long = annotation(&[&"a".repeat(100), &"b".repeat(100), &"c".repeat(100), "eni-4"]);
        let text = long.text();
        assert!(text.starts_with("[drifted][target-gone][ipv6-only] aaa"), "{text}");
        assert!(fits(&text) && text.ends_with('…'), "{text}");
        assert_eq!(codes(&text), codes(&short));
    }

    #[test]
    fn codes_are_what_stands_in_brackets_wherever_that_is() {
        let all = |text: &str| codes(text).into_iter().collect::<Vec<_>>().join(",");
        assert_eq!(
            all("[as-wanted] eni-1: x; not mirrored [ipv6-only] eni-2"),
            "as-wanted,ipv6-only"
        );
        assert_eq!(all("[b][a] eni-1"), "a,b");
        for none in ["", "no code", "[", "[]", "[a", "a]", "[No Code]", "]["] {
            assert_eq!(all(none), "", "{none}");
        }
    }

    #[test]
    fn the_interface_of_a_session_is_read_from_its_annotation() {
        let found = |text: &str| interface_in(text).map(|it| it.to_string());
        let annotation = "[target-allowed] eni-0a1 of i-0b2: target tmt-0c3 is allowed";
        assert_eq!(found(annotation).as_deref(), Some("eni-0a1"));
        assert_eq!(found("[gone] eni-0a1: it no longer exists").as_deref(), Some("eni-0a1"));
        for none in ["", "[gone] it no longer exists", "eni-", "xeni-1 i-1", "eni-É"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
