//! A model of a disk under a log: what is written lies in a cache until it is
//! synced, and a crash keeps any part of it.
//!
//! A script of bytes drives the model, so that a fuzzer's bytes, a property test's
//! and a seed's are one format.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use super::harness::{CAPACITY, Image, SECTOR, scan_image, segment};
use super::{Draft, Tail, Verdict, Write};
use crate::log::{Entry, Record};
use crate::types::{Ballot, Command, GroupId, Incarnation, NodeId, Run, Slot, Value};

/// Segments of one run; bounds what a script can cost.
const SEGMENTS_MAX: u64 = 40;

/// One sector of one segment.
type Sector = (u64, u64);

/// The disk, the log that is written to it, and what was acknowledged.
pub(super) struct Model {
    /// What a loss of power leaves.
    disk: Image,
    /// What is written and not synced; seen by every reader until the power fails.
    cache: BTreeMap<Sector, Vec<u8>>,
    /// Cached sectors that a failed sync has marked clean: no sync writes them.
    ghosts: BTreeSet<Sector>,
    /// The power fails once more while the next life begins, and this mask's stay.
    interrupt: Option<u8>,
    made: u64,
    life: Incarnation,
    tail: Tail,
    /// The rounds of the promises that were written, oldest first.
    written: Vec<u64>,
    /// How many of them were acknowledged.
    acked: usize,
}

/// How the machine fails.
enum Failure {
    /// The process dies, the machine goes on.
    Process,
    /// The power fails: of the sectors in flight, the mask's stay.
    Power(u8),
}

impl Model {
    pub(super) fn run(script: &[u8]) {
        let mut model = Model::new();
        for op in script.chunks_exact(2) {
            if model.made > SEGMENTS_MAX {
                break;
            }
            model.act(op[0], op[1]);
        }
        model.fail(Failure::Power(0));
    }

    fn new() -> Model {
        let (_, empty) = scan_image(&Image::new(), 0);
        let (tail, _) = Tail::resume(&empty, segment(1), Incarnation(1));
        let mut model = Model {
            disk: Image::new(),
            cache: BTreeMap::new(),
            ghosts: BTreeSet::new(),
            interrupt: None,
            made: 0,
            life: Incarnation(0),
            tail,
            written: Vec::new(),
            acked: 0,
        };
        model.open();
        model
    }

    fn act(&mut self, op: u8, arg: u8) {
        match op % 9 {
            // Written, synced, acknowledged.
            0..=2 => {
                self.append(arg);
                self.sync();
                self.acked = self.written.len();
            }
            // Idle.
            3 => self.mark(),
            // The crash comes between the write and the sync.
            4 => {
                self.append(op >> 3);
                self.fail(Failure::Power(arg));
            }
            5 => {
                self.append(arg);
                self.fail(Failure::Process);
            }
            // The sync fails, and the cache forgets that it holds anything new.
            6 => {
                self.append(arg);
                self.ghosts.extend(self.cache.keys().copied());
                self.fail(Failure::Process);
            }
            7 => self.fail(Failure::Power(arg)),
            _ => self.interrupt = Some(arg),
        }
    }

    fn append(&mut self, sectors: u8) {
        let mut draft = Draft::new();
        let round = self.written.len() as u64 + 1;
        self.written.push(round);
        let ballot = Ballot::new(round, NodeId(1));
        let payload = Bytes::from(alloc::vec![0x50; usize::from(sectors % 10) * 300]);
        let run = Run::one(Slot(round), Value::Command(Command::plain(payload)));
        for entry in [Entry::Promised(ballot), Entry::Learned { run }] {
            draft.push(&Record { group: GroupId(0), entry }).expect("a small block");
        }
        if !self.tail.fits(&draft) {
            // A mark may be there.
            self.sync();
            let next = self.make();
            self.tail.enter(next);
        }
        let Model { tail, cache, ghosts, .. } = self;
        put(tail.seal(&mut draft), cache, ghosts);
    }

    fn mark(&mut self) {
        let mut draft = Draft::new();
        if let Some(write) = self.tail.mark(&mut draft) {
            put(write, &mut self.cache, &mut self.ghosts);
        }
    }

    /// A new segment, its header durable.
    fn make(&mut self) -> super::Segment {
        self.made += 1;
        let segment = segment(self.made);
        let mut bytes = segment.encode();
        bytes.resize(CAPACITY as usize, 0);
        self.disk.insert(self.made, bytes);
        segment
    }

    fn sync(&mut self) {
        for (sector, bytes) in core::mem::take(&mut self.cache) {
            if self.ghosts.contains(&sector) {
                self.cache.insert(sector, bytes);
            } else {
                put_sector(&mut self.disk, sector, &bytes);
            }
        }
    }

    fn fail(&mut self, failure: Failure) {
        if let Failure::Power(mask) = failure {
            self.ghosts.clear();
            for (i, (sector, bytes)) in core::mem::take(&mut self.cache).into_iter().enumerate() {
                if mask >> (i % 8) & 1 == 1 {
                    put_sector(&mut self.disk, sector, &bytes);
                }
            }
        }
        self.open();
    }

    /// A new life, up to where it may promise things.
    fn open(&mut self) {
        let mut seen = self.disk.clone();
        self.cache.iter().for_each(|(sector, bytes)| put_sector(&mut seen, *sector, bytes));
        let (blocks, found) = scan_image(&seen, self.made);
        match &found.verdict {
            Verdict::Damaged(damage) => panic!("nothing is rotten, yet: {damage}"),
            Verdict::Torn(place) => {
                let bytes =
                    &mut seen.get_mut(&place.segment).expect("scanned")[place.offset as usize..];
                bytes.fill(0);
                let write = Write { segment: place.segment, offset: place.offset, bytes };
                put(write, &mut self.cache, &mut self.ghosts);
                if let Some(mask) = self.interrupt.take() {
                    return self.fail(Failure::Power(mask));
                }
                self.sync();
            }
            Verdict::Clean => {}
        }
        let rounds = blocks.iter().flat_map(|block| &block.records).filter_map(|r| match r.entry {
            Entry::Promised(ballot) => Some(ballot.round),
            _ => None,
        });
        let recovered: Vec<u64> = rounds.collect();
        assert!(recovered.len() >= self.acked, "acknowledged, and lost");
        assert!(self.written.starts_with(&recovered), "made up, or out of order");
        // What is found may still be in flight; only one block may be.
        self.sync();
        self.life = Incarnation(self.life.0 + 1);
        let fresh = found.spares.first().copied().unwrap_or_else(|| self.make());
        let (tail, repeat) = Tail::resume(&found, fresh, self.life);
        self.tail = tail;
        if let Some(mut repeat) = repeat {
            let haunted = !self.ghosts.is_empty();
            put(self.tail.seal(&mut repeat), &mut self.cache, &mut self.ghosts);
            // A failed sync, and then no power before the first sync of the next life, may
            // leave two torn blocks. That is called damage: it cannot be told from it.
            if let Some(mask) = self.interrupt.take().filter(|_| !haunted) {
                return self.fail(Failure::Power(mask));
            }
            self.sync();
        }
        self.acked = recovered.len();
        self.written = recovered;
    }
}

fn put(write: Write<'_>, cache: &mut BTreeMap<Sector, Vec<u8>>, ghosts: &mut BTreeSet<Sector>) {
    let first = write.offset / u64::from(SECTOR);
    for (i, bytes) in (first..).zip(write.bytes.chunks(SECTOR as usize)) {
        ghosts.remove(&(write.segment, i));
        cache.insert((write.segment, i), Vec::from(bytes));
    }
}

fn put_sector(image: &mut Image, (seq, sector): Sector, bytes: &[u8]) {
    let file = image.get_mut(&seq).expect("a segment that was made");
    let at = (sector * u64::from(SECTOR)) as usize;
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at..end].copy_from_slice(bytes);
}
