//! How fast a capture is read for who sends copies.

use std::io::{Cursor, Read};
use std::time::Instant;

use anyhow::ensure;
use capture::{End, read};
use local_cloud::aws::ec2::{Copied, vxlan::pcap};

use crate::Size;
use crate::statistics::{median, number};
use crate::table::Table;

/// Packets of a capture.
const PACKETS: usize = 1_000_000;
/// Packets that are written once, and come again and again.
const DIFFERENT: usize = 10_000;
/// The header of a capture.
const HEADER: usize = 24;

pub(crate) fn measure(size: Size) -> anyhow::Result<Table> {
    let mut table = Table::new("`mirrorctl seen`, one core", &["packets/s", "Gbit/s"]);
    for (name, bytes) in [("packets of 60 bytes", 60), ("packets of 1,400 bytes", 1_400)] {
        let capture = capture(bytes);
        let rounds = PACKETS / DIFFERENT / size.divisor;
        let mut rates = Vec::new();
        for _ in 0..size.runs.div_ceil(10) {
            rates.push(rate(&capture, rounds)?);
        }
        let packets = median(rates);
        let length = capture.len().saturating_sub(HEADER) / DIFFERENT;
        table.row(name, [Some(packets), Some(packets * number(length) * 8.0 / 1e9)]);
    }
    Ok(table)
}

/// Packets a second.
fn rate(capture: &[u8], rounds: usize) -> anyhow::Result<f64> {
    let (head, records) = capture.split_at(HEADER);
    let mut whole: Box<dyn Read + Send> = Box::new(Cursor::new(head));
    for _ in 0..rounds {
        whole = Box::new(whole.chain(records));
    }
    let start = Instant::now();
    let seen = read(whole)?;
    let time = start.elapsed().as_secs_f64();
    ensure!(seen.end == End::Whole && seen.senders.len() == DIFFERENT, "it was not read");
    Ok(number(rounds * DIFFERENT) / time)
}

/// Each packet has a sender of its own.
fn capture(bytes: usize) -> Vec<u8> {
    let copy = |vni| Copied {
        session: String::new(),
        target: String::new(),
        vni,
        from: std::net::Ipv4Addr::new(10, 0, 0, 5),
        to: std::net::Ipv4Addr::new(10, 0, 0, 9),
        frame: vec![0; bytes],
    };
    let copies: Vec<_> = (0_u32..).take(DIFFERENT).map(copy).collect();
    pcap(&copies, 1_767_225_600)
}
