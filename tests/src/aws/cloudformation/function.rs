//! CloudFormation's functions: those that templates here use, and an error for any other.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html>

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};

use super::{Resolver, plain};

impl Resolver<'_> {
    /// `None` for `AWS::NoValue`.
    pub(super) fn value(&self, value: &Value) -> anyhow::Result<Option<Value>> {
        match value {
            Value::Array(items) => Ok(Some(self.items(items)?.into())),
            Value::Object(members) => match call(members) {
                Some(("Ref", argument)) => self.reference(&text(argument)?),
                Some(("Fn::If", argument)) => self.choose(argument),
                Some((name, argument)) => {
                    let value = self.call(name, argument).with_context(|| name.to_owned())?;
                    Ok(Some(value))
                }
                None => Ok(Some(self.members(members)?.into())),
            },
            scalar => Ok(Some(scalar.clone())),
        }
    }

    fn items(&self, items: &[Value]) -> anyhow::Result<Vec<Value>> {
        items.iter().filter_map(|item| self.value(item).transpose()).collect()
    }

    fn members(&self, members: &Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
        let resolved = members.iter().filter_map(|(name, value)| {
            let value = self.value(value).transpose()?;
            Some(value.map(|value| (name.clone(), value)))
        });
        resolved.collect()
    }

    fn reference(&self, name: &str) -> anyhow::Result<Option<Value>> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if let Some(value) = self.place.pseudo_parameter(name) {
            return Ok(Some(value.into()));
        }
        let kind = self.kind(name)?;
        if kind == "AWS::Config::ConfigRule"
            && let Some(given) = self.property(name, "ConfigRuleName")?
        {
            return Ok(Some(given));
        }
        Ok(Some(self.place.reference(kind, name)?.into()))
    }

    fn attribute(&self, id: &str, attribute: &str) -> anyhow::Result<Value> {
        let kind = self.kind(id)?;
        let value = self.place.attribute(kind, id, attribute)?;
        // The ARN of a role has the role's path, which begins and ends with a slash.
        if (kind, attribute) == ("AWS::IAM::Role", "Arn")
            && let Some(path) = self.property(id, "Path")?
        {
            let path = format!(":role{}", plain(&path)?);
            return Ok(value.replacen(":role/", &path, 1).into());
        }
        Ok(value.into())
    }

    /// A property of a resource, if it is given.
    fn property(&self, id: &str, name: &str) -> anyhow::Result<Option<Value>> {
        let resources = self.template.section("Resources");
        let resource = resources.and_then(|resources| resources.get(id));
        let property = resource.and_then(|resource| resource.get("Properties")?.get(name));
        property.map_or(Ok(None), |property| self.value(property))
    }

    /// The type of a resource that is there.
    fn kind(&self, id: &str) -> anyhow::Result<&str> {
        let resources = self.template.section("Resources");
        let resource = resources.and_then(|resources| resources.get(id));
        let resource =
            resource.with_context(|| format!("there is no parameter or resource {id}"))?;
        ensure!(self.exists(resource)?, "the resource {id} is left out by its condition");
        resource["Type"].as_str().with_context(|| format!("{id} has no type"))
    }

    fn choose(&self, argument: &Value) -> anyhow::Result<Option<Value>> {
        let [name, then, otherwise] = arguments(argument).context("Fn::If")?;
        self.value(if self.condition(&text(name)?)? { then } else { otherwise })
    }

    /// The condition of this name.
    pub(super) fn condition(&self, name: &str) -> anyhow::Result<bool> {
        let conditions = self.template.section("Conditions");
        let condition = conditions.and_then(|conditions| conditions.get(name));
        let condition = condition.with_context(|| format!("there is no condition {name}"))?;
        self.holds(condition).with_context(|| format!("the condition {name}"))
    }

    fn holds(&self, condition: &Value) -> anyhow::Result<bool> {
        if let Some(name) = condition.get("Condition") {
            return self.condition(&text(name)?);
        }
        let Some((name, argument)) = condition.as_object().and_then(call) else {
            bail!("{condition} is not a condition");
        };
        let all = |argument: &Value| -> anyhow::Result<Vec<bool>> {
            let conditions = argument.as_array().context("conditions are a list")?;
            conditions.iter().map(|condition| self.holds(condition)).collect()
        };
        match name {
            "Fn::Equals" => {
                let [left, right] = arguments(argument)?;
                Ok(self.value(left)? == self.value(right)?)
            }
            "Fn::Not" => {
                let [condition] = arguments(argument)?;
                Ok(!self.holds(condition)?)
            }
            "Fn::And" => Ok(!all(argument)?.contains(&false)),
            "Fn::Or" => Ok(all(argument)?.contains(&true)),
            _ => bail!("{condition} is not a condition"),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> anyhow::Result<Value> {
        match name {
            "Fn::GetAtt" => {
                let [id, attribute] = arguments(argument)?;
                self.attribute(&text(id)?, &text(attribute)?)
            }
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => {
                let [delimiter, items] = arguments(argument)?;
                let items = self.list(items)?;
                let items = items.iter().map(plain).collect::<anyhow::Result<Vec<_>>>()?;
                Ok(items.join(&text(delimiter)?).into())
            }
            "Fn::Split" => {
                let [delimiter, source] = arguments(argument)?;
                let source = self.text(source)?;
                Ok(source.split(&text(delimiter)?).collect())
            }
            "Fn::Select" => {
                let [index, items] = arguments(argument)?;
                let index = self.text(index)?;
                let item = index.parse().ok().and_then(|index: usize| {
                    let mut items = self.list(items).ok()?.into_iter();
                    items.nth(index)
                });
                item.with_context(|| format!("there is no item {index}"))
            }
            "Fn::FindInMap" => {
                let [map, first, second] = arguments(argument)?;
                let keys = [self.text(map)?, self.text(first)?, self.text(second)?];
                let maps = self.template.document.get("Mappings");
                let found =
                    maps.and_then(|maps| keys.iter().try_fold(maps, |map, key| map.get(key)));
                found.cloned().with_context(|| format!("there is no {}", keys.join("/")))
            }
            _ => bail!("{name} is not known"),
        }
    }

    /// `Fn::Sub`: text, or text with a map of its own names.
    fn substitute(&self, argument: &Value) -> anyhow::Result<Value> {
        let (text, own) = if let Value::String(text) = argument {
            (text.clone(), Map::new())
        } else {
            let [pattern, own] = arguments(argument)?;
            let own = own.as_object().context("the names are a map")?;
            (text(pattern)?, self.members(own)?)
        };
        let mut parts = text.split("${");
        let mut substituted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').context("${ without }")?;
            let value = match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), ..) => format!("${{{literal}}}"),
                (_, Some(value), _) => plain(value)?,
                (.., Some((id, attribute))) => plain(&self.attribute(id, attribute)?)?,
                _ => plain(&self.reference(name)?.unwrap_or_default())?,
            };
            substituted.push_str(&value);
            substituted.push_str(rest);
        }
        Ok(substituted.into())
    }

    fn list(&self, value: &Value) -> anyhow::Result<Vec<Value>> {
        match self.value(value)? {
            Some(Value::Array(items)) => Ok(items),
            other => bail!("{other:?} is not a list"),
        }
    }

    fn text(&self, value: &Value) -> anyhow::Result<String> {
        plain(&self.value(value)?.unwrap_or_default())
    }
}

/// The function that a map stands for, with its argument.
fn call(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next().filter(|_| members.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

fn arguments<const N: usize>(argument: &Value) -> anyhow::Result<&[Value; N]> {
    let items = argument.as_array().and_then(|items| items.as_slice().try_into().ok());
    items.with_context(|| format!("{argument} is not a list of {N}"))
}

/// An argument that must be written out.
fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("{value} is not text"))
}
