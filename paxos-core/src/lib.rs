//! A sans-IO Multi-Paxos: one deterministic step function, and nothing around it.
//!
//! A handful of nodes agree on a log of commands. Any minority of them may crash,
//! restart or be cut off; messages may be lost, doubled and reordered; and no slot
//! of the log ever holds two values. This crate is that agreement and only that:
//! it opens no socket, writes no file, reads no clock, starts no thread and draws
//! no entropy. Facts go in, orders come out:
//!
//! ```text
//!         Received, Persisted, Proposed, Queried, Captured, .. Ticked
//!                                   |
//!   (state, now, fact)  ----->  Node::step  ----->  (state', orders)
//!                                                        |
//!                  Send, Persist, Deliver, Resolve, Serve, Capture, ..
//! ```
//!
//! So the same bits that run over real sockets and a real disk (`driver-mio`) run
//! in a simulated network on simulated disks (`driver-sim`) and under a fuzzer,
//! with every choice of the world in the tester's hand.
//!
//! # The loop
//!
//! An embedder writes batches in order and trades each for a `Persisted` once it
//! is durable, sends what it is told to send, in any order, and applies what is
//! delivered, in order. There is no order *between* those three: whatever is
//! handed out may be done at once. Between steps it may sleep until
//! [`Node::wake_at`]. Here three nodes choose a value, in one thread and with a
//! disk that never fails:
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use paxos_core::effect::{Effect, Effects, Input};
//! use paxos_core::log::Durable;
//! use paxos_core::quorum::Membership;
//! use paxos_core::types::{
//!     Command, Commands, GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, Timing, Value,
//! };
//! use paxos_core::{Config, GroupConfig, Node};
//!
//! let (group, ids) = (GroupId(0), [1, 2, 3].map(NodeId));
//! let mut now = Instant::default();
//! let mut nodes = Vec::new();
//! for node in ids {
//!     let config = Config {
//!         node,
//!         incarnation: Incarnation(1), // a driver counts its starts, durably
//!         disk: 0,
//!         priority: Config::PRIORITY,
//!         seed: u64::from(node.0),
//!         groups: vec![GroupConfig::new(group, Membership::majority(ids))],
//!         timing: Timing::default(),
//!         limits: Limits::default(),
//!     };
//!     nodes.push(Node::restore(config, Durable::default(), now)?);
//! }
//!
//! let command = Command::plain("hello".into());
//! let commands = Commands::from(command.clone());
//! let proposed = Input::Proposed { group, first: ProposalId(1), commands };
//! let mut inbox = VecDeque::from([(ids[0], proposed)]);
//! let mut effects = Effects::new();
//! let mut applied = 0;
//! while applied < nodes.len() {
//!     let Some((at, input)) = inbox.pop_front() else {
//!         // Nothing to do: sleep until someone's patience runs out.
//!         now = nodes.iter().filter_map(Node::wake_at).min().expect("a node waits for a leader");
//!         inbox.extend(ids.map(|id| (id, Input::Ticked)));
//!         continue;
//!     };
//!     nodes[usize::from(at.0) - 1].step(now, input, &mut effects);
//!     for effect in effects.drain() {
//!         match effect {
//!             Effect::Send { to, envelope } => {
//!                 inbox.extend(to.iter().map(|id| (id, Input::Received(envelope.clone()))));
//!             }
//!             // A real driver acknowledges after the fsync, and not before.
//!             Effect::Persist(batch) => inbox.push_back((at, Input::Persisted(batch.id))),
//!             Effect::Deliver { run, .. } => {
//!                 applied += run.iter().filter(|(_, v)| **v == Value::Command(command.clone())).count();
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! # Ok::<(), paxos_core::RestoreError>(())
//! ```
//!
//! The examples of this crate are the same loop in other clothes: `three_in_one`
//! in one thread, `threads` over channels with a log file that is really synced,
//! `tokio_node` under an async runtime.
//!
//! # Seven laws
//!
//! 1. **Inputs are facts, effects are orders.** An [`Input`](effect::Input) is a
//!    past participle, an [`Effect`](effect::Effect) an imperative, and the order
//!    that needs an answer has its participle: `Persist`, `Persisted`.
//! 2. **A pledge waits for the disk.** A message that binds its sender (a
//!    [`Pledge`](message::Pledge): `Prepare`, `Promise`, `Accepted`) never leaves
//!    the core before the records that it rests on are durable. The core holds it
//!    at the [`Gate`](effect::Gate); a driver is never handed a message that is
//!    unsafe to send at once. `Accept` binds nobody, so the leader's disk and the
//!    followers' work at the same time: one round trip and one sync to choose.
//! 3. **A step is total.** It never fails, never blocks, never panics on anything
//!    that a peer, a client or a file holds, and does bounded work. Strange input
//!    is ignored, with a [`Notice`](effect::Notice) that says whose fault it is.
//! 4. **One road, downhill.** `Node::step`, then the replica of the group, then a
//!    role, then the [`Outbox`](effect::Outbox), the gate, the effects. Roles never
//!    call roles: what one learns that another needs is a return value, and the
//!    replica is the only place where they meet.
//! 5. **A replica is its own peer.** What a node says to itself takes the same
//!    road, gate and front door as what it says to others. It counts its own vote
//!    after its own sync, like anybody's.
//! 6. **Time, randomness and storage are arguments.** `now` comes in and `wake_at`
//!    goes out; there is a seed in the [`Config`]; everything durable is handed
//!    over once, as [`Durable`](log::Durable), at [`Node::restore`]. `#![no_std]`
//!    makes the compiler the witness.
//! 7. **Every queue has a number.** All bounds stand in
//!    [`Limits`](types::Limits), each with its unit and its reason. At a bound
//!    there is an answer (`Busy`, or a notice), never growth.
//!
//! # The map
//!
//! Each room is a floor, and uses only floors above it in this table. A test reads
//! every path in the source and fails on one that is not here.
//!
//! | room | uses | holds |
//! |---|---|---|
//! | [`types`] | nothing | ids, ballots, slots, time, values, limits |
//! | [`quorum`] | `types` | sets of nodes, which sets decide, counting votes |
//! | [`log`] | `types` | runs in memory, records on disk, and replay |
//! | [`message`] | `types` | what nodes say, and which of it binds them |
//! | [`effect`] | `types` `quorum` `log` `message` | inputs, orders, the outbox and the gate |
//! | `role` | `types` `quorum` `log` `message` `effect` | founder, acceptor, vow (leases), proposer, learner, elector, fetcher, courier, reader, news (how fresh); archivist, shelf, donor, installer, auditor |
//! | `replica` | `types` `quorum` `log` `message` `effect` `role` | one group: the big match, and what must hold between roles |
//! | `node` | `types` `quorum` `log` `message` `effect` `role` `replica` | many groups, one disk, one clock |
//! | [`codec`] | `types` `log` `message` | bytes and back: peers' streams, the log on disk |
//! | [`service`] | `types` | downstream of delivery: a state machine, exactly-once sessions |
//!
//! `codec` and `service` stand aside: nothing above them knows that they exist, and
//! an embedder may bring its own instead.
//!
//! Who looks for safety reads three files: `role/acceptor.rs` (what is promised and
//! voted), `effect/gate.rs` (what must be durable first), and
//! `role/proposer/preparing.rs` (what a new leader has to propose again).
//!
//! # Years of service
//!
//! A log does not grow for ever. Every so many slots or bytes, at the same slots on
//! every replica, the embedder is ordered to [`Capture`](effect::Effect::Capture) its
//! state machine (at every second or fourth of those slots where images are large:
//! [`checkpoint_stretch_max`](types::Limits::checkpoint_stretch_max)); once that image is durable, the log is trimmed to what peers that
//! are a little behind may need. Who lacks more is offered the image, pulls it piece
//! by piece from whoever has it, from the leader last, and is ordered to
//! [`Install`](effect::Effect::Install) it. A replica whose own image is lost goes on
//! voting, delivers nothing, and has one sent.
//!
//! A running [`Checksum`](types::Checksum) over everything delivered is compared
//! among the replicas while they work. One that a majority contradicts halts: its
//! disk or its memory lies ([`Diverged`](effect::HaltReason::Diverged)). An embedder
//! that answers no capture loses only this: its log is kept whole, and at
//! [`log_slots_max`](types::Limits::log_slots_max) or
//! [`log_bytes_max`](types::Limits::log_bytes_max) a leader answers `Busy` until one is
//! answered. From half of that on, a capture is ordered as soon as the one before it is
//! answered, and again a while after one that failed.
//!
//! # Where it differs from other libraries
//!
//! - **Durability is not the embedder's homework.** Libraries that hand out a list
//!   of messages with the advice to write something else first rely on every
//!   embedder to read that advice. Here what must wait is not handed out.
//! - **Nothing calls back.** There is no storage trait to implement and no runtime
//!   to bring. A write takes as long as it takes; steps go on meanwhile, and one
//!   sync may answer for many batches.
//! - **It is Paxos, not Raft.** Slots are voted on independently and out of order;
//!   a lost message holds up its own slot and no other; a voter's log may have
//!   holes and is never truncated; and any voter may lead, however far behind it
//!   is, because it learns in phase 1 what it has to know.
//! - **No type parameters.** A command is bytes with a session. One compiled core
//!   serves every state machine, and the simulator tests the one that ships.
//! - **A state is a value.** [`Node`] is `Clone + Eq + Hash`: a test may fork a
//!   world, compare two, or put one back.
//!
//! # Where it departs from the papers
//!
//! - **Phase 1 is one question for all slots** from the candidate's chosen frontier
//!   on, and its answer comes in pages. A voter that knows more to be chosen says
//!   up to where; the new leader fetches that, and proposes nothing there.
//! - **A probe comes before a ballot**, as in Raft's pre-vote: a node that was cut
//!   off and comes back raises no ballot that nobody wants. Only elections are the
//!   rarer for it; safety rests on phase 1 alone.
//! - **A vote promises.** Whoever votes at a ballot above its promise has promised
//!   it, in the same record.
//! - **Chosen is announced by ballot and frontier**, not value by value. A follower
//!   believes it only for slots where it voted at that very ballot, and fetches the
//!   others: a vote from an earlier ballot may be for another value.
//! - **A leader steps down by itself** when it has not heard a quorum for its
//!   patience, or cannot get what was chosen before it.
//! - **A membership is a value**, and rules from a fixed number of slots after its own
//!   on ("The Part-Time Parliament", 3.3.7): any members may follow any, in one step and
//!   without a pause. Who decides a slot is known before anything is proposed there, so
//!   there is one rule instead of joint quorums: every question is asked of those who
//!   decide the slot in question ([`Regime`](quorum::Regime)). To lead, a candidate needs
//!   the promises of those who decide its first slot; those of the next members it
//!   gathers as it goes, and proposes in their slots only once it has them. No-ops lead
//!   up to the border, so that a change comes into force without traffic. What is chosen
//!   beyond the border is told of when all below is chosen: the next leader may begin
//!   below it, knowing nothing of those who decide there.
//! - **A disk is part of a voter's name.** Every node says which disk it speaks for, and
//!   its promises and votes count only where the group has bound it to that one. So a
//!   group begins by its founders telling each other what their disks are called, and
//!   promises nothing before all of them stand by the same list (`role/founder`); and a
//!   change names the disk of every new voter, or its leader has heard of it. A leader
//!   binds another disk of a voter by another change of the membership: an emptied one
//!   comes back as a new voter, which nobody believes to remember.
//! - **Who is removed is told by the log.** It asks for news while it knows no leader, and
//!   its probes are answered with how far the others are; it stands no more once it has
//!   read that it is out. A leader that removes itself leads on, without counting itself,
//!   until a quorum of those who come after it has all that was decided before them.
//!
//! - **Some voters need no state machine.** A witness ("Cheap Paxos") votes while a main is
//!   missing, and otherwise only hears who leads. It forgets what it voted for once the mains
//!   have pledged to hold it ([`Holding`](message::Holding), [`Relieve`](message::Relieve)), and
//!   takes a whole image in where it lacks what is trimmed and too few have, or would
//!   otherwise fill its log while a main stays away.
//! - **A node may be preferred.** A leader makes way for one with a higher
//!   [priority](Config::priority) that has kept up for a while and says that it reaches a
//!   quorum; safety knows nothing of it.
//! - **A leader can make way.** Once its successor has all that was proposed, it says so;
//!   the successor campaigns like anyone, without a probe. What came meanwhile waits in
//!   line and is handed on.
//! - **Leases are off unless asked for** ([`Lease`](types::Lease)). Every read costs a round,
//!   shared by all reads of a step. With leases, a quorum's answers to a beat keep others
//!   from being promised for a while, and reads of the leader rest on clocks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod codec;
pub mod effect;
pub mod log;
pub mod message;
mod node;
pub mod quorum;
mod replica;
mod role;
pub mod service;
pub mod types;

pub use node::{Config, ConfigError, GroupConfig, Node, RestoreError};
pub use replica::{Replica, Standing};
