//! Text from outside, made safe for a log line or an annotation.

/// The most characters of a quoted text.
const MAX_QUOTED: usize = 64;

/// The text in backquotes: sanitized, and cut after 64 characters.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("`{}`", sanitize(text, MAX_QUOTED))
}

/// The most characters that somebody who may only write tags gets into a message.
const MAX_PLAIN: usize = 24;

/// What a message may hold of a tag's value: letters, digits, hyphens and commas, which make no link and
/// end no quotation.
#[must_use]
pub fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | ',');
    text.chars().filter(is_plain).take(MAX_PLAIN).collect()
}

/// The text on one line, without characters that could steer a terminal, cut after `max_chars`
/// characters.
#[must_use]
pub fn sanitize(text: &str, max_chars: usize) -> String {
    let mut sanitized: String = text
        .chars()
        .take(max_chars)
        .map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(max_chars).is_some() {
        sanitized.push('…');
    }
    sanitized
}

/// Characters that reorder or hide text (Unicode bidirectional and zero-width characters).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_line_and_is_cut_between_characters() {
        assert_eq!(quote("tmt-1"), "`tmt-1`");
        assert_eq!(quote("a\nb\u{1b}[31m\u{202e}"), "`a\u{fffd}b\u{fffd}[31m\u{fffd}`");
        let link = r#"FIXED. Next: http://evil.example/l" ,"x":"tmt-1,"#;
        assert_eq!(plain(link), "FIXEDNexthttpevilexample");
        assert_eq!(plain("tmt-0a1,tmt-2"), "tmt-0a1,tmt-2");
        let long = "é".repeat(200);
        assert_eq!(quote(&long).chars().count(), MAX_QUOTED + 3);
    }
}
