//! The load, held against a small server of our own.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use bytes::BytesMut;

use super::*;
use crate::args::Server;
use crate::resp::{RequestDecoder, RespLimits};

#[test]
fn every_request_is_made_and_answered() {
    for (clients, pipeline) in [(1, 1), (4, 1), (3, 7), (8, 1000)] {
        let server = start_server(u64::MAX, "+OK\r\n");
        let options = BenchOptions { server, clients, pipeline, requests: 1000, ..options() };
        let mut bench = Bench::start(&options).expect("the server listens");
        bench.run(&ProgressBar::hidden()).expect("the server answers");
        assert_eq!((bench.desk.tally.fine(), bench.desk.tally.over()), (1000, 1000));
    }
}

#[test]
fn every_server_has_its_share_of_the_connections() {
    let answers = |answer| start_server(u64::MAX, answer);
    let others = vec![answers("-ONE\r\n"), answers("-TWO\r\n")];
    // Each connection sends one request before any is answered.
    let (clients, requests) = (6, 6);
    let options =
        BenchOptions { server: answers("+OK\r\n"), others, clients, requests, ..options() };
    let mut table = Vec::new();
    run(&options, &mut table).expect("one answers");
    assert!(table.ends_with(b"errors: 2 ONE, 2 TWO\n"));
}

#[test]
fn values_larger_than_a_socket_holds_go_through() {
    let value = "x".repeat(3 << 20);
    let server = start_server(u64::MAX, &format!("${}\r\n{value}\r\n", value.len()));
    let options = BenchOptions { server, value_bytes: 3 << 20, requests: 10, ..options() };
    let mut bench = Bench::start(&options).expect("the server listens");
    bench.run(&ProgressBar::hidden()).expect("the server answers");
    assert_eq!(bench.desk.tally.fine(), 10);
}

#[test]
fn requests_on_a_lost_connection_are_counted_and_the_rest_goes_on() {
    let server = start_server(10, "+OK\r\n");
    let options = BenchOptions { server, clients: 2, pipeline: 3, requests: 100, ..options() };
    let mut bench = Bench::start(&options).expect("the server listens");
    bench.run(&ProgressBar::hidden()).expect("the server listens again");
    let (fine, over) = (bench.desk.tally.fine(), bench.desk.tally.over());
    assert_eq!(over, 100);
    assert!((60..100).contains(&fine), "{fine}");
}

#[test]
fn a_server_that_says_nothing_ends_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = Server { silence_max: Some(Duration::from_millis(1)), ..server_at(&listener) };
    let outcome = run(&BenchOptions { server, ..options() }, &mut Vec::new());
    assert!(matches!(outcome, Err(ToolError::Silent)), "{outcome:?}");
}

#[test]
fn nobody_there_is_told_in_one_line() {
    let outcome = run(&options(), &mut Vec::new());
    let error = outcome.expect_err("nobody there").to_string();
    assert!(error.starts_with("cannot connect to 127.0.0.1:1: "), "{error}");
}

#[test]
fn nothing_but_errors_is_no_success() {
    let server = start_server(u64::MAX, "-NOQUORUM no leader\r\n");
    let mut table = Vec::new();
    let outcome = run(&BenchOptions { server, requests: 10, ..options() }, &mut table);
    assert!(matches!(outcome, Err(ToolError::OnlyErrors)), "{outcome:?}");
    assert!(table.ends_with(b"errors: 10 NOQUORUM\n"));
}

#[test]
fn a_server_that_does_not_speak_redis_is_not_called_again() {
    let server = start_server(u64::MAX, "HTTP/1.1 400 Bad Request\r\n");
    let outcome = run(&BenchOptions { server, ..options() }, &mut Vec::new());
    assert!(matches!(outcome, Err(ToolError::Reply(_))), "{outcome:?}");
}

/// For nobody: port 1 is never given out, and no one listens there.
pub(super) fn options() -> BenchOptions {
    BenchOptions {
        server: Server { host: "127.0.0.1".into(), port: 1, silence_max: None },
        others: Vec::new(),
        clients: 1,
        requests: 100,
        value_bytes: 8,
        reads: 0.5,
        pipeline: 1,
        keys: 10,
        seed: 1,
    }
}

fn server_at(listener: &TcpListener) -> Server {
    let port = listener.local_addr().expect("bound").port();
    Server { host: "127.0.0.1".into(), port, silence_max: None }
}

/// Gives the same answer to everything, and hangs up after so many on each
/// connection. It ends with the test process, at the latest.
fn start_server(answers: u64, answer: &str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = server_at(&listener);
    let answer = answer.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, answers, &answer));
        }
    });
    server
}

fn serve(mut stream: TcpStream, answers: u64, answer: &str) -> Option<()> {
    stream.set_nodelay(true).expect("connected");
    let mut decoder = RequestDecoder::new(RespLimits::default());
    let mut buffer = BytesMut::new();
    for _ in 0..answers {
        while decoder.decode(&mut buffer).expect("a request").is_none() {
            let mut scratch = [0; 4096];
            let count = stream.read(&mut scratch).ok().filter(|count| *count > 0)?;
            buffer.extend_from_slice(&scratch[..count]);
        }
        stream.write_all(answer.as_bytes()).ok()?;
    }
    Some(())
}
