//! How automirror acts on the decision. Nothing here changes what is decided.

use std::ops::RangeInclusive;

use crate::policy::setting::{SettingError, Settings};

/// The settings of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// Whether the plan is carried out.
    pub mode: Mode,
    /// Percent of EC2's rate of changes that one execution environment uses, 1 to 100.
    pub rate_share: u8,
}

/// `MIRROR_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Plan and act.
    Enforce,
    /// Plan and log, change nothing.
    Detect,
}

const PERCENT: RangeInclusive<i32> = 1..=100;
/// The rest is for others that create sessions, such as another execution environment.
const DEFAULT_RATE_SHARE: u8 = 80;

impl RunSettings {
    /// Reads the settings of a run through `lookup`, which gives a setting's value by its name.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let settings = Settings { lookup };
        Ok(Self {
            mode: settings
                .one_of("MIRROR_MODE", &[("enforce", Mode::Enforce), ("detect", Mode::Detect)])?,
            rate_share: settings
                .number("MIRROR_RATE_SHARE", PERCENT)?
                .unwrap_or(DEFAULT_RATE_SHARE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<RunSettings, String> {
        let lookup = |name: &str| {
            settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        RunSettings::parse(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn a_run_enforces_at_four_fifths_of_the_rate_unless_told_otherwise() {
        let default = RunSettings { mode: Mode::Enforce, rate_share: 80 };
        assert_eq!(parse(&[]), Ok(default));
        assert_eq!(parse(&[("MIRROR_MODE", "Enforce"), ("MIRROR_RATE_SHARE", " ")]), Ok(default));
        let other = RunSettings { mode: Mode::Detect, rate_share: 25 };
        assert_eq!(parse(&[("MIRROR_MODE", "detect"), ("MIRROR_RATE_SHARE", "25")]), Ok(other));
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_accepted() {
        for (name, value, accepted) in [
            ("MIRROR_MODE", "dry", "`enforce` or `detect`"),
            ("MIRROR_RATE_SHARE", "0", "from 1 to 100"),
            ("MIRROR_RATE_SHARE", "101", "from 1 to 100"),
        ] {
            let error = parse(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name} is ")), "{error}");
            assert!(error.contains(accepted), "{name}={value}: {error}");
        }
    }
}
