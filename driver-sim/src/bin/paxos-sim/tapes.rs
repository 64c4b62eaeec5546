//! Recording, replaying and shrinking.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use driver_sim::Report;
use driver_sim::replay::{self, BadTape, Tape};
use driver_sim::shrink::{Patience, shrink};
use driver_sim::transcript::Telling;
use indicatif::{ProgressBar, ProgressStyle};

use crate::report;

/// Why a tape cannot be had.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The file cannot be read or written.
    Io(io::Error),
    /// The file is no tape.
    Bad(BadTape),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Io(error) => error.fmt(f),
            Failed::Bad(bad) => bad.fmt(f),
        }
    }
}

/// Reads a tape.
pub(crate) fn read(path: &Path) -> Result<Tape, Failed> {
    let bytes = fs::read(path).map_err(Failed::Io)?;
    replay::parse(&String::from_utf8_lossy(&bytes)).map_err(Failed::Bad)
}

/// Writes a file; complains if that cannot be done.
pub(crate) fn write(path: &Path, text: &str) -> bool {
    let written = fs::write(path, text);
    match &written {
        // Aside, where a picture may be printed.
        Ok(()) => eprintln!("wrote {} ({} bytes)", path.display(), text.len()),
        Err(error) => eprintln!("paxos-sim: {}: {error}", path.display()),
    }
    written.is_ok()
}

/// Whether a run is what its tape says, if it says anything.
pub(crate) fn is_same(tape: &Tape, report: &Report) -> bool {
    tape.verdict.is_none() || tape.is_of(report)
}

/// Says what a played tape came to; fails if it is not what was recorded.
pub(crate) fn compare(tape: &Tape, report: &Report) -> bool {
    let Some(verdict) = &tape.verdict else { return true };
    if is_same(tape, report) {
        println!("the same run as recorded");
        return true;
    }
    println!(
        "NOT the run that was recorded: that had {} events, trace hash {:016x}, {}",
        verdict.events,
        verdict.trace,
        verdict.violation.as_deref().unwrap_or("no violation")
    );
    false
}

/// Shrinks a tape, tells the short run, and writes it to `out`.
pub(crate) fn shrink_to(tape: &Tape, patience: Patience, out: &Path, lines: usize) -> ExitCode {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut first = None;
    let short = shrink(tape, patience, |progress| {
        first.get_or_insert(progress);
        bar.set_message(format!(
            "{} events, {} loud bytes, after {} runs",
            progress.events, progress.loud, progress.runs
        ));
    });
    bar.finish_and_clear();
    let Some(short) = short else {
        eprintln!("paxos-sim: this run breaks nothing, so there is nothing to shrink");
        return ExitCode::FAILURE;
    };
    let report = short.play(Telling::Last(lines));
    report.lines.iter().for_each(|line| println!("{line}"));
    println!();
    if let Some(violation) = &report.violation {
        println!("VIOLATION of {}", violation.invariant);
        println!("{}", violation.sentence);
    }
    report::trace(&report.summary);
    println!(
        "{} events and {} bytes of choices, from {} events",
        report.summary.counts.events,
        short.schedule.len(),
        first.map_or(0, |progress| progress.events)
    );
    let is_written = write(out, &short.to_string());
    println!("again: paxos-sim replay {} --verbose", out.display());
    if is_written && short.is_of(&report) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
