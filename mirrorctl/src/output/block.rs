//! The pieces of an answer for people.

use anstyle::{AnsiColor, Style};
use comfy_table::{Table as Grid, TableStyle};

/// A piece of an answer for people.
#[derive(Debug)]
pub(crate) enum Block {
    Title(String),
    Line(String),
    /// One thing, how serious it is, and more about it.
    Item(Mark, String, Vec<String>),
    Table(Table),
}

/// How serious a thing is. Colour repeats what the words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Change,
    Bad,
    Plain,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Mark {
    pub(super) fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Change => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Plain => Style::new(),
        }
    }
}

impl Table {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn grid(&self, style: TableStyle) -> Grid {
        let mut grid = Grid::new();
        grid.load_style(style).set_header(self.columns.clone());
        for row in &self.rows {
            grid.add_row(row.clone());
        }
        grid
    }
}
