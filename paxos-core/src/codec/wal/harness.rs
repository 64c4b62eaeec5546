//! What must hold for any log, for fuzzers; see [`harness`](crate::codec::harness).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::block::{self, HEAD_BYTES};
use super::crash::Model;
use super::{Block, Chain, Expected, Owner, Scan, Segment, Start, Tail, Verdict, field, scan};
use crate::types::{Incarnation, NodeId};

/// Small, so that little input makes many sectors.
pub(super) const SECTOR: u32 = 512;

/// Small, so that logs roll.
pub(super) const CAPACITY: u64 = 6 * SECTOR as u64;

pub(super) const OWNER: Owner = Owner { cluster: 1, node: NodeId(1) };

/// The bytes of every segment, by number.
pub(super) type Image = BTreeMap<u64, Vec<u8>>;

/// Any bytes are a log with a verdict; cutting what is torn and going on from
/// there loses no block.
///
/// The first byte says in how many segments the rest falls. The log is scanned as
/// it stands, and again with sums put right, so that fuzzers get behind them.
pub fn wal_scan(data: &[u8]) {
    let Some((segments, rest)) = data.split_first() else { return };
    let length = rest.len() / (1 + usize::from(segments % 3)) + 1;
    let raw: Image = (1..).zip(rest.chunks(length).map(Vec::from)).collect();
    check(raw.clone());
    check(mended(raw));
}

/// A log that is written, torn and lost by a script keeps what it acknowledged,
/// makes nothing up, and calls nothing damaged that is merely torn.
pub fn wal_crash(data: &[u8]) {
    Model::run(data);
}

pub(super) fn scan_image(image: &Image, made: u64) -> (Vec<Block>, Scan) {
    let expected = Expected { owner: OWNER, start: Start::FIRST, made };
    scan(expected, image.iter().map(|(seq, bytes)| (*seq, &bytes[..])))
}

pub(super) fn segment(seq: u64) -> Segment {
    // Not random, but no two alike.
    Segment {
        owner: OWNER,
        seq,
        salt: seq.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        sector_bytes: SECTOR,
        capacity: CAPACITY,
    }
}

fn check(mut image: Image) {
    let (blocks, found) = scan_image(&image, 0);
    assert_eq!(scan_image(&image, 0), (blocks.clone(), found.clone()), "not a function");
    match found.verdict {
        Verdict::Damaged(_) => return,
        Verdict::Torn(place) => {
            let bytes = image.get_mut(&place.segment).expect("a segment that was scanned");
            bytes[place.offset as usize..].fill(0);
        }
        Verdict::Clean => {}
    }
    let (again, cut) = scan_image(&image, 0);
    assert_eq!(cut.verdict, Verdict::Clean, "cut, and still not clean");
    assert_eq!(again, blocks, "the cut cost a block");
    resume(&mut image, &cut);
    let (again, resumed) = scan_image(&image, 0);
    assert_eq!(resumed.verdict, Verdict::Clean, "resumed, and not clean");
    assert_eq!(again, blocks, "the new life cost a block");
    assert_eq!(resumed.chain.lsn, cut.chain.lsn, "the repetition moved the end");
}

/// Begins a new life behind all segments.
fn resume(image: &mut Image, scan: &Scan) {
    image.retain(|seq, _| !scan.unmade.contains(seq));
    let fresh = segment(scan.unmade.first().copied().unwrap_or(scan.next_segment));
    let mut bytes = fresh.encode();
    let (mut tail, repeat) = Tail::resume(scan, fresh, Incarnation(1));
    if let Some(mut repeat) = repeat {
        bytes.extend(tail.seal(&mut repeat).bytes);
    }
    bytes.resize(bytes.len().max(CAPACITY as usize), 0);
    image.insert(fresh.seq, bytes);
}

/// The image with good headers before the bytes, and a good head wherever a
/// sector begins with a `P`; what a head says of its place in the log is right if
/// the byte after that is even.
fn mended(raw: Image) -> Image {
    let mut chain = Chain::FIRST;
    let mend = |(seq, body): (u64, Vec<u8>)| {
        let segment = segment(seq);
        let mut bytes = segment.encode();
        bytes.extend(body);
        bytes.resize(bytes.len().max(CAPACITY as usize), 0);
        let mut at = SECTOR as usize;
        while bytes.len() >= at + HEAD_BYTES {
            at += if bytes[at] == b'P' {
                mend_block(&mut bytes, at, &segment, &mut chain)
            } else {
                SECTOR as usize
            };
        }
        (seq, bytes)
    };
    raw.into_iter().map(mend).collect()
}

/// Makes a block of what stands at `at`; returns its length.
fn mend_block(bytes: &mut Vec<u8>, at: usize, segment: &Segment, chain: &mut Chain) -> usize {
    let [_, lie, length, records] = field(bytes, at);
    let end = bytes.len().min(at + HEAD_BYTES + 4 * usize::from(length));
    let mut block = Vec::from(&bytes[at..end]);
    let told = if lie % 2 == 0 { *chain } else { Chain { link: u32::from(lie), ..*chain } };
    let crc = block::seal(&mut block, u32::from(records), segment, told, Incarnation(1));
    if told == *chain {
        *chain = chain.after(crc);
    }
    bytes.resize(bytes.len().max(at + block.len()), 0);
    bytes[at..at + block.len()].copy_from_slice(&block);
    block.len()
}
