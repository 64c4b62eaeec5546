//! What a fuzzer drives: arbitrary bytes as payloads and as command lines.

use bytes::Bytes;

use super::{Command, Limits, Machine, Query, Request, Restore, parse};

/// Reads `data` as a run of length-prefixed pieces, each a payload for the
/// machine or a command line, and applies them on two machines.
///
/// # Panics
/// If the machines come to differ, if what was encoded does not decode to
/// itself, or if a snapshot does not restore the state: those are the bugs.
pub fn run(data: &[u8]) {
    let limits = small_limits();
    let mut machines = [Machine::new(limits.clone()), Machine::new(limits.clone())];
    for (number, piece) in pieces(data).take(PIECES_MAX).enumerate() {
        let slot = number as u64;
        let Some((mode, rest)) = piece.split_first() else { continue };
        let payload = match mode % 4 {
            0 => Bytes::copy_from_slice(rest),
            _ => match command_line(rest, &limits) {
                Some(command) => encoded(&command, slot * u64::from(*mode)),
                None => continue,
            },
        };
        apply(&mut machines, slot, &payload);
    }
    assert_restores(&machines[0]);
}

fn apply(machines: &mut [Machine; 2], slot: u64, payload: &Bytes) {
    let [first, second] = machines;
    // Nor must it that one has looked ahead.
    first.prepare([payload, payload].into_iter());
    first.look_at_reads([Query::Get { key: payload.clone() }].iter());
    let answer = first.apply(slot, payload);
    // Another buffer behind the payload must make no difference.
    let padded = [b"pad", &payload[..]].concat();
    assert_eq!(answer, second.apply(slot, &Bytes::from(padded).slice(3..)));
    assert_eq!(first.digest(), second.digest(), "replicas differ after slot {slot}");
    assert_eq!((first.len(), first.bytes()), (second.len(), second.bytes()));
}

fn command_line(line: &[u8], limits: &Limits) -> Option<Command> {
    let words: Vec<_> = line.split(|byte| *byte == b' ').map(Bytes::copy_from_slice).collect();
    parse(&words, limits)?.ok().map(Request::into_command)
}

fn encoded(command: &Command, stamp: u64) -> Bytes {
    let payload = command.encode(stamp);
    assert_eq!(payload.len(), command.encoded_len());
    assert_eq!(Command::decode(&payload).as_ref(), Ok(&(stamp, command.clone())));
    payload
}

fn assert_restores(machine: &Machine) {
    let mut restore = Restore::new(machine.limits().clone());
    for chunk in machine.image().chunks(64) {
        restore.push(&chunk).expect("an image of ours is well-formed");
    }
    let restored = restore.finish().expect("an image of ours is whole");
    assert_eq!(restored.digest(), machine.digest());
}

/// Cuts the data into pieces: a length byte, then so many bytes.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first()?;
        let (piece, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        Some(piece)
    })
}

/// Limits that short inputs can reach.
fn small_limits() -> Limits {
    Limits {
        key_bytes_max: 64,
        value_bytes_max: 256,
        answer_bytes_max: 512,
        purged_keys_max: 2,
        scan_examined_max: 4,
        shared_value_bytes_min: 16,
        ..Limits::default()
    }
}

/// Digests look at every entry, so a long input would take quadratic time.
const PIECES_MAX: usize = 1000;
