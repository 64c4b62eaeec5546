//! What `INFO` tells about this node.

use std::net::SocketAddr;
use std::path::PathBuf;

use paxos_core::codec::hello::Versions;
use paxos_core::types::{Instant, NodeId};
use paxos_core::{Replica, Standing};

use super::event_loop::{EventLoop, GROUP};
use crate::front::{
    self, Kind, Member, NodeFacts, PaxosFacts, ReadFacts, Role, Sections, ServerFacts,
    StorageFacts, StoreFacts,
};
use crate::resp::Reply;

/// What never changes while the node runs.
#[derive(Debug)]
pub(crate) struct Identity {
    /// This node.
    pub(crate) node: NodeId,
    /// Where clients connect.
    pub(crate) client: SocketAddr,
    /// Where its data is.
    pub(crate) data: PathBuf,
    /// What names its disk.
    pub(crate) disk: u64,
    /// How long a lease lasts, in milliseconds; zero if leases are off.
    pub(crate) lease_ms: u64,
}

/// The answer to `INFO`.
pub(super) fn render(cx: &EventLoop, now: Instant, sections: &Sections) -> Reply {
    let Some(group) = cx.core.group(GROUP) else { return Reply::Null };
    let machine = cx.store.machine();
    let facts = NodeFacts {
        server: ServerFacts {
            version: env!("CARGO_PKG_VERSION"),
            process: std::process::id(),
            tcp_port: cx.identity.client.port(),
            uptime_seconds: now.as_micros() / 1_000_000,
        },
        paxos: paxos(cx, group),
        reads: ReadFacts {
            lease_ms: cx.identity.lease_ms,
            is_leased: cx.core.is_leased(GROUP, now),
            age: cx.core.age(GROUP, now),
        },
        store: StoreFacts {
            keys: machine.len() as u64,
            expires: machine.expiring() as u64,
            bytes: machine.bytes(),
            bytes_max: machine.limits().store_bytes_max,
            time_ms: machine.time(),
        },
        storage: StorageFacts {
            checkpoint_slot: cx.vault.newest().0,
            checkpoint_running: cx.vault.is_running(),
            log_floor: group.log().floor().0,
            log_segments: cx.disk.segments().0,
            log_bytes: cx.disk.segments().1,
            is_full: cx.disk.is_full(),
            sync_time: cx.disk.pace(),
        },
        damage: cx.damage.clone(),
        clients: cx.clients.len() as u64,
        counters: counters(cx),
    };
    front::info(sections, &facts)
}

fn paxos(cx: &EventLoop, group: &Replica) -> PaxosFacts {
    let (identity, newest) = (&cx.identity, group.newest_membership());
    let places = cx.members.peers(group);
    let member = |id: NodeId| Member {
        id: id.0.into(),
        address: places.get(&id).copied().flatten().map_or_else(String::new, |at| at.to_string()),
        kind: Kind::of(id, newest),
    };
    PaxosFacts {
        node_id: identity.node.0.into(),
        role: match group.standing() {
            Standing::Leader => Role::Leader,
            Standing::Candidate => Role::Candidate,
            Standing::Follower if group.is_witness(identity.node) => Role::Witness,
            Standing::Follower if newest.learners().contains(identity.node) => Role::Learner,
            Standing::Follower => Role::Follower,
        },
        leader_id: group.leader().map(|leader| leader.0.into()),
        ballot: group.promised().to_string(),
        chosen_slot: group.chosen().0,
        delivered_slot: group.delivered().0,
        members: newest.everyone().iter().map(member).collect(),
        founding: founding(group, identity.node),
        members_version: newest.version(),
        members_slot: group.schedule().newest().0.0,
        disk_votes: group.votes(identity.node, identity.disk),
        quorum_lost: group.is_quorum_lost(),
    }
}

/// What the founding of the group waits for.
fn founding(group: &Replica, me: NodeId) -> String {
    if group.is_founded() {
        return "done".into();
    }
    if group.is_founding_stuck() {
        return "stuck".into();
    }
    let missing = group.missing_founders(me);
    let missing: Vec<String> = missing.iter().map(|node| node.0.to_string()).collect();
    format!("waits:{}", missing.join(","))
}

fn counters(cx: &EventLoop) -> Vec<(&'static str, u64)> {
    let (clients, peers) = (cx.clients.counts(), cx.peers.counts());
    let mut list = vec![
        ("total_connections_received", clients.accepted),
        ("rejected_connections", clients.rejected),
        ("total_commands_processed", clients.requests),
        ("client_protocol_errors", clients.garbled),
        ("clients_closed_stuck", clients.stuck),
        ("evicted_clients", clients.evicted),
        ("outstanding_requests", cx.counter.outstanding() as u64),
        ("peers_connected", cx.peers.up() as u64),
        ("peer_messages_sent", peers.sent),
        ("peer_bytes_sent", peers.sent_bytes),
        ("peer_messages_received", peers.received),
        ("peer_bytes_received", peers.received_bytes),
        ("peer_messages_dropped", peers.dropped),
        ("peer_bytes_dropped", peers.dropped_bytes),
        ("peer_bad_frames", peers.bad_frames),
        ("peer_connections_refused", peers.refused),
        ("peer_versions_refused", peers.refused_versions),
        ("peer_version_lowest", Versions::SPOKEN.lowest().into()),
        ("peer_version_highest", Versions::SPOKEN.highest().into()),
        ("peer_version_spoken", cx.peers.version_spoken().map_or(0, u64::from)),
    ];
    list.extend(cx.tally.list());
    list.extend(cx.disk.counters());
    list
}
