//! A node from its options and what its disk holds: everything is opened here, once.

use std::net::SocketAddr;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Poll, Waker};
use paxos_core::codec::hello::Versions;
use paxos_core::codec::wal::Owner;
use paxos_core::log::Durable;
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Image, ImageId, Incarnation, Instant, Limits, Lives, Slot};
use paxos_core::{Config, GroupConfig, Node};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::clock::Clock;
use super::desk::Counter;
use super::event_loop::{Buffers, EventLoop, GROUP};
use super::info::Identity;
use super::journal::Journal;
use super::members::Members;
use super::reads::Reads;
use super::room::Room;
use super::tally::Tally;
use super::{Failure, cannot_poll, cannot_read, set_aside};
use crate::args::{Checkpoints, NodeOptions};
use crate::disk::{self, Disk, Opened, Wal};
use crate::front::DamageFacts;
use crate::kv;
use crate::net::WAKER;
use crate::net::clients::Clients;
use crate::net::hello::Introduction;
use crate::net::peers::Peers;
use crate::record::{Recorder, Room as RecordRoom};
use crate::store::Store;
use crate::vault::{self, Vault};

/// Listens first: who cannot should not have begun a life for it. Callers wait
/// with the system until the log is read.
///
/// What is found damaged is added to `damage`.
pub(super) fn build(
    options: &NodeOptions,
    poll: Poll,
    damage: &mut DamageFacts,
) -> Result<EventLoop, Failure> {
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
    let opened = open_log(&layout, options, &journal, damage)?;
    damage.logs_set_aside =
        disk::aside::count(&options.data).map_err(|error| cannot_read(&options.data, &error))?;
    report(&journal, &opened);
    damage.log_torn |= opened.cut.is_some();
    damage.log_bad_sectors += opened.bad_sectors;
    let Opened { durable, life, wal, .. } = opened;
    let kv_limits = kv::Limits::default();
    let place = vault::Place {
        dir: options.data.clone(),
        group: GROUP,
        cluster: options.cluster_id,
        limits: kv_limits.clone(),
    };
    let found = open_vault(&place, &journal, damage)?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(cannot_poll)?);
    let disk = start_disk(wal, Arc::clone(&waker))?;
    let newest = found.image.as_ref().map_or(Slot::FIRST, |image| image.checkpoint.below);
    let vault = Vault::spawn(place, newest, move || _ = waker.wake())
        .map_err(|error| Failure::Failed(format!("cannot start the vault's threads: {error}")))?;
    let limits = limits(options.checkpoints, options.record.is_some());
    let seed = clock.wall_ms() ^ u64::from(process::id()) << 32 ^ u64::from(options.id.0) << 48;
    let lease_us = options.timing.lease.map_or(0, |lease| lease.duration.as_micros() as u64);
    let (versions, cluster, node) = (Versions::SPOKEN, options.cluster_id, options.id);
    let me = Introduction { versions, cluster, node, life, lease_us };
    let lives = known_lives(&options.data, &journal)?;
    let registry = || poll.registry().try_clone().map_err(cannot_poll);
    let peers =
        Peers::new(peer_listener, me, &options.cluster, &limits, seed, (registry()?, lives))
            .map_err(cannot_poll)?;
    let clients =
        Clients::new(client_listener, clients_max()?, registry()?).map_err(cannot_poll)?;
    let joins = options.join || damage.logs_set_aside > 0;
    let config =
        Config { disk: life.disk, ..config(options, joins, life.this, limits, seed, &found) };
    let now = clock.now();
    let recorder = recorder(options, (&config, &durable, now))?;
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
        reads: Reads::default(),
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
            disk: life.disk,
            lease_ms: lease_us / 1000,
        },
        damage: damage.clone(),
        leaving: None,
        has_made_way: false,
        room: Room::default(),
        buffers: Buffers::default(),
    })
}

/// The flight recorder, if one is wanted.
fn recorder(
    options: &NodeOptions,
    start: (&Config, &Durable, Instant),
) -> Result<Option<Recorder>, Failure> {
    let Some(dir) = &options.record else { return Ok(None) };
    let age_max = Duration::from_secs(60 * options.record_minutes);
    let room = RecordRoom { bytes_max: options.record_bytes, age_max };
    let failed = |ended| Failure::Failed(format!("--record {}: {ended}", dir.display()));
    Recorder::begin(dir, room, start).map(Some).map_err(failed)
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
    damage: &mut DamageFacts,
) -> Result<Opened, Failure> {
    let failed = |error: disk::OpenError| Failure::Failed(error.to_string());
    match disk::open(layout) {
        Err(error) if disk::aside::is_loss(&error) && options.cluster.len() > 1 => {
            journal.insist(format_args!("ALARM: {error}"));
            set_aside(options, journal)?;
            damage.log_damaged = true;
            disk::open(layout).map_err(failed)
        }
        opened => opened.map_err(failed),
    }
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
fn open_vault(
    place: &vault::Place,
    journal: &Journal,
    damage: &mut DamageFacts,
) -> Result<Origin, Failure> {
    let vault::Opened { state, partial, lines } = vault::open(place).map_err(|error| {
        Failure::Failed(format!("cannot read the images in {}: {error}", place.dir.display()))
    })?;
    lines.iter().for_each(|line| journal.insist(line));
    damage.checkpoints_damaged += lines.len() as u64;
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

/// The usual bounds, but for what the operator has set. A recorder begins a file anew where the
/// log is short, which it is not for long where checkpoints lie far apart.
fn limits(checkpoints: Checkpoints, is_recorded: bool) -> Limits {
    let Checkpoints { slots, bytes, stretch_max, catch_up_bytes_per_s, .. } = checkpoints;
    let usual = Limits::default();
    Limits {
        checkpoint_slots: slots,
        checkpoint_bytes: bytes,
        checkpoint_stretch_max: if is_recorded { 1 } else { stretch_max },
        // What is kept for peers that are a little behind should be less than what
        // is trimmed.
        keep_slots: usual.keep_slots.min(slots),
        keep_bytes: usual.keep_bytes.min(usize::try_from(bytes).unwrap_or(usize::MAX)),
        catch_up_bytes_per_s,
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
            false => Membership::majority(options.cluster.keys().copied())
                .with_witnesses(options.witnesses.iter().copied()),
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

/// How many clients there may be: as many as the system lets us have sockets for, beside
/// our own files. Whoever connects must not take those away: a node that cannot open the
/// next file of its log halts.
fn clients_max() -> Result<usize, Failure> {
    let wanted = (CLIENTS_MAX + OTHER_FILES) as u64;
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted.min(hard)), maximum: limit.maximum };
    let allowed = match current < wanted && setrlimit(Resource::Nofile, raised).is_ok() {
        true => wanted.min(hard),
        false => current,
    };
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let needed = CLIENTS_MIN + OTHER_FILES;
    match allowed.checked_sub(OTHER_FILES) {
        Some(clients) if clients >= CLIENTS_MIN => Ok(clients.min(CLIENTS_MAX)),
        _ => Err(Failure::Failed(format!(
            "the system allows this process {allowed} open files, and it needs {needed} (ulimit -n)"
        ))),
    }
}

/// Connections at once; as Redis.
const CLIENTS_MAX: usize = 10_000;
/// Fewer than these are not worth starting for.
const CLIENTS_MIN: usize = 16;
/// Files and sockets that are not clients': the log, images, listeners, and what they are
/// replaced with (50); guests at the peers' door (64); 126 peers.
const OTHER_FILES: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    /// And what is kept for peers is never more than what is trimmed.
    #[test]
    fn the_core_is_told_what_the_operator_has_set() {
        let usual = Limits::default();
        assert_eq!(limits(Checkpoints::default(), false).keep_slots, usual.keep_slots);
        let set = Checkpoints {
            slots: 7,
            bytes: 11,
            stretch_max: 2,
            catch_up_bytes_per_s: 13,
            ..Checkpoints::default()
        };
        let told = Limits {
            checkpoint_slots: 7,
            checkpoint_bytes: 11,
            checkpoint_stretch_max: 2,
            keep_slots: 7,
            keep_bytes: 11,
            catch_up_bytes_per_s: 13,
            ..usual
        };
        assert_eq!(limits(set, true), Limits { checkpoint_stretch_max: 1, ..told.clone() });
        assert_eq!(limits(set, false), told);
    }
}
