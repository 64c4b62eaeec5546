//! `INFO`, `PAXOS` and the words for what went wrong.

use std::time::Duration;

use super::{Client, play, shown};
use crate::front::{
    BUSY, DamageFacts, FORGOTTEN, HALTED, Kind, Member, NOT_READY, NodeFacts, OnceKey, PaxosFacts,
    READ_FAILED, ReadFacts, Role, STALE_SEQUENCE, STORE_FULL, ServerFacts, StorageFacts,
    StoreFacts, UNKNOWN, Work, busy,
};
use crate::kv::{Command, Query};

#[test]
fn info_shows_the_sections_asked_for() {
    let mut client = Client::new();
    let all = client.say("info");
    for line in [
        "# Server\r\nredis_version:7.0.15\r\n",
        "connected_clients:3\r\n",
        "commands_processed:12\r\n",
        "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n",
        "# Paxos\r\nnode_id:1\r\nrole:follower\r\nleader_id:2\r\nballot:4.2\r\n",
        "chosen_slot:10\r\ndelivered_slot:9\r\n",
        "disk_full:0\r\nlog_sync_us:750\r\ndisk_votes:1\r\nquorum_lost:0\r\n",
        "log_damaged:1\r\nlog_outdated:0\r\nlogs_set_aside:2\r\nlog_torn:0\r\n",
        "log_bad_sectors:0\r\ncheckpoints_damaged:0\r\n",
        "member0:id=1,address=10.0.0.1:7000,kind=voter\r\n",
        "member2:id=3,address=10.0.0.3:7000,kind=learner\r\n",
        "# Keyspace\r\ndb0:keys=5,expires=2,avg_ttl=0",
    ] {
        assert!(all.contains(line), "{line:?} in {all}");
    }
    assert_eq!(client.say("info all"), all);
    let some = client.say("INFO KEYSPACE clients");
    assert!(some.contains("# Clients") && some.contains("# Keyspace"), "{some}");
    assert!(!some.contains("# Paxos"), "{some}");
    assert_eq!(client.say("info nothing").trim(), "=4\r\ntxt:");
}

#[test]
fn info_waits_for_its_turn() {
    let mut client = Client::new();
    let write = client.send("set k v").unwrap();
    let info = client.send("info paxos").unwrap();
    assert!(matches!(info.work, Work::Info { .. }));
    client.answer(info.ticket, "facts");
    assert!(client.replies().is_empty());
    client.answer(write.ticket, "OK");
    assert_eq!(client.replies(), ["+OK", "+facts"]);
}

#[test]
fn paxos_once_names_client_and_sequence() {
    let once = |line: &str| match Client::new().send(line).map(|order| order.work) {
        Some(Work::Propose { once, .. }) => once,
        other => panic!("{other:?}"),
    };
    assert_eq!(once("paxos once 5 9 set k v"), Some(OnceKey { client: 5, sequence: 9 }));
    let named = once("PAXOS ONCE alice 1 INCR k").unwrap();
    assert_eq!(Some(named), once("paxos once alice 1 incr k"));
    assert_ne!(Some(named), once("paxos once bob 1 incr k"));
    assert!(named.client > i64::MAX as u64, "no name is taken for a number");
    for client in ["0", "-1", ""] {
        assert_ne!(once(&format!("paxos once {client} 1 incr k")).unwrap().client, 0, "{client}");
    }
    assert_eq!(once("set k v"), None);
}

#[test]
fn paxos_once_takes_one_write() {
    play(&[
        ("paxos once a 1 set k v", "+OK"),
        ("paxos once a 2 get k", "-ERR PAXOS ONCE takes a write; a read is safe to repeat"),
        ("paxos once a 2 foo k", "-ERR unknown command 'foo', with args beginning with: 'k'"),
        ("paxos once a 2 ping", "-ERR unknown command 'ping', with args beginning with:"),
        ("paxos once a 2 set k", "-ERR wrong number of arguments for 'set' command"),
        ("paxos once a 0 set k v", "-ERR sequence must be an integer of at least 1"),
        ("paxos once a -1 set k v", "-ERR sequence must be an integer of at least 1"),
        ("paxos once a x set k v", "-ERR sequence must be an integer of at least 1"),
        ("paxos once a 1", "-ERR wrong number of arguments for 'paxos|once' command"),
        ("paxos", "-ERR wrong number of arguments for 'paxos' command"),
        ("paxos foo", "-ERR unknown subcommand 'foo'. Try PAXOS HELP."),
    ]);
}

#[test]
fn readonly_reads_are_stale_and_writes_are_not() {
    let mut client = Client::new();
    client.say("readonly");
    let read = client.send("get k").unwrap();
    assert!(matches!(read.work, Work::StaleQuery { query: Query::Get { .. }, within: None }));
    client.answer(read.ticket, "read");
    let write = client.send("set k v").unwrap();
    assert!(matches!(write.work, Work::Propose { command: Command::Set(_), .. }));
    // A read behind a write of one's own must see it.
    let read = client.send("get k").unwrap();
    assert!(matches!(read.work, Work::Propose { command: Command::Read(_), .. }));
    client.answer(write.ticket, "OK");
    client.answer(read.ticket, "read");
    client.replies();
    client.say("readwrite");
    assert!(matches!(client.send("get k").unwrap().work, Work::Query { .. }));
}

#[test]
fn a_bound_on_staleness_goes_with_every_read_until_it_is_lifted() {
    let mut client = Client::new();
    client.say("paxos stale 250");
    for _ in 0..2 {
        let read = client.send("get k").unwrap();
        let bound = Some(Duration::from_millis(250));
        assert!(matches!(read.work, Work::StaleQuery { within, .. } if within == bound));
        client.answer(read.ticket, "read");
    }
    for lift in ["paxos stale off", "readwrite", "reset"] {
        client.say("paxos stale 250");
        client.say(lift);
        let read = client.send("get k").unwrap();
        assert!(matches!(read.work, Work::Query { .. }), "{lift}");
        client.answer(read.ticket, "read");
    }
    play(&[
        ("paxos stale", "-ERR wrong number of arguments for 'paxos|stale' command"),
        ("paxos stale -1", "-ERR a bound is a number of milliseconds, or OFF"),
        ("paxos stale soon", "-ERR a bound is a number of milliseconds, or OFF"),
        ("paxos stale 0", "+OK"),
    ]);
}

#[test]
fn outcomes_begin_with_a_word_for_programs() {
    for (outcome, word) in [
        (NOT_READY, "NOTREADY"),
        (BUSY, "BUSY"),
        (busy("too many clients"), "BUSY"),
        (UNKNOWN, "UNKNOWN"),
        (READ_FAILED, "NOTREADY"),
        (STALE_SEQUENCE, "STALE"),
        (FORGOTTEN, "FORGOTTEN"),
        (STORE_FULL, "OOM"),
        (HALTED, "HALTED"),
    ] {
        assert_eq!(outcome.error_code(), Some(word.as_bytes()), "{}", shown(&outcome));
    }
}

pub(super) fn facts() -> NodeFacts {
    let member = |id: u64, kind| Member { id, address: format!("10.0.0.{id}:7000"), kind };
    NodeFacts {
        server: ServerFacts {
            version: "0.1.0",
            process: 42,
            tcp_port: 6379,
            uptime_seconds: 90_000,
        },
        paxos: PaxosFacts {
            node_id: 1,
            role: Role::Follower,
            leader_id: Some(2),
            ballot: "4.2".to_owned(),
            chosen_slot: 10,
            delivered_slot: 9,
            members: vec![
                member(1, Kind::Voter),
                member(2, Kind::Witness),
                member(3, Kind::Learner),
            ],
            founding: "done".into(),
            members_version: 4,
            members_slot: 9,
            disk_votes: true,
            quorum_lost: false,
        },
        store: StoreFacts { keys: 5, expires: 2, bytes: 900, bytes_max: 1000, time_ms: 1 },
        reads: ReadFacts { lease_ms: 500, is_leased: true, age: Some(Duration::from_millis(7)) },
        storage: StorageFacts {
            checkpoint_slot: 8,
            log_floor: 4,
            sync_time: Some(Duration::from_micros(750)),
            ..StorageFacts::default()
        },
        damage: DamageFacts { log_damaged: true, logs_set_aside: 2, ..DamageFacts::default() },
        clients: 3,
        counters: vec![("commands_processed", 12)],
    }
}
