//! Figures in rows and columns, for people (in Markdown) and as JSON.

use std::fmt;

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
        let head = [self.title.to_owned()].into_iter().chain(self.columns.iter().cloned());
        let mut lines: Vec<Vec<String>> = vec![head.collect()];
        for (name, figures) in &self.rows {
            let texts = figures.iter().map(|it| it.map_or_else(|| "-".to_owned(), text));
            lines.push([name.clone()].into_iter().chain(texts).collect());
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<_> = (0..=self.columns.len()).map(|it| width(it).unwrap_or(0)).collect();
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let rules = widths.iter().enumerate().map(|(column, &width)| {
                    if column == 0 { "-".repeat(width) } else { "-".repeat(width - 1) + ":" }
                });
                writeln!(f, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
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
            "| ----- | -----: | ----: |",
            "| white |     20 |  1000 |",
            "| dark  |   7.25 |     - |",
        ];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), lines);
        let white = json!({"slices": 20.0, "grams": 999.96});
        assert_eq!(table.json(), json!({"white": white, "dark": {"slices": 7.25, "grams": null}}));
    }
}
