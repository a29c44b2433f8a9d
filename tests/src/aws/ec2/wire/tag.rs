//! The actions on tags.

use super::parameters::Parameters;
use super::xml::done;
use crate::aws::ec2::{Caller, Refusal, Tags, World};

pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let tags = parameters.tags()?.into_iter();
    let tags: Tags = tags.map(|(key, value)| (key, value.unwrap_or_default())).collect();
    world.create_tags(caller, &parameters.required_list("ResourceId")?, &tags)?;
    Ok(done("CreateTags"))
}

pub(super) fn delete(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let resources = parameters.required_list("ResourceId")?;
    world.delete_tags(caller, &resources, &parameters.tags()?)?;
    Ok(done("DeleteTags"))
}
