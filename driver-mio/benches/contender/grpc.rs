//! A small client of etcd: gRPC over HTTP/2, one connection for each request that
//! is under way, so that "connections" means the same as for the others. One
//! thread for all. The few messages that it needs are put together by hand.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Version};
use paxos_core::types::Rng;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use super::{KEYS, KEYS_FILLED_AT_ONCE, Op, Sample, Shape, Work, key};
use crate::support::{Outcome, PATIENCE, go_on};

/// What a node says about itself: `etcdserverpb.StatusResponse`, the part of it that matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    /// Its own number.
    pub(crate) member: u64,
    /// That of the leader, never 0.
    pub(crate) leader: u64,
}

/// Asks a node about itself.
pub(crate) fn status(at: SocketAddr) -> Outcome<Status> {
    block_on(async move {
        let answer = Connection::open(at).await?.call(STATUS, Bytes::new()).await?;
        let number = |message: &[u8], field| number_in(message, field).filter(|id| *id != 0);
        let header = bytes_in(&answer, 1).ok_or("no header")?;
        let member = number(header, 2).ok_or("no member id")?;
        let leader = number(&answer, 4).ok_or("no leader")?;
        Ok(Status { member, leader })
    })
}

/// Writes all keys, with values of this length.
pub(crate) fn fill(at: SocketAddr, value_bytes: u32) -> Outcome<()> {
    block_on(async move {
        let mut connection = Connection::open(at).await?;
        let value = vec![b'v'; value_bytes as usize];
        for first in (0..KEYS).step_by(KEYS_FILLED_AT_ONCE as usize) {
            let mut transaction = BytesMut::new();
            for number in first..KEYS.min(first + KEYS_FILLED_AT_ONCE) {
                let mut request = BytesMut::new();
                put_bytes(&mut request, 2, &put_request(&key(number), &value));
                put_bytes(&mut transaction, 2, &request);
            }
            connection.call(TXN, transaction.freeze()).await?;
        }
        let there = connection.call(RANGE, range_request(&key(KEYS - 1))).await?;
        bytes_in(&there, KEY_VALUES).map(|_| ()).ok_or("etcd does not show what was written")?;
        Ok(())
    })
}

/// Puts a load on a node.
pub(crate) fn run(at: SocketAddr, work: &Work) -> Outcome<Sample> {
    let work = *work;
    block_on(async move {
        let mut connections = Vec::new();
        for _ in 0..work.shape.connections {
            connections.push(Connection::open(at).await?);
        }
        let shared = Rc::new(Shared {
            shape: work.shape,
            left: Cell::new(work.requests),
            rng: RefCell::new(Rng::new(work.seed)),
            latencies: RefCell::default(),
        });
        let started = Instant::now();
        let mut lanes = JoinSet::new();
        for connection in connections {
            lanes.spawn_local(lane(connection, shared.clone()));
        }
        while let Some(lane) = lanes.join_next().await {
            lane??;
        }
        let elapsed = started.elapsed();
        let mut latencies = shared.latencies.take();
        latencies.sort_unstable();
        let ms = |share: f64| {
            let place = (latencies.len().saturating_sub(1) as f64 * share) as usize;
            latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        Ok(Sample {
            per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
            p50_ms: ms(0.50),
            p99_ms: ms(0.99),
            errors: work.requests - latencies.len() as u64,
            ..Sample::default()
        })
    })
}

/// What the lanes of a load share.
struct Shared {
    shape: Shape,
    /// Requests that are still to be made.
    left: Cell<u64>,
    rng: RefCell<Rng>,
    /// Of the requests that were answered well.
    latencies: RefCell<Vec<Duration>>,
}

/// Sends one request after the other, while there are any left.
async fn lane(mut connection: Connection, shared: Rc<Shared>) -> Outcome<()> {
    let value = vec![b'v'; shared.shape.value_bytes as usize];
    while let Some(left) = shared.left.get().checked_sub(1) {
        shared.left.set(left);
        go_on()?;
        let key = key(shared.rng.borrow_mut().below(KEYS));
        let started = Instant::now();
        let is_good = match shared.shape.op {
            Op::Set => connection.call(PUT, put_request(&key, &value)).await.is_ok(),
            Op::Get => {
                let answer = connection.call(RANGE, range_request(&key)).await;
                answer.is_ok_and(|answer| bytes_in(&answer, KEY_VALUES).is_some())
            }
        };
        if is_good {
            shared.latencies.borrow_mut().push(started.elapsed());
        }
    }
    Ok(())
}

/// An HTTP/2 connection.
struct Connection {
    sender: SendRequest<Bytes>,
    authority: String,
}

impl Connection {
    async fn open(at: SocketAddr) -> Outcome<Connection> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::handshake(stream).await?;
        tokio::task::spawn_local(async move {
            // Whoever waits for an answer hears of the end, too.
            let _ = connection.await;
        });
        Ok(Connection { sender: sender.ready().await?, authority: at.to_string() })
    }

    /// One call, one answer.
    async fn call(&mut self, path: &str, message: Bytes) -> Outcome<Bytes> {
        let request = Request::post(format!("http://{}{path}", self.authority))
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut frame = BytesMut::with_capacity(FRAME_HEAD_BYTES + message.len());
        frame.put_u8(0); // not compressed
        frame.put_u32(message.len() as u32);
        frame.put(message);
        let (response, mut body) = self.sender.send_request(request, false)?;
        body.send_data(frame.freeze(), true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            answer.extend_from_slice(&chunk);
        }
        // A call that fails at once has its status in the head, and no trailers.
        check(&body.trailers().await?.unwrap_or(head.headers))?;
        if answer.len() < FRAME_HEAD_BYTES {
            return Err("an answer without a message".into());
        }
        Ok(answer.freeze().split_off(FRAME_HEAD_BYTES))
    }
}

fn check(headers: &HeaderMap) -> Outcome<()> {
    let told = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match told("grpc-status") {
        Some("0") => Ok(()),
        status => Err(format!("status {status:?}: {:?}", told("grpc-message")).into()),
    }
}

/// Runs it to its end, on this thread, and not for ever.
fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async { tokio::time::timeout(PATIENCE, work).await? };
    LocalSet::new().block_on(&runtime, work)
}

/// `etcdserverpb.PutRequest`
fn put_request(key: &str, value: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(key.len() + value.len() + 8);
    put_bytes(&mut message, 1, key.as_bytes());
    put_bytes(&mut message, 2, value);
    message.freeze()
}

/// `etcdserverpb.RangeRequest` of one key; linearizable, as that is the default.
fn range_request(key: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(key.len() + 4);
    put_bytes(&mut message, 1, key.as_bytes());
    message.freeze()
}

/// Appends a field of bytes.
fn put_bytes(message: &mut BytesMut, field: u8, bytes: &[u8]) {
    message.put_u8(field << 3 | LENGTH);
    let mut length = bytes.len();
    while length >= 0x80 {
        message.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    message.put_u8(length as u8);
    message.put_slice(bytes);
}

/// The first field of bytes with this number.
fn bytes_in(message: &[u8], field: u64) -> Option<&[u8]> {
    fields(message).find_map(|(number, _, bytes)| (number == field).then_some(bytes?))
}

/// The first numeric field with this number.
fn number_in(message: &[u8], field: u64) -> Option<u64> {
    fields(message)
        .find_map(|(number, value, bytes)| (number == field && bytes.is_none()).then_some(value))
}

/// Number, value, and bytes if it is of that kind, of each field in turn; ends
/// where it does not understand.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, u64, Option<&[u8]>)> {
    std::iter::from_fn(move || {
        let tag = take_number(&mut message)?;
        let value = take_number(&mut message)?;
        match (tag & 7) as u8 {
            NUMBER => Some((tag >> 3, value, None)),
            LENGTH => {
                let bytes = message.split_off(..usize::try_from(value).ok()?)?;
                Some((tag >> 3, value, Some(bytes)))
            }
            _ => None,
        }
    })
}

fn take_number(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";
/// Of `etcdserverpb.RangeResponse`.
const KEY_VALUES: u64 = 2;
/// Kinds of fields.
const NUMBER: u8 = 0;
const LENGTH: u8 = 2;
/// What stands before each message: whether it is compressed, and its length.
const FRAME_HEAD_BYTES: usize = 5;
