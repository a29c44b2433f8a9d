//! The parameters of a request: lists are numbered from 1, structures are dotted names.

use std::collections::BTreeMap;

use crate::aws::ec2::{Condition, Query, Refusal, Tags};

/// The parameters, or those of a structure in them.
pub(crate) struct Parameters<'a> {
    all: &'a BTreeMap<String, String>,
    prefix: String,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(all: &'a BTreeMap<String, String>) -> Self {
        Self { all, prefix: String::new() }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&'a str, Refusal> {
        let missing = || Refusal::missing_parameter(&format!("{}{name}", self.prefix));
        self.text(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.parsed(name, "number")
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.optional_flag(name)?.unwrap_or_default())
    }

    pub(crate) fn optional_flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.parsed(name, "boolean")
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, kind: &str) -> Result<Option<T>, Refusal> {
        let refusal = |value: &str| {
            Refusal::value(format!("Invalid value '{value}' for {name}. It must be a {kind}."))
        };
        let parse = |value: &str| value.parse().map_err(|_| refusal(value));
        self.text(name).map(parse).transpose()
    }

    /// `Name.1`, `Name.2`, …
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.numbers(name)
            .into_iter()
            .filter_map(|number| self.owned(&format!("{name}.{number}")))
            .collect()
    }

    pub(crate) fn required_list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let list = self.list(name);
        if list.is_empty() { Err(Refusal::missing_parameter(name)) } else { Ok(list) }
    }

    /// `Name.1.…`, `Name.2.…`, …
    pub(crate) fn structures(&self, name: &str) -> Vec<Self> {
        let structure =
            |number| Self { all: self.all, prefix: format!("{}{name}.{number}.", self.prefix) };
        self.numbers(name).into_iter().map(structure).collect()
    }

    /// `Name.…`
    pub(crate) fn structure(&self, name: &str) -> Self {
        Self { all: self.all, prefix: format!("{}{name}.", self.prefix) }
    }

    fn numbers(&self, name: &str) -> Vec<u32> {
        let prefix = format!("{}{name}.", self.prefix);
        let keys = self.all.range(prefix.clone()..).map_while(|(key, _)| key.strip_prefix(&prefix));
        let mut numbers: Vec<u32> =
            keys.filter_map(|rest| rest.split('.').next()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// `Tag.1.Key`, `Tag.1.Value`, …; a value may be left out.
    pub(crate) fn tags(&self) -> Result<BTreeMap<String, Option<String>>, Refusal> {
        let tag = |tag: Self| Ok((tag.required("Key")?.to_owned(), tag.owned("Value")));
        self.structures("Tag").into_iter().map(tag).collect()
    }

    /// The tags for a new resource of this type; those for resources that come along with it are
    /// left out.
    pub(crate) fn new_tags(&self, resource: &str, along: &[&str]) -> Result<Tags, Refusal> {
        let mut tags = Tags::new();
        for specification in self.structures("TagSpecification") {
            let given = specification.required("ResourceType")?;
            if given == resource {
                let given = specification.tags()?.into_iter();
                tags.extend(given.map(|(key, value)| (key, value.unwrap_or_default())));
            } else if !along.contains(&given) {
                return Err(Refusal::value(format!(
                    "'{given}' is not a valid taggable resource type for this operation."
                )));
            }
        }
        Ok(tags)
    }

    /// What every describe call has in common.
    pub(crate) fn query(&self, ids: &str) -> Result<Query, Refusal> {
        let condition = |filter: Self| {
            let name = filter.required("Name")?.to_owned();
            Ok(Condition { name, values: filter.list("Value") })
        };
        Ok(Query {
            ids: self.list(ids),
            conditions: self
                .structures("Filter")
                .into_iter()
                .map(condition)
                .collect::<Result<_, _>>()?,
            max_results: self.number("MaxResults")?,
            next_token: self.owned("NextToken"),
            include_managed: self.flag("IncludeManagedResources")?,
        })
    }
}
