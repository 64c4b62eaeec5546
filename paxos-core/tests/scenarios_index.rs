//! Where each scenario of the conformance list is told.
//!
//! A scenario `S7` is a test whose name begins with `s07_`, anywhere in the
//! workspace; a story `T3` one that begins with `t03_`. Those that nothing here
//! can play yet stand in this table, each with its reason, and so do the properties
//! that every simulated run checks. A scenario is in one place or the other: the test
//! below fails on one that is in neither, and on a reason that has outlived itself.
//!
//! | id  | why there is no scene |
//! |-----|-----------------------|
//! | T5  | the ticket form is a protocol of its own that nothing here uses |
//! | T8  | nothing is spread by rumour: a leader tells everyone |
//! | P1  | the simulator checks it on every step: I1 agreement |
//! | P2  | the simulator checks it on every step: I2 validity |
//! | P3  | the simulator checks it on every step: I3 acceptors are monotonic, I11 monotonic reports |
//! | P4  | the simulator checks it on every step: I9 order of delivery, and `Node::check` |
//! | P5  | the simulator checks it on every answer: I14 real time, and the history of every key |
//! | P6  | the simulator counts votes on disk images: I1, I7 quorums |
//! | P7  | the simulator's second phase: L1 progress, convergence, a stable leader |
//! | P8  | the simulator runs seeds twice and compares: `driver-sim/tests/seeds/main.rs` |
//! | P9  | the simulator checks it on every step: I17 bounds |
//! | P10 | the simulator checks it on every message: I4 durable before sent |

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SCENES: u32 = 74;
const STORIES: u32 = 10;
const PROPERTIES: u32 = 10;

#[test]
fn every_scenario_is_told_or_has_a_reason() {
    let told = told();
    let excused = excused();
    assert!(told.len() > 50, "only {} are told: the test looks in the wrong place", told.len());
    let numbered = |letter, last: u32| (1..=last).map(move |i| (letter, i));
    let all = numbered('S', SCENES).chain(numbered('T', STORIES)).chain(numbered('P', PROPERTIES));
    let missing: Vec<_> = all.filter(|id| !told.contains(id) && !excused.contains(id)).collect();
    assert!(missing.is_empty(), "neither told nor excused: {missing:?}");
    let both: Vec<_> = told.intersection(&excused).collect();
    assert!(both.is_empty(), "told by now: take these reasons away: {both:?}");
}

/// The scenarios that the names of tests begin with.
fn told() -> BTreeSet<(char, u32)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut told = BTreeSet::new();
    for member in ["paxos-core", "driver-sim", "driver-mio"] {
        for file in
            ["src", "tests"].into_iter().flat_map(|d| rust_files(&root.join(member).join(d)))
        {
            let text = fs::read_to_string(&file).expect("a readable source file");
            told.extend(text.lines().filter_map(|l| named(l.trim().strip_prefix("fn ")?)));
        }
    }
    told
}

/// The scenario of a test called `s07_something` or `t03_something`.
fn named(function: &str) -> Option<(char, u32)> {
    let (id, _) = function.split_once('_')?;
    let letter = match id.chars().next()? {
        's' => 'S',
        't' => 'T',
        _ => return None,
    };
    let number = id.get(1..).filter(|digits| digits.len() == 2)?;
    Some((letter, number.parse().ok()?))
}

/// The scenarios in the table above.
fn excused() -> BTreeSet<(char, u32)> {
    let rows = include_str!("scenarios_index.rs").lines().filter_map(|l| l.strip_prefix("//! | "));
    let id = |row: &str| {
        let (id, reason) = row.split_once('|')?;
        let letter = id.chars().next()?;
        let number = id.trim().get(1..)?.parse().ok()?;
        assert!(reason.trim_end_matches('|').trim().len() > 10, "{id} has no reason");
        Some((letter, number))
    };
    rows.filter_map(id).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false if path.extension().is_some_and(|e| e == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}
