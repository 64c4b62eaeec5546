//! `paxos-sim`: runs seeds, hunts for one that breaks an invariant, and proves that it would find
//! one.
#![forbid(unsafe_code)]

mod hunt;
mod prove;
mod report;
mod worlds;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use driver_sim::run_seed;
use driver_sim::swarm::Plan;
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
    /// How many seeds to run at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Stop after so many seeds
    #[arg(long)]
    seeds: Option<u64>,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 60)]
    lines: usize,
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
}

#[derive(Args)]
struct ProveArgs {
    /// The root of the source tree
    #[arg(long, default_value = ".")]
    tree: PathBuf,
    /// How long to hunt for one bug, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many seeds to run at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Only bugs whose names contain this
    #[arg(long)]
    only: Option<String>,
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
    /// Members change, in most of the runs
    #[arg(long)]
    changes: bool,
    /// No faults at all
    #[arg(long)]
    calm: bool,
}

impl PlanArgs {
    fn plan(&self) -> Plan {
        Plan {
            nodes: self.nodes,
            groups: self.groups,
            safety_us: self.ticks.map(|ms| ms * 1_000),
            changes: self.changes,
            calm: self.calm,
        }
    }
}

fn main() -> ExitCode {
    // A panic within a run is a violation and is reported as one.
    std::panic::set_hook(Box::new(|_| {}));
    match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Hunt(args) => {
            let order = hunt::Order {
                from: args.from,
                seeds: args.seeds,
                time: Duration::from_secs(args.seconds),
                jobs: args.jobs,
                plan: args.plan.plan(),
                lines: args.lines,
                all: args.all,
            };
            hunt::hunt(&order)
        }
        Command::Worlds(args) => worlds::search_all(args.states, args.only.as_deref()),
        Command::Prove(args) => {
            let time = Duration::from_secs(args.seconds);
            let ProveArgs { tree, jobs, only, .. } = args;
            prove::prove(&prove::Order { tree, time, jobs, only })
        }
    }
}

fn run(args: &RunArgs) -> ExitCode {
    let telling = if args.verbose { Telling::Aloud } else { Telling::Last(args.lines) };
    let report = run_seed(args.seed, &args.plan.plan(), telling);
    match &report.violation {
        Some(violation) => {
            report::violation(args.seed, violation, &report.lines);
            ExitCode::FAILURE
        }
        None => {
            report::summary(args.seed, &report.summary);
            ExitCode::SUCCESS
        }
    }
}
