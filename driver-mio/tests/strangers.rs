//! What strangers, clumsy clients and misconfigured peers can do to a node: not much.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

#[test]
fn garbage_on_the_peer_port_is_turned_away_and_counted() {
    let cluster = Cluster::start(1);
    let node = &cluster.nodes[0];
    let before = node.count("peer_connections_refused").expect("counted");
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 100_000], b"*1\r\n$4\r\nPING\r\n"] {
        assert_eq!(said_before_the_end(node.peer, garbage), b"", "not a word to {garbage:?}");
    }
    // Half a header, and then nothing: the wait for the rest is over after a while.
    assert_eq!(said_before_the_end(node.peer, &[0; 3]), b"");
    let refused = node.count("peer_connections_refused").expect("counted");
    assert!(refused >= before + 4, "{refused} refused after {before}");
    assert_eq!(ask(node.client, &["PING"]).expect("serves"), Reply::Simple("PONG".into()));
}

#[test]
fn more_silent_strangers_than_there_is_room_for_lock_nobody_out_for_long() {
    let mut cluster = Cluster::new(2);
    cluster.nodes[0].start();
    let node = &cluster.nodes[0];
    eventually("it listens", || TcpStream::connect(node.peer).ok());
    let strangers: Vec<_> = (0..200).filter_map(|_| TcpStream::connect(node.peer).ok()).collect();
    assert!(strangers.len() > 100);
    cluster.nodes[1].start();
    cluster.nodes[1].await_service();
}

/// They take all the sockets that there are for them, and none that the log needs.
#[test]
fn strangers_at_both_doors_take_no_files_from_the_log() {
    let mut cluster = Cluster::new(1);
    let flags = ["--segment-bytes", "32768", "--checkpoint-bytes", "65536"];
    cluster.nodes[0].flags = flags.map(str::to_owned).to_vec();
    cluster.nodes[0].start_with_files(256);
    let node = &cluster.nodes[0];
    node.await_service();
    let mut client = Client::connect(node.client, PATIENCE).expect("connects");
    let strangers = |at: SocketAddr| (0..100).filter_map(move |_| TcpStream::connect(at).ok());
    let strangers: Vec<_> = strangers(node.client).chain(strangers(node.peer)).collect();
    assert!(strangers.len() > 150, "{}", strangers.len());
    eventually("they are too many", || {
        let Reply::Bulk(text) = client.call(&["INFO"]).expect("answers") else { return None };
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("rejected_connections:"))?;
        (line.trim().parse::<u64>().ok()? > 50).then_some(())
    });
    // A segment for every few of these.
    let value = "v".repeat(4000);
    for _ in 0..200 {
        assert_eq!(
            client.call(&["SET", "k", &value]).expect("answers"),
            Reply::Simple("OK".into())
        );
    }
    assert!(!node.log().contains("Too many open files"), "{}", node.log());
}

/// A request that never ends costs what was sent of it: for all clients together, not more
/// than a bound, whatever their number.
#[test]
fn requests_without_an_end_take_no_more_memory_than_a_bound() {
    let cluster = Cluster::start(1);
    let node = &cluster.nodes[0];
    let before = node.resident_bytes();
    let begun = [&b"*2\r\n$4\r\nECHO\r\n$8388608\r\n"[..], &vec![b'x'; 7 << 20]].concat();
    let mut strangers = Vec::new();
    for _ in 0..60 {
        let mut stranger = TcpStream::connect(node.client).expect("connects");
        stranger.set_write_timeout(Some(PATIENCE)).expect("can be set");
        // It may be closed while it writes.
        let _ = stranger.write_all(&begun);
        strangers.push(stranger);
    }
    eventually("some were closed", || (node.count("evicted_clients")? > 10).then_some(()));
    let after = node.resident_bytes();
    assert!(after < before + (400 << 20), "from {before} to {after} bytes");
    assert_eq!(ask(node.client, &["PING"]).expect("serves"), Reply::Simple("PONG".into()));
}

#[test]
fn a_node_of_another_cluster_is_not_talked_to() {
    let mut cluster = Cluster::start(3);
    cluster.nodes[2].kill();
    cluster.nodes[2].data = cluster.dir().join("elsewhere");
    cluster.nodes[2].cluster_id = 2;
    cluster.nodes[2].start();
    let stranger = &cluster.nodes[2];
    eventually("both sides count it", || {
        let refused = |node: &Node| node.count("peer_connections_refused").is_some_and(|n| n > 0);
        (refused(&cluster.nodes[0]) && refused(stranger)).then_some(())
    });
    assert_eq!(stranger.count("peers_connected"), Some(0));
    let text = "belongs to cluster";
    eventually("the operator is told", || {
        (stranger.log().contains(text) && cluster.nodes[0].log().contains(text)).then_some(())
    });
}

#[test]
fn broken_requests_are_answered_in_the_words_of_redis_and_closed() {
    let cluster = Cluster::start(1);
    let client = cluster.nodes[0].client;
    for (request, answer) in [
        (&b"*1\r\n!4\r\nPING\r\n"[..], &b"-ERR Protocol error: expected '$', got '!'\r\n"[..]),
        (b"*3000000\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$999999999999\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (&[b'a'; 100_000], b"-ERR Protocol error: too big inline request\r\n"),
        (b"PING\r\n*1\r\n$x\r\n", b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"),
    ] {
        let said = said_before_the_end(client, request);
        assert_eq!(said.escape_ascii().to_string(), answer.escape_ascii().to_string());
    }
}

#[test]
fn a_client_that_closes_its_side_still_gets_its_answers() {
    let cluster = Cluster::start(1);
    let mut stream = TcpStream::connect(cluster.nodes[0].client).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
    stream.write_all(b"SET k v\r\nGET k\r\nPING\r\n").expect("writes");
    stream.shutdown(Shutdown::Write).expect("open");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("reads");
    assert_eq!(said, "+OK\r\n$1\r\nv\r\n+PONG\r\n");
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_costs_little() {
    let cluster = Cluster::start(1);
    let node = &cluster.nodes[0];
    let value = "v".repeat(1 << 20);
    assert_eq!(
        ask(node.client, &["SET", "k", &value]).expect("serves"),
        Reply::Simple("OK".into())
    );
    let before = node.resident_bytes();
    let mut deaf = Client::connect(node.client, Duration::from_millis(500)).expect("connects");
    // A gigabyte of answers, if anyone made them, for a few megabytes of questions.
    let error = loop {
        match deaf.send(&["GET", "k"]) {
            Ok(()) if deaf.stream.write_all(&b"GET k\r\n".repeat(1000)).is_ok() => {}
            Ok(()) => break ErrorKind::WouldBlock,
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(error, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error:?}");
    let after = node.resident_bytes();
    assert!(after < before + (64 << 20), "from {before} to {after} bytes");
    // Nobody else has noticed.
    assert_eq!(ask(node.client, &["STRLEN", "k"]).expect("serves"), Reply::Integer(1 << 20));
}

/// Sends `bytes`, and returns what came until the other side closed.
fn said_before_the_end(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
    // It may be closed before all is written.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
    said
}
