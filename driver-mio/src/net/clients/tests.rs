//! Who comes, who goes, and who has to, over real sockets.

use std::io::Read;
use std::net::{SocketAddr, TcpStream as StdStream};

use mio::{Events, Poll};

use super::*;
use crate::front::Work;
use crate::kv;

#[test]
fn one_client_too_many_is_told_so_and_a_free_place_is_used_again() {
    let mut server = Server::new(1);
    let first = server.connect();
    server.turn_until(|clients| clients.len() == 1);
    let mut second = server.connect();
    server.turn_until(|clients| clients.counts().rejected == 1);
    let mut said = String::new();
    second.read_to_string(&mut said).expect("closed after the answer");
    assert_eq!(said, "-ERR max number of clients reached\r\n");
    drop(first);
    server.turn_until(|clients| clients.len() == 0);
    let _third = server.connect();
    server.turn_until(|clients| clients.len() == 1);
}

#[test]
fn an_answer_for_a_client_that_is_gone_does_not_reach_the_next_one() {
    let mut server = Server::new(1);
    let mut gone = server.connect();
    io::Write::write_all(&mut gone, b"GET a\r\n").expect("writes");
    server.turn_until(|_| false);
    let (key, ticket) = server.taken.orders[0];
    // Reset, not just closed: who has only stopped to write may still listen.
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).expect("can be set");
    drop(gone);
    server.turn_until(|clients| clients.len() == 0);
    let mut next = server.connect();
    io::Write::write_all(&mut next, b"GET b\r\n").expect("writes");
    server.turn_until(|_| false);
    assert_eq!(server.taken.orders.len(), 2);
    server.clients.answer(key, ticket, Reply::Integer(1));
    let (key, ticket) = server.taken.orders[1];
    server.clients.answer(key, ticket, Reply::Integer(2));
    server.clients.flush(Instant::default(), false);
    let mut said = [0; 4];
    next.read_exact(&mut said).expect("an answer");
    assert_eq!(&said, b":2\r\n");
}

#[test]
fn a_client_that_takes_no_answer_for_a_minute_is_closed() {
    let mut server = Server::new(1);
    let mut deaf = server.connect();
    io::Write::write_all(&mut deaf, b"GET a\r\n").expect("writes");
    server.turn_until(|_| false);
    let (key, ticket) = server.taken.orders[0];
    server.clients.answer(key, ticket, Reply::bulk(vec![b'x'; 32 << 20]));
    let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
    server.clients.flush(at(100), false);
    for (seconds, left) in [(150, 1), (161, 0)] {
        server.clients.turn(at(seconds), &mut [0; 16], &mut server.taken);
        assert_eq!(server.clients.len(), left, "after {seconds} s");
    }
    assert_eq!(server.clients.counts().stuck, 1);
}

#[test]
fn of_those_who_hold_too_much_together_the_largest_goes() {
    let mut server = Server::new(9);
    server.clients.held_max.asked = 10_000;
    let mut clients = Vec::new();
    for (count, bytes) in [(1, 3000), (2, 6000), (3, 900)] {
        let mut client = server.connect();
        let begun = format!("*2\r\n$3\r\nGET\r\n$9999\r\n{}", "x".repeat(bytes));
        io::Write::write_all(&mut client, begun.as_bytes()).expect("writes");
        clients.push(client);
        let held = (1..=count).map(|n| [3000, 6000, 900][n - 1]).sum::<usize>();
        server.turn_until(|clients| clients.held.asked >= held);
    }
    assert_eq!(server.clients.counts().evicted, 0);
    io::Write::write_all(&mut clients[0], &[b'x'; 200]).expect("writes");
    server.turn_until(|clients| clients.counts().evicted == 1);
    let mut said = Vec::new();
    let gone = clients[1].read_to_end(&mut said).map_or(0, |said| said);
    assert_eq!(gone, 0, "the second is closed without a word");
    assert!(server.clients.held.asked <= 10_000);
    drop(clients);
    server.turn_until(|clients| clients.len() == 0);
    assert_eq!(server.clients.held, Held::default());
}

#[test]
fn of_those_who_leave_too_many_answers_the_largest_goes() {
    let mut server = Server::new(9);
    server.clients.held_max.answered = 105 << 20;
    let mut clients = Vec::new();
    for bytes in [40 << 20, 60 << 20, 40 << 20] {
        let mut client = server.connect();
        io::Write::write_all(&mut client, b"GET a\r\n").expect("writes");
        clients.push(client);
        server.turn_until(|_| false);
        let (key, ticket) = server.taken.orders[clients.len() - 1];
        assert_eq!(server.clients.has_room(key, ticket), Some(true));
        let evicted = server.clients.counts().evicted;
        assert_eq!(evicted, 0, "one alone may have a long answer");
        server.clients.answer(key, ticket, Reply::bulk(vec![b'x'; bytes]));
        // What is on its way out counts as well as what waits.
        server.clients.flush(Instant::default(), false);
        assert!(server.clients.held.answered <= 105 << 20);
    }
    assert_eq!(server.clients.counts().evicted, 1);
    let has_room = |n: usize| {
        let (key, ticket) = server.taken.orders[n];
        server.clients.has_room(key, Ticket(ticket.0 + 1))
    };
    assert_eq!([has_room(0), has_room(1), has_room(2)], [Some(false), None, Some(false)]);
    drop(clients);
    server.turn_until(|clients| clients.len() == 0);
    assert_eq!(server.clients.held, Held::default());
}

/// A flood of callers waits in turns, and nobody else waits for all of it.
#[test]
fn a_turn_accepts_so_many_and_the_next_goes_on() {
    let mut server = Server::new(1000);
    let callers: Vec<StdStream> = (0..ACCEPTS_MAX + 10).map(|_| server.connect()).collect();
    server.clients.turn(Instant::default(), &mut [0; 1024], &mut server.taken);
    assert_eq!(server.clients.len(), ACCEPTS_MAX);
    assert!(server.clients.has_more(), "no event will tell of the others");
    server.clients.turn(Instant::default(), &mut [0; 1024], &mut server.taken);
    assert_eq!(server.clients.len(), callers.len());
    assert!(!server.clients.has_more());
}

#[test]
fn who_is_told_goodbye_and_stays_keeps_nobody_awake() {
    let mut server = Server::new(1);
    let mut client = server.connect();
    // More than one turn reads: it goes on to talk.
    let words = [&b"QUIT\r\n"[..], &[b'x'; 64 << 10]].concat();
    io::Write::write_all(&mut client, &words).expect("writes");
    server.turn_until(|clients| clients.counts().requests == 1);
    let mut said = [0; 5];
    client.read_exact(&mut said).expect("the answer comes");
    assert_eq!(&said, b"+OK\r\n");
    let mut turns = 0;
    while server.clients.has_more() {
        turns += 1;
        assert!(turns < 1000, "it has been read long ago");
        assert!(server.clients.ready.len() <= 1, "it stands there once");
        server.clients.turn(Instant::default(), &mut [0; 1024], &mut server.taken);
        server.clients.flush(Instant::default(), false);
    }
    assert_eq!(server.clients.len(), 1);
    drop(client);
    server.turn_until(|clients| clients.len() == 0);
}

/// What waits behind it can only go after it.
#[test]
fn the_next_answer_has_room_however_much_waits_behind_it() {
    let mut server = Server::new(2);
    server.clients.held_max.answered = 4 << 20;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect();
        io::Write::write_all(&mut client, b"GET a\r\nGET b\r\nGET c\r\n").expect("writes");
        let orders = server.taken.orders.len() + 3;
        while server.taken.orders.len() < orders {
            server.turn_until(|_| false);
        }
        clients.push(client);
    }
    let orders = server.taken.orders.clone();
    for (key, ticket) in [orders[1], orders[4]] {
        server.clients.answer(key, ticket, Reply::bulk(vec![b'x'; 1 << 20]));
    }
    server.clients.flush(Instant::default(), false);
    assert_eq!(server.clients.held.answered, 2 << 20, "as much as makes a crowd");
    let has_room = |n: usize| server.clients.has_room(orders[n].0, orders[n].1);
    assert_eq!([has_room(0), has_room(3)], [Some(true); 2]);
    assert_eq!([has_room(2), has_room(5)], [Some(false); 2]);
}

#[test]
fn what_waits_behind_a_long_answer_comes_when_that_is_taken() {
    let mut server = Server::new(1);
    let mut client = server.connect();
    let sizes = (3..=10).map(|mib| mib << 20);
    io::Write::write_all(&mut client, &b"GET a\r\n".repeat(16)).expect("writes");
    while server.taken.orders.len() < 16 {
        server.turn_until(|_| false);
    }
    let replies = sizes.flat_map(|size| [Reply::bulk(vec![b'x'; size]), Reply::Integer(1)]);
    for ((key, ticket), reply) in server.taken.orders.clone().into_iter().zip(replies) {
        server.clients.answer(key, ticket, reply);
    }
    let long: usize =
        (3..=10).map(|mib| format!("${}\r\n\r\n", mib << 20).len() + (mib << 20)).sum();
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("can be set");
    let reader = std::thread::spawn(move || client.read_exact(&mut vec![0; long + 8 * 4]));
    server.clients.flush(Instant::default(), false);
    // It goes when it has all; who waits for nothing is not told of anything.
    server.turn_until(|clients| clients.len() == 0);
    reader.join().expect("no panic").expect("everything comes");
}

#[test]
fn the_system_asks_for_a_client_that_is_silent() {
    let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("listens");
    let _client = StdStream::connect(listener.local_addr().expect("bound")).expect("connects");
    let (stream, _) = loop {
        match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            accepted => break accepted.expect("accepts"),
        }
    };
    crate::net::set_client_options(&stream).expect("can be set");
    let socket = socket2::SockRef::from(&stream);
    assert!(socket.keepalive().expect("is known"));
    assert_eq!(socket.tcp_keepalive_time().expect("is known"), Duration::from_secs(300));
}

struct Server {
    poll: Poll,
    clients: Clients,
    taken: Taken,
}

/// Orders that nobody carries out.
#[derive(Default)]
struct Taken {
    orders: Vec<(ClientKey, Ticket)>,
    limits: kv::Limits,
}

impl Desk for Taken {
    fn take(&mut self, from: ClientKey, order: Order) {
        assert!(matches!(order.work, Work::Query { .. }));
        self.orders.push((from, order.ticket));
    }

    fn is_full(&self) -> bool {
        false
    }

    fn limits(&self) -> &kv::Limits {
        &self.limits
    }

    fn is_store_full(&self) -> bool {
        false
    }
}

impl Server {
    fn new(clients_max: usize) -> Server {
        let poll = Poll::new().expect("polls");
        let registry = poll.registry().try_clone().expect("clones");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(address).expect("listens");
        let clients = Clients::new(listener, clients_max, registry).expect("polls");
        Server { poll, clients, taken: Taken::default() }
    }

    fn connect(&self) -> StdStream {
        let address = self.clients.listener.local_addr().expect("bound");
        StdStream::connect(address).expect("connects")
    }

    /// Turns until `done`, or until an order has come.
    fn turn_until(&mut self, done: impl Fn(&Clients) -> bool) {
        let mut events = Events::with_capacity(16);
        let orders = self.taken.orders.len();
        while !done(&self.clients) && self.taken.orders.len() == orders {
            let seconds = if self.clients.has_more() { 0 } else { 5 };
            self.poll.poll(&mut events, Some(Duration::from_secs(seconds))).expect("polls");
            assert!(seconds == 0 || !events.is_empty(), "nothing comes any more");
            events.iter().for_each(|event| _ = self.clients.on_event(event));
            self.clients.turn(Instant::default(), &mut [0; 1024], &mut self.taken);
            self.clients.flush(Instant::default(), false);
        }
    }
}
