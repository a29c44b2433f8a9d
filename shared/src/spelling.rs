//! All spellings of a tag's key: EC2's filters tell capitals from small letters, our tags do not.

/// At most this many letters are spelled out both ways, which gives 128 values; a request takes 200
/// (EC2 API, "Filtering").
const SPELLED: u32 = 7;

/// Values of the filter `tag-key` that let through every spelling of `key`, and little else: beyond
/// the first letters a wildcard stands for either case.
#[must_use]
pub fn spellings(key: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    let mut left = SPELLED;
    let mut letters = key.chars().peekable();
    while let Some(letter) = letters.next() {
        let forms = match letter {
            // With a dot above it is also the small form of `İ`, which is one character.
            'i' | 'I' if letters.peek() == Some(&'\u{307}') => vec!["*".to_owned()],
            // Its capital may also be the sign for Kelvin.
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
        spellings = forms
            .iter()
            .flat_map(|form| spellings.iter().map(move |start| format!("{start}{form}")))
            .collect();
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_spelled_out_in_every_way() {
        let spellings = spellings("Mirror");
        assert_eq!(spellings.len(), 64);
        for spelling in ["Mirror", "mirror", "MIRROR", "mIRRoR"] {
            assert!(spellings.iter().any(|it| it == spelling), "{spelling}");
        }
        assert!(spellings.iter().all(|it| it.eq_ignore_ascii_case("mirror")));
    }

    #[test]
    fn a_long_key_ends_in_wildcards_and_never_takes_more_values_than_fit() {
        let spellings = spellings("sec:Traffic-Mirroring");
        assert_eq!(spellings.len(), 128);
        assert!(spellings.iter().any(|it| it == "SEC:Traf???-?????????"), "{spellings:?}");
    }

    #[test]
    fn other_letters_and_wildcards_in_a_key_stay_what_they_are() {
        assert_eq!(spellings("1*?\\"), ["1\\*\\?\\\\"]);
        assert_eq!(spellings("ßk-é"), ["*?-*"]);
    }

    #[test]
    fn an_i_with_a_dot_above_may_also_be_one_character() {
        assert_eq!(spellings("1i\u{307}"), ["1**"]);
        assert_eq!(spellings("1i"), ["1i", "1I"]);
    }
}
