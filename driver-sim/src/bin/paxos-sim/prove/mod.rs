//! Proves that a hunt finds bugs: plants them one after the other in a copy of the tree, builds,
//! and hunts.
//!
//! A bug that is not found within its budget is a hole in the net; a control that is "found" is a
//! check that cries wolf. Both fail the proof. The budget is a number of seeds, so that the same
//! tree is proven on every machine, or on none.

mod planted;
mod table;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use self::planted::{Misplanted, Planted};
use self::table::{Found, Table};

/// What to prove, and with how much patience.
pub(crate) struct Order {
    /// The root of the source tree.
    pub(crate) tree: PathBuf,
    /// How many seeds to hunt for one bug.
    pub(crate) seeds: u64,
    /// How many seeds a control must survive.
    pub(crate) control_seeds: u64,
    /// How long one hunt may take, lest a bug that makes runs endless holds up the others.
    pub(crate) time: Duration,
    /// How many seeds to run at once.
    pub(crate) jobs: u8,
    /// Only bugs whose names contain this.
    pub(crate) only: Option<String>,
    /// The table to write, which takes more hunts for each bug.
    pub(crate) table: Option<PathBuf>,
}

/// Why a bug could not even be hunted for.
#[derive(Debug)]
enum Failed {
    /// The tree cannot be copied or written.
    Io(io::Error),
    /// The bug does not fit the source.
    Misplanted(Misplanted),
    /// The source with the bug in it does not compile.
    Build(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Io(error)
    }
}

impl From<Misplanted> for Failed {
    fn from(error: Misplanted) -> Failed {
        Failed::Misplanted(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Io(error) => error.fmt(f),
            Failed::Misplanted(error) => error.fmt(f),
            Failed::Build(words) => write!(f, "does not compile: {words}"),
        }
    }
}

/// What a hunt said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    /// The invariant that broke, if one did.
    invariant: Option<String>,
    /// How many seeds were run, up to the one that broke it.
    seeds: u64,
}

/// Where the hunts for one bug begin, if there is a table to write; else there is only the first.
const FROM: [u64; 3] = [0, 1_000_000, 2_000_000];

/// What a build needs, from the root of the tree.
const COPIED: [&str; 6] =
    ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "paxos-core", "driver-mio", "driver-sim"];

/// Proves; succeeds if every bug is found and no control is.
pub(crate) fn prove(order: &Order) -> ExitCode {
    match prove_all(order) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("paxos-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prove_all(order: &Order) -> Result<bool, Failed> {
    let scratch = order.tree.join("target/planted");
    let copy = scratch.join("tree");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    fs::create_dir_all(&copy)?;
    for name in COPIED {
        let from = order.tree.join(name);
        if from.exists() {
            copy_all(&from, &copy.join(name))?;
        }
    }
    let mut bugs: Vec<PathBuf> = fs::read_dir(order.tree.join("driver-sim/planted"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    bugs.sort();
    let wanted = |path: &PathBuf| order.only.as_ref().is_none_or(|only| name(path).contains(only));
    if let Some(table) = &order.table {
        let planted = bugs.iter().filter(|path| !is_control(&name(path)));
        let told = planted.map(|path| {
            let bug = Planted::parse(&fs::read_to_string(path)?)?;
            Ok((name(path), bug.sentence))
        });
        let planted = told.collect::<Result<_, Failed>>()?;
        rewrite(table, |table| table.follow(&planted))?;
    }
    let mut is_proven = true;
    println!("{:<34} {:<30} {:>7} {:>8}", "bug", "caught by", "seeds", "seconds");
    for path in bugs.iter().filter(|path| wanted(path)) {
        is_proven &= prove_one(order, path, &copy, &scratch)?;
    }
    Ok(is_proven)
}

fn rewrite(path: &Path, edit: impl FnOnce(&mut Table)) -> io::Result<()> {
    let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
    let mut table = Table::parse(&text);
    edit(&mut table);
    fs::write(path, table.to_string())
}

fn prove_one(order: &Order, path: &Path, copy: &Path, scratch: &Path) -> Result<bool, Failed> {
    let bug = Planted::parse(&fs::read_to_string(path)?)?;
    let mut originals = Vec::new();
    for edit in &bug.edits {
        let file = copy.join(&edit.file);
        let source = fs::read_to_string(&file)?;
        fs::write(&file, edit.apply(&source)?)?;
        originals.push((file, source));
    }
    let begun = Instant::now();
    let budget = if is_control(&name(path)) { order.control_seeds } else { order.seeds };
    let heard = build(copy, scratch).and_then(|binary| {
        let is_once = order.table.is_none() || is_control(&name(path));
        let from = &FROM[..if is_once { 1 } else { FROM.len() }];
        let hunts = from.iter().map(|from| {
            let begun = Instant::now();
            hunt(order, &binary, (*from, budget)).map(|heard| (heard, begun.elapsed()))
        });
        hunts.collect::<Result<Vec<_>, _>>()
    });
    // The last edit first, so that two in one file come off in order.
    for (file, source) in originals.iter().rev() {
        fs::write(file, source)?;
    }
    let hunts = heard?;
    let (name, is_control) = (name(path), is_control(&name(path)));
    let mut is_right = true;
    for (heard, took) in &hunts {
        let is_whole = heard.invariant.is_some() || heard.seeds >= budget;
        let is_as_meant = is_whole && heard.invariant.is_some() != is_control;
        let caught = heard.invariant.as_deref().unwrap_or("nothing");
        let verdict = if is_as_meant { "" } else { "   <-- WRONG" };
        let (seeds, took) = (&heard.seeds, took.as_secs_f64());
        println!("{name:<34} {caught:<30} {seeds:>7} {took:>8.1}{verdict}");
        is_right &= is_as_meant;
    }
    let built = begun.elapsed() - hunts.iter().map(|(_, took)| *took).sum::<Duration>();
    println!("    {} (built in {:.0}s)", bug.sentence, built.as_secs_f64());
    if let Some(table) = order.table.as_ref().filter(|_| !is_control) {
        let found = hunts.iter().filter_map(|(heard, time)| {
            Some(Found { invariant: heard.invariant.clone()?, seeds: heard.seeds, time: *time })
        });
        let found: Vec<Found> = found.collect();
        rewrite(table, |table| table.tell(&name, &bug.sentence, &found))?;
    }
    Ok(is_right)
}

fn build(copy: &Path, scratch: &Path) -> Result<PathBuf, Failed> {
    let target = scratch.join("build");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "driver-sim", "--bin", "paxos-sim"])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", fs::canonicalize(scratch)?.join("build"))
        // Built often and run briefly.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
        .env("RUSTFLAGS", "--cap-lints allow")
        .stderr(Stdio::piped())
        .output()?;
    if output.status.success() {
        return Ok(target.join("release/paxos-sim"));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Failed::Build(words.lines().take(20).collect::<Vec<_>>().join("\n")))
}

fn hunt(order: &Order, binary: &Path, (from, seeds): (u64, u64)) -> Result<Heard, Failed> {
    let output = Command::new(binary)
        .args(["hunt", "--lines", "0", "--seconds", &order.time.as_secs().to_string()])
        .args(["--jobs", &order.jobs.to_string(), "--from", &from.to_string()])
        .args(["--seeds", &seeds.to_string()])
        .output()?;
    Ok(listen(&String::from_utf8_lossy(&output.stdout), from))
}

/// Picks the verdict out of what a hunt prints that began with the seed `from`.
fn listen(words: &str, from: u64) -> Heard {
    let mut heard = Heard::default();
    for line in words.lines() {
        let broken = line.strip_prefix("VIOLATION of ").and_then(|s| s.rsplit_once(" at seed "));
        if let Some((invariant, seed)) = broken
            && let Ok(seed) = seed.parse::<u64>()
        {
            let seeds = seed.saturating_sub(from) + 1;
            return Heard { invariant: Some(invariant.to_owned()), seeds };
        }
        if let Some(seeds) = line.strip_prefix("seeds ").and_then(|seeds| seeds.trim().parse().ok())
        {
            heard.seeds = seeds;
        }
    }
    heard
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn is_control(name: &str) -> bool {
    name.starts_with("control")
}

fn name(path: &Path) -> String {
    path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunt_is_understood() {
        let words = "VIOLATION of I1 agreement at seed 12\nsomething\nseeds                  14\n\
                     seeds without a write  0\n";
        let heard = Heard { invariant: Some("I1 agreement".to_owned()), seeds: 3 };
        assert_eq!(listen(words, 10), heard);
        let survived = "seeds                  7\nseeds without a write  0\nviolations   0\n";
        assert_eq!(listen(survived, 10), Heard { invariant: None, seeds: 7 });
    }
}
