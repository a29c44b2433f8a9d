//! Filter patterns that match every spelling of a tag key: EC2's filters are case-sensitive, the tags
//! that users set are not.

/// At most this many letters are spelled out in both cases, which gives 128 values; a request accepts
/// 200 (EC2 API, "Filtering").
const MAX_SPELLED_OUT: u32 = 7;

/// Values of the filter `tag-key` that match every spelling of `key`, and little else: after the first
/// letters a wildcard stands for either case.
#[must_use]
pub fn key_patterns(key: &str) -> Vec<String> {
    let mut patterns = vec![String::new()];
    let mut left = MAX_SPELLED_OUT;
    let mut letters = key.chars().peekable();
    while let Some(letter) = letters.next() {
        let forms = match letter {
            // With a dot above, it is also the lower case of `İ`, which is one character.
            'i' | 'I' if letters.peek() == Some(&'\u{307}') => vec!["*".to_owned()],
            // Its upper case may also be the sign for Kelvin.
            'k' | 'K' => vec!["?".to_owned()],
            _ if letter.is_ascii_alphabetic() && left > 0 => {
                left -= 1;
                vec![
                    letter.to_ascii_lowercase().to_string(),
                    letter.to_ascii_uppercase().to_string(),
                ]
            }
            _ if letter.is_ascii_alphabetic() => vec!["?".to_owned()],
            '*' | '?' | '\\' => vec![format!("\\{letter}")],
            _ if letter.is_ascii() => vec![letter.to_string()],
            // Another case may have another number of characters.
            _ => vec!["*".to_owned()],
        };
        patterns = forms
            .iter()
            .flat_map(|form| patterns.iter().map(move |start| format!("{start}{form}")))
            .collect();
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_spelled_out_in_every_way() {
        let patterns = key_patterns("Mirror");
        assert_eq!(patterns.len(), 64);
        for spelling in ["Mirror", "mirror", "MIRROR", "mIRRoR"] {
            assert!(patterns.iter().any(|it| it == spelling), "{spelling}");
        }
        assert!(patterns.iter().all(|it| it.eq_ignore_ascii_case("mirror")));
    }

    #[test]
    fn a_long_key_ends_in_wildcards_and_never_takes_more_values_than_fit() {
        let patterns = key_patterns("sec:Traffic-Mirroring");
        assert_eq!(patterns.len(), 128);
        assert!(patterns.iter().any(|it| it == "SEC:Traf???-?????????"), "{patterns:?}");
    }

    #[test]
    fn other_letters_and_wildcards_in_a_key_stay_what_they_are() {
        assert_eq!(key_patterns("1*?\\"), ["1\\*\\?\\\\"]);
        assert_eq!(key_patterns("ßk-é"), ["*?-*"]);
    }

    #[test]
    fn an_i_with_a_dot_above_may_also_be_one_character() {
        assert_eq!(key_patterns("1i\u{307}"), ["1**"]);
        assert_eq!(key_patterns("1i"), ["1i", "1I"]);
    }
}
