//! How long a node waits for what, and when it writes its state out.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use paxos_core::types::{Lease, Timing};

use super::options::Checkpoints;

#[derive(Args, Clone, Copy, Default)]
pub(super) struct CheckpointWords {
    /// Write the state out after so many slots, and trim the log [default: 262144]
    #[arg(long, value_name = "SLOTS")]
    pub(super) checkpoint_slots: Option<u64>,
    /// The same after so many bytes of commands [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub(super) checkpoint_bytes: Option<u64>,
    /// Up to so many times as much of either (1, 2, 4, and so on) where the state takes more
    /// bytes than that: it is written out less often, and more of the log is in memory
    /// [default: 4; 1 with --record]
    #[arg(long, value_name = "TIMES")]
    pub(super) checkpoint_stretch: Option<u64>,
    /// Bytes of one file of the log [default: 16777216]
    #[arg(long, value_name = "BYTES")]
    pub(super) segment_bytes: Option<u64>,
    /// A node that has fallen behind takes in so many bytes a second, so that the others
    /// have time for their clients [default: 33554432]
    #[arg(long, value_name = "BYTES")]
    pub(super) catch_up_bytes: Option<u64>,
}

#[derive(Args, Clone, Copy, Default)]
pub(super) struct TimingWords {
    /// A leader speaks at least this often [default: 50]
    #[arg(long, value_name = "MS")]
    pub(super) heartbeat_ms: Option<u64>,
    /// A leader that is silent for this long is replaced [default: 300]
    #[arg(long, value_name = "MS")]
    pub(super) election_ms: Option<u64>,
    /// A message without an answer is sent again after this long [default: 100]
    #[arg(long, value_name = "MS")]
    pub(super) resend_ms: Option<u64>,
    /// A client is told "unknown" when a command takes longer than this [default: 2000]
    #[arg(long, value_name = "MS")]
    pub(super) answer_ms: Option<u64>,
    /// Let a leader read without asking for this long after a quorum has answered it;
    /// reads then rest on clocks. The same on all nodes [default: off]
    #[arg(long, visible_alias = "lease", value_name = "MS")]
    pub(super) lease_ms: Option<u64>,
    /// How far any node's clock may run fast or slow, in parts in a million, with
    /// --lease-ms [default: 1000]
    #[arg(long, value_name = "PPM")]
    pub(super) clock_drift_ppm: Option<u32>,
}

impl CheckpointWords {
    pub(super) fn or(self, file: Self) -> Self {
        Self {
            checkpoint_slots: self.checkpoint_slots.or(file.checkpoint_slots),
            checkpoint_bytes: self.checkpoint_bytes.or(file.checkpoint_bytes),
            checkpoint_stretch: self.checkpoint_stretch.or(file.checkpoint_stretch),
            segment_bytes: self.segment_bytes.or(file.segment_bytes),
            catch_up_bytes: self.catch_up_bytes.or(file.catch_up_bytes),
        }
    }

    pub(super) fn check(self) -> Result<Checkpoints, String> {
        let usual = Checkpoints::default();
        Ok(Checkpoints {
            slots: size("--checkpoint-slots", self.checkpoint_slots, usual.slots, 16..=1 << 24)?,
            bytes: size("--checkpoint-bytes", self.checkpoint_bytes, usual.bytes, 4096..=2 << 30)?,
            stretch_max: size(
                "--checkpoint-stretch",
                self.checkpoint_stretch,
                usual.stretch_max,
                1..=64,
            )?,
            segment_bytes: size(
                "--segment-bytes",
                self.segment_bytes,
                usual.segment_bytes,
                32 << 10..=1 << 30,
            )?,
            catch_up_bytes_per_s: size(
                "--catch-up-bytes",
                self.catch_up_bytes,
                usual.catch_up_bytes_per_s,
                1 << 20..=1 << 40,
            )?,
        })
    }
}

impl TimingWords {
    pub(super) fn or(self, file: Self) -> Self {
        Self {
            heartbeat_ms: self.heartbeat_ms.or(file.heartbeat_ms),
            election_ms: self.election_ms.or(file.election_ms),
            resend_ms: self.resend_ms.or(file.resend_ms),
            answer_ms: self.answer_ms.or(file.answer_ms),
            lease_ms: self.lease_ms.or(file.lease_ms),
            clock_drift_ppm: self.clock_drift_ppm.or(file.clock_drift_ppm),
        }
    }

    pub(super) fn check(self) -> Result<Timing, String> {
        let usual = Timing::default();
        let timing = Timing {
            heartbeat: wait("--heartbeat-ms", self.heartbeat_ms, usual.heartbeat)?,
            patience: wait("--election-ms", self.election_ms, usual.patience)?,
            resend: wait("--resend-ms", self.resend_ms, usual.resend)?,
            answer: wait("--answer-ms", self.answer_ms, usual.answer)?,
            lease: self.lease()?,
            ..usual
        };
        if timing.patience < 2 * timing.heartbeat {
            return Err("--election-ms must be at least twice --heartbeat-ms".into());
        }
        if timing.lease.is_some_and(|lease| lease.held() < 2 * timing.heartbeat) {
            return Err("--lease-ms, less the drift, must be at least twice --heartbeat-ms".into());
        }
        Ok(timing)
    }

    fn lease(self) -> Result<Option<Lease>, String> {
        let drift_ppm = self.clock_drift_ppm.unwrap_or(CLOCK_DRIFT_PPM);
        if drift_ppm > Lease::DRIFT_MAX_PPM {
            let most = Lease::DRIFT_MAX_PPM;
            return Err(format!("--clock-drift-ppm {drift_ppm} is not in 0..={most}"));
        }
        let Some(ms) = self.lease_ms else {
            return match self.clock_drift_ppm {
                Some(_) => Err("--clock-drift-ppm means something with --lease-ms only".into()),
                None => Ok(None),
            };
        };
        let duration = wait("--lease-ms", Some(ms), Duration::ZERO)?;
        Ok(Some(Lease { duration, drift_ppm }))
    }
}

pub(super) fn size(
    flag: &str,
    size: Option<u64>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    match size {
        None => Ok(usual),
        Some(size) if range.contains(&size) => Ok(size),
        Some(size) => Err(format!("{flag} {size} is not in {range:?}")),
    }
}

fn wait(flag: &str, ms: Option<u64>, usual: Duration) -> Result<Duration, String> {
    match ms {
        None => Ok(usual),
        Some(ms @ 1..=WAIT_MS_MAX) => Ok(Duration::from_millis(ms)),
        Some(ms) => Err(format!("{flag} {ms} is not in 1..={WAIT_MS_MAX}")),
    }
}

/// The longest wait that makes any sense: ten minutes.
const WAIT_MS_MAX: u64 = 600_000;
/// More than a healthy quartz drifts, and than a clock is slewed at most (500).
pub(super) const CLOCK_DRIFT_PPM: u32 = 1000;
