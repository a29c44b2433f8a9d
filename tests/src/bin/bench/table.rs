//! Figures in rows and columns, for people (in Markdown) and as JSON.

use std::fmt;

use comfy_table::{CellAlignment, presets::ASCII_MARKDOWN};
use serde_json::{Map, Value, json};

/// What is not measured is `None`.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    pub(crate) fn new(title: &'static str, columns: &[&str]) -> Self {
        Self { title, columns: columns.iter().map(|&it| it.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row with a figure for each column.
    pub(crate) fn row(&mut self, name: &str, figures: impl IntoIterator<Item = Option<f64>>) {
        self.rows.push((name.to_owned(), figures.into_iter().collect()));
    }

    /// `{row: {column: figure}}`
    pub(crate) fn json(&self) -> Value {
        let row = |figures: &[Option<f64>]| -> Map<String, Value> {
            self.columns.iter().cloned().zip(figures.iter().map(|it| json!(it))).collect()
        };
        self.rows.iter().map(|(name, figures)| (name.clone(), row(figures))).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(ASCII_MARKDOWN);
        table.set_header([self.title].into_iter().chain(self.columns.iter().map(String::as_str)));
        for (name, figures) in &self.rows {
            let texts = figures.iter().map(|it| it.map_or_else(|| "-".to_owned(), text));
            table.add_row([name.clone()].into_iter().chain(texts));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{table}")
    }
}

/// Three digits that count, or the whole number.
fn text(figure: f64) -> String {
    let digits = match figure.abs() {
        _ if figure.fract() == 0.0 => 0,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{figure:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_people_and_by_machines() {
        let mut table = Table::new("Bread", &["slices", "grams"]);
        table.row("white", [Some(20.0), Some(999.96)]);
        table.row("dark", [Some(7.25), None]);
        let lines = [
            "| Bread | slices | grams |",
            "|-------|--------|-------|",
            "| white |     20 |  1000 |",
            "| dark  |   7.25 |     - |",
        ];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), lines);
        let white = json!({"slices": 20.0, "grams": 999.96});
        assert_eq!(table.json(), json!({"white": white, "dark": {"slices": 7.25, "grams": null}}));
    }
}
