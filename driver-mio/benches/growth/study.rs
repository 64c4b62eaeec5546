//! One question: rows of one thing that grows, columns of what it costs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::chart::{Chart, Line};
use crate::support::Outcome;
use crate::support::stats::median;

/// A size of what grows.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The size.
    pub(crate) x: f64,
    /// As in the table.
    label: String,
}

/// One kind of figure.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: &'static str,
    /// Whether it is in the chart.
    is_charted: bool,
}

/// A table that fills up round by round.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    /// What it is called on the command line, and its files.
    pub(crate) name: &'static str,
    title: &'static str,
    pub(crate) rows: Vec<Row>,
    columns: Vec<Column>,
    /// By row and column.
    samples: BTreeMap<(usize, usize), Vec<f64>>,
}

impl Row {
    pub(crate) fn new(x: u64, label: String) -> Row {
        Row { x: x as f64, label }
    }
}

impl Column {
    pub(crate) fn charted(name: &'static str) -> Column {
        Column { name, is_charted: true }
    }

    pub(crate) fn plain(name: &'static str) -> Column {
        Column { name, is_charted: false }
    }
}

impl Study {
    pub(crate) fn new(
        name: &'static str,
        title: &'static str,
        rows: impl Into<Vec<Row>>,
        columns: impl Into<Vec<Column>>,
    ) -> Study {
        let (rows, columns) = (rows.into(), columns.into());
        Study { name, title, rows, columns, samples: BTreeMap::new() }
    }

    /// Takes in one round's figures of a row.
    pub(crate) fn add(&mut self, row: usize, figures: &[f64]) {
        for (column, figure) in figures.iter().enumerate() {
            // What was not measured is no number.
            if figure.is_finite() {
                self.samples.entry((row, column)).or_default().push(*figure);
            }
        }
    }

    /// Writes the table and its chart.
    pub(crate) fn write(&self, dir: &Path, about: &str, rounds: u32) -> Outcome<()> {
        fs::create_dir_all(dir)?;
        let chart = format!("{}.svg", self.name);
        fs::write(dir.join(&chart), self.chart().to_string())?;
        let command = format!("cargo bench -p driver-mio --bench growth -- --only {}", self.name);
        let said = format!("`{command}`: medians of {rounds} rounds; {about}.");
        let text = format!("{self}\n![{}]({chart})\n\n{said}\n", self.title);
        fs::write(dir.join(format!("{}.md", self.name)), text)?;
        Ok(())
    }

    fn figure(&self, row: usize, column: usize) -> Option<f64> {
        self.samples.get(&(row, column)).and_then(|sample| median(sample))
    }

    fn chart(&self) -> Chart {
        let charted = self.columns.iter().enumerate().filter(|(_, column)| column.is_charted);
        let points = |column| {
            let point = |(row, at): (usize, &Row)| Some((at.x, self.figure(row, column)?));
            self.rows.iter().enumerate().filter_map(point).collect()
        };
        let lines = charted.map(|(at, column)| Line { name: column.name, points: points(at) });
        let ticks = self.rows.iter().map(|row| (row.x, row.label.clone())).collect();
        Chart { title: self.title, ticks, lines: lines.collect() }
    }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## By {}\n", self.title)?;
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        writeln!(f, "| | {} |", names.join(" | "))?;
        writeln!(f, "|--:|{}", "--:|".repeat(names.len()))?;
        for (at, row) in self.rows.iter().enumerate() {
            write!(f, "| {} |", row.label)?;
            for column in 0..names.len() {
                let figure = self.figure(at, column).map_or("–".to_owned(), short);
                write!(f, " {figure} |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Three digits at least, and no more than are worth reading.
fn short(figure: f64) -> String {
    match figure {
        0.0..10.0 => format!("{figure:.2}"),
        10.0..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}
