//! How automirror acts on the decision. Nothing here changes what is decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    str::FromStr,
};

use crate::policy::setting::{
    MAX_TAG_KEY, MAX_TAG_VALUE, SettingError, Settings, is_reserved, is_tag_text,
};

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// Whether the plan is carried out.
    pub mode: Mode,
    /// Percent of EC2's rate of changes that one execution environment uses, 1 to 100.
    pub rate_share: u8,
    /// Further tags of new sessions, by key.
    pub session_tags: BTreeMap<String, String>,
    /// Percent of the owned sessions that may be deleted within an hour because of tags or settings, 1 to
    /// 100. 100 is no limit.
    pub deletion_limit: u8,
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
/// A mistyped tag key or value looks like a fleet whose tags were taken off.
const DEFAULT_DELETION_LIMIT: u8 = 50;

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
            session_tags: session_tags(&settings)?,
            deletion_limit: settings
                .number("MIRROR_DELETION_LIMIT", PERCENT)?
                .unwrap_or(DEFAULT_DELETION_LIMIT),
        })
    }
}

/// A session has at most 50 tags (EC2 User Guide, "Tag restrictions"); the others are left for the
/// function's own and for those that AWS adds.
const MAX_SESSION_TAGS: usize = 40;
/// The keys of the tags that the function itself sets.
const OWN_KEYS: [&str; 4] = ["ManagedBy", "Name", "Invocation", "Installation"];

fn session_tags(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
) -> Result<BTreeMap<String, String>, SettingError> {
    let name = "MIRROR_SESSION_TAGS";
    let items: BTreeSet<SessionTag> = settings.list(name)?;
    let count = items.len();
    let tags: BTreeMap<_, _> =
        items.into_iter().map(|SessionTag(key, value)| (key, value)).collect();
    if tags.len() < count || count > MAX_SESSION_TAGS {
        let accepted = format!("at most {MAX_SESSION_TAGS} tags, each key once");
        return Err(SettingError { name, value: format!("{count} tags"), accepted });
    }
    Ok(tags)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SessionTag(String, String);

impl FromStr for SessionTag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').unwrap_or_default();
        let (key, value) = (key.trim(), value.trim());
        let is_own = OWN_KEYS.iter().any(|own| own.eq_ignore_ascii_case(key));
        let is_good =
            !key.is_empty() && is_tag_text(key, MAX_TAG_KEY) && is_tag_text(value, MAX_TAG_VALUE);
        if is_good && !is_own && !is_reserved(key) && !is_reserved(value) {
            return Ok(Self(key.to_owned(), value.to_owned()));
        }
        let own = OWN_KEYS.join(", ");
        Err(format!("`Key=Value`, neither starting with `aws:`, where the key is none of {own}"))
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
        let session_tags = BTreeMap::new();
        let (mode, rate_share, deletion_limit) = (Mode::Enforce, 80, 50);
        let default = RunSettings { mode, rate_share, session_tags, deletion_limit };
        assert_eq!(parse(&[]), Ok(default.clone()));
        let said = [("MIRROR_MODE", "Enforce"), ("MIRROR_RATE_SHARE", " ")];
        assert_eq!(parse(&said), Ok(default.clone()));
        let other =
            RunSettings { mode: Mode::Detect, rate_share: 25, deletion_limit: 100, ..default };
        let said = [
            ("MIRROR_MODE", "detect"),
            ("MIRROR_RATE_SHARE", "25"),
            ("MIRROR_DELETION_LIMIT", "100"),
        ];
        assert_eq!(parse(&said), Ok(other));
    }

    #[test]
    fn session_tags_are_pairs_that_nobody_else_sets() {
        let tags = |value: &str| {
            parse(&[("MIRROR_SESSION_TAGS", value)]).map(|settings| settings.session_tags)
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = [pair("CostCenter", "42"), pair("Owner", "sec=ops"), pair("Empty", "")];
        assert_eq!(tags("CostCenter=42, Owner = sec=ops,Empty="), Ok(expected.into()));
        let many: Vec<_> = (0..41).map(|n| format!("k{n}=v")).collect();
        assert_eq!(tags(&many[1..].join(",")).unwrap().len(), 40);
        for bad in [
            "CostCenter",
            "=42",
            ",",
            "aws:x=1",
            "AWS:x=1",
            "x=aws:1",
            "name=x",
            "Invocation=1",
            "Installation=1",
            "ManagedBy=me",
            "a=1,a=2",
            &many.join(","),
            &format!("{}=1", "k".repeat(129)),
            &format!("k={}", "v".repeat(257)),
        ] {
            let error = tags(bad).unwrap_err();
            assert!(error.starts_with("MIRROR_SESSION_TAGS is "), "{bad}: {error}");
        }
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_accepted() {
        for (name, value, accepted) in [
            ("MIRROR_MODE", "dry", "`enforce` or `detect`"),
            ("MIRROR_RATE_SHARE", "0", "from 1 to 100"),
            ("MIRROR_RATE_SHARE", "101", "from 1 to 100"),
            ("MIRROR_DELETION_LIMIT", "0", "from 1 to 100"),
            ("MIRROR_DELETION_LIMIT", "50%", "from 1 to 100"),
        ] {
            let error = parse(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name} is ")), "{error}");
            assert!(error.contains(accepted), "{name}={value}: {error}");
        }
    }
}
