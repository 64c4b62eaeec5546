//! What is asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use driver_sim::replay::Setup;
use driver_sim::swarm::Plan;
use driver_sim::tally::Mark;

/// A deterministic simulator for paxos-core: the network, the disks, the clocks and the clients
/// follow from one number.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
pub(crate) struct RunArgs {
    /// The seed
    #[arg(long)]
    pub(crate) seed: u64,
    /// Print everything that happens
    #[arg(long, short, conflicts_with_all = ["html", "svg"])]
    pub(crate) verbose: bool,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 120)]
    pub(crate) lines: usize,
    /// Write every choice into this file, for `replay` and `shrink`
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// What `run --record` or `shrink` has written; or a recording of a real node, or a directory
    /// of them: then its last life
    pub(crate) file: PathBuf,
    /// Print everything that happens
    #[arg(long, short, conflicts_with_all = ["html", "svg"])]
    pub(crate) verbose: bool,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 120)]
    pub(crate) lines: usize,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
}

/// Pictures of the end of a run.
#[derive(Args)]
pub(crate) struct PictureArgs {
    /// Write a page that shows the run into this file
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
    /// Print a still picture of the steps FROM..TO, as the page counts them
    #[arg(long, value_name = "FROM..TO", value_parser = window)]
    pub(crate) svg: Option<(u64, u64)>,
    /// How many steps the page holds: the last ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub(crate) frames: u64,
}

#[derive(Args)]
pub(crate) struct ShrinkArgs {
    /// A recorded run
    #[arg(required_unless_present = "seed", conflicts_with_all = ["seed", "PlanArgs"])]
    pub(crate) file: Option<PathBuf>,
    /// A seed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How long to try, in seconds
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// How many runs to try
    #[arg(long, default_value_t = 100_000)]
    pub(crate) runs: u64,
    /// Where to write the short run
    #[arg(long, default_value = "shrunk.tape")]
    pub(crate) out: PathBuf,
    /// Lines of transcript to print
    #[arg(long, default_value_t = 120)]
    pub(crate) lines: usize,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Args)]
pub(crate) struct HuntArgs {
    /// How long to hunt, in seconds
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    pub(crate) from: u64,
    /// How many seeds to run at once: one on each core, if nothing is said
    #[arg(long, default_value_t = cores(), value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Stop after so many seeds
    #[arg(long)]
    pub(crate) seeds: Option<u64>,
    /// Lines of transcript to print when an invariant breaks
    #[arg(long, default_value_t = 60)]
    pub(crate) lines: usize,
    /// Fail, too, if some fault or some rare path of the protocol was never met
    #[arg(long)]
    pub(crate) complete: bool,
    /// Keep count in this file, and go on where it ends: the next seed, and the seeds that failed
    #[arg(long)]
    pub(crate) state: Option<PathBuf>,
    /// Write how often every fault and every rare path was met into this table
    #[arg(long)]
    pub(crate) table: Option<PathBuf>,
    /// Go on after a violation; at the end, tell of the first seed for each invariant
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Args)]
pub(crate) struct WorldsArgs {
    /// States to enter in each world
    #[arg(long, default_value_t = 2_000_000)]
    pub(crate) states: u64,
    /// Only worlds whose names contain this
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Write what came of the worlds into this table
    #[arg(long, conflicts_with_all = ["only", "check"])]
    pub(crate) table: Option<PathBuf>,
    /// Fail if a world that is searched to the end is not as this table says
    #[arg(long)]
    pub(crate) check: Option<PathBuf>,
    /// Go so many ways to the end of each world, by seeds from 0 on, instead of entering every
    /// state: deeper than a search comes
    #[arg(long, conflicts_with_all = ["states", "table", "check"])]
    pub(crate) walks: Option<u64>,
}

#[derive(Args)]
pub(crate) struct ProveArgs {
    /// The root of the source tree
    #[arg(long, default_value = ".")]
    pub(crate) tree: PathBuf,
    /// How many seeds to hunt for one bug
    #[arg(long, default_value_t = 40_000)]
    pub(crate) seeds: u64,
    /// How many seeds a change that is no bug must survive
    #[arg(long, default_value_t = 4_000)]
    pub(crate) control_seeds: u64,
    /// How long one hunt may take, in seconds; one that is cut short fails
    #[arg(long, default_value_t = 900)]
    pub(crate) seconds: u64,
    /// How many seeds to run at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Only bugs whose names contain this
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Hunt for each bug from three first seeds, and write what came of it into this table
    #[arg(long)]
    pub(crate) table: Option<PathBuf>,
}

/// What is not drawn from the seed.
#[derive(Args)]
pub(crate) struct PlanArgs {
    /// How many nodes, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=7))]
    pub(crate) nodes: Option<u8>,
    /// How many groups, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) groups: Option<u8>,
    /// How long faults last, in simulated milliseconds, instead of a number drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) ticks: Option<u64>,
    /// Members change in most of the runs, instead of in some
    #[arg(long)]
    pub(crate) changes: bool,
    /// Members never change
    #[arg(long, conflicts_with = "changes")]
    pub(crate) no_changes: bool,
    /// No faults at all
    #[arg(long)]
    pub(crate) calm: bool,
    /// No witnesses, preferred nodes, copied disks or flipped bits
    #[arg(long)]
    pub(crate) plain: bool,
    /// No plots that wait for what a node says
    #[arg(long)]
    pub(crate) mild: bool,
    /// No full disks, decay, misdirected reads or slow processors
    #[arg(long)]
    pub(crate) kind: bool,
    /// No upgrades and no late words of disks that are gone
    #[arg(long)]
    pub(crate) alike: bool,
    /// No logs that are full
    #[arg(long)]
    pub(crate) roomy: bool,
    /// Nobody both hears and is heard by the core of the second phase who is not in it
    #[arg(long)]
    pub(crate) apart: bool,
    /// No leader outside of that core hears barely enough
    #[arg(long)]
    pub(crate) loose: bool,
    /// Stop when this is first counted, as if it broke an invariant: words from the table that a
    /// run prints, such as "crashes within a step"
    #[arg(long, value_parser = mark)]
    pub(crate) until: Option<Mark>,
}

impl PlanArgs {
    pub(crate) fn plan(&self) -> Plan {
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

    pub(crate) fn setup(&self) -> Setup {
        Setup { plan: self.plan(), goal: self.until, ..Setup::default() }
    }
}

fn cores() -> u8 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(64) as u8)
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

/// Reads `FROM..TO`.
fn window(words: &str) -> Result<(u64, u64), String> {
    let (from, to) = words.split_once("..").ok_or("not FROM..TO")?;
    let number = |word: &str| word.trim().parse().map_err(|_| format!("'{word}' is no number"));
    let (from, to): (u64, u64) = (number(from)?, number(to)?);
    if from < to { Ok((from, to)) } else { Err("nothing is in there".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What would not be heeded is not taken.
    #[test]
    fn what_does_not_go_together_is_turned_away() {
        let parses = |words: &str| Cli::try_parse_from(words.split_whitespace()).is_ok();
        for (words, goes) in [
            ("paxos-sim run --seed 7 --verbose", true),
            ("paxos-sim run --seed 7 --html page.html --svg 1..5", true),
            ("paxos-sim run --seed 7 --verbose --html page.html", false),
            ("paxos-sim run --seed 7 --verbose --svg 1..5", false),
            ("paxos-sim run --seed 7 --svg 5..5", false),
            ("paxos-sim shrink --seed 7 --calm --nodes 3", true),
            ("paxos-sim shrink short.tape --out shorter.tape", true),
            ("paxos-sim shrink short.tape --calm", false),
            ("paxos-sim shrink short.tape --nodes 3", false),
            ("paxos-sim shrink short.tape --seed 7", false),
            ("paxos-sim shrink", false),
        ] {
            assert_eq!(parses(words), goes, "{words}");
        }
    }
}
