//! All bounds, in one place.

use super::Value;

/// The bound of every queue, message and loop, with its unit and its reason.
///
/// What happens at a bound stands with each field; nothing grows past one.
///
/// The nodes of a group should agree on them. What peers say is measured by them
/// too, so lower none of `value_bytes_max`, `run_slots_max` and `ahead_slots_max`
/// below what a group has in its logs: its nodes would ignore each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// Slots a leader may have in flight at once. More proposals wait in line.
    pub window_slots: usize,
    /// Bytes a leader may have in flight at once. More proposals wait in line.
    pub window_bytes: usize,
    /// Proposals that may wait in line at one node. More are answered `Busy`.
    pub waiting_max: usize,
    /// Bytes of proposals that may wait in line at one node. More are answered `Busy`.
    pub waiting_bytes_max: usize,
    /// Bytes of one payload. Larger proposals are answered `TooLarge`; larger
    /// values from a peer are ignored.
    pub value_bytes_max: usize,
    /// Slots in one run; at most [`RUN_SLOTS_MAX`](Limits::RUN_SLOTS_MAX). Longer proposals leave as several messages; longer runs
    /// from a peer are ignored.
    pub run_slots_max: usize,
    /// Bytes in one run, page of a promise, or batch of entries; the first value
    /// always fits. Also what one frame may carry beside one value.
    pub run_bytes_max: usize,
    /// Slots kept in memory, delivered or not. A leader at the bound answers
    /// `Busy`, an acceptor ignores what lies above it.
    pub log_slots_max: usize,
    /// Bytes kept in memory by the log, cells included. A leader at the bound
    /// answers `Busy`; an acceptor gives way by what the leader may have had in
    /// flight then, so that all of it can still be chosen.
    pub log_bytes_max: usize,
    /// Slots above the delivered frontier that an acceptor votes on. What lies
    /// beyond is ignored: a peer that names an absurd slot must not cost memory.
    /// At least `window_slots`, at most [`AHEAD_MAX`](Limits::AHEAD_MAX).
    pub ahead_slots_max: usize,
    /// Slots delivered in one step. The rest follow at the next tick, at once.
    pub deliver_slots_max: usize,
    /// Pledges held for the disk, per node. At the bound, peers' requests for more
    /// are ignored and further pledges dropped, as if the network had lost them.
    pub held_pledges_max: usize,
    /// Read rounds and remote reads in flight, per group. More are answered `Busy`.
    pub reads_max: usize,
    /// Proposals handed on to the leader and not yet answered, per group. More
    /// wait in line.
    pub forwarded_max: usize,
    /// How often a proposal may be handed on before it is answered instead.
    pub hops_max: u8,
    /// A checkpoint is due when this many slots were delivered since the last one
    /// was. A function of the log, not of the node: replicas capture at the same slots, as
    /// long as less than half of the log's room is taken.
    /// One that is due while a peer pulls the newest image is passed over, until the log
    /// weighs four times `checkpoint_bytes` and twice what was due, or takes that half.
    pub checkpoint_slots: u64,
    /// As [`checkpoint_slots`](Limits::checkpoint_slots), by the weight of the values.
    pub checkpoint_bytes: u64,
    /// If the last image is larger than `checkpoint_bytes`, only every second, fourth and so on
    /// of the checkpoints is due that would be otherwise: so many that as many times
    /// `checkpoint_bytes` are no less than the image, but no more than these, nor than fit into a
    /// quarter of the log's room. What goes into images is then of the order of what goes into
    /// the log; that takes more memory, and more time to start. 1: a large state makes no
    /// difference.
    pub checkpoint_stretch_max: u64,
    /// Slots below a checkpoint that stay in the log, for peers that are a little
    /// behind; at most a quarter of `log_slots_max`.
    pub keep_slots: u64,
    /// Bytes of the log that those slots may weigh; at most a quarter of `log_bytes_max`.
    pub keep_bytes: usize,
    /// Bytes of an image in one message.
    pub piece_bytes_max: usize,
    /// Pieces of images that are being read for peers, per group. Requests for more
    /// are ignored; the peer asks again.
    pub loads_max: usize,
    /// Bytes of an image that a receiver has asked for and not yet stored; one piece at
    /// least.
    pub transfer_bytes: usize,
    /// Bytes of an image or of chosen entries that a replica asks for in a second while it
    /// catches up, after the first MiB (or the first second): whoever gives them has clients,
    /// too. That doubles every eight seconds (entries: every two), since there is more and
    /// more to catch up with. A replica that leads, that knows no leader, or whose vote is missing is waited for,
    /// and has no such bound; the greatest number means none at all. Should be several pieces
    /// in a [`patience`](super::Timing::patience): who asks less often may find that its donor
    /// has let the image go.
    pub catch_up_bytes_per_s: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            window_slots: 4096,
            window_bytes: 32 << 20,
            waiting_max: 16_384,
            waiting_bytes_max: 64 << 20,
            value_bytes_max: 16 << 20,
            run_slots_max: 1024,
            run_bytes_max: 1 << 20,
            log_slots_max: 1 << 26,
            log_bytes_max: 4 << 30,
            ahead_slots_max: 1 << 16,
            deliver_slots_max: 4096,
            held_pledges_max: 65_536,
            reads_max: 4096,
            forwarded_max: 16_384,
            hops_max: 3,
            checkpoint_slots: 1 << 20,
            checkpoint_bytes: 256 << 20,
            checkpoint_stretch_max: 4,
            keep_slots: 1 << 16,
            keep_bytes: 64 << 20,
            piece_bytes_max: 256 << 10,
            loads_max: 32,
            transfer_bytes: 2 << 20,
            catch_up_bytes_per_s: 32 << 20,
        }
    }
}

impl Limits {
    /// How far a slot on disk may lie above all slots before it: a wild slot in a
    /// file must not cost memory.
    pub const AHEAD_MAX: usize = 1 << 20;

    /// The longest list that the codec takes from a peer.
    pub const RUN_SLOTS_MAX: usize = 1 << 16;

    /// What an acceptor holds of a log in bytes: a leader that was just below its
    /// bound may have filled a window and sent one more run.
    pub fn log_bytes_held_max(&self) -> usize {
        let cells = self.window_slots.saturating_mul(4 * Value::OVERHEAD);
        let flight = self.window_bytes.saturating_add(cells);
        let one_more = self.run_bytes_max.saturating_add(self.value_bytes_max);
        self.log_bytes_max.saturating_add(flight).saturating_add(one_more)
    }

    /// Whether no bound is zero, an acceptor votes as far ahead as a leader leads
    /// but no further than a disk is read back, and runs can be told to peers.
    pub fn is_sane(&self) -> bool {
        let all = [
            self.window_slots,
            self.window_bytes,
            self.waiting_max,
            self.waiting_bytes_max,
            self.value_bytes_max,
            self.run_slots_max,
            self.run_bytes_max,
            self.log_slots_max,
            self.log_bytes_max,
            self.ahead_slots_max,
            self.deliver_slots_max,
            self.held_pledges_max,
            self.reads_max,
            self.forwarded_max,
            self.piece_bytes_max,
            self.loads_max,
            self.transfer_bytes,
        ];
        let ahead = self.window_slots..=Self::AHEAD_MAX;
        !all.contains(&0)
            && self.checkpoint_slots > 0
            && self.checkpoint_bytes > 0
            && self.checkpoint_stretch_max > 0
            && self.catch_up_bytes_per_s > 0
            && ahead.contains(&self.ahead_slots_max)
            && self.run_slots_max <= Self::RUN_SLOTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds that have no zero, one at a time.
    #[test]
    fn no_bound_is_zero() {
        let all: [&dyn Fn(&mut Limits); 21] = [
            &|l| l.window_slots = 0,
            &|l| l.window_bytes = 0,
            &|l| l.waiting_max = 0,
            &|l| l.waiting_bytes_max = 0,
            &|l| l.value_bytes_max = 0,
            &|l| l.run_slots_max = 0,
            &|l| l.run_bytes_max = 0,
            &|l| l.log_slots_max = 0,
            &|l| l.log_bytes_max = 0,
            &|l| l.ahead_slots_max = 0,
            &|l| l.deliver_slots_max = 0,
            &|l| l.held_pledges_max = 0,
            &|l| l.reads_max = 0,
            &|l| l.forwarded_max = 0,
            &|l| l.piece_bytes_max = 0,
            &|l| l.loads_max = 0,
            &|l| l.transfer_bytes = 0,
            &|l| l.checkpoint_slots = 0,
            &|l| l.checkpoint_bytes = 0,
            &|l| l.checkpoint_stretch_max = 0,
            &|l| l.catch_up_bytes_per_s = 0,
        ];
        assert!(Limits::default().is_sane());
        for (nth, change) in all.iter().enumerate() {
            let mut limits = Limits::default();
            change(&mut limits);
            assert!(!limits.is_sane(), "{nth}");
        }
    }

    /// What a leader leads an acceptor votes for, and what it votes for is read back.
    #[test]
    fn slots_ahead_and_runs_have_bounds_that_all_agree_on() {
        assert_eq!((Limits::AHEAD_MAX, Limits::RUN_SLOTS_MAX), (1_048_576, 65_536));
        let usual = Limits::default();
        for (ahead, sane) in [
            (usual.window_slots - 1, false),
            (usual.window_slots, true),
            (Limits::AHEAD_MAX, true),
            (Limits::AHEAD_MAX + 1, false),
        ] {
            let limits = Limits { ahead_slots_max: ahead, ..Limits::default() };
            assert_eq!(limits.is_sane(), sane, "{ahead}");
        }
        for (run, sane) in [(Limits::RUN_SLOTS_MAX, true), (Limits::RUN_SLOTS_MAX + 1, false)] {
            assert_eq!(Limits { run_slots_max: run, ..Limits::default() }.is_sane(), sane);
        }
    }

    /// All that a leader may have sent which was just below its own bound.
    #[test]
    fn an_acceptor_holds_what_a_leader_at_its_bound_may_have_in_flight() {
        let limits = Limits {
            window_slots: 3,
            window_bytes: 1000,
            run_bytes_max: 20_000,
            value_bytes_max: 300_000,
            log_bytes_max: 4_000_000,
            ..Limits::default()
        };
        assert_eq!(limits.log_bytes_held_max(), 4_321_000 + 3 * 4 * Value::OVERHEAD);
        let vast = Limits { log_bytes_max: usize::MAX, window_slots: usize::MAX, ..limits };
        assert_eq!(vast.log_bytes_held_max(), usize::MAX);
    }
}
