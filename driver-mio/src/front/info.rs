//! `INFO`: the facts of a node as lines of text.

use std::fmt::Write;

use super::hello::REDIS_VERSION;
use super::{NodeFacts, Sections};
use crate::resp::Reply;

/// Renders the sections that a client has asked for.
pub fn info(sections: &Sections, facts: &NodeFacts) -> Reply {
    let mut text = String::new();
    for (name, title, write) in SECTIONS {
        if sections.include(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str("# ");
            text.push_str(title);
            text.push_str("\r\n");
            write(&mut Lines(&mut text), facts);
        }
    }
    Reply::Verbatim(*b"txt", text.into())
}

/// Lines of `name:value`.
struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }
}

type WriteSection = fn(&mut Lines<'_>, &NodeFacts);

const SECTIONS: &[(&str, &str, WriteSection)] = &[
    ("server", "Server", server),
    ("clients", "Clients", clients),
    ("memory", "Memory", memory),
    ("persistence", "Persistence", persistence),
    ("stats", "Stats", stats),
    ("replication", "Replication", replication),
    ("paxos", "Paxos", paxos),
    ("cluster", "Cluster", cluster),
    ("keyspace", "Keyspace", keyspace),
];

fn server(lines: &mut Lines<'_>, facts: &NodeFacts) {
    lines.put("redis_version", REDIS_VERSION);
    lines.put("redis_mode", "standalone");
    lines.put("server_name", "paxos-node");
    lines.put("paxos_node_version", facts.server.version);
    lines.put("arch_bits", usize::BITS);
    lines.put("process_id", facts.server.process);
    lines.put("tcp_port", facts.server.tcp_port);
    lines.put("uptime_in_seconds", facts.server.uptime_seconds);
    lines.put("uptime_in_days", facts.server.uptime_seconds / 86_400);
}

fn clients(lines: &mut Lines<'_>, facts: &NodeFacts) {
    lines.put("connected_clients", facts.clients);
}

fn memory(lines: &mut Lines<'_>, facts: &NodeFacts) {
    lines.put("used_memory", facts.store.bytes);
    lines.put("used_memory_dataset", facts.store.bytes);
    lines.put("maxmemory", facts.store.bytes_max);
    lines.put("maxmemory_policy", "noeviction");
}

fn persistence(lines: &mut Lines<'_>, _: &NodeFacts) {
    lines.put("loading", 0);
    lines.put("aof_enabled", 1);
}

fn stats(lines: &mut Lines<'_>, facts: &NodeFacts) {
    for (name, count) in &facts.counters {
        lines.put(name, count);
    }
}

fn replication(lines: &mut Lines<'_>, facts: &NodeFacts) {
    // Libraries write to a master only, and every node takes writes.
    lines.put("role", "master");
    let others = facts.paxos.members.iter().filter(|member| member.id != facts.paxos.node_id);
    lines.put("connected_slaves", others.count());
    lines.put("master_repl_offset", facts.paxos.delivered_slot);
}

fn paxos(lines: &mut Lines<'_>, facts: &NodeFacts) {
    let paxos = &facts.paxos;
    lines.put("node_id", paxos.node_id);
    lines.put("role", paxos.role);
    match paxos.leader_id {
        Some(leader) => lines.put("leader_id", leader),
        None => lines.put("leader_id", "none"),
    }
    lines.put("ballot", &paxos.ballot);
    lines.put("chosen_slot", paxos.chosen_slot);
    lines.put("delivered_slot", paxos.delivered_slot);
    lines.put("lease_ms", facts.reads.lease_ms);
    lines.put("leased", u8::from(facts.reads.is_leased));
    match facts.reads.age {
        Some(age) => lines.put("age_ms", age.as_millis()),
        None => lines.put("age_ms", "unknown"),
    }
    let storage = &facts.storage;
    lines.put("checkpoint_slot", storage.checkpoint_slot);
    lines.put("checkpoint_running", u8::from(storage.checkpoint_running));
    lines.put("log_floor", storage.log_floor);
    lines.put("log_segments", storage.log_segments);
    lines.put("log_bytes", storage.log_bytes);
    lines.put("disk_full", u8::from(storage.is_full));
    lines.put("log_sync_us", storage.sync_time.unwrap_or_default().as_micros());
    damage(lines, facts);
    lines.put("store_time_ms", facts.store.time_ms);
    lines.put("members", paxos.members.len());
    lines.put("founding", &paxos.founding);
    lines.put("members_version", paxos.members_version);
    lines.put("members_slot", paxos.members_slot);
    for (number, member) in paxos.members.iter().enumerate() {
        let value = format!("id={},address={},kind={}", member.id, member.address, member.kind);
        lines.put(&format!("member{number}"), value);
    }
}

fn damage(lines: &mut Lines<'_>, facts: &NodeFacts) {
    let (paxos, damage) = (&facts.paxos, &facts.damage);
    lines.put("disk_votes", u8::from(paxos.disk_votes));
    lines.put("quorum_lost", u8::from(paxos.quorum_lost));
    lines.put("log_damaged", u8::from(damage.log_damaged));
    lines.put("log_outdated", u8::from(damage.log_outdated));
    lines.put("logs_set_aside", damage.logs_set_aside);
    lines.put("log_torn", u8::from(damage.log_torn));
    lines.put("log_bad_sectors", damage.log_bad_sectors);
    lines.put("checkpoints_damaged", damage.checkpoints_damaged);
}

fn cluster(lines: &mut Lines<'_>, _: &NodeFacts) {
    lines.put("cluster_enabled", 0);
}

fn keyspace(lines: &mut Lines<'_>, facts: &NodeFacts) {
    if facts.store.keys > 0 {
        let (keys, expires) = (facts.store.keys, facts.store.expires);
        lines.put("db0", format!("keys={keys},expires={expires},avg_ttl=0"));
    }
}
