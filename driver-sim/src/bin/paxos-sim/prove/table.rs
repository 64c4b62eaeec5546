//! The table of planted bugs: what each breaks, who called it, and after how long.
//!
//! ```text
//! | bug | what it breaks | called by | seeds | seconds |
//! ```
//! A hunt for some of the bugs changes their rows and keeps the others.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What became of one hunt for a bug that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The invariant that broke.
    pub(crate) invariant: String,
    /// How many seeds it took.
    pub(crate) seeds: u64,
    /// How long.
    pub(crate) time: Duration,
}

/// Rows by the names of their bugs, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    rows: BTreeMap<String, String>,
}

const HEAD: &str = "# Planted bugs

Each is a small edit of the source, in [`planted/`](planted), that a hunt must find: a simulator that
finds no bugs may be blind. `paxos-sim prove --table driver-sim/PLANTED.md` plants one after the
other, hunts for each from three first seeds on two cores, and writes this table: whatever invariant
broke in any of the hunts, and the median of the seeds and the seconds until it did.

| bug | what it breaks | called by | seeds | seconds |
|---|---|---|---:|---:|
";

impl Table {
    /// Reads a table; of anything else in the text it keeps nothing.
    pub(crate) fn parse(text: &str) -> Table {
        let row = |line: &str| {
            let name = line.strip_prefix("| ")?.split(" | ").next()?;
            let is_bug = name.starts_with(|first: char| first.is_ascii_digit());
            is_bug.then(|| (name.to_owned(), line.to_owned()))
        };
        Table { rows: text.lines().filter_map(row).collect() }
    }

    /// The bugs that it tells of.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Writes down what became of the hunts for a bug; nothing if there was none.
    pub(crate) fn tell(&mut self, name: &str, sentence: &str, found: &[Found]) {
        let mut invariants: Vec<_> = found.iter().map(|found| found.invariant.as_str()).collect();
        invariants.sort_unstable();
        invariants.dedup();
        let middle = |mut of: Vec<u128>| {
            of.sort_unstable();
            of.get(of.len() / 2).copied()
        };
        let seeds = middle(found.iter().map(|found| found.seeds.into()).collect());
        let tenths = middle(found.iter().map(|found| found.time.as_millis() / 100).collect());
        let (Some(seeds), Some(tenths)) = (seeds, tenths) else { return };
        let called = invariants.join(", ");
        let (whole, tenth) = (tenths / 10, tenths % 10);
        let row = format!("| {name} | {sentence} | {called} | {seeds} | {whole}.{tenth} |");
        self.rows.insert(name.to_owned(), row);
    }

    /// Forgets bugs that are not planted any more, and lists those that nobody has hunted for yet.
    pub(crate) fn follow(&mut self, planted: &BTreeMap<String, String>) {
        self.rows.retain(|name, _| planted.contains_key(name));
        for (name, sentence) in planted {
            let row = || format!("| {name} | {sentence} | not hunted for yet | | |");
            self.rows.entry(name.clone()).or_insert_with(row);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.rows.values().try_for_each(|row| writeln!(f, "{row}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn found(invariant: &str, seeds: u64, ms: u64) -> Found {
        Found { invariant: invariant.to_owned(), seeds, time: Duration::from_millis(ms) }
    }

    #[test]
    fn a_table_survives_its_text_and_tells_the_median() {
        let mut table = Table::default();
        table.tell("02-b", "B.", &[found("I2", 9, 950)]);
        let hunts = [found("I2", 5, 1_230), found("I1", 100, 90), found("I2", 7, 60_000)];
        table.tell("01-a", "A.", &hunts);
        table.tell("03-c", "C.", &[]);
        let text = table.to_string();
        assert!(text.ends_with("| 01-a | A. | I1, I2 | 7 | 1.2 |\n| 02-b | B. | I2 | 9 | 0.9 |\n"));
        assert_eq!(Table::parse(&text), table);
        let planted = [("02-b", "B."), ("04-d", "D.")].map(|(n, s)| (n.to_owned(), s.to_owned()));
        table.follow(&planted.into());
        assert!(table.names().eq(["02-b", "04-d"]));
    }

    /// The table tells of every bug, and of no other.
    #[test]
    fn all_planted_bugs_are_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let table = Table::parse(&fs::read_to_string(root.join("PLANTED.md")).unwrap());
        let files = fs::read_dir(root.join("planted")).unwrap();
        let names = files.map(|file| super::super::name(&file.unwrap().path()));
        let planted: BTreeSet<String> =
            names.filter(|name| !super::super::is_control(name)).collect();
        let told: BTreeSet<String> = table.names().map(str::to_owned).collect();
        let again = "paxos-sim prove --table driver-sim/PLANTED.md --only NAME";
        assert_eq!(told, planted, "{again}");
    }
}
