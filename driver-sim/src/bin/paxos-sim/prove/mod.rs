//! Proves that a hunt finds bugs: plants them one after the other in a copy of the tree, builds,
//! and hunts.
//!
//! A bug that is not found within its budget is a hole in the net; a control that is "found" is a
//! check that cries wolf. Both fail the proof.

mod planted;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use self::planted::{Misplanted, Planted};

/// What to prove, and with how much patience.
pub(crate) struct Order {
    /// The root of the source tree.
    pub(crate) tree: PathBuf,
    /// How long to hunt for one bug.
    pub(crate) time: Duration,
    /// How many seeds to run at once.
    pub(crate) jobs: u8,
    /// Only bugs whose names contain this.
    pub(crate) only: Option<String>,
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
    seeds: String,
}

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
    let mut is_proven = true;
    println!("{:<34} {:<30} {:>7} {:>8}", "bug", "caught by", "seeds", "seconds");
    for path in bugs.iter().filter(|path| wanted(path)) {
        is_proven &= prove_one(order, path, &copy, &scratch)?;
    }
    Ok(is_proven)
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
    let heard = build(copy, scratch).and_then(|binary| {
        let begun = Instant::now();
        hunt(order, &binary).map(|heard| (heard, begun.elapsed()))
    });
    // The last edit first, so that two in one file come off in order.
    for (file, source) in originals.iter().rev() {
        fs::write(file, source)?;
    }
    let (heard, took) = heard?;
    let is_control = name(path).starts_with("control");
    let is_right = heard.invariant.is_some() != is_control;
    let caught = heard.invariant.unwrap_or_else(|| "nothing".to_owned());
    let verdict = if is_right { "" } else { "   <-- WRONG" };
    println!(
        "{:<34} {:<30} {:>7} {:>8.1}{verdict}",
        name(path),
        caught,
        heard.seeds,
        took.as_secs_f64()
    );
    println!("    {} (built in {:.0}s)", bug.sentence, (begun.elapsed() - took).as_secs_f64());
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
        .env("RUSTFLAGS", "--cap-lints allow")
        .stderr(Stdio::piped())
        .output()?;
    if output.status.success() {
        return Ok(target.join("release/paxos-sim"));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Failed::Build(words.lines().take(20).collect::<Vec<_>>().join("\n")))
}

fn hunt(order: &Order, binary: &Path) -> Result<Heard, Failed> {
    let output = Command::new(binary)
        .args(["hunt", "--lines", "0", "--seconds", &order.time.as_secs().to_string()])
        .args(["--jobs", &order.jobs.to_string()])
        .output()?;
    Ok(listen(&String::from_utf8_lossy(&output.stdout)))
}

/// Picks the verdict out of what a hunt prints.
fn listen(words: &str) -> Heard {
    let mut heard = Heard::default();
    for line in words.lines() {
        if let Some((invariant, _)) =
            line.strip_prefix("VIOLATION of ").and_then(|rest| rest.rsplit_once(" at seed "))
        {
            heard.invariant = Some(invariant.to_owned());
        }
        if let Some(seeds) = line.strip_prefix("seeds ").map(str::trim)
            && seeds.parse::<u64>().is_ok()
        {
            heard.seeds = seeds.to_owned();
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

fn name(path: &Path) -> String {
    path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunt_is_understood() {
        let words = "VIOLATION of I1 agreement at seed 12\nsomething\nseeds                  13\n\
                     seeds without a write  0\n";
        let heard = Heard { invariant: Some("I1 agreement".to_owned()), seeds: "13".to_owned() };
        assert_eq!(listen(words), heard);
        assert_eq!(listen("violations   0\n").invariant, None);
    }
}
