//! What machines are told of a file that a command wrote: which places it is about.

use serde::Serialize;

use crate::output::{Document, Table};

/// A place that a file is about.
#[derive(Serialize)]
struct Written<'a> {
    account: &'a str,
    region: &'a str,
    file: &'a str,
}

/// The table that stays empty where nothing is written.
pub(super) fn columns() -> Table {
    Table::new(&["account", "region", "file"])
}

/// Notes that the file has what is to be known of these accounts and regions.
pub(super) fn note(document: &mut Document, places: &[[String; 2]], file: &str) {
    for [account, region] in places {
        let written = Written { account, region, file };
        document.record("file", &written);
        document.place(&written);
        document.table.rows.push([account, region, file].map(str::to_owned).to_vec());
    }
}
