//! Settings as they are written: text by name. Each is parsed in one way, and the error for a bad one
//! says what is accepted.

use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, str::FromStr};

use crate::text::quote;

/// A setting that cannot be used. Its message is one line that names the setting, its value and what
/// is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {}: accepted is {accepted}", quote(value))]
pub struct SettingError {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) accepted: String,
}

impl SettingError {
    /// The name of the setting.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The longest tag key EC2 accepts, in characters.
pub(crate) const MAX_TAG_KEY: usize = 128;
/// The longest tag value EC2 accepts, in characters.
pub(crate) const MAX_TAG_VALUE: usize = 256;

/// The name of every setting.
pub const NAMES: [&str; 22] = [
    "MIRROR_TAG_KEY",
    "MIRROR_TAG_VALUE",
    "MIRROR_SCOPE",
    "MIRROR_VPC_IDS",
    "MIRROR_TARGET_IDS",
    "MIRROR_TARGET_OWNERS",
    "MIRROR_TRUSTED_TARGETS",
    "MIRROR_INSTALLATION",
    "MIRROR_DELETION_LIMIT",
    "MIRROR_FILTER_ID",
    "MIRROR_INTERFACES",
    "MIRROR_PACKET_LENGTH",
    "MIRROR_VNI",
    "MIRROR_PRECEDENCE",
    "MIRROR_KEEP_STOPPED",
    "MIRROR_MODE",
    "MIRROR_RATE_SHARE",
    "MIRROR_OWNER",
    "MIRROR_SUPPORTED_TYPES",
    "MIRROR_UNSUPPORTED_TYPES",
    "MIRROR_SESSION_TAGS",
    "MIRROR_ACCEPTED_REASONS",
];

/// A variable that begins with `MIRROR_` and is no setting, such as a typing error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a setting: the settings are {}", quote(.0), NAMES.join(", "))]
pub struct UnknownSetting(String);

/// Checks that each of these variables that begins with `MIRROR_` is a setting.
///
/// # Errors
/// The first that is not.
pub fn check_names(names: impl IntoIterator<Item = String>) -> Result<(), UnknownSetting> {
    let mut settings = names.into_iter().filter(|name| name.starts_with("MIRROR_"));
    settings
        .find(|name| !NAMES.contains(&name.as_str()))
        .map_or(Ok(()), |name| Err(UnknownSetting(name)))
}

/// The settings, through a function that gives the value of each by its name.
pub(crate) struct Settings<F> {
    pub(crate) lookup: F,
}

impl<F: Fn(&str) -> Option<String>> Settings<F> {
    fn value(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|error: T::Err| SettingError {
            name,
            value,
            accepted: error.to_string(),
        })
    }

    pub(crate) fn list<T: FromStr<Err: Display> + Ord>(
        &self,
        name: &'static str,
    ) -> Result<BTreeSet<T>, SettingError> {
        let Some(value) = self.value(name) else { return Ok(BTreeSet::new()) };
        let bad = |value: &str, accepted: &dyn Display| SettingError {
            name,
            value: value.to_owned(),
            accepted: format!("a list, separated by commas, each {accepted}"),
        };
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
        let items: BTreeSet<T> = items
            .map(|item| item.parse().map_err(|error: T::Err| bad(item, &error)))
            .collect::<Result<_, _>>()?;
        // An empty list would lift the limit that somebody meant to set.
        if items.is_empty() {
            return Err(bad(&value, &"not empty"));
        }
        Ok(items)
    }

    /// The first choice is the default.
    pub(crate) fn one_of<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T); 2],
    ) -> Result<T, SettingError> {
        let [(first, default), (second, other)] = choices;
        match self.value(name) {
            None => Ok(*default),
            Some(value) if value.eq_ignore_ascii_case(first) => Ok(*default),
            Some(value) if value.eq_ignore_ascii_case(second) => Ok(*other),
            Some(value) => {
                Err(SettingError { name, value, accepted: format!("`{first}` or `{second}`") })
            }
        }
    }

    pub(crate) fn number<T: TryFrom<i32>>(
        &self,
        name: &'static str,
        range: RangeInclusive<i32>,
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = value.parse().ok().filter(|number| range.contains(number));
        if let Some(number) = number.and_then(|number| T::try_from(number).ok()) {
            return Ok(Some(number));
        }
        let accepted = format!("a whole number from {} to {}", range.start(), range.end());
        Err(SettingError { name, value, accepted })
    }

    /// The key of a tag to look for. EC2 itself sets tags whose keys start with `aws:`.
    pub(crate) fn tag_key(
        &self,
        name: &'static str,
        default: &str,
    ) -> Result<String, SettingError> {
        let value = self.value(name).unwrap_or_else(|| default.to_owned());
        if is_tag_text(&value, MAX_TAG_KEY) {
            return Ok(value);
        }
        Err(SettingError { name, value, accepted: format!("at most {MAX_TAG_KEY} characters") })
    }

    pub(crate) fn tag_value(
        &self,
        name: &'static str,
        default: &str,
    ) -> Result<String, SettingError> {
        let value = self.optional_tag_value(name)?;
        Ok(value.unwrap_or_else(|| default.to_owned()))
    }

    pub(crate) fn optional_tag_value(
        &self,
        name: &'static str,
    ) -> Result<Option<String>, SettingError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        if is_tag_text(&value, MAX_TAG_VALUE) && !is_reserved(&value) {
            return Ok(Some(value));
        }
        let accepted = format!("at most {MAX_TAG_VALUE} characters that do not start with `aws:`");
        Err(SettingError { name, value, accepted })
    }

    pub(crate) fn instance_types(
        &self,
        name: &'static str,
    ) -> Result<BTreeSet<String>, SettingError> {
        let types: BTreeSet<InstanceType> = self.list(name)?;
        Ok(types.into_iter().map(|InstanceType(text)| text).collect())
    }
}

pub(crate) fn is_tag_text(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars && !text.chars().any(char::is_control)
}

/// EC2 reserves this prefix: nobody can set such a tag.
pub(crate) fn is_reserved(text: &str) -> bool {
    text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct InstanceType(String);

impl FromStr for InstanceType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let parts = text.split('.').count();
        if parts <= 2 && text.split('.').all(|part| !part.is_empty() && part.bytes().all(plain)) {
            Ok(Self(text))
        } else {
            Err("an instance family such as `m8g` or an instance type such as `m7i.metal-24xl`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, run::RunSettings};

    #[test]
    fn a_variable_that_is_not_a_setting_is_named() {
        let names = |names: &[&str]| check_names(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(names(&["PATH", "MIRROR_SCOPE", "MIRROR_MODE"]), Ok(()));
        let error = names(&["PATH", "MIRROR_INTERFACE"]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "`MIRROR_INTERFACE` is not a setting: the settings are MIRROR_TAG_KEY"
            )
        );
        let parsed = std::cell::RefCell::new(BTreeSet::new());
        let lookup = |name: &str| {
            parsed.borrow_mut().insert(name.to_owned());
            None
        };
        Policy::parse(lookup).unwrap();
        RunSettings::parse(lookup).unwrap();
        let names = NAMES.map(str::to_owned).into();
        assert_eq!(parsed.into_inner(), names, "the list is that of the settings that are read");
    }
}
