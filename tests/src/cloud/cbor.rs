//! Smithy's RPC protocol in CBOR, in which CloudWatch speaks: from and to the JSON that the services here work with.

use ciborium::Value as Cbor;
use serde_json::{Map, Value};

/// The tag of a Unix time (RFC 8949, 3.4.2), which the protocol wants for timestamps.
const TIME: u64 = 1;

/// The members of a request. A time is its number.
pub(super) fn read(body: &[u8]) -> Option<Map<String, Value>> {
    match from_cbor(ciborium::from_reader(body).ok()?) {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// An answer, of which members called `Timestamps` are times. What is no JSON stays as it is: a broken answer.
pub(super) fn write(answer: &str) -> Vec<u8> {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else {
        return answer.as_bytes().to_vec();
    };
    let mut body = Vec::new();
    ciborium::into_writer(&to_cbor(answer, false), &mut body).expect("a vector takes everything");
    body
}

fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Bool(value) => value.into(),
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Float(number) => number.into(),
        Cbor::Text(text) => text.into(),
        Cbor::Tag(_, value) => from_cbor(*value),
        Cbor::Array(items) => items.into_iter().map(from_cbor).collect(),
        Cbor::Map(members) => {
            let text = |name: Cbor| name.into_text().ok();
            let members = members
                .into_iter()
                .filter_map(|(name, value)| Some((text(name)?, from_cbor(value))));
            Value::Object(members.collect())
        }
        _ => Value::Null,
    }
}

fn to_cbor(value: Value, is_time: bool) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(value),
        Value::Number(number) => {
            let number = number.as_i64().map_or_else(
                || Cbor::Float(number.as_f64().unwrap_or_default()),
                |number| Cbor::Integer(number.into()),
            );
            if is_time { Cbor::Tag(TIME, Box::new(number)) } else { number }
        }
        Value::String(text) => Cbor::Text(text),
        Value::Array(items) => {
            Cbor::Array(items.into_iter().map(|item| to_cbor(item, is_time)).collect())
        }
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| {
                let value = to_cbor(value, name == "Timestamps");
                (Cbor::Text(name), value)
            };
            // Absent and null are the same, and AWS writes the first.
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            Cbor::Map(present.map(member).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_times_have_their_tag() {
        let answer = json!({"a": [1, 0.5, "x", true], "Timestamps": [7], "b": null});
        let written = write(&answer.to_string());
        assert!(written.windows(2).any(|bytes| bytes == [0xc1, 7]), "{written:?}");
        let read = Value::Object(read(&written).unwrap());
        assert_eq!(read, json!({"a": [1, 0.5, "x", true], "Timestamps": [7]}));
        assert_eq!(write("{\"no JSON"), b"{\"no JSON");
        assert!(super::read(b"\xff").is_none());
    }
}
