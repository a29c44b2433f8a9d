//! The roles of the functions, from the template that creates them.

use crate::aws::cloudformation::Template;
use crate::aws::iam::Role;
use crate::cloud::Cloud;

/// The role of a function with these settings, which from now on may do only what the template allows
/// it. Installations with different owners have roles of their own.
pub(crate) fn of(function: &str, cloud: &Cloud, settings: &[(&str, &str)]) -> anyhow::Result<Role> {
    let owner = settings.iter().find(|(name, _)| *name == "MIRROR_OWNER");
    let name = owner.map_or(function.to_owned(), |(_, owner)| format!("{function}-{owner}"));
    named(&name, function, cloud, settings)
}

/// The role of this name, of a function with these settings.
pub(crate) fn named(
    name: &str,
    function: &str,
    cloud: &Cloud,
    settings: &[(&str, &str)],
) -> anyhow::Result<Role> {
    let parameters = parameters(&Template::of_repository("automirror.yaml")?, settings);
    let parameters: Vec<_> = parameters.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let role = Role::of_function(name, function, &parameters)?;
    cloud.permit(&role);
    Ok(role)
}

/// The parameters that become these settings: `MirrorTagKey` for `MIRROR_TAG_KEY`.
fn parameters<'a>(template: &Template, settings: &[(&str, &'a str)]) -> Vec<(String, &'a str)> {
    let named = settings.iter().map(|&(setting, value)| (parameter(setting), value));
    named.filter(|(name, _)| template.has_parameter(name)).collect()
}

fn parameter(setting: &str) -> String {
    let words = setting.split('_').filter_map(|word| word.split_at_checked(1));
    words.flat_map(|(first, rest)| [first.to_owned(), rest.to_lowercase()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_the_parameter_of_its_name_if_there_is_one() {
        let template = Template::of_repository("automirror.yaml").unwrap();
        let settings = [("MIRROR_TARGET_IDS", "tmt-1"), ("AWS_LAMBDA_LOG_FORMAT", "Text")];
        assert_eq!(parameters(&template, &settings), [("MirrorTargetIds".to_owned(), "tmt-1")]);
    }
}
