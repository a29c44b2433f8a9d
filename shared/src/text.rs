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

/// Characters that reorder or hide text: Unicode's format characters (general category Cf), and the line
/// and paragraph separators.
#[rustfmt::skip]
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_line_and_is_cut_between_characters() {
        assert_eq!(quote("tmt-1"), "`tmt-1`");
        assert_eq!(quote("a\nb\u{1b}[31m\u{202e}"), "`a\u{fffd}b\u{fffd}[31m\u{fffd}`");
        for hidden in ['\u{ad}', '\u{61c}', '\u{2060}', '\u{2064}', '\u{e0041}', '\u{feff}'] {
            assert_eq!(
                sanitize(&format!("a{hidden}b"), 9),
                "a\u{fffd}b",
                "{}",
                hidden.escape_unicode()
            );
        }
        assert_eq!(sanitize("中文é🦀", 9), "中文é🦀");
        let link = r#"FIXED. Next: http://evil.example/l" ,"x":"tmt-1,"#;
        assert_eq!(plain(link), "FIXEDNexthttpevilexample");
        assert_eq!(plain("tmt-0a1,tmt-2"), "tmt-0a1,tmt-2");
        let long = "é".repeat(200);
        assert_eq!(quote(&long).chars().count(), MAX_QUOTED + 3);
    }
}
