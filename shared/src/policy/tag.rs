//! The names and values of the tags that users set. Keys and the True/False values match without
//! regard to case.

/// The tag that names the targets of an instance.
pub const TARGET_TAG: &str = "Mirror-Target";
/// The tag that names the filters of an instance.
pub const FILTER_TAG: &str = "Mirror-Filter";
/// The tag that says which interfaces of an instance are mirrored.
pub const INTERFACES_TAG: &str = "Mirror-Interfaces";

/// The tag on a target that takes its sessions away: `Mirror-Drain=True`.
pub const DRAIN_TAG: &str = "Mirror-Drain";

/// Whether a value of the selecting tag opts an instance out.
#[must_use]
pub fn is_false(value: &str) -> bool {
    value.eq_ignore_ascii_case("false")
}

/// Whether a value of [`DRAIN_TAG`] asks for what the tag says.
#[must_use]
pub fn is_true(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

/// Equal without regard to case, in all of Unicode.
#[must_use]
pub fn eq_ignore_case(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || (!(left.is_ascii() && right.is_ascii()) && left.to_lowercase() == right.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_is_read_in_any_spelling_and_nothing_else_is() {
        for (value, expected) in [
            ("true", true),
            (" TRUE ", true),
            ("True", true),
            ("yes", false),
            ("", false),
            ("truer", false),
        ] {
            assert_eq!(is_true(value), expected, "{value:?}");
        }
    }
}
