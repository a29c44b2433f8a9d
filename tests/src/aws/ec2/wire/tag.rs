//! The actions on tags.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, done, respond};
use crate::aws::ec2::{Caller, Refusal, TagRow, Tags, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    tag_set: Set<TagXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A tag where it does not stand in its resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<&'a str>,
    resource_type: &'static str,
    key: &'a str,
    value: &'a str,
}

pub(super) fn describe(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    // There are no ids to ask for, only filters.
    let query = parameters.query("")?;
    let mut page = world.describe_tags(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let row = |TagRow { resource, resource_type, key, value }| TagXml {
        resource_id: flaw.is_readable(resource).then_some(resource),
        resource_type,
        key,
        value,
    };
    let tag_set = page.rows.into_iter().map(row).collect();
    Ok(respond("DescribeTags", DescribeBody { tag_set, next_token: page.next_token }))
}

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
