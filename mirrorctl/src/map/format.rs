//! Maps as files: what each sensor reads, each row with the time until which it counts.

use std::{collections::BTreeMap, fmt::Write, net::IpAddr};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};

use super::{MapRow, Period, SenderMap};
use crate::arguments::MapFormat;

/// The format of the JSON object. Another number is another format.
const FORMAT: &str = "mirrorctl-map/1";

/// The longest line of a dataset that Suricata reads whole, with its end (`DATAJSON_JSON_LENGTH` in its
/// src/datasets-context-json.h).
const SURICATA_LINE: usize = 1_024;

/// The columns of the tables, before the tags.
pub(crate) const COLUMNS: [&str; 13] = [
    "address",
    "vni",
    "account",
    "region",
    "interface",
    "instance",
    "name",
    "vpc",
    "zone",
    "sessions",
    "targets",
    "addresses",
    "expires",
];

impl SenderMap {
    /// The map as a file.
    pub(crate) fn write(&self, format: MapFormat, period: &Period, tags: &[String]) -> Vec<u8> {
        match format {
            MapFormat::Csv => self.csv(period, tags),
            MapFormat::Json => self.json(period),
            MapFormat::Zeek => self.zeek(period),
            MapFormat::Arkime => self.arkime(period),
            MapFormat::Suricata => self.suricata(period),
        }
    }

    fn csv(&self, period: &Period, tags: &[String]) -> Vec<u8> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let head = COLUMNS.iter().map(ToString::to_string);
        let head = head.chain(tags.iter().map(|key| format!("tag:{key}")));
        // Nothing can go wrong in memory.
        csv.write_record(head).unwrap_or_default();
        for row in &self.rows {
            let cells = row.cells(&period.expires, tags);
            let cells = cells.iter().map(|cell| crate::output::harmless(cell));
            csv.write_record(cells).unwrap_or_default();
        }
        csv.into_inner().unwrap_or_default()
    }

    fn json(&self, period: &Period) -> Vec<u8> {
        let Period { made, expires, .. } = period;
        let map = json!({"format": FORMAT, "made": made, "expires": expires, "rows": self.rows});
        format!("{map}\n").into_bytes()
    }

    /// Tabs between the fields, and escapes as Zeek's reader of ASCII undoes them.
    fn zeek(&self, period: &Period) -> Vec<u8> {
        let mut text = ZEEK_FIELDS.map(|(name, _)| name).join("\t");
        text.insert_str(0, "#fields\t");
        let types = ZEEK_FIELDS.map(|(_, kind)| kind).join("\t");
        // Writing to a text cannot fail.
        write!(text, "\n#types\t{types}\n").unwrap_or_default();
        for row in &self.rows {
            let set = |items: Vec<String>| match &items[..] {
                [] => "(empty)".to_owned(),
                items => items.iter().map(|it| escape(it)).collect::<Vec<_>>().join(","),
            };
            let optional = |it: &Option<String>| it.as_deref().map_or("-".to_owned(), escape);
            let tags = row.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let fields = [
                row.address.to_string(),
                row.vni.to_string(),
                escape(&row.account),
                escape(&row.region),
                escape(&row.interface),
                optional(&row.instance),
                optional(&row.name),
                optional(&row.vpc),
                optional(&row.zone),
                set(row.sessions.clone()),
                set(row.addresses.iter().map(ToString::to_string).collect()),
                set(tags),
                period.expires_at.to_string(),
            ];
            writeln!(text, "{}", fields.join("\t")).unwrap_or_default();
        }
        text.into_bytes()
    }

    /// One line for each interface: WISE finds it by each address in `keys`.
    fn arkime(&self, period: &Period) -> Vec<u8> {
        let inner = self.by_inner_address();
        let mut rows: BTreeMap<_, (&MapRow, Vec<IpAddr>)> = BTreeMap::new();
        for (address, row) in inner.rows {
            let (_, addresses) = rows.entry(row.source()).or_insert((row, Vec::new()));
            addresses.push(address);
        }
        let line = |(row, addresses): (&MapRow, Vec<IpAddr>)| {
            let mut fields = row.inner_fields(period);
            fields.insert("keys".to_owned(), json!(addresses));
            fields.insert("tags".to_owned(), json!(row.tags));
            format!("{}\n", Value::Object(fields))
        };
        rows.into_values().map(line).collect::<String>().into_bytes()
    }

    /// One line for each address. A line that Suricata would cut loses the tags, and if need be the name.
    fn suricata(&self, period: &Period) -> Vec<u8> {
        let line = |(address, row): (IpAddr, &MapRow)| {
            let mut fields = row.inner_fields(period);
            fields.insert("ip".to_owned(), json!(address));
            fields.insert("tags".to_owned(), json!(row.tags));
            for less in ["tags", "name"] {
                if Value::Object(fields.clone()).to_string().len() < SURICATA_LINE.saturating_sub(1)
                {
                    break;
                }
                fields.remove(less);
            }
            format!("{}\n", Value::Object(fields))
        };
        self.by_inner_address().rows.into_iter().map(line).collect::<String>().into_bytes()
    }
}

/// The fields of Zeek's table with their types: the first two are its index.
const ZEEK_FIELDS: [(&str, &str); 13] = [
    ("address", "addr"),
    ("vni", "count"),
    ("account", "string"),
    ("region", "string"),
    ("interface", "string"),
    ("instance", "string"),
    ("name", "string"),
    ("vpc", "string"),
    ("zone", "string"),
    ("sessions", "set[string]"),
    ("addresses", "set[addr]"),
    ("tags", "set[string]"),
    ("expires", "time"),
];

/// A text within a field of Zeek: what would end it, and what would make it something else, becomes `\xHH`.
fn escape(text: &str) -> String {
    let whole = matches!(text, "" | "-" | "(empty)");
    let mut escaped = String::new();
    for (index, letter) in text.chars().enumerate() {
        if matches!(letter, '\t' | ',' | '\\') || letter.is_control() || (whole && index == 0) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                write!(escaped, "\\x{byte:02x}").unwrap_or_default();
            }
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

impl MapRow {
    /// In the order of [`COLUMNS`], and then the tags.
    pub(crate) fn cells(&self, expires: &str, tags: &[String]) -> Vec<String> {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let mut cells = vec![
            self.address.to_string(),
            self.vni.to_string(),
            self.account.clone(),
            self.region.clone(),
            self.interface.clone(),
            text(&self.instance),
            text(&self.name),
            text(&self.vpc),
            text(&self.zone),
            self.sessions.join(" "),
            self.targets.join(" "),
            addresses.join(" "),
            expires.to_owned(),
        ];
        cells.extend(tags.iter().map(|key| self.tags.get(key).cloned().unwrap_or_default()));
        cells
    }

    /// What a sensor shows beside an address.
    fn inner_fields(&self, period: &Period) -> Map<String, Value> {
        let fields = json!({
            "account": self.account, "region": self.region, "interface": self.interface,
            "instance": self.instance, "name": self.name, "vpc": self.vpc, "zone": self.zone,
            "expires": period.expires,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// What can be read of a map, whatever its format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rows: usize,
    /// The earliest time until which a row counts.
    pub(crate) expires: Expiry,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expiry {
    Text(String),
    Seconds(i64),
}

#[derive(Deserialize)]
struct Line {
    expires: String,
    /// Whatever has none is no row of a map.
    #[serde(rename = "interface")]
    _interface: IgnoredAny,
}

#[derive(Deserialize)]
struct Whole {
    format: String,
    expires: String,
    rows: Vec<Value>,
}

/// Reads how many rows a map has, and until when they count; none where it is no map, or has no row.
pub(crate) fn found(content: &[u8]) -> Option<Found> {
    let text = std::str::from_utf8(content).ok()?;
    let of_rows: Vec<Expiry> = if text.starts_with("#fields\t") {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let last = lines.map(|line| line.rsplit('\t').next()?.parse().ok().map(Expiry::Seconds));
        last.collect::<Option<_>>()?
    } else if text.starts_with('{') {
        if let Ok(Whole { format, expires, rows }) = serde_json::from_str(text) {
            (format == FORMAT).then_some(())?;
            vec![Expiry::Text(expires); rows.len()]
        } else {
            let line =
                |line| serde_json::from_str(line).ok().map(|it: Line| Expiry::Text(it.expires));
            text.lines().map(line).collect::<Option<_>>()?
        }
    } else {
        let mut csv = csv::Reader::from_reader(content);
        let column = csv.headers().ok()?.iter().position(|name| name == "expires")?;
        let cell = |record: Result<csv::StringRecord, _>| {
            Some(Expiry::Text(record.ok()?.get(column)?.to_owned()))
        };
        csv.records().map(cell).collect::<Option<_>>()?
    };
    let rows = of_rows.len();
    let expires = of_rows.into_iter().min()?;
    Some(Found { rows, expires })
}

#[cfg(test)]
mod tests;
