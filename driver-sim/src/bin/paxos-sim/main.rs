//! `paxos-sim`: runs seeds, hunts for one that breaks an invariant, and proves that it would find
//! one.
#![forbid(unsafe_code)]

mod coverage;
mod flights;
mod hunt;
mod pictures;
mod prove;
mod report;
mod state;
mod tapes;
mod worlds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use driver_sim::choice::Seeded;
use driver_sim::replay::{self, Setup};
use driver_sim::run_setup;
use driver_sim::shrink::Patience;
use driver_sim::swarm::Plan;
use driver_sim::tally::Mark;
use driver_sim::transcript::Telling;

/// A deterministic simulator for paxos-core: the network, the disks, the clocks and the clients
/// follow from one number.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one seed and say what happened
    Run(RunArgs),
    /// Play a recorded run again, and compare
    Replay(ReplayArgs),
    /// Make a run that breaks an invariant as short as can be
    Shrink(ShrinkArgs),
    /// Run seeds until time is up or an invariant breaks
    Hunt(HuntArgs),
    /// Plant bugs in a copy of the source, and hunt for each
    Prove(ProveArgs),
    /// Try every order of events in small worlds
    Worlds(WorldsArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The seed
    #[arg(long)]
    seed: u64,
    /// Print everything that happens
    #[arg(long, short)]
    verbose: bool,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 120)]
    lines: usize,
    /// Write every choice into this file, for `replay` and `shrink`
    #[arg(long)]
    record: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

#[derive(Args)]
struct ReplayArgs {
    /// What `run --record` or `shrink` has written; or a recording of a real node, or a directory
    /// of them: then its last life
    file: PathBuf,
    /// Print everything that happens
    #[arg(long, short)]
    verbose: bool,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 120)]
    lines: usize,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// Pictures of the end of a run.
#[derive(Args)]
struct PictureArgs {
    /// Write a page that shows the run into this file
    #[arg(long)]
    html: Option<PathBuf>,
    /// Print a still picture of the steps FROM..TO, as the page counts them
    #[arg(long, value_name = "FROM..TO", value_parser = pictures::window)]
    svg: Option<(u64, u64)>,
    /// How many steps the page holds: the last ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    frames: u64,
}

#[derive(Args)]
struct ShrinkArgs {
    /// A recorded run
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// A seed
    #[arg(long)]
    seed: Option<u64>,
    /// How long to try, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many runs to try
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// Where to write the short run
    #[arg(long, default_value = "shrunk.tape")]
    out: PathBuf,
    /// Lines of transcript to print
    #[arg(long, default_value_t = 120)]
    lines: usize,
    #[command(flatten)]
    plan: PlanArgs,
}

#[derive(Args)]
struct HuntArgs {
    /// How long to hunt, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds to run at once: one on each core, if nothing is said
    #[arg(long, default_value_t = cores(), value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Stop after so many seeds
    #[arg(long)]
    seeds: Option<u64>,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 60)]
    lines: usize,
    /// Fail, too, if some fault or some rare path of the protocol was never met
    #[arg(long)]
    complete: bool,
    /// Keep count in this file, and go on where it ends: the next seed, and the seeds that failed
    #[arg(long)]
    state: Option<PathBuf>,
    /// Write how often every fault and every rare path was met into this table
    #[arg(long)]
    table: Option<PathBuf>,
    /// Go on after a violation; at the end, tell of the first seed for each invariant
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    plan: PlanArgs,
}

#[derive(Args)]
struct WorldsArgs {
    /// States to enter in each world
    #[arg(long, default_value_t = 2_000_000)]
    states: u64,
    /// Only worlds whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// Write what came of the worlds into this table
    #[arg(long, conflicts_with_all = ["only", "check"])]
    table: Option<PathBuf>,
    /// Fail if a world that is searched to the end is not as this table says
    #[arg(long)]
    check: Option<PathBuf>,
    /// Go so many ways to the end of each world, by seeds from 0 on, instead of entering every
    /// state: deeper than a search comes
    #[arg(long, conflicts_with_all = ["states", "table", "check"])]
    walks: Option<u64>,
}

#[derive(Args)]
struct ProveArgs {
    /// The root of the source tree
    #[arg(long, default_value = ".")]
    tree: PathBuf,
    /// How many seeds to hunt for one bug
    #[arg(long, default_value_t = 40_000)]
    seeds: u64,
    /// How many seeds a change that is no bug must survive
    #[arg(long, default_value_t = 4_000)]
    control_seeds: u64,
    /// How long one hunt may take, in seconds; one that is cut short fails
    #[arg(long, default_value_t = 900)]
    seconds: u64,
    /// How many seeds to run at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Only bugs whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// Hunt for each bug from three first seeds, and write what came of it into this table
    #[arg(long)]
    table: Option<PathBuf>,
}

fn cores() -> u8 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(64) as u8)
}

/// What is not drawn from the seed.
#[derive(Args)]
struct PlanArgs {
    /// How many nodes, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=7))]
    nodes: Option<u8>,
    /// How many groups, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    groups: Option<u8>,
    /// How long faults last, in simulated milliseconds, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    ticks: Option<u64>,
    /// Members change in most of the runs, instead of in some
    #[arg(long)]
    changes: bool,
    /// Members never change
    #[arg(long, conflicts_with = "changes")]
    no_changes: bool,
    /// No faults at all
    #[arg(long)]
    calm: bool,
    /// No witnesses, preferred nodes, copied disks or flipped bits
    #[arg(long)]
    plain: bool,
    /// No plots that wait for what a node says
    #[arg(long)]
    mild: bool,
    /// No full disks, decay, misdirected reads or slow processors
    #[arg(long)]
    kind: bool,
    /// No upgrades and no late words of disks that are gone
    #[arg(long)]
    alike: bool,
    /// No logs that are full
    #[arg(long)]
    roomy: bool,
    /// Nobody both hears and is heard by the core of the second phase who is not in it
    #[arg(long)]
    apart: bool,
    /// No leader outside of that core hears barely enough
    #[arg(long)]
    loose: bool,
    /// Stop when this is first counted, as if it broke an invariant: words from the table that a
    /// run prints, such as "crashes within a step"
    #[arg(long, value_parser = mark)]
    until: Option<Mark>,
}

fn mark(words: &str) -> Result<Mark, String> {
    let mut marks = Mark::ALL.iter().filter(|mark| mark.words().contains(words));
    let exact = Mark::ALL.iter().find(|mark| mark.words() == words);
    match (exact, marks.next(), marks.next()) {
        (Some(mark), ..) | (None, Some(mark), None) => Ok(*mark),
        (None, None, _) => Err("nothing of that name is counted".to_owned()),
        (None, Some(one), Some(other)) => {
            Err(format!("'{}' or '{}', or others?", one.words(), other.words()))
        }
    }
}

impl PlanArgs {
    fn plan(&self) -> Plan {
        Plan {
            nodes: self.nodes,
            groups: self.groups,
            safety_us: self.ticks.map(|ms| ms * 1_000),
            changes: (self.changes || self.no_changes).then_some(self.changes),
            calm: self.calm,
            plain: self.plain,
            mild: self.mild,
            kind: self.kind,
            alike: self.alike,
            roomy: self.roomy,
            apart: self.apart,
            loose: self.loose,
        }
    }

    fn setup(&self) -> Setup {
        Setup { plan: self.plan(), goal: self.until, ..Setup::default() }
    }
}

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
    if let Some(code) = pictures::draw(&args.pictures, &what, &report) {
        return code;
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
    if let Some(code) = pictures::draw(&args.pictures, &args.file.display().to_string(), &report) {
        return code;
    }
    match &report.violation {
        Some(violation) => {
            report.lines.iter().for_each(|line| println!("{line}"));
            println!("\nVIOLATION of {}\n{}", violation.invariant, violation.sentence);
            report::trace(&report.summary);
        }
        None => report::summary("the tape", &report.summary),
    }
    if tapes::compare(&tape, &report) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
