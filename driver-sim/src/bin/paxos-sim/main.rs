//! `paxos-sim`: runs seeds, hunts for one that breaks an invariant, and proves that it would find
//! one.
#![forbid(unsafe_code)]

mod args;
mod coverage;
mod flights;
mod hunt;
mod pictures;
mod prove;
mod report;
mod state;
mod tapes;
mod worlds;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use driver_sim::choice::Seeded;
use driver_sim::replay;
use driver_sim::run_setup;
use driver_sim::shrink::Patience;
use driver_sim::transcript::Telling;

use crate::args::{
    Cli, Command, PictureArgs, ProveArgs, ReplayArgs, RunArgs, ShrinkArgs, WorldsArgs,
};
use crate::pictures::{Drawn, code};

fn main() -> ExitCode {
    // A panic within a run is a violation and is reported as one.
    std::panic::set_hook(Box::new(|_| {}));
    match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Replay(args) => play(&args),
        Command::Shrink(args) => shrink(&args),
        Command::Hunt(args) => {
            let order = hunt::Order {
                from: args.from,
                seeds: args.seeds,
                time: Duration::from_secs(args.seconds),
                jobs: args.jobs,
                plan: args.plan.plan(),
                lines: args.lines,
                all: args.all,
                complete: args.complete,
                state: args.state,
                table: args.table,
            };
            hunt::hunt(&order)
        }
        Command::Worlds(args) => {
            let WorldsArgs { states, only, table, check, walks } = args;
            let order = worlds::Order { states_max: states, only, table, check, walks };
            worlds::search_all(&order)
        }
        Command::Prove(args) => {
            let time = Duration::from_secs(args.seconds);
            let ProveArgs { tree, seeds, control_seeds, jobs, only, table, .. } = args;
            let order = prove::Order { tree, seeds, control_seeds, time, jobs, only, table };
            prove::prove(&order)
        }
    }
}

fn telling(verbose: bool, lines: usize, pictures: &PictureArgs) -> Telling {
    if pictures.html.is_some() || pictures.svg.is_some() {
        return Telling::Filmed(lines, pictures.frames as usize);
    }
    if verbose { Telling::Aloud } else { Telling::Last(lines) }
}

fn run(args: &RunArgs) -> ExitCode {
    let (setup, what) = (args.plan.setup(), format!("seed {}", args.seed));
    let telling = telling(args.verbose, args.lines, &args.pictures);
    let report = match &args.record {
        None => run_setup(Seeded::new(args.seed), &setup, telling),
        Some(path) => {
            let (tape, report) = replay::record(args.seed, &setup, telling);
            if !tapes::write(path, &tape.to_string()) {
                return ExitCode::FAILURE;
            }
            report
        }
    };
    match pictures::draw(&args.pictures, &what, &report) {
        Drawn::Failed => return ExitCode::FAILURE,
        Drawn::Printed => {
            // A picture is alone where it is printed.
            report.violation.iter().for_each(|v| eprintln!("VIOLATION of {}", v.invariant));
            return code(report.violation.is_none());
        }
        Drawn::Aside => {}
    }
    match &report.violation {
        Some(violation) => {
            report::violation(args.seed, violation, &report.lines);
            report::trace(&report.summary);
            ExitCode::FAILURE
        }
        None => {
            report::summary(&what, &report.summary);
            ExitCode::SUCCESS
        }
    }
}

/// Succeeds if the run is the recorded one, whatever that came to.
fn play(args: &ReplayArgs) -> ExitCode {
    match flights::find(&args.file) {
        Ok(None) => {}
        Ok(Some(paths)) => return flights::play(&paths, &args.pictures),
        Err(failed) => {
            eprintln!("paxos-sim: {}: {failed}", args.file.display());
            return ExitCode::FAILURE;
        }
    }
    let tape = match tapes::read(&args.file) {
        Ok(tape) => tape,
        Err(failed) => return complain(&args.file, &failed),
    };
    let report = tape.play(telling(args.verbose, args.lines, &args.pictures));
    match pictures::draw(&args.pictures, &args.file.display().to_string(), &report) {
        Drawn::Failed => return ExitCode::FAILURE,
        Drawn::Printed => {
            let is_same = tapes::is_same(&tape, &report);
            if !is_same {
                eprintln!("NOT the run that was recorded");
            }
            return code(is_same);
        }
        Drawn::Aside => {}
    }
    match &report.violation {
        Some(violation) => {
            report.lines.iter().for_each(|line| println!("{line}"));
            println!("\nVIOLATION of {}\n{}", violation.invariant, violation.sentence);
            report::trace(&report.summary);
        }
        None => report::summary("the tape", &report.summary),
    }
    code(tapes::compare(&tape, &report))
}

fn shrink(args: &ShrinkArgs) -> ExitCode {
    let tape = match (&args.file, args.seed) {
        (Some(path), _) => tapes::read(path).map_err(|failed| (path, failed)),
        (None, seed) => {
            let setup = args.plan.setup();
            Ok(replay::record(seed.unwrap_or_default(), &setup, Telling::Silent).0)
        }
    };
    match tape {
        Ok(tape) => {
            let time = Duration::from_secs(args.seconds);
            let patience = Patience { runs: args.runs, time };
            tapes::shrink_to(&tape, patience, &args.out, args.lines)
        }
        Err((path, failed)) => complain(path, &failed),
    }
}

fn complain(path: &Path, failed: &tapes::Failed) -> ExitCode {
    eprintln!("paxos-sim: {}: {failed}", path.display());
    ExitCode::FAILURE
}
