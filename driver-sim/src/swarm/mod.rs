//! The options of one run, all drawn before its first event.
//!
//! Swarm testing (Groce and others, ISSTA 2012): a run that may do everything rarely does one
//! thing thoroughly. Each probability comes from a range that includes zero, and a random subset
//! of the faults is fully off, so that some runs are all crashes and others never lose a message.
//!
//! Probabilities are chances in a million; times are microseconds.

mod changes;
mod ills;
mod parts;
mod weights;

use std::time::Duration;

use paxos_core::quorum::Membership;
use paxos_core::types::{Lease, Limits, NodeId, Timing};

pub use self::changes::Changes;
pub(crate) use self::changes::drawn;
pub use self::ills::Ills;
pub use self::parts::Parts;
pub use self::weights::{ClientWeights, DiskWeights, HostWeights, NetWeights, VaultWeights};
use crate::choice::Choice;

/// What the caller has decided; everything else is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// How many nodes there are, `1..=7`.
    pub nodes: Option<u8>,
    /// How many groups each node hosts, `1..=2`.
    pub groups: Option<u8>,
    /// How long the faults last (µs of simulated time).
    pub safety_us: Option<u64>,
    /// Whether members change: in most of the runs, or in none. If none is said, in a part of them.
    pub changes: Option<bool>,
    /// No faults at all: what correct code does on a good day.
    pub calm: bool,
    /// No witnesses, no preferred nodes, no older copies of disks and no flipped bits: only what
    /// was drawn before there were any, so that an old seed is still the run that it was.
    pub plain: bool,
    /// No plots that wait for what a node says: only what was drawn before there were any.
    pub mild: bool,
    /// No full disks, no decay, no misdirected reads, no slow processors, no upgrades and no late
    /// words of disks that are gone: only what was drawn before there were any.
    pub kind: bool,
    /// All hosts speak one version of messages, and none is heard late from a disk that is gone:
    /// only what was drawn before there was anything else.
    pub alike: bool,
    /// The room in logs never ends: only what was drawn before it could.
    pub roomy: bool,
    /// Nobody outside of the core of the second phase both hears and is heard there: only what was
    /// drawn before anyone was.
    pub apart: bool,
    /// No leader there hears barely enough: only what was drawn before any did.
    pub loose: bool,
}

/// Everything that one run is made of, beside its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// How many nodes; their ids are `1..=nodes`.
    pub nodes: u8,
    /// How many groups; their ids are `0..groups`.
    pub groups: u8,
    /// The sizes of a phase 1 and a phase 2 quorum.
    pub quorums: (u8, u8),
    /// How long the faults last (µs).
    pub safety_us: u64,
    /// The nodes' patience.
    pub timing: Timing,
    /// The nodes' bounds.
    pub limits: Limits,
    /// What the network does.
    pub net: NetWeights,
    /// What the disks do.
    pub disk: DiskWeights,
    /// What the vaults do.
    pub vault: VaultWeights,
    /// What happens to processes and clocks.
    pub host: HostWeights,
    /// What the clients do.
    pub clients: ClientWeights,
    /// How members change; none if they do not.
    pub changes: Option<Changes>,
    /// What nodes are beside ordinary voters.
    pub parts: Parts,
    /// What ails single machines.
    pub ills: Ills,
    /// Whether the second phase breaks nothing either.
    pub calm: bool,
}

impl Swarm {
    /// The largest cluster that is simulated.
    pub const NODES_MAX: u8 = 7;

    /// Draws the options of a run.
    pub fn draw<C: Choice>(choice: &mut C, plan: &Plan) -> Swarm {
        let drawn_nodes =
            [3, 5, 3, 5, 3, 7, 1, 4, 2][choice.weighted(&[8, 6, 4, 3, 2, 2, 1, 1, 1])];
        let nodes = plan.nodes.unwrap_or(drawn_nodes).clamp(1, Self::NODES_MAX);
        let drawn_groups = 1 + u8::from(choice.chance(250_000));
        let groups = plan.groups.unwrap_or(drawn_groups).clamp(1, 2);
        let drawn_safety = choice.range(1_000_000..=20_000_000);
        let mut swarm = Swarm {
            nodes,
            groups,
            quorums: quorums(choice, nodes),
            safety_us: plan.safety_us.unwrap_or(drawn_safety),
            timing: timing(choice),
            limits: limits(choice),
            net: NetWeights::draw(choice),
            disk: DiskWeights::draw(choice),
            vault: VaultWeights::draw(choice),
            host: HostWeights::draw(choice),
            clients: ClientWeights::draw(choice, nodes),
            changes: None,
            parts: Parts::default(),
            ills: Ills::default(),
            calm: plan.calm,
        };
        swarm.timing.lease = lease(choice, &swarm);
        swarm.changes = Changes::draw(choice, nodes, plan.changes);
        if swarm.changes.is_some() {
            swarm.quorums = (nodes / 2 + 1, nodes / 2 + 1);
        }
        if !plan.plain {
            swarm.draw_more(choice);
        }
        if !plan.plain && !plan.mild {
            swarm.draw_plots(choice);
        }
        if !plan.plain && !plan.mild && !plan.kind {
            swarm.ills = Ills::draw(choice, &swarm.limits, &swarm.timing);
            swarm.limits.catch_up_bytes_per_s =
                swarm.ills.pace.unwrap_or(swarm.limits.catch_up_bytes_per_s);
            if !plan.alike {
                swarm.draw_differences(choice);
            }
            if !plan.alike && !plan.roomy {
                swarm.draw_room(choice);
            }
            if !plan.alike && !plan.roomy && !plan.apart {
                swarm.net.draw_tangle(choice);
                if !plan.loose {
                    swarm.net.draw_snare(choice);
                }
            }
        }
        if plan.calm { swarm.calmed() } else { swarm }
    }

    /// Draws what makes hosts differ, after all else.
    fn draw_differences<C: Choice>(&mut self, choice: &mut C) {
        self.ills.draw_differences(choice);
        if self.ills.upgrades.is_some() {
            // Only a start brings in another build, and all must have had one.
            self.host.crash += 200_000;
        }
    }

    /// Draws how much room there is in logs, after all else, where checkpoints make some: twice of
    /// what a log holds on a good day with a small state, and a little more.
    fn draw_room<C: Choice>(&mut self, choice: &mut C) {
        let limits = &mut self.limits;
        let checkpoint = usize::try_from(limits.checkpoint_slots).unwrap_or(usize::MAX);
        let keep = usize::try_from(limits.keep_slots).unwrap_or(usize::MAX);
        let is_tight = choice.chance(500_000);
        let more = choice.pick(&[20, 100, 400]).copied().unwrap_or(400);
        if is_tight && checkpoint <= 50 && keep <= 40 {
            let usual = keep + 2 * checkpoint + limits.ahead_slots_max + limits.window_slots;
            limits.log_slots_max = 2 * usual + more;
        }
    }

    /// Draws what is not plain, after all that is.
    fn draw_more<C: Choice>(&mut self, choice: &mut C) {
        self.net.flip = dial(choice, 50_000);
        self.disk.copied = dial(choice, 500_000);
        let founders: Vec<NodeId> = self.founding().voters().iter().collect();
        self.parts = Parts::draw(choice, self.nodes, &founders);
        if let Some(changes) = &mut self.changes {
            changes.witnesses = dial(choice, 500_000);
        }
    }

    /// Draws what waits for its moment. Runs without leases and without changes are what they are
    /// without it.
    fn draw_plots<C: Choice>(&mut self, choice: &mut C) {
        if self.changes.is_some() && choice.chance(500_000) {
            self.disk.robbed = 100_000 + choice.below(500_000);
            // Candidates are robbed for whom someone makes way.
            self.host.transfer += 100_000;
        }
        if self.timing.lease.is_none() {
            return;
        }
        self.host.betray = dial(choice, 1_000_000);
        if choice.chance(600_000) {
            self.net.quieten();
            self.host.plot_much(choice);
        }
    }

    fn calmed(mut self) -> Swarm {
        self.quorums = (self.nodes / 2 + 1, self.nodes / 2 + 1);
        self.net = NetWeights::calm();
        self.disk = DiskWeights::calm();
        self.vault = VaultWeights::calm();
        self.host = HostWeights::calm();
        self.changes = None;
        self.parts = Parts::default();
        self.ills = Ills::default();
        self
    }

    /// Who founds each group.
    pub fn founding(&self) -> Membership {
        if let Some(changes) = &self.changes {
            return changes.founding().with_witnesses(self.parts.witnesses.iter().copied());
        }
        let voters = (1..=u16::from(self.nodes)).map(NodeId);
        Membership::flexible(voters, self.quorums.0, self.quorums.1)
            .with_witnesses(self.parts.witnesses.iter().copied())
    }

    /// What a host knows of each group's members when it is new.
    pub fn told(&self, node: NodeId) -> Membership {
        let founding = self.founding();
        if founding.voters().contains(node) { founding } else { Membership::unknown() }
    }
}

/// Majorities mostly; sometimes any sizes that meet (flexible quorums).
fn quorums<C: Choice>(choice: &mut C, nodes: u8) -> (u8, u8) {
    let majority = nodes / 2 + 1;
    if !choice.chance(200_000) {
        return (majority, majority);
    }
    let accept = 1 + choice.below(u32::from(nodes)) as u8;
    (nodes + 1 - accept, accept)
}

fn timing<C: Choice>(choice: &mut C) -> Timing {
    let mut ms = |range| Duration::from_millis(choice.range(range));
    let heartbeat = ms(10..=60);
    Timing {
        heartbeat,
        patience: heartbeat * 3 + ms(0..=200),
        resend: ms(20..=200),
        gap: ms(1..=20),
        answer: ms(200..=2_000),
        stagger: ms(5..=40),
        lease: None,
    }
}

/// Sometimes leaders read without asking, as long as all clocks are off by at most as much as the
/// run draws: no more, no less.
fn lease<C: Choice>(choice: &mut C, swarm: &Swarm) -> Option<Lease> {
    let duration = swarm.timing.heartbeat * 2 + Duration::from_millis(choice.range(1..=1_500));
    choice.chance(300_000).then_some(Lease { duration, drift_ppm: swarm.host.skew })
}

/// Small bounds, so that runs of seconds reach them.
fn limits<C: Choice>(choice: &mut C) -> Limits {
    let mut one_of = |options: &[usize]| choice.pick(options).copied().unwrap_or(1);
    let window_slots = one_of(&[64, 16, 4, 1]);
    Limits {
        window_slots,
        window_bytes: one_of(&[1 << 20, 4096, 256]),
        waiting_max: one_of(&[256, 32, 4]),
        waiting_bytes_max: one_of(&[1 << 20, 4096]),
        value_bytes_max: 512,
        run_slots_max: one_of(&[64, 8, 2, 1]),
        run_bytes_max: one_of(&[1 << 16, 1024, 200]),
        ahead_slots_max: window_slots + one_of(&[1024, 64, 0]),
        deliver_slots_max: one_of(&[256, 16, 1]),
        held_pledges_max: one_of(&[256, 16, 4]),
        reads_max: one_of(&[64, 8, 1]),
        forwarded_max: one_of(&[256, 16, 2]),
        checkpoint_slots: one_of(&[1 << 30, 50, 10, 3]) as u64,
        checkpoint_bytes: one_of(&[1 << 30, 1 << 30, 2000]) as u64,
        keep_slots: one_of(&[1 << 16, 0, 5, 40]) as u64,
        keep_bytes: one_of(&[1 << 26, 1 << 26, 1000]),
        piece_bytes_max: one_of(&[256 << 10, 1000, 100]),
        transfer_bytes: one_of(&[2 << 20, 3000, 150, 1]),
        loads_max: one_of(&[32, 3, 1]),
        ..Limits::default()
    }
}

/// A probability: off in a third of the runs, else anything up to `max`, small ones more often.
pub(crate) fn dial<C: Choice>(choice: &mut C, max: u32) -> u32 {
    if !choice.chance(666_666) {
        return 0;
    }
    let max = max >> choice.below(6);
    choice.below(max.max(1)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seeded;

    #[test]
    fn every_draw_can_run() {
        for seed in 0..2_000 {
            let swarm = Swarm::draw(&mut Seeded::new(seed), &Plan::default());
            assert!(swarm.limits.is_sane() && swarm.timing.is_sane(), "seed {seed}: {swarm:?}");
            assert!(swarm.quorums.0 + swarm.quorums.1 > swarm.nodes, "seed {seed}: {swarm:?}");
            assert!(swarm.quorums.0 <= swarm.nodes && swarm.quorums.1 <= swarm.nodes);
            assert!(swarm.quorums.0 >= 1 && swarm.quorums.1 >= 1);
            let founding = swarm.founding();
            assert!(founding.is_sound(), "seed {seed}: {founding:?}");
            let leads = |node| swarm.parts.priority(node) > 0;
            assert!(founding.mains().iter().any(leads), "seed {seed}: {swarm:?}");
        }
    }

    #[test]
    fn each_fault_is_off_in_some_runs_and_on_in_others() {
        let swarms: Vec<Swarm> =
            (0..300).map(|seed| Swarm::draw(&mut Seeded::new(seed), &Plan::default())).collect();
        let dials: [fn(&Swarm) -> u32; 15] = [
            |s| s.host.transfer,
            |s| s.net.loss,
            |s| s.net.flip,
            |s| s.disk.copied,
            |s| s.net.duplicate,
            |s| s.disk.fail,
            |s| s.host.crash,
            |s| s.host.crash_mid_step,
            |s| s.host.pause,
            |s| s.ills.full,
            |s| s.ills.decay,
            |s| s.ills.misled,
            |s| s.ills.slow,
            |s| s.ills.chain,
            |s| s.ills.late,
        ];
        for (index, dial) in dials.iter().enumerate() {
            let on = swarms.iter().filter(|s| dial(s) > 0).count();
            assert!((50..280).contains(&on), "dial {index} is on in {on} of 300 runs");
        }
    }

    #[test]
    fn the_plan_is_kept() {
        let plan = Plan {
            nodes: Some(7),
            groups: Some(2),
            safety_us: Some(9),
            changes: Some(true),
            calm: true,
            plain: false,
            mild: false,
            kind: false,
            alike: false,
            roomy: false,
            apart: false,
            loose: false,
        };
        let swarm = Swarm::draw(&mut Seeded::new(1), &plan);
        assert_eq!((swarm.nodes, swarm.groups, swarm.safety_us), (7, 2, 9));
        assert_eq!(swarm.net, NetWeights::calm());
    }
}
