//! Reads a log from its first segment to its last, and says what it is worth.
//!
//! One segment lies in memory at a time, and of each block the records alone.
//! Total: any bytes have a verdict.

use alloc::vec::Vec;

use bytes::Bytes;

use super::block::Head;
use super::{
    BadHeader, Chain, Damage, Fault, Hit, Lsn, Owner, Place, RecordError, SECTOR_BYTES_MIN,
    Segment, Verdict, record,
};
use crate::codec::wire::Reader;
use crate::log::{Entry, Record};
use crate::types::Incarnation;

/// Slots of a damaged block that are reported; the rest is for the reader to guess.
const HITS_MAX: usize = 64;

/// Where a log begins: what lay before has been trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// The first segment.
    pub segment: u64,
    /// What its first block must say.
    pub chain: Chain,
}

impl Start {
    /// The start of a log that was never trimmed.
    pub const FIRST: Start = Start { segment: 1, chain: Chain::FIRST };
}

/// What is known of a log before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expected {
    /// Whose log it is.
    pub owner: Owner,
    /// Where it begins.
    pub start: Start,
    /// The last segment whose header is known to be durable: up to this one, none
    /// may be missing. Zero if nothing is known.
    pub made: u64,
}

/// A sound block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it stands.
    pub place: Place,
    /// Its number.
    pub lsn: Lsn,
    /// The head crc of the block before it; zero before the first.
    pub link: u32,
    /// The life that wrote it.
    pub incarnation: Incarnation,
    /// Its records that this version knows, in order; none in a mark.
    pub records: Vec<Record>,
}

/// The last sound block, for the next life to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// What it continued.
    pub before: Chain,
    /// The bytes of its records.
    pub bytes: Bytes,
    /// How many records these are.
    pub records: u32,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Segments, up to the first damage.
    pub segments: u64,
    /// Sound blocks, without repetitions.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// Records that this version does not know and need not.
    pub skipped: u64,
    /// Bytes of all blocks, with heads, padding and repetitions.
    pub bytes: u64,
}

/// What a log is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Whether anything is wrong. If there is damage, the rest speaks of the part
    /// before it.
    pub verdict: Verdict,
    /// What the next block must say.
    pub chain: Chain,
    /// The last sound block; none in an empty log.
    pub last: Option<Last>,
    /// After the last sound block; offset zero of the first segment if there is none.
    pub end: Place,
    /// The highest life that wrote a block; zero in an empty log.
    pub incarnation: Incarnation,
    /// Segments behind the last block that hold nothing yet, ascending.
    pub spares: Vec<Segment>,
    /// Numbers of segments whose making a crash cut short: they have no header and
    /// no block. To be made anew.
    pub unmade: Vec<u64>,
    /// The number behind all segments.
    pub next_segment: u64,
    /// What was counted.
    pub tally: Tally,
}

/// Scans a log that lies in memory. Segments come in ascending order.
pub fn scan<'a>(
    expected: Expected,
    segments: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> (Vec<Block>, Scan) {
    let mut blocks = Vec::new();
    let mut scanner = Scanner::new(expected);
    for (seq, bytes) in segments {
        scanner.segment(seq, bytes, &mut |block| blocks.push(block));
    }
    (blocks, scanner.finish())
}

/// A scan under way.
#[derive(Clone, Debug)]
pub struct Scanner {
    expected: Expected,
    /// The state of the scan so far; `verdict` means "up to here".
    so_far: Scan,
    /// Where a file ends too early, unless the log goes on in the next one.
    short: Option<Place>,
}

/// How a sound head continues the log.
enum Step {
    Next,
    /// The first block of a life repeats the last one of the life before.
    Repeat,
    /// The same, and the log begins behind it.
    Before,
}

impl Scanner {
    /// A scan that has seen nothing yet.
    pub fn new(expected: Expected) -> Scanner {
        let Start { segment, chain } = expected.start;
        Scanner {
            expected,
            so_far: Scan {
                verdict: Verdict::Clean,
                chain,
                last: None,
                end: Place { segment, offset: 0 },
                incarnation: Incarnation(0),
                spares: Vec::new(),
                unmade: Vec::new(),
                next_segment: segment,
                tally: Tally::default(),
            },
            short: None,
        }
    }

    /// Takes in the next segment, whole: `seq` is the number in its name. Hands its
    /// sound blocks to `each`, in order. Segments before the log's start, and all
    /// after damage, are passed over.
    ///
    /// What a disk cannot read is given as zeros.
    pub fn segment(&mut self, seq: u64, bytes: &[u8], each: &mut dyn FnMut(Block)) {
        if self.is_damaged() || seq < self.so_far.next_segment {
            return;
        }
        if seq > self.so_far.next_segment {
            return self.miss_segment();
        }
        self.so_far.next_segment = seq.saturating_add(1);
        self.so_far.tally.segments += 1;
        match self.header(seq, bytes) {
            Ok(Some(segment)) => self.blocks(&segment, bytes, each),
            Ok(None) => self.so_far.unmade.push(seq),
            Err(fault) => self.damage(Place { segment: seq, offset: 0 }, fault, None),
        }
    }

    /// That there are no more segments.
    pub fn finish(mut self) -> Scan {
        if let Some(place) = self.short.filter(|_| !self.is_damaged()) {
            self.damage(place, Fault::Short, None);
        }
        if !self.is_damaged() && self.so_far.next_segment <= self.expected.made {
            self.miss_segment();
        }
        // Where the log was made to begin behind others, there was a synced block.
        if !self.is_damaged() && self.so_far.last.is_none() && self.so_far.chain != Chain::FIRST {
            self.lose(Place { segment: self.expected.start.segment, offset: 0 }, None, None);
        }
        self.so_far
    }

    fn is_damaged(&self) -> bool {
        matches!(self.so_far.verdict, Verdict::Damaged(_))
    }

    fn miss_segment(&mut self) {
        let place = Place { segment: self.so_far.next_segment, offset: 0 };
        self.damage(place, Fault::Missing, None);
    }

    fn damage(&mut self, place: Place, fault: Fault, hit: Option<(&Head, &[u8])>) {
        let hits = hit.map(|(head, bytes)| salvage(head, bytes)).unwrap_or_default();
        self.so_far.verdict = Verdict::Damaged(Damage { place, fault, hits });
    }

    /// The segment's header; none if the segment was never made.
    fn header(&self, seq: u64, bytes: &[u8]) -> Result<Option<Segment>, Fault> {
        let Expected { owner, made, .. } = self.expected;
        match Segment::decode(bytes) {
            Ok(segment) if segment.owner != owner => Err(Fault::Foreign(segment.owner)),
            Ok(segment) if segment.seq != seq => Err(Fault::Misplaced(segment.seq)),
            Ok(segment) => Ok(Some(segment)),
            Err(BadHeader::Unsupported(_)) => Err(Fault::Unsupported),
            // Headers are durable before blocks are written: where a block was begun,
            // there was a header.
            Err(BadHeader::Unreadable) => {
                let in_use = |head: &Head| head.is_of_seq(seq);
                let begun = seq <= made || find(bytes, 0, SECTOR_BYTES_MIN, in_use).is_some();
                if begun { Err(Fault::Header) } else { Ok(None) }
            }
        }
    }

    fn blocks(&mut self, segment: &Segment, bytes: &[u8], each: &mut dyn FnMut(Block)) {
        let sector = segment.sector_bytes;
        let place = |at: usize| Place { segment: segment.seq, offset: at as u64 };
        let mut at = sector as usize;
        let mut begun = None;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(head) = Head::decode(rest).filter(|head| head.is_of(segment)) else { break };
            if !head.is_supported() {
                return self.damage(place(at), Fault::Unsupported, None);
            }
            let first = at == sector as usize;
            let Some(step) = self.step(&head, first) else {
                return self.lose(
                    if first { self.so_far.end } else { place(at) },
                    Some(&head),
                    None,
                );
            };
            let Some(records) = head.records(rest, sector) else {
                begun = Some(head);
                break;
            };
            if let Err(fault) = self.accept(&step, &head, records, place(at), each) {
                return self.damage(place(at), fault, None);
            }
            at += head.span(sector);
            self.so_far.end = place(at);
            self.so_far.tally.bytes += head.span(sector) as u64;
        }
        self.stop(segment, bytes, at, begun);
    }

    /// The sound blocks of a segment end at `at`; `begun` is the block there, if its
    /// head is sound.
    fn stop(&mut self, segment: &Segment, bytes: &[u8], at: usize, begun: Option<Head>) {
        let sector = segment.sector_bytes;
        let place = Place { segment: segment.seq, offset: at as u64 };
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some(behind) = find(rest, sector as usize, sector, |head| head.is_of(segment)) {
            return self.lose(place, Some(&behind), begun.as_ref().map(|head| (head, rest)));
        }
        let untouched = is_zero(rest) || Head::decode(rest).is_some();
        if (bytes.len() as u64) < segment.capacity {
            self.short = Some(Place { segment: segment.seq, offset: bytes.len() as u64 });
        }
        if begun.is_some() || !untouched {
            // Only one block was in flight. If another segment ends in ruins as well, the
            // ruin there was a block once, and synced before this segment was entered.
            if let Verdict::Torn(before) = self.so_far.verdict {
                return self.lose(before, None, None);
            }
            self.so_far.verdict = Verdict::Torn(place);
        } else if at == sector as usize {
            self.so_far.spares.push(*segment);
        }
    }

    fn lose(&mut self, place: Place, found: Option<&Head>, hit: Option<(&Head, &[u8])>) {
        let found = found.map(|head| head.chain.lsn);
        let fault = Fault::Lost { expected: self.so_far.chain.lsn, found };
        self.damage(place, fault, hit);
    }

    /// How the block continues the log; none if it does not.
    fn step(&self, head: &Head, first: bool) -> Option<Step> {
        if head.chain == self.so_far.chain {
            return Some(Step::Next);
        }
        if !first {
            return None;
        }
        let Some(last) = &self.so_far.last else {
            let begins = head.chain.after(head.crc) == self.so_far.chain;
            return begins.then_some(Step::Before);
        };
        match last.records {
            _ if last.before != head.chain => None,
            n if n == head.records => Some(Step::Repeat),
            // Instead of a mark.
            0 => Some(Step::Next),
            _ => None,
        }
    }

    fn accept(
        &mut self,
        step: &Step,
        head: &Head,
        records: &[u8],
        place: Place,
        each: &mut dyn FnMut(Block),
    ) -> Result<(), Fault> {
        let so_far = &mut self.so_far;
        // Whatever stood behind the last block was cut by the life that wrote this one.
        so_far.verdict = Verdict::Clean;
        self.short = None;
        so_far.spares.clear();
        so_far.incarnation = so_far.incarnation.max(head.incarnation);
        so_far.chain = head.chain.after(head.crc);
        if let Step::Before = step {
            return Ok(());
        }
        if let Step::Repeat = step {
            let same = so_far.last.as_ref().is_some_and(|last| last.bytes == records);
            let (expected, found) = (so_far.chain.lsn, Some(head.chain.lsn));
            return if same { Ok(()) } else { Err(Fault::Lost { expected, found }) };
        }
        // A copy, so that the little that a block holds does not keep a whole segment.
        let bytes = Bytes::copy_from_slice(records);
        let known = decode_records(&bytes, head.records).map_err(Fault::Record)?;
        so_far.tally.blocks += 1;
        so_far.tally.records += known.len() as u64;
        so_far.tally.skipped += u64::from(head.records) - known.len() as u64;
        so_far.last = Some(Last { before: head.chain, bytes, records: head.records });
        let (Chain { lsn, link }, incarnation) = (head.chain, head.incarnation);
        each(Block { place, lsn, link, incarnation, records: known });
        Ok(())
    }
}

/// By comparison with zeros, which is fast in every build: tails are long.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|part| *part == ZEROS[..part.len()])
}

/// The first sound head from `from` on that stands at a sector's front and is one
/// of those.
fn find(bytes: &[u8], from: usize, sector: u32, one: impl Fn(&Head) -> bool) -> Option<Head> {
    let fronts = (from..bytes.len()).step_by(sector as usize);
    fronts.filter_map(|at| Head::decode(&bytes[at..])).find(one)
}

fn decode_records(bytes: &Bytes, count: u32) -> Result<Vec<Record>, RecordError> {
    let mut reader = Reader::of_own(bytes);
    let mut records = Vec::new();
    for _ in 0..count {
        records.extend(record::take(&mut reader)?);
    }
    reader.finish()?;
    Ok(records)
}

/// What the records of a rotten block spoke of, as far as they can be read.
fn salvage(head: &Head, bytes: &[u8]) -> Vec<Hit> {
    let bytes = Bytes::copy_from_slice(head.remains(bytes));
    let mut reader = Reader::of_own(&bytes);
    let mut hits = Vec::new();
    while let Ok(Some(record)) = record::take(&mut reader) {
        if hits.len() == HITS_MAX {
            break;
        }
        let slots = match &record.entry {
            Entry::Promised(_) => Default::default(),
            Entry::Voted { run, .. } | Entry::Learned { run } => (run.first, run.end()),
            Entry::Chosen { .. }
            | Entry::Trimmed { .. }
            | Entry::Reached { .. }
            | Entry::Relieved { .. }
            | Entry::Founding(_) => continue,
        };
        hits.push(Hit { group: record.group, slots });
    }
    hits
}
