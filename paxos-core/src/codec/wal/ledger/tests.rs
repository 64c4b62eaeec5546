//! Claims about logs whose front is deleted, whenever that is allowed.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::codec::wal::harness::{CAPACITY, Image, OWNER, SECTOR, segment};
use crate::codec::wal::{Draft, Expected, Fault, Scan, Scanner, Segment, Tail, Verdict, Write};
use crate::log::Durable;
use crate::types::{Command, Incarnation, NodeId, Run, Value};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever was deleted: what is left says what the whole log says.
    #[test]
    fn a_log_says_the_same_without_its_front(
        script in prop::collection::vec(any::<[u8; 3]>(), 0..120),
    ) {
        let mut model = Model::new();
        for op in script {
            model.act(op);
            model.check();
        }
    }
}

/// So that the property above is about something.
#[test]
fn segments_go_when_their_slots_are_trimmed_and_not_before() {
    let mut model = Model::new();
    model.add(promised(3));
    for slot in 1..=12 {
        model.add(voted(3, slot, 700));
    }
    assert_eq!(model.ledger.start(), None, "nothing is trimmed");
    model.add(Entry::Chosen { below: Slot(13) });
    model.add(Entry::Trimmed { below: Slot(9) });
    let first = model.ledger.start().expect("eight slots are gone");
    assert!((2..model.made).contains(&first.segment));
    model.begin(first, 0);
    model.check();
    assert_eq!(*model.image.keys().next().expect("some"), first.segment);
    model.add(Entry::Trimmed { below: Slot(13) });
    assert_eq!(model.ledger.start().map(|start| start.segment), Some(model.made));
}

#[test]
fn one_busy_group_waits_for_the_trimming_of_the_other() {
    let mut model = Model::new();
    model.group = GroupId(9);
    model.add(voted(1, 1, 10));
    model.group = GroupId(0);
    for slot in 1..=12 {
        model.add(voted(1, slot, 700));
    }
    model.add(Entry::Trimmed { below: Slot(13) });
    assert_eq!(model.ledger.start(), None);
    model.group = GroupId(9);
    model.add(Entry::Trimmed { below: Slot(2) });
    assert_eq!(model.ledger.start().map(|start| start.segment), Some(model.made));
}

#[test]
fn the_front_that_is_lost_is_damage_and_not_an_empty_log() {
    let mut model = Model::new();
    for slot in 1..=12 {
        model.add(voted(3, slot, 700));
    }
    model.add(Entry::Trimmed { below: Slot(13) });
    model.begin(model.ledger.start().expect("all slots are gone"), 0);
    assert_eq!(model.image.len(), 1);
    let file = model.image.get_mut(&model.made).expect("the last");
    file[SECTOR as usize..].fill(0);
    let Verdict::Damaged(damage) = model.read().1.verdict else { panic!("promises are lost") };
    assert!(matches!(damage.fault, Fault::Lost { found: None, .. }));
}

#[test]
fn a_restatement_repeats_what_there_is_to_say_of_each_group() {
    let said = |entries: &[Entry]| {
        let mut ledger = Ledger::new();
        let records = entries.iter().cloned().map(|entry| Record { group: GroupId(4), entry });
        ledger.synced(Start::FIRST, &records.collect::<Vec<_>>());
        let all: Vec<Entry> = ledger.restatement().map(|record| record.entry).collect();
        (ledger.floor(GroupId(4)), all)
    };
    let (reached, trimmed) = (
        |below| Entry::Reached { below: Slot(below) },
        |below| Entry::Trimmed { below: Slot(below) },
    );
    assert_eq!(said(&[]), (Slot(1), vec![]));
    let learned = Entry::Learned { run: Run::one(Slot(4), Value::Noop) };
    assert_eq!(said(&[learned]), (Slot(1), vec![reached(5)]));
    let all = [voted(3, 4, 1), promised(7), trimmed(3), Entry::Founding(Founding::Joined)];
    let again = [reached(5), Entry::Founding(Founding::Joined), promised(7), trimmed(3)];
    assert_eq!(said(&all), (Slot(3), again.into()));
    assert_eq!(said(&[trimmed(9)]), (Slot(9), vec![reached(9), trimmed(9)]));
}

fn promised(round: u64) -> Entry {
    Entry::Promised(Ballot::new(round, NodeId(1)))
}

fn voted(round: u64, slot: u64, payload: usize) -> Entry {
    let run = Run::one(Slot(slot), value(slot, round, payload));
    Entry::Voted { ballot: Ballot::new(round, NodeId(1)), run }
}

fn value(slot: u64, round: u64, payload: usize) -> Value {
    let mut bytes = vec![round as u8; payload];
    bytes.extend(slot.to_le_bytes());
    Value::Command(Command::plain(Bytes::from(bytes)))
}

/// A log that grows, and loses its front.
struct Model {
    image: Image,
    /// What the identity has on record.
    start: Start,
    made: u64,
    life: Incarnation,
    tail: Tail,
    ledger: Ledger,
    /// The group that records are of.
    group: GroupId,
    /// What all records ever written say.
    whole: Durable,
}

impl Model {
    fn new() -> Model {
        let found = Scanner::new(expected(Start::FIRST, 0)).finish();
        let mut model = Model {
            image: Image::new(),
            start: Start::FIRST,
            made: 0,
            life: Incarnation(1),
            tail: Tail::resume(&found, segment(1), Incarnation(1)).0,
            ledger: Ledger::new(),
            group: GroupId(0),
            whole: Durable::default(),
        };
        model.make();
        model
    }

    fn act(&mut self, [op, a, b]: [u8; 3]) {
        self.group = GroupId(u64::from(op >> 4) % 2);
        let state = self.whole.group(self.group).cloned().unwrap_or_default();
        let (log, round) = (state.log(), state.promised().round.max(1));
        let at = log.floor().plus(u64::from(a % 8));
        let is_open = log.get(at).is_none_or(|cell| !cell.chosen) && at >= log.chosen();
        // One value for one slot under one ballot.
        let payload = (at.0 * 7 + round) as usize % 10 * 100;
        match op % 10 {
            0 => self.add(promised(round + u64::from(a % 2))),
            1..=4 if is_open => self.add(voted(round, at.0, payload)),
            5 if is_open => {
                let run = Run::one(at, value(at.0, 0, payload));
                self.add(Entry::Learned { run });
            }
            6 if log.get(log.chosen()).is_some() => {
                self.add(Entry::Chosen { below: log.chosen().next() });
            }
            7 if a > 200 => self.add(Entry::Trimmed { below: log.end().plus(u64::from(b % 4)) }),
            7 => self.add(Entry::Trimmed { below: log.chosen() }),
            8 => self.open(a, b),
            9 => {
                let start = self.ledger.start().unwrap_or(self.start);
                self.begin(start, a);
            }
            _ => self.mark(),
        }
    }

    /// Writes a record and syncs it, in the next segment if there is no room.
    fn add(&mut self, entry: Entry) {
        let record = Record { group: self.group, entry };
        let mut draft = Draft::new();
        draft.push(&record).expect("small");
        let mut records = vec![record.clone()];
        if !self.tail.fits(&draft) {
            let next = self.make();
            self.tail.enter(next);
            if self.made.is_multiple_of(2) {
                self.restate();
            } else {
                records = self.ledger.restatement().chain([record.clone()]).collect();
                draft = restatement(&records);
            }
        }
        let at = self.here();
        put(&mut self.image, self.tail.seal(&mut draft), u64::MAX);
        self.ledger.synced(at, &records);
        self.whole.replay(record).expect("no contradiction");
    }

    fn restate(&mut self) {
        let records: Vec<Record> = self.ledger.restatement().collect();
        let mut draft = restatement(&records);
        if !draft.is_empty() {
            let at = self.here();
            put(&mut self.image, self.tail.seal(&mut draft), u64::MAX);
            self.ledger.synced(at, &records);
        }
    }

    fn mark(&mut self) {
        let mut draft = Draft::new();
        if let Some(write) = self.tail.mark(&mut draft) {
            put(&mut self.image, write, u64::MAX);
        }
    }

    /// The power fails, perhaps while a segment is entered: of the sectors in flight
    /// the mask's stay. Another life begins.
    fn open(&mut self, mask: u8, how: u8) {
        let records: Vec<Record> = self.ledger.restatement().collect();
        let mut draft = restatement(&records);
        if how.is_multiple_of(3) && !draft.is_empty() {
            let next = self.make();
            self.tail.enter(next);
            put(&mut self.image, self.tail.seal(&mut draft), u64::from(mask));
        }
        let (ledger, found) = self.read();
        assert!(!matches!(found.verdict, Verdict::Damaged(_)), "{}", found.verdict);
        if let Verdict::Torn(place) = found.verdict {
            let file = self.image.get_mut(&place.segment).expect("scanned");
            file[place.offset as usize..].fill(0);
        }
        self.ledger = ledger;
        self.life = Incarnation(self.life.0 + 1);
        let fresh = found.spares.first().copied().unwrap_or_else(|| self.make());
        let (tail, repeat) = Tail::resume(&found, fresh, self.life);
        self.tail = tail;
        if let Some(mut repeat) = repeat {
            put(&mut self.image, self.tail.seal(&mut repeat), u64::MAX);
        }
        if how < 200 && self.tail.fits(&restatement(&records)) {
            self.restate();
        }
    }

    /// Puts `start` on record, and deletes those segments before that the mask names
    /// not.
    fn begin(&mut self, start: Start, mask: u8) {
        self.start = start;
        self.image.retain(|seq, _| *seq >= start.segment || mask >> (seq % 8) & 1 == 1);
    }

    fn check(&self) {
        let recorded = [Some(self.start), self.ledger.start()];
        for start in recorded.into_iter().flatten() {
            let (durable, ledger, found) = self.read_from(start);
            assert_eq!(found.verdict, Verdict::Clean, "from {start:?}");
            assert_eq!(durable, self.whole, "from {start:?}");
            assert_eq!(ledger.start(), self.ledger.start(), "a start is found again");
            assert!(ledger.restatement().eq(self.ledger.restatement()));
        }
    }

    fn read(&self) -> (Ledger, Scan) {
        let (_, ledger, found) = self.read_from(self.start);
        (ledger, found)
    }

    fn read_from(&self, start: Start) -> (Durable, Ledger, Scan) {
        let (mut durable, mut ledger) = (Durable::default(), Ledger::new());
        let mut scanner = Scanner::new(expected(start, self.made));
        for (seq, bytes) in &self.image {
            scanner.segment(*seq, bytes, &mut |block| {
                ledger.found(&block);
                let mut records = block.records.into_iter();
                records.try_for_each(|r| durable.replay(r)).expect("no contradiction");
            });
        }
        (durable, ledger, scanner.finish())
    }

    fn here(&self) -> Start {
        Start { segment: self.tail.segment().seq, chain: self.tail.chain() }
    }

    fn make(&mut self) -> Segment {
        self.made += 1;
        let mut bytes = segment(self.made).encode();
        bytes.resize(CAPACITY as usize, 0);
        self.image.insert(self.made, bytes);
        segment(self.made)
    }
}

fn expected(start: Start, made: u64) -> Expected {
    Expected { owner: OWNER, start, made }
}

fn restatement(records: &[Record]) -> Draft {
    let mut draft = Draft::new();
    records.iter().for_each(|record| draft.push(record).expect("small"));
    draft
}

/// Writes those sectors that the mask names.
fn put(image: &mut Image, write: Write<'_>, mask: u64) {
    let file = image.get_mut(&write.segment).expect("made before");
    let end = write.offset as usize + write.bytes.len();
    file.resize(file.len().max(end), 0);
    for (i, sector) in write.bytes.chunks(SECTOR as usize).enumerate() {
        if mask >> (i % 64) & 1 == 1 {
            let at = write.offset as usize + i * SECTOR as usize;
            file[at..at + sector.len()].copy_from_slice(sector);
        }
    }
}
