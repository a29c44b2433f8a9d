//! `seen`: which sources send copies, as a capture on a sensor shows it. It asks AWS nothing.

use std::{cmp::Reverse, fs::File, io, path::Path};

use capture::{End, MAX_SENDERS, ReadError, read};
use serde::Serialize;
use serde_json::json;

use super::signed_file::{self, show_verified};
use crate::{
    answer::Answer,
    arguments::{Format, Seen, SignedFile, Verify},
    output::{Block, Document, Mark, Table},
    problem::{CUT_CAPTURE, NOT_A_CAPTURE, NOT_WRITTEN, Problem, TOO_MANY_SENDERS},
    read::Input,
    seen::{NotCounted, SeenFile, SenderRow},
    signed::new_key,
};

/// Senders that are shown to people: those with the most packets. The other formats have all of them.
const SHOWN: usize = 20;

const COLUMNS: [&str; 6] = ["address", "vni", "packets", "bytes", "first", "last"];

/// A file that can be relied upon.
#[derive(Serialize)]
struct Verified<'a> {
    file: &'a str,
    made: &'a str,
    expires: &'a str,
    senders: usize,
}

pub(crate) fn run(input: &Input<'_>, seen: &Seen) -> Answer {
    let mut answer = Answer::default();
    let done = match (&seen.verify, &seen.new_key, &seen.capture) {
        (Some(Verify::Verify { file, key }), ..) => verify(&mut answer, input, file, key),
        (None, Some(path), _) => make_key(&mut answer.document, path),
        (None, None, Some(capture)) => count(&mut answer, input, capture, &seen.file),
        // The arguments do not allow it.
        (None, None, None) => Ok(()),
    };
    if let Err(problem) = done {
        answer.fail(None, problem);
    }
    answer
}

fn make_key(document: &mut Document, path: &Path) -> Result<(), Problem> {
    let public = new_key(path)?;
    let (path, public) = (path.display(), public.display());
    let more =
        vec!["keep the first on the sensor, and take the second to whoever verifies".to_owned()];
    let head = format!("{path} signs, and {public} verifies");
    document.blocks.push(Block::Item(Mark::Good, head, more));
    document.hint(format!("mirrorctl seen CAPTURE --out seen.json --key {path}"));
    Ok(())
}

fn verify(answer: &mut Answer, input: &Input<'_>, path: &Path, key: &Path) -> Result<(), Problem> {
    let file = SeenFile::read(path, key, (input.now)())?;
    let name = path.display().to_string();
    let (made, expires, senders) = (&file.made, &file.expires, file.senders.len());
    let verified = Verified { file: &name, made, expires, senders };
    let mut table = Table::new(&["file", "made", "expires", "senders"]);
    table.rows.push(vec![name.clone(), made.clone(), expires.clone(), senders.to_string()]);
    let holds = format!("{senders} senders");
    show_verified(&mut answer.document, &verified, table, (&name, &holds));
    Ok(())
}

fn count(
    answer: &mut Answer,
    input: &Input<'_>,
    capture: &Path,
    file: &SignedFile,
) -> Result<(), Problem> {
    let is_input = capture.as_os_str() == "-";
    let name = if is_input { "standard input".to_owned() } else { capture.display().to_string() };
    let unreadable = |why: String| Problem::new(&NOT_A_CAPTURE, format!("{name}: {why}"));
    let seen = if is_input {
        read(io::stdin())
    } else {
        read(File::open(capture).map_err(|error| unreadable(error.to_string()))?)
    };
    let seen = seen.map_err(|error: ReadError| unreadable(error.to_string()))?;
    let rows = seen.senders.into_iter().map(|(sender, counts)| SenderRow::new(sender, counts));
    let (rows, left_out) = (rows.collect::<Vec<_>>(), NotCounted::from(seen.left_out));
    show(&mut answer.document, input.global.output, &name, &rows, left_out);
    if let End::CutOff(at) | End::Broken(at) = seen.end {
        let what = if matches!(seen.end, End::CutOff(_)) { "ends" } else { "breaks" };
        let why = format!("{name}: it {what} in the middle of a packet, at byte {at}");
        answer.fail(None, Problem::new(&CUT_CAPTURE, why));
    }
    if left_out.beyond_limit > 0 {
        let why = format!(
            "{name}: {} packets are from others than the first {MAX_SENDERS}",
            left_out.beyond_limit
        );
        answer.fail(None, Problem::new(&TOO_MANY_SENDERS, why));
    }
    if let Some(out) = &file.out {
        write(answer, input, rows, left_out, out, file)?;
    }
    Ok(())
}

/// Writes the file. One of only a part of the capture would pass for all of it.
fn write(
    answer: &mut Answer,
    input: &Input<'_>,
    rows: Vec<SenderRow>,
    left_out: NotCounted,
    out: &Path,
    file: &SignedFile,
) -> Result<(), Problem> {
    let place = out.display();
    if !answer.problems.is_empty() {
        return Err(Problem::new(&NOT_WRITTEN, format!("{place}: it would not be whole")));
    }
    let count = rows.len();
    let content = SeenFile::new(rows, left_out, (input.now)(), file.expires);
    let mut content = serde_json::to_vec(&content)
        .map_err(|error| Problem::new(&NOT_WRITTEN, format!("{place}: {error}")))?;
    content.push(b'\n');
    let done = format!("holds {count} senders");
    signed_file::write(answer, (file, out), &content, &done, "--new-key")
}

/// Builds what the format shows, and no other: there may be many senders.
fn show(
    document: &mut Document,
    format: Format,
    name: &str,
    rows: &[SenderRow],
    left_out: NotCounted,
) {
    let packets = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.packets));
    match format {
        Format::Text | Format::Markdown => show_people(document, name, rows, packets, left_out),
        Format::Json => document.place(json!({
            "capture": name, "packets": packets, "senders": rows, "not_counted": left_out,
        })),
        Format::Ndjson => {
            for row in rows {
                document.record("sender", row);
            }
            let summary = json!({"capture": name, "packets": packets, "not_counted": left_out});
            document.record("seen", &summary);
        }
        Format::Csv => {
            document.table = Table::new(&COLUMNS);
            document.table.rows = rows.iter().map(cells).collect();
        }
        // They are of `doctor` alone.
        Format::Asff | Format::Ocsf => {}
    }
}

fn show_people(
    document: &mut Document,
    name: &str,
    rows: &[SenderRow],
    packets: u64,
    left_out: NotCounted,
) {
    let count = rows.len();
    document.line(format!("{name}: {packets} copies of packets from {count} senders"));
    let mut busiest: Vec<_> = rows.iter().collect();
    busiest.sort_by_key(|row| Reverse(row.packets));
    let mut table = Table::new(&COLUMNS);
    table.rows = busiest.iter().take(SHOWN).map(|row| cells(row)).collect();
    if !table.rows.is_empty() {
        document.blocks.push(Block::Table(table));
    }
    if let Some(more) = count.checked_sub(SHOWN).filter(|more| *more > 0) {
        document.line(format!("and {more} more: --output csv has all"));
    }
    for (count, what) in reasons(left_out) {
        if count > 0 {
            document.line(format!("not counted: {count} packets {what}"));
        }
    }
}

fn cells(row: &SenderRow) -> Vec<String> {
    let time = |time: &Option<String>| time.clone().unwrap_or_default();
    vec![
        row.address.to_string(),
        row.vni.to_string(),
        row.packets.to_string(),
        row.bytes.to_string(),
        time(&row.first),
        time(&row.last),
    ]
}

/// Why packets count for no sender.
const fn reasons(left_out: NotCounted) -> [(u64, &'static str); 6] {
    let NotCounted { not_vxlan, cut_short, malformed, fragments, unknown_link, beyond_limit } =
        left_out;
    [
        (not_vxlan, "that are no VXLAN on UDP port 4789"),
        (cut_short, "of which too little was captured: 50 bytes tell, with IPv6 70"),
        (malformed, "whose headers contradict each other"),
        (fragments, "that are a later part of another one"),
        (unknown_link, "from a kind of link that is not known"),
        (beyond_limit, "from senders beyond the limit"),
    ]
}
