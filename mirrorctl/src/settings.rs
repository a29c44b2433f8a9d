//! Whose settings count: those of the deployed function, else of the environment; and `--set` over them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use shared::policy::{
    Policy,
    run::RunSettings,
    setting::{NAMES, check_names},
};

use crate::problem::{BAD_SETTING, FUNCTION_IS_NEWER, Problem};

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// The environment variables of the deployed function of this name.
    Function(String),
    /// The environment of the command line.
    #[default]
    Environment,
    /// `--set`.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "function {name}"),
            Self::Environment => f.write_str("environment"),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// A setting that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// The settings that are set, by name; and where those that are not would come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) base: Origin,
    pub(crate) values: Vec<Setting>,
}

/// Settings, and what they mean.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) policy: Policy,
    pub(crate) run: RunSettings,
}

impl Settings {
    /// The settings among these variables. Templates pass empty strings for what is not set.
    pub(crate) fn new(
        base: Origin,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problem> {
        let named: BTreeMap<String, String> =
            variables.into_iter().filter(|(name, _)| name.starts_with("MIRROR_")).collect();
        check_names(named.keys().cloned()).map_err(|unknown| {
            let kind =
                if matches!(base, Origin::Function(_)) { &FUNCTION_IS_NEWER } else { &BAD_SETTING };
            Problem::new(kind, unknown.to_string())
        })?;
        let is_set = |(_, value): &(String, String)| !value.trim().is_empty();
        let values = named.into_iter().filter(is_set).map(|(name, value)| Setting {
            name,
            value,
            origin: base.clone(),
        });
        let values = values.collect();
        Ok(Self { base, values })
    }

    /// The same with these values over them.
    pub(crate) fn with(mut self, flags: &[(&'static str, String)]) -> Self {
        for (name, value) in flags {
            self.values.retain(|setting| setting.name != *name);
            let (name, value) = ((*name).to_owned(), value.clone());
            self.values.push(Setting { name, value, origin: Origin::Flag });
        }
        self.values.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    pub(crate) fn parse(&self) -> Result<Parsed, Problem> {
        let lookup = |name: &str| {
            let mut values = self.values.iter();
            values.find(|setting| setting.name == name).map(|setting| setting.value.clone())
        };
        let bad = |error: shared::policy::setting::SettingError| {
            Problem::new(&BAD_SETTING, error.to_string())
        };
        let policy = Policy::parse(lookup).map_err(bad)?;
        let run = RunSettings::parse(lookup).map_err(bad)?;
        Ok(Parsed { policy, run })
    }
}

/// The settings of `--set`, by their names.
///
/// # Errors
/// One line about the first that cannot be understood.
pub(crate) fn flags(given: &[String]) -> Result<Vec<(&'static str, String)>, String> {
    given
        .iter()
        .map(|text| {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                format!("--set {text}: accepted is NAME=VALUE, such as scope=all")
            })?;
            let wanted = variable(name);
            let known = NAMES.into_iter().find(|known| *known == wanted).ok_or_else(|| {
                let names: Vec<_> = NAMES.iter().map(|name| short(name)).collect();
                format!(
                    "--set {text}: there is no setting `{name}`: accepted is {}",
                    names.join(", ")
                )
            })?;
            // One by one, since each alone is right or wrong.
            let alone = |asked: &str| (asked == known).then(|| value.to_owned());
            let wrong = Policy::parse(alone).err().or_else(|| RunSettings::parse(alone).err());
            match wrong.filter(|error| error.name() == known) {
                None => Ok((known, value.to_owned())),
                Some(error) => Err(format!("--set {text}: {error}")),
            }
        })
        .collect()
}

/// `scope`, `targetIds`, `target-ids` and `MIRROR_TARGET_IDS` are all names of a variable.
fn variable(name: &str) -> String {
    if name.starts_with("MIRROR_") {
        return name.to_owned();
    }
    let mut variable = "MIRROR_".to_owned();
    for letter in name.chars() {
        match letter {
            '-' => variable.push('_'),
            'A'..='Z' => variable.extend(['_', letter]),
            _ => variable.push(letter.to_ascii_uppercase()),
        }
    }
    variable
}

/// `MIRROR_TARGET_IDS` as `target-ids`.
pub(crate) fn short(name: &str) -> String {
    name.trim_start_matches("MIRROR_").to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_several_spellings() {
        for name in ["MIRROR_TARGET_IDS", "targetIds", "target-ids", "target_ids"] {
            let flags = flags(&[format!("{name}=tmt-1")]).unwrap();
            assert_eq!(flags, [("MIRROR_TARGET_IDS", "tmt-1".to_owned())], "{name}");
        }
        for bad in ["scope", "scop=all", "=all", "scope=al", "packet-length=0"] {
            assert!(flags(&[bad.to_owned()]).unwrap_err().contains("accepted is"), "{bad}");
        }
    }
}
