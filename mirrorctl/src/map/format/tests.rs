use super::*;

const ALL: [MapFormat; 5] =
    [MapFormat::Csv, MapFormat::Json, MapFormat::Zeek, MapFormat::Arkime, MapFormat::Suricata];

fn period() -> Period {
    Period {
        made: "2026-01-01T00:00:00Z".to_owned(),
        expires: "2026-01-02T00:00:00Z".to_owned(),
        expires_at: 1_767_312_000,
    }
}

fn row() -> MapRow {
    MapRow {
        address: "10.0.0.5".parse().unwrap(),
        vni: 7,
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        interface: "eni-1".to_owned(),
        instance: Some("i-1".to_owned()),
        name: Some("shop".to_owned()),
        vpc: Some("vpc-1".to_owned()),
        zone: None,
        sessions: vec!["tms-1".to_owned()],
        targets: vec!["tmt-1".to_owned()],
        addresses: ["10.0.0.5", "fd00::5"].map(|it| it.parse().unwrap()).to_vec(),
        tags: [("Team".to_owned(), "=cmd,a\tb".to_owned())].into(),
    }
}

fn written(rows: Vec<MapRow>, format: MapFormat) -> String {
    let bytes = SenderMap::new(rows).write(format, &period(), &["Team".to_owned()]);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_table_is_what_a_spreadsheet_reads() {
    let expected = "\
address,vni,account,region,interface,instance,name,vpc,zone,sessions,targets,addresses,expires,tag:Team
10.0.0.5,7,111122223333,us-east-1,eni-1,i-1,shop,vpc-1,,tms-1,tmt-1,10.0.0.5 fd00::5,2026-01-02T00:00:00Z,\"'=cmd,a\tb\"
";
    assert_eq!(written(vec![row()], MapFormat::Csv), expected);
}

/// As Zeek's input framework reads it (docs.zeek.org, Input Framework): the line of fields names the columns, `-` is
/// unset, and what would end a field is written as `\xHH`.
#[test]
fn a_table_is_what_zeek_reads() {
    let expected = "\
#fields\taddress\tvni\taccount\tregion\tinterface\tinstance\tname\tvpc\tzone\tsessions\taddresses\ttags\texpires
#types\taddr\tcount\tstring\tstring\tstring\tstring\tstring\tstring\tstring\tset[string]\tset[addr]\tset[string]\ttime
10.0.0.5\t7\t111122223333\tus-east-1\teni-1\ti-1\tshop\tvpc-1\t-\ttms-1\t10.0.0.5,fd00::5\tTeam==cmd\\x2ca\\x09b\t1767312000
";
    assert_eq!(written(vec![row()], MapFormat::Zeek), expected);
    for (text, escaped) in
        [("-", "\\x2d"), ("(empty)", "\\x28empty)"), ("a\\b\n", "a\\x5cb\\x0a"), ("é", "é")]
    {
        assert_eq!(escape(text), escaped);
    }
}

/// Each line is found by what `keyPath=keys` leads to, also if that is a list (`parseJSONArray` in Arkime's
/// `wiseService/wiseSource.js`).
#[test]
fn lines_of_json_are_what_arkime_reads() {
    let shared = MapRow { interface: "eni-2".to_owned(), vni: 8, ..row() };
    let text = written(vec![row(), MapRow { vni: 9, ..row() }], MapFormat::Arkime);
    let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let [line] = &lines[..] else { panic!("{text}") };
    assert_eq!(line["keys"], json!(["10.0.0.5", "fd00::5"]));
    assert_eq!((&line["interface"], &line["name"]), (&json!("eni-1"), &json!("shop")));
    assert_eq!(line["tags"]["Team"], "=cmd,a\tb");
    // Of an address that two interfaces have, it must say nothing.
    assert_eq!(written(vec![row(), shared], MapFormat::Arkime), "");
}

/// One address a line, and no line longer than what Suricata reads at once.
#[test]
fn lines_of_json_are_what_suricata_reads() {
    let text = written(vec![row()], MapFormat::Suricata);
    let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|line| line["ip"].as_str().unwrap()).collect();
    assert_eq!(found, ["10.0.0.5", "fd00::5"]);
    assert_eq!(lines[0]["tags"]["Team"], "=cmd,a\tb");
    let long = |length| "\u{1f980}".repeat(length);
    let tagged = MapRow { tags: [("Team".to_owned(), long(250))].into(), ..row() };
    for (row, has_name) in
        [(tagged.clone(), true), (MapRow { name: Some(long(256)), ..tagged }, false)]
    {
        let text = written(vec![row], MapFormat::Suricata);
        for line in text.lines() {
            assert!(line.len() + 1 < SURICATA_LINE, "{}", line.len());
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!((line.get("tags"), line.get("name").is_some()), (None, has_name));
            assert_eq!(line["interface"], "eni-1");
        }
    }
}

#[test]
fn every_format_tells_how_many_rows_it_has_and_until_when_they_count() {
    let two = || {
        vec![
            row(),
            MapRow {
                address: "10.0.0.6".parse().unwrap(),
                addresses: vec!["10.0.0.6".parse().unwrap()],
                interface: "eni-2".to_owned(),
                ..row()
            },
        ]
    };
    for format in ALL {
        let Found { rows, expires } = found(written(two(), format).as_bytes()).unwrap();
        assert_eq!(rows, if format == MapFormat::Suricata { 3 } else { 2 }, "{format:?}");
        let expected = match format {
            MapFormat::Zeek => Expiry::Seconds(1_767_312_000),
            _ => Expiry::Text("2026-01-02T00:00:00Z".to_owned()),
        };
        assert_eq!(expires, expected, "{format:?}");
        // Without a row nothing expires, and nothing can be relied upon.
        assert_eq!(found(written(Vec::new(), format).as_bytes()), None, "{format:?}");
    }
    for other in [
        "",
        "{}",
        "a,b\n1,2\n",
        "{\"format\":\"mirrorctl-map/2\",\"expires\":\"\",\"rows\":[1]}",
        "#fields\ta\nx\n",
    ] {
        assert_eq!(found(other.as_bytes()), None, "{other}");
    }
}
