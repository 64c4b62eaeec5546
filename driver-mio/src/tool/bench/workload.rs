//! Which requests are made, in which order: a function of the seed.
//!
//! Which connection gets the next one depends on who is ready first, so only
//! the sequence as a whole is the same from run to run.

use paxos_core::types::Rng;

use crate::args::BenchOptions;
use crate::resp::encode_request;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `GET key`
    Read,
    /// `SET key value`
    Write,
}

/// The requests that are still to be made.
#[derive(Debug)]
pub(super) struct Workload {
    rng: Rng,
    /// Requests not made yet.
    left: u64,
    /// A draw below this is a read: the share of reads in 2^64ths.
    read_below: u128,
    keys: u64,
    value: Vec<u8>,
}

impl Workload {
    pub(super) fn new(options: &BenchOptions) -> Self {
        let mut rng = Rng::new(options.seed);
        let value = (0..options.value_bytes).map(|_| b'a' + rng.below(26) as u8).collect();
        let read_below = (options.reads * 2f64.powi(64)) as u128;
        Self { rng, left: options.requests, read_below, keys: options.keys, value }
    }

    /// Whether every request has been made.
    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Appends the next request, if one is left, and says what it does.
    pub(super) fn put_next(&mut self, out: &mut Vec<u8>) -> Option<Kind> {
        self.left = self.left.checked_sub(1)?;
        let is_read = u128::from(self.rng.next_u64()) < self.read_below;
        let key = format!("key:{:012}", self.rng.below(self.keys));
        Some(if is_read {
            encode_request(&[b"GET", key.as_bytes()], out);
            Kind::Read
        } else {
            encode_request(&[b"SET", key.as_bytes(), &self.value], out);
            Kind::Write
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::bench::tests::options;

    #[test]
    fn the_same_seed_makes_the_same_requests() {
        let wire = |seed| all(&BenchOptions { seed, ..options() }).0;
        assert_eq!(wire(1), wire(1));
        assert_ne!(wire(1), wire(2));
    }

    #[test]
    fn the_share_of_reads_is_what_was_asked_for() {
        for (reads, low, high) in [(0.0, 0, 0), (0.25, 200, 300), (1.0, 1000, 1000)] {
            let (_, kinds) = all(&BenchOptions { reads, requests: 1000, ..options() });
            let count = kinds.iter().filter(|kind| **kind == Kind::Read).count();
            assert_eq!(kinds.len(), 1000);
            assert!((low..=high).contains(&count), "{count} reads of 1000 at {reads}");
        }
    }

    #[test]
    fn keys_and_values_are_as_asked_for() {
        let asked = BenchOptions { keys: 1, value_bytes: 3, reads: 0.0, requests: 1, ..options() };
        let (wire, _) = all(&asked);
        let wire = String::from_utf8(wire).expect("text");
        assert!(wire.starts_with("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$3\r\n"), "{wire}");
    }

    fn all(options: &BenchOptions) -> (Vec<u8>, Vec<Kind>) {
        let mut workload = Workload::new(options);
        let mut wire = Vec::new();
        let kinds = std::iter::from_fn(|| workload.put_next(&mut wire)).collect();
        (wire, kinds)
    }
}
