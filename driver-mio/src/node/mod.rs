//! One node: everything that the core does not do, around the core.
//!
//! | file         | holds                                                     |
//! |--------------|-----------------------------------------------------------|
//! | `event_loop` | one turn after the other                                  |
//! | `carry_out`  | what the core orders, done                                |
//! | `desk`       | what clients have asked, batched, and who waits for what  |
//! | `waiting`    | from the core's handles back to clients (pure)            |
//! | `info`       | what `INFO` tells                                         |
//! | `tally`      | counts and notices                                        |
//! | `members`    | changes of the membership, as an operator asks for them       |
//! | `room`       | what to do about a full disk (pure)                       |
//! | `journal`    | lines for the operator, and not too many                  |
//! | `clock`      | the two clocks                                            |

mod carry_out;
mod clock;
mod desk;
mod event_loop;
mod info;
mod journal;
mod members;
mod room;
mod tally;
mod waiting;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::thread;

use mio::net::TcpListener;
use mio::{Interest, Poll, Waker};
use paxos_core::codec::wal::Owner;
use paxos_core::effect::HaltReason;
use paxos_core::log::Durable;
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Image, ImageId, Incarnation, Instant, Limits, Lives, NodeId, Slot};
use paxos_core::{Config, GroupConfig, Node};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

use crate::args::{Checkpoints, NodeOptions};
use crate::disk::{self, Disk, Opened, Wal};
use crate::kv;
use crate::net::clients::Clients;
use crate::net::hello::Introduction;
use crate::net::peers::Peers;
use crate::net::{SIGNALS, WAKER};
use crate::record::{Ended, Recorder, Room as RecordRoom};
use crate::store::Store;
use crate::vault::{self, Vault};
use clock::Clock;
use desk::Counter;
use event_loop::{Buffers, End, EventLoop, GROUP};
use info::Identity;
use journal::Journal;
use members::Members;
use room::Room;
use tally::Tally;

/// Why a node does not run, or no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not start, or the system has failed it; one line.
    Failed(String),
    /// It has halted itself, see [`HALTED`](crate::exit::HALTED); one line.
    Halted(String),
}

/// Runs one node until a signal ends it.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &NodeOptions) -> Result<(), Failure> {
    loop {
        let poll = Poll::new().map_err(cannot_poll)?;
        let signals = Signals::watch(&poll)
            .map_err(|error| Failure::Failed(format!("cannot watch for signals: {error}")))?;
        let end = build(options, poll)?.run();
        drop(signals);
        match end {
            End::Outdated(peer, life) => begin_anew(options, peer, life)?,
            end => return close(end),
        }
    }
}

/// What this node has promised since its disk was copied, it does not know: its log is
/// put aside, like a damaged one.
fn begin_anew(options: &NodeOptions, peer: NodeId, life: Incarnation) -> Result<(), Failure> {
    let journal = Journal::new(options.id);
    journal.insist(format_args!(
        "ALARM: this is an older copy of this node's disk: {peer} has heard of its life {}, and \
         the copy has not",
        life.0
    ));
    set_aside(options, &journal)
}

fn set_aside(options: &NodeOptions, journal: &Journal) -> Result<(), Failure> {
    let place = disk::aside::set_aside(&options.data)
        .map_err(|error| cannot_read(&options.data, &error))?;
    journal.insist(format_args!(
        "has put its log into {}, and waits for the group to take it up with an empty one",
        place.display()
    ));
    Ok(())
}

fn close(end: End) -> Result<(), Failure> {
    match end {
        End::Asked | End::Outdated(..) => Ok(()),
        End::Halted(HaltReason::PersistFailed, why) => {
            let why = why.unwrap_or_default();
            Err(Failure::Halted(format!("halted, since the disk has failed: {why}")))
        }
        End::Halted(HaltReason::Diverged(_, slot), _) => Err(Failure::Halted(format!(
            "halted, since it has delivered other values than its peers, below slot {slot}"
        ))),
        End::Poll(error) => Err(cannot_poll(error)),
    }
}

/// Ends this process when the one that has started it ends: that one holds the
/// other end of our stdin.
pub fn end_with_parent() {
    let wait = || {
        // An error ends the wait as well as the end of the input does.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    };
    thread::spawn(wait);
}

/// Listens first: who cannot should not have begun a life for it. Callers wait
/// with the system until the log is read.
fn build(options: &NodeOptions, poll: Poll) -> Result<EventLoop, Failure> {
    let peer_address = options.cluster.get(&options.id);
    let peer_address = *peer_address.ok_or_else(|| Failure::Failed("not a member".into()))?;
    let (peer_listener, client_listener) = (listen(peer_address)?, listen(options.client)?);
    let clock = Clock::start();
    let journal = Journal::new(options.id);
    let owner = Owner { cluster: options.cluster_id, node: options.id };
    let layout = disk::Options {
        segment_bytes: options.checkpoints.segment_bytes,
        life_min: clock.wall_ms(),
        ..disk::Options::new(options.data.clone(), owner)
    };
    let opened = open_log(&layout, options, &journal)?;
    let was_set_aside = disk::aside::was_set_aside(&options.data)
        .map_err(|error| cannot_read(&options.data, &error))?;
    report(&journal, &opened);
    let Opened { durable, life, wal, .. } = opened;
    let kv_limits = kv::Limits::default();
    let place = vault::Place {
        dir: options.data.clone(),
        group: GROUP,
        cluster: options.cluster_id,
        limits: kv_limits.clone(),
    };
    let found = open_vault(&place, &journal)?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(cannot_poll)?);
    let disk = start_disk(wal, Arc::clone(&waker))?;
    let newest = found.image.as_ref().map_or(Slot::FIRST, |image| image.checkpoint.below);
    let vault = Vault::spawn(place, newest, move || _ = waker.wake())
        .map_err(|error| Failure::Failed(format!("cannot start the vault's threads: {error}")))?;
    let limits = limits(options);
    let seed = clock.wall_ms() ^ u64::from(process::id()) << 32 ^ u64::from(options.id.0) << 48;
    let lease_us = options.timing.lease.map_or(0, |lease| lease.duration.as_micros() as u64);
    let me = Introduction { cluster: options.cluster_id, node: options.id, life, lease_us };
    let lives = known_lives(&options.data, &journal)?;
    let registry = || poll.registry().try_clone().map_err(cannot_poll);
    let peers =
        Peers::new(peer_listener, me, &options.cluster, &limits, seed, (registry()?, lives))
            .map_err(cannot_poll)?;
    let clients = Clients::new(client_listener, clients_max(), registry()?).map_err(cannot_poll)?;
    let joins = options.join || was_set_aside;
    let config =
        Config { disk: life.disk, ..config(options, joins, life.this, limits, seed, &found) };
    let now = clock.now();
    let (recorder, durable) = recorded(options, &config, durable, now, &journal)?;
    let core =
        Node::restore(config, durable, now).map_err(|error| Failure::Failed(error.to_string()))?;
    journal.insist(format_args!("serves clients at {}", options.client));
    Ok(EventLoop {
        poll,
        clock,
        core,
        peers,
        disk,
        clients,
        counter: Counter::new(kv_limits),
        store: found.store,
        vault,
        journal,
        tally: Tally::default(),
        members: Members::new(options.cluster.clone()),
        recorder,
        // As the core sees it now; the first turn sets it right.
        reached: (NodeSet::EMPTY, u64::MAX),
        identity: Identity {
            node: options.id,
            client: options.client,
            data: options.data.clone(),
            lease_ms: lease_us / 1000,
        },
        leaving: None,
        has_made_way: false,
        room: Room::default(),
        buffers: Buffers::default(),
    })
}

/// The flight recorder, if one is wanted and can hold this start, and what to restore from.
fn recorded(
    options: &NodeOptions,
    config: &Config,
    durable: Durable,
    now: Instant,
    journal: &Journal,
) -> Result<(Option<Recorder>, Durable), Failure> {
    let Some(dir) = &options.record else { return Ok((None, durable)) };
    match Recorder::begin(dir, RecordRoom::default(), (config, &durable, now)) {
        Ok((recorder, replayed)) => Ok((Some(recorder), replayed)),
        Err(ended @ Ended::Io(_)) => {
            Err(Failure::Failed(format!("--record {}: {ended}", dir.display())))
        }
        Err(ended) => {
            journal.insist(format_args!("records nothing: {ended}"));
            Ok((None, durable))
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .map_err(|error| Failure::Failed(format!("cannot listen at {address}: {error}")))
}

/// Opens the log. One that has lost something is set aside, and the node begins anew:
/// the others, if they are a quorum, take it up again under its new disk's name. A node
/// alone has nobody to learn from, and does not start.
fn open_log(
    layout: &disk::Options,
    options: &NodeOptions,
    journal: &Journal,
) -> Result<Opened, Failure> {
    let failed = |error: disk::OpenError| Failure::Failed(error.to_string());
    match disk::open(layout) {
        Err(error) if disk::aside::is_loss(&error) && options.cluster.len() > 1 => {
            journal.insist(format_args!("ALARM: {error}"));
            set_aside(options, journal)?;
            disk::open(layout).map_err(failed)
        }
        opened => opened.map_err(failed),
    }
}

fn cannot_read(dir: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot work in {}: {error}", dir.display()))
}

/// Which lives of whom this node has heard of.
fn known_lives(dir: &Path, journal: &Journal) -> Result<Lives, Failure> {
    let known = disk::lives::load(dir).map_err(|error| cannot_read(dir, &error))?;
    if known.is_none() {
        journal
            .insist("cannot read which lives of its peers it has heard of: begins anew with that");
    }
    Ok(known.unwrap_or_default())
}

/// What a node goes on from.
struct Origin {
    /// The newest sound image, and what it is of; none, and an empty store.
    image: Option<Image>,
    store: Store,
    partial: Option<(ImageId, u64)>,
}

/// Reads the newest image; says so if one is damaged.
fn open_vault(place: &vault::Place, journal: &Journal) -> Result<Origin, Failure> {
    let vault::Opened { state, partial, lines } = vault::open(place).map_err(|error| {
        Failure::Failed(format!("cannot read the images in {}: {error}", place.dir.display()))
    })?;
    lines.iter().for_each(|line| journal.insist(line));
    let (image, store) = match state {
        Some((image, store)) => {
            let below = image.checkpoint.below;
            journal.insist(format_args!("goes on from its checkpoint of all below slot {below}"));
            (Some(image), store)
        }
        None => (None, Store::new(place.limits.clone())),
    };
    Ok(Origin { image, store, partial })
}

/// The usual bounds, but for what the operator has set.
fn limits(options: &NodeOptions) -> Limits {
    let Checkpoints { slots, bytes, .. } = options.checkpoints;
    let usual = Limits::default();
    Limits {
        checkpoint_slots: slots,
        checkpoint_bytes: bytes,
        // What is kept for peers that are a little behind should be less than what
        // is trimmed.
        keep_slots: usual.keep_slots.min(slots),
        keep_bytes: usual.keep_bytes.min(usize::try_from(bytes).unwrap_or(usize::MAX)),
        ..usual
    }
}

fn start_disk(wal: Wal, waker: Arc<Waker>) -> Result<Disk, Failure> {
    // Should waking fail, the disk is asked when the loop next wakes by itself.
    Disk::spawn(wal, move || _ = waker.wake())
        .map_err(|error| Failure::Failed(format!("cannot start the disk's thread: {error}")))
}

/// Tells the operator what was found on the disk.
fn report(journal: &Journal, opened: &Opened) {
    let Opened { life, is_new, cut, bad_sectors, .. } = opened;
    if *is_new {
        journal.insist("starts with an empty directory");
    } else {
        journal.insist(format_args!("starts again, for life {}", life.this.0));
    }
    if let Some(place) = cut {
        journal.insist(format_args!("cut off what was torn by a crash at {place}"));
    }
    if *bad_sectors > 0 {
        journal.insist(format_args!("{bad_sectors} sectors without worth are unreadable"));
    }
}

fn config(
    options: &NodeOptions,
    joins: bool,
    incarnation: Incarnation,
    limits: Limits,
    seed: u64,
    found: &Origin,
) -> Config {
    let group = GroupConfig {
        id: GROUP,
        membership: match joins {
            true => Membership::unknown(),
            false => Membership::majority(options.cluster.keys().copied()),
        },
        applied: found.store.next(),
        checkpoint: found.image.clone(),
        partial: found.partial,
    };
    Config {
        node: options.id,
        incarnation,
        disk: 0,
        priority: options.priority,
        seed,
        groups: vec![group],
        timing: options.timing.clone(),
        limits,
    }
}

/// Has SIGINT and SIGTERM told by the poll, through a pipe, as long as it lives.
struct Signals {
    /// What the poll listens to.
    _inside: mio::net::UnixStream,
    registered: Vec<SigId>,
}

impl Signals {
    fn watch(poll: &Poll) -> io::Result<Signals> {
        let (inside, outside) = UnixStream::pair()?;
        let register = |signal| pipe::register(signal, outside.try_clone()?);
        let registered = [SIGINT, SIGTERM].into_iter().map(register).collect::<io::Result<_>>()?;
        inside.set_nonblocking(true)?;
        let mut inside = mio::net::UnixStream::from_std(inside);
        poll.registry().register(&mut inside, SIGNALS, Interest::READABLE)?;
        Ok(Signals { _inside: inside, registered })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.registered.drain(..).for_each(|id| _ = unregister(id));
    }
}

/// How many clients there may be: as many as the system lets us have sockets for.
fn clients_max() -> usize {
    let wanted = (CLIENTS_MAX + OTHER_FILES) as u64;
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted.min(hard)), maximum: limit.maximum };
    let allowed = match current < wanted && setrlimit(Resource::Nofile, raised).is_ok() {
        true => wanted.min(hard),
        false => current,
    };
    usize::try_from(allowed).map_or(CLIENTS_MAX, |files| {
        files.saturating_sub(OTHER_FILES).clamp(CLIENTS_MIN, CLIENTS_MAX)
    })
}

fn cannot_poll(error: io::Error) -> Failure {
    Failure::Failed(format!("cannot poll: {error}"))
}

/// Connections at once; as Redis.
const CLIENTS_MAX: usize = 10_000;
/// Fewer than these are not worth starting for.
const CLIENTS_MIN: usize = 16;
/// Files and sockets that are not clients': peers, guests, the log.
const OTHER_FILES: usize = 512;
