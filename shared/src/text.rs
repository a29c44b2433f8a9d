//! Text from outside, made fit for a log line or an annotation.

/// The most characters of a foreign text that are shown.
const LONGEST: usize = 64;

/// The text in backquotes, made fit and cut short.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("`{}`", fit(text, LONGEST))
}

/// The text on one line, without characters that could steer a terminal, cut after `longest`
/// characters.
#[must_use]
pub fn fit(text: &str, longest: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(longest)
        .map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

/// Marks that reorder or hide text (Unicode bidirectional and zero-width characters).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_line_and_is_cut_between_characters() {
        assert_eq!(quoted("tmt-1"), "`tmt-1`");
        assert_eq!(quoted("a\nb\u{1b}[31m\u{202e}"), "`a\u{fffd}b\u{fffd}[31m\u{fffd}`");
        let long = "é".repeat(200);
        assert_eq!(quoted(&long).chars().count(), LONGEST + 3);
    }
}
