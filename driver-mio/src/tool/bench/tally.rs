//! What came back: counts and latencies, and how they are told.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::workload::Kind;
use crate::args::BenchOptions;
use crate::resp::Reply;

/// All that is known about the requests that are over.
#[derive(Debug)]
pub(super) struct Tally {
    /// Nanoseconds from handing the request to the system to reading its answer.
    reads: Histogram<u64>,
    /// The same for writes.
    writes: Histogram<u64>,
    /// Requests that failed, by the code word of the error; at most
    /// [`CODES_MAX`] words.
    errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { reads: histogram(), writes: histogram(), errors: BTreeMap::new() }
    }

    /// Counts an answer.
    pub(super) fn on_reply(&mut self, kind: Kind, reply: &Reply, latency: Duration) {
        if let Some(code) = reply.error_code() {
            return self.count_error(&code[..code.len().min(CODE_BYTES_MAX)], 1);
        }
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        match kind {
            Kind::Read => self.reads.saturating_record(nanos),
            Kind::Write => self.writes.saturating_record(nanos),
        }
    }

    /// Counts requests that were sent, and will never be answered.
    pub(super) fn on_lost(&mut self, requests: u64) {
        if requests > 0 {
            self.count_error(LOST, requests);
        }
    }

    fn count_error(&mut self, code: &[u8], requests: u64) {
        let mut code = code.escape_ascii().to_string();
        if self.errors.len() >= CODES_MAX && !self.errors.contains_key(&code) {
            code = OTHER.into();
        }
        *self.errors.entry(code).or_default() += requests;
    }

    /// Requests that were answered, and not with an error.
    pub(super) fn fine(&self) -> u64 {
        self.reads.len() + self.writes.len()
    }

    /// Requests that are over, one way or the other.
    pub(super) fn over(&self) -> u64 {
        self.fine() + self.errors.values().sum::<u64>()
    }

    /// The table that a run ends with.
    pub(super) fn report(&self, options: &BenchOptions, elapsed: Duration) -> String {
        Report { tally: self, options, elapsed }.to_string()
    }
}

struct Report<'a> {
    tally: &'a Tally,
    options: &'a BenchOptions,
    elapsed: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, options, elapsed } = self;
        writeln!(
            f,
            "{} connections, pipeline {}, {} keys, values of {} bytes, seed {}: {} requests in {:.2} s\n",
            options.clients,
            options.pipeline,
            options.keys,
            options.value_bytes,
            options.seed,
            tally.over(),
            elapsed.as_secs_f64(),
        )?;
        writeln!(
            f,
            "{:8}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "", "answered", "per second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"
        )?;
        let mut all = tally.reads.clone();
        // Both were made with the same bounds, so what one can hold, the other can.
        let _ = all.add(&tally.writes);
        for (name, histogram) in [("reads", &tally.reads), ("writes", &tally.writes), ("all", &all)]
        {
            self.row(name, histogram, f)?;
        }
        if tally.errors.is_empty() {
            return writeln!(f, "\nno errors");
        }
        let errors: Vec<_> =
            tally.errors.iter().map(|(code, count)| format!("{count} {code}")).collect();
        writeln!(f, "\nerrors: {}", errors.join(", "))
    }
}

impl Report<'_> {
    fn row(
        &self,
        name: &str,
        histogram: &Histogram<u64>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        let rate = histogram.len() as f64 / seconds;
        write!(f, "{name:8}{:>12}{rate:>12.0}", histogram.len())?;
        for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
            match histogram.len() {
                0 => write!(f, "{:>10}", "-")?,
                _ => write!(f, "{:>10.3}", histogram.value_at_quantile(quantile) as f64 / 1e6)?,
            }
        }
        writeln!(f)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3).expect("the bounds are in order")
}

/// Longer than anybody waits: ten minutes. What took longer is counted as this.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;
const CODES_MAX: usize = 32;
const CODE_BYTES_MAX: usize = 24;
const LOST: &[u8] = b"(connection lost)";
const OTHER: &str = "(other)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::bench::tests::options;

    #[test]
    fn answers_and_errors_are_counted_apart() {
        let mut tally = Tally::new();
        let ms = Duration::from_millis;
        tally.on_reply(Kind::Read, &Reply::Null, ms(1));
        tally.on_reply(Kind::Write, &Reply::OK, ms(3));
        tally.on_reply(Kind::Write, &Reply::error("BUSY try again"), ms(5));
        tally.on_lost(2);
        assert_eq!((tally.fine(), tally.over()), (2, 5));

        let text = tally.report(&options(), Duration::from_secs(2));
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[3][..3], ["reads", "1", "0"].map(|s| s), "{text}");
        assert_eq!(rows[5][..3], ["all", "2", "1"], "{text}");
        assert!(text.ends_with("\nerrors: 2 (connection lost), 1 BUSY\n"), "{text}");
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut tally = Tally::new();
        (1..=1000).for_each(|ms| {
            tally.on_reply(Kind::Read, &Reply::Null, Duration::from_millis(ms));
        });
        let text = tally.report(&options(), Duration::from_secs(1));
        let row = text.lines().nth(3).expect("reads").split_whitespace();
        let near = [500.0, 900.0, 990.0, 999.0, 1000.0];
        for (shown, expected) in row.skip(3).zip(near) {
            let shown: f64 = shown.parse().expect("a number");
            assert!((shown - expected).abs() <= expected * 0.002, "{shown} is not {expected}");
        }
        assert!(text.lines().nth(4).expect("writes").ends_with("-         -"), "{text}");
    }

    #[test]
    fn a_server_cannot_fill_memory_with_code_words() {
        let mut tally = Tally::new();
        for nth in 0..1000 {
            let error = Reply::error(format!("CODE{nth} {}", "x".repeat(100)));
            tally.on_reply(Kind::Read, &error, Duration::ZERO);
        }
        tally.on_reply(Kind::Read, &Reply::error("y".repeat(1000)), Duration::ZERO);
        assert!(tally.errors.len() <= CODES_MAX + 1);
        assert!(tally.errors.keys().all(|code| code.len() <= CODE_BYTES_MAX));
        assert_eq!(tally.over(), 1001);
    }
}
