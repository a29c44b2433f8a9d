//! YAML to JSON, with CloudFormation's short forms written out: `!Ref X` is `{"Ref": "X"}`.

use anyhow::{Context, bail};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use serde_json::{Map, Value, json};

/// The one document in a text.
pub(super) fn parse(text: &str) -> anyhow::Result<Value> {
    let mut reader = Reader { events: Parser::new_from_str(text) };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) => {}
            event => {
                let value = reader.value(event)?;
                let rest = (reader.next()?, reader.next()?);
                if !matches!(rest, (Event::DocumentEnd, Event::StreamEnd)) {
                    bail!("there is more than one document");
                }
                return Ok(value);
            }
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> anyhow::Result<Event<'a>> {
        let (event, _) = self.events.next_event().context("the text ends too early")??;
        Ok(event)
    }

    /// The value that begins with this event.
    fn value(&mut self, event: Event<'a>) -> anyhow::Result<Value> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) => Ok(untagged(&text)),
            Event::Scalar(text, _, _, tag) => Ok(long_form(tag.as_deref(), text.into())),
            Event::SequenceStart(_, tag) => Ok(long_form(tag.as_deref(), self.sequence()?)),
            Event::MappingStart(_, tag) => Ok(long_form(tag.as_deref(), self.mapping()?)),
            other => bail!("{other:?} is not expected"),
        }
    }

    fn sequence(&mut self) -> anyhow::Result<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(items.into()),
                event => items.push(self.value(event)?),
            }
        }
    }

    fn mapping(&mut self) -> anyhow::Result<Value> {
        let mut members = Map::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(members.into()),
                event => match self.value(event)? {
                    Value::String(key) => key,
                    other => bail!("the key {other} is not text"),
                },
            };
            let event = self.next()?;
            let value = self.value(event)?;
            if members.insert(key.clone(), value).is_some() {
                bail!("the key {key} is there twice");
            }
        }
    }
}

/// YAML's null, booleans and numbers, as far as JSON writes them the same; the rest is text.
fn untagged(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(scalar @ (Value::Null | Value::Bool(_) | Value::Number(_))) => scalar,
        _ if text.is_empty() || text == "~" => Value::Null,
        _ => text.into(),
    }
}

fn long_form(tag: Option<&Tag>, value: Value) -> Value {
    let Some(tag) = tag.filter(|tag| tag.handle == "!") else { return value };
    match (tag.suffix.as_str(), value) {
        (name @ ("Ref" | "Condition"), value) => json!({ name: value }),
        ("GetAtt", Value::String(path)) => json!({ "Fn::GetAtt": getatt(&path) }),
        (name, value) => json!({ format!("Fn::{name}"): value }),
    }
}

/// `Resource.Attribute`, whose attribute may have dots.
fn getatt(path: &str) -> Value {
    path.split_once('.').map_or_else(|| json!([path]), |(id, attribute)| json!([id, attribute]))
}
