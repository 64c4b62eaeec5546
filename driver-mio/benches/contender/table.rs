//! The figures of all systems side by side, as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::loader::Loader;
use super::{Door, Op, Sample, Seat, Shape, System};
use crate::support::stats::{median, range};

/// Everything that was measured, and where.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine, in one line.
    pub(crate) machine: String,
    /// Of every system, whether it is there or not.
    pub(crate) versions: Vec<(System, Option<String>)>,
    /// How often everything was measured.
    pub(crate) rounds: u32,
    /// How long each load took, about.
    pub(crate) seconds: f64,
    /// How long a leader with a lease reads without asking, in milliseconds.
    pub(crate) lease_ms: u32,
    /// Who put the load on what speaks Redis.
    pub(crate) loader: Loader,
    /// How long all of it took.
    pub(crate) took: Duration,
    /// One sample for each round.
    pub(crate) samples: BTreeMap<Load, Vec<Sample>>,
}

/// What is looked at in a sample.
type Figure = fn(&Sample) -> f64;

/// A row of a table.
pub(crate) type Load = (Shape, Seat);

impl Report {
    /// The median over the rounds of what `figure` takes from each.
    fn median(&self, load: Load, figure: Figure) -> Option<f64> {
        median(&self.figures(load, figure))
    }

    fn figures(&self, load: Load, figure: Figure) -> Vec<f64> {
        self.samples.get(&load).into_iter().flatten().map(figure).collect()
    }

    /// How many times as many requests as the same node of another system, or as the only
    /// one that it has; nothing for a system beside itself.
    fn ratio(&self, (shape, seat): Load, other: System) -> Option<f64> {
        let is_ours = matches!(seat.system, System::Paxos | System::Leased);
        let at = if other.seats().len() == 1 { Door::Leader } else { seat.at };
        let other = Seat { system: other, at };
        let rate = |seat| self.median((shape, seat), |sample| sample.per_second);
        is_ours.then(|| Some(rate(seat)? / rate(other)?))?
    }

    /// All numbers of connections for what else `like` is.
    fn table(&self, like: Shape, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if like.op == Op::Set { "SET" } else { "GET" };
        write!(f, "\n### {name}, values of {} bytes, ", like.value_bytes)?;
        match like.pipeline {
            1 => writeln!(f, "one request under way on each connection\n")?,
            more => writeln!(f, "{more} requests at once on each connection\n")?,
        }
        writeln!(
            f,
            "| connections | server | {name}/s | min .. max | × redis | × memory | × etcd | × limit \
             | p50 ms | p99 ms | loader µs | servers µs |"
        )?;
        writeln!(f, "|--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        let shapes: BTreeSet<Shape> = self.samples.keys().map(|(shape, _)| *shape).collect();
        for shape in shapes.into_iter().filter(|shape| of_one_table(*shape) == of_one_table(like)) {
            for seat in System::ALL.into_iter().flat_map(System::seats) {
                self.row((shape, seat), f)?;
            }
        }
        Ok(())
    }

    fn row(&self, load: Load, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = self.figures(load, |sample| sample.per_second);
        let (Some(rate), Some((min, max))) = (median(&rates), range(&rates)) else {
            return Ok(());
        };
        let (Shape { connections, .. }, seat) = load;
        write!(f, "| {connections} | {} | {rate:.0} | {min:.0} .. {max:.0} ", seat.name())?;
        for other in [System::Redis, System::Memory, System::Etcd, System::Limit] {
            match self.ratio(load, other) {
                Some(ratio) => write!(f, "| {ratio:.2} ")?,
                None => write!(f, "| ")?,
            }
        }
        let figures: [(Figure, usize); 4] = [
            (|sample| sample.p50_ms, 3),
            (|sample| sample.p99_ms, 3),
            (|sample| sample.loader_us, 1),
            (|sample| sample.servers_us, 1),
        ];
        for (figure, digits) in figures {
            let shown = self.median(load, figure).unwrap_or(f64::NAN);
            write!(f, "| {shown:.digits$} ")?;
        }
        writeln!(f, "|")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounds, seconds) = (self.rounds, self.seconds);
        write!(f, "\nMedians of {rounds} rounds of about {seconds} s each load, which took ")?;
        writeln!(f, "{:.1} minutes. {}.\n", self.took.as_secs_f64() / 60.0, self.machine)?;
        for (system, version) in &self.versions {
            match version {
                Some(version) if *system == System::Leased => {
                    writeln!(f, "- {version}, `--lease-ms {}`: {LEASED}", self.lease_ms)?;
                }
                Some(version) => writeln!(f, "- {version}")?,
                None => writeln!(f, "- {system:?} is not installed: left out")?,
            }
        }
        writeln!(f, "\nLoader of what speaks Redis: {}; of", self.loader.name())?;
        f.write_str(NOTES)?;
        let tables: BTreeSet<Shape> =
            self.samples.keys().map(|(shape, _)| of_one_table(*shape)).collect();
        tables.into_iter().try_for_each(|like| self.table(like, f))?;
        let failed = self
            .samples
            .iter()
            .map(|(load, samples)| (load, samples.iter().map(|sample| sample.errors).sum::<u64>()));
        let mut failed = failed.filter(|(_, errors)| *errors > 0).peekable();
        if failed.peek().is_none() {
            return write!(f, "\nNo request has failed.");
        }
        failed.try_for_each(|((shape, seat), errors)| {
            writeln!(f, "\n{errors} failed: {shape:?}, {}", seat.name())
        })
    }
}

/// The same for all that stands in one table.
fn of_one_table(shape: Shape) -> Shape {
    Shape { connections: 0, ..shape }
}

const LEASED: &str = "its leader reads without asking for so long after a quorum has answered";

const NOTES: &str = "\
etcd: a client of our own over HTTP/2. Loader and
servers share the machine: \"loader µs\" and \"servers µs\" are the processor time that
each request took, the latter of all three nodes together.
\"× redis\", \"× memory\", \"× etcd\" and \"× limit\" compare requests per second with the row
of that system for as many connections, at the same kind of node; \"memory\" is the Redis
that writes nothing down. \"At all nodes\": connections are spread evenly over them. All
reads are linearizable. The limit: three processes of which the first hands on what it
reads, each writes and syncs it, and the first answers; nobody could read it again.
";
