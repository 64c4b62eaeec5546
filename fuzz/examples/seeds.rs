//! Writes inputs to begin fuzzing with: sound words of every kind, for mutation
//! to break. Give it a folder; it makes one folder in it for every target.

use std::path::Path;
use std::{env, fs, io, process};

use bytes::BytesMut;
use paxos_core::codec::wal::{Draft, Expected, Owner, Segment, Start, Tail, scan};
use paxos_core::codec::{envelope, frame};
use paxos_core::effect::{Effect, Input};
use paxos_core::log::Batch;
use paxos_core::message::Envelope;
use paxos_core::types::{Incarnation, Instant, Life, NodeId, Past, Rng};
use paxos_fuzz::step::{Listener, run_aloud};

/// Scripts of every kind.
const SCRIPTS: u64 = 48;

/// Messages and batches that seeds are made of.
const KEPT_MAX: usize = 96;

fn main() {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        process::exit(2);
    };
    if let Err(e) = write_all(Path::new(&folder)) {
        eprintln!("{folder}: {e}");
        process::exit(1);
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    let scripts: Vec<Vec<u8>> = (0..SCRIPTS).map(script).collect();
    let mut heard = Heard::default();
    scripts.iter().for_each(|script| run_aloud(script, &mut heard));
    for target in ["cluster", "step", "wal_crash", "linear"] {
        write(folder, target, &scripts)?;
    }
    write(folder, "envelope", &heard.envelopes.iter().map(spelled).collect::<Vec<_>>())?;
    write(folder, "frames", &heard.envelopes.chunks(4).map(framed).collect::<Vec<_>>())?;
    write(folder, "wal_scan", &heard.batches.chunks(5).map(logged).collect::<Vec<_>>())?;
    write(folder, "resp", &RESP.map(|stream| [b"\0", stream].concat()))?;
    write(folder, "kv", &LINES.map(commands))
}

fn write(folder: &Path, target: &str, inputs: &[Vec<u8>]) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), input)?;
    }
    Ok(())
}

fn script(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..40 + rng.below(360)).map(|_| rng.below(256) as u8).collect()
}

/// Keeps some of every kind of message, and some batches.
#[derive(Default)]
struct Heard {
    envelopes: Vec<Envelope>,
    batches: Vec<Batch>,
}

impl Heard {
    fn keep(&mut self, envelope: &Envelope) {
        let name = envelope.message.name();
        let alike = self.envelopes.iter().filter(|e| e.message.name() == name).count();
        if alike < KEPT_MAX / 18 && !self.envelopes.contains(envelope) {
            self.envelopes.push(envelope.clone());
        }
    }
}

impl Listener for Heard {
    fn on_input(&mut self, _: Instant, input: &Input) {
        if let Input::Received(envelope) = input
            && !envelope_is_unspeakable(envelope)
        {
            self.keep(envelope);
        }
    }

    fn on_order(&mut self, _: Instant, order: &Effect) {
        match order {
            Effect::Send { envelope, .. } => self.keep(envelope),
            Effect::Persist(batch) if self.batches.len() < KEPT_MAX => {
                self.batches.push(batch.clone());
            }
            _ => {}
        }
    }

    fn on_restart(&mut self, _: Instant) {}
}

/// Whether the wire has no spelling for it: a run beyond the last number.
fn envelope_is_unspeakable(said: &Envelope) -> bool {
    envelope::decode(&spelled(said).into()).is_err()
}

fn spelled(said: &Envelope) -> Vec<u8> {
    let mut bytes = Vec::new();
    envelope::encode(said, &mut bytes);
    bytes
}

/// A stream in pieces of seven bytes.
fn framed(said: &[Envelope]) -> Vec<u8> {
    let mut stream = BytesMut::new();
    let (node, to) = (NodeId(2), NodeId(1));
    let hello = frame::Hello {
        versions: frame::Versions::SPOKEN,
        cluster: 1,
        node,
        to,
        life: Life { disk: 1, this: Incarnation(1), before: Past::default() },
        heard_disk: 0,
        heard_life: Incarnation(0),
        lease_us: 0,
    };
    frame::put_hello(&mut stream, &hello);
    frame::put_messages(&mut stream, frame::VERSION, said);
    [&[7][..], &stream].concat()
}

/// One segment with a block for each batch, as long as there is room.
fn logged(batches: &[Batch]) -> Vec<u8> {
    let owner = Owner { cluster: 1, node: NodeId(1) };
    let segment = Segment {
        owner,
        seq: 1,
        salt: 0x9E37_79B9_7F4A_7C15,
        sector_bytes: 512,
        capacity: 6 * 512,
    };
    let mut bytes = segment.encode();
    let (_, empty) = scan(Expected { owner, start: Start::FIRST, made: 0 }, []);
    let (mut tail, _) = Tail::resume(&empty, segment, Incarnation(1));
    for batch in batches {
        let mut draft = Draft::new();
        batch.records.iter().for_each(|r| draft.push(r).expect("a short record"));
        if !tail.fits(&draft) {
            break;
        }
        bytes.extend_from_slice(tail.seal(&mut draft).bytes);
    }
    [&[0][..], &bytes].concat()
}

/// Requests and replies as they stand in a stream.
const RESP: [&[u8]; 12] = [
    b"*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"SET k 'a b' \"c\\x00\"\r\nGET k\r\n\r\n",
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    b"*0\r\n*-1\r\n$-1\r\n",
    b"+OK\r\n-ERR no\r\n:-12\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n",
    b"*3\r\n:1\r\n*1\r\n+x\r\n$0\r\n\r\n",
    b"%1\r\n+k\r\n,1.5\r\n~2\r\n#t\r\n_\r\n(123456789012345678901\r\n",
    b"=7\r\ntxt:abc\r\n!5\r\nERR x\r\n>1\r\n+push\r\n|1\r\n+a\r\n:1\r\n+b\r\n",
    b"*1048577\r\n$536870913\r\n",
    b"*2\r\n$-5\r\n:99999999999999999999\r\n",
    b",inf\r\n,-inf\r\n,nan\r\n",
];

/// Command lines, one set for each input.
const LINES: [&[&str]; 6] = [
    &["SET k v", "GET k", "SETNX k w", "APPEND k x", "STRLEN k", "DEL k"],
    &["INCR n", "INCRBY n 41", "DECR n", "SET n x", "INCR n"],
    &["MSET a 1 b 2", "MGET a b c", "EXISTS a b a", "KEYS *", "SCAN 0 MATCH ? COUNT 1"],
    &["SET k v PX 100", "TTL k", "PTTL k", "PERSIST k", "EXPIRE k 1", "GET k"],
    &["SET k v NX GET", "SET k w XX KEEPTTL", "GETDEL k", "GETSET k v", "SETRANGE k 3 x"],
    &["FLUSHALL", "DBSIZE", "TYPE k", "RENAME a b", "CAS k v w", "NOSUCH"],
];

/// Pieces of a length, a mode, and a line.
fn commands(lines: &[&str]) -> Vec<u8> {
    let piece = |line: &&str| [&[line.len() as u8 + 1, 1], line.as_bytes()].concat();
    lines.iter().flat_map(piece).collect()
}
