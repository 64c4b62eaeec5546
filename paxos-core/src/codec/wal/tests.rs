//! Claims about whole logs: cut, flipped, torn, recycled.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::harness::{CAPACITY, Image, OWNER, SECTOR, scan_image, segment};
use super::*;
use crate::codec::harness;
use crate::codec::testing::any_record;
use crate::log::{Entry, Record};
use crate::types::{Ballot, ClientId, Command, GroupId, Incarnation, Run, Slot, Value};

#[test]
fn an_empty_log_is_clean() {
    let (blocks, found) = scan_image(&Image::new(), 0);
    assert_eq!((blocks.len(), &found.verdict), (0, &Verdict::Clean));
    assert_eq!((found.chain, found.next_segment), (Chain::FIRST, 1));
}

#[test]
fn a_log_returns_across_segments_and_lives() {
    let mut log = Log::new();
    (1..=5).for_each(|round| log.append(round, 700));
    log = Log::open(log.image, log.made);
    (6..=7).for_each(|round| log.append(round, 10));
    log.mark();
    let (blocks, found) = log.scan();
    assert_eq!(found.verdict, Verdict::Clean);
    assert!(log.made >= 3, "rolled at least once, and one life more");
    let rounds: Vec<_> = (1..=7).flat_map(|r| records(r, if r < 6 { 700 } else { 10 })).collect();
    assert!(blocks.iter().flat_map(|b| &b.records).eq(&rounds));
    assert!(blocks.iter().map(|b| b.lsn.0).eq(1..=8), "seven blocks and a mark");
    assert_eq!(found.incarnation, Incarnation(2));
}

#[test]
fn a_block_longer_than_a_segment_makes_its_file_grow() {
    let mut log = Log::new();
    log.append(1, 10);
    log.append(2, 3 * CAPACITY as usize);
    log.append(3, 10);
    assert_eq!((log.scan().0.len(), log.made), (3, 3));
}

/// For every length of every file: what is left is a prefix, and it is called
/// damaged if anything that is known to have been synced is gone.
#[test]
fn a_file_cut_anywhere_costs_no_synced_block_in_silence() {
    let mut log = Log::new();
    (1..=5).for_each(|round| log.append(round, 700));
    (6..=8).for_each(|round| log.append(round, 10));
    let (all, _) = log.scan();
    for seq in 1..=log.made {
        for length in 0..log.image[&seq].len() {
            let mut image = log.image.clone();
            image.get_mut(&seq).expect("there").truncate(length);
            let (blocks, found) = scan_image(&image, log.made);
            let damaged = matches!(found.verdict, Verdict::Damaged(_));
            assert!(all.starts_with(&blocks));
            // The last block alone may be gone without a trace.
            assert!(damaged || blocks.len() >= all.len() - 1, "segment {seq} cut at {length}");
        }
    }
}

#[test]
fn a_byte_flipped_anywhere_costs_no_synced_block_in_silence() {
    let mut log = Log::new();
    (1..=5).for_each(|round| log.append(round, 700));
    log = Log::open(log.image, log.made);
    log.append(6, 10);
    let (all, _) = log.scan();
    for marked in [false, true] {
        if marked {
            log.mark();
        }
        each_flip(&log, |seq, at, blocks, found| {
            let damaged = matches!(found.verdict, Verdict::Damaged(_));
            let kept = blocks.iter().filter(|b| !b.records.is_empty()).count();
            let may_lose = usize::from(!marked);
            assert!(damaged || kept + may_lose >= all.len(), "segment {seq}, byte {at}");
            assert!(blocks.iter().zip(&all).all(|(b, a)| b.records == a.records || b.lsn.0 == 7));
        });
    }
}

fn each_flip(log: &Log, check: impl Fn(u64, usize, Vec<Block>, Scan)) {
    let mut image = log.image.clone();
    for (seq, bytes) in &log.image {
        // Behind the last block, a flip is garbage and nothing else.
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        for at in 0..used {
            for flip in [1, 0x80] {
                image.get_mut(seq).expect("there")[at] ^= flip;
                let (blocks, found) = scan_image(&image, log.made);
                check(*seq, at, blocks, found);
                image.get_mut(seq).expect("there")[at] ^= flip;
            }
        }
    }
}

/// In a segment's last block nothing else proves that it was synced.
#[test]
fn a_rotten_last_block_looks_torn_until_it_is_marked() {
    let mut log = Log::new();
    log.append(1, 10);
    let place = Place { segment: 1, offset: log.tail.offset() };
    log.append(2, 10);
    let rot = |log: &Log| {
        let mut image = log.image.clone();
        image.get_mut(&1).expect("there")[place.offset as usize + 100] ^= 1;
        scan_image(&image, 1).1.verdict
    };
    assert_eq!(rot(&log), Verdict::Torn(place));
    log.mark();
    let Verdict::Damaged(damage) = rot(&log) else { panic!("the mark proves the block") };
    assert_eq!(damage.place, place);
    assert_eq!(damage.fault, Fault::Lost { expected: Lsn(2), found: Some(Lsn(3)) });
}

#[test]
fn damage_names_the_slots_that_can_still_be_read() {
    let mut log = Log::new();
    log.append(1, 10);
    log.append(2, 10);
    let at = SECTOR as usize + HEAD_BYTES + 200;
    log.image.get_mut(&1).expect("there")[at] ^= 1;
    let Verdict::Damaged(damage) = log.scan().1.verdict else { panic!("damaged padding") };
    let slots = [(Slot(1), Slot(1)), (Slot(1), Slot(2))];
    assert!(damage.hits.iter().map(|h| (h.group, h.slots)).eq(slots.map(|s| (GroupId(5), s))));
}

/// A later block was begun, so this one was synced: its head alone is proof.
#[test]
fn the_head_of_a_torn_block_proves_the_one_before() {
    let mut log = Log::new();
    log.append(1, 10);
    log.append(2, 700);
    let file = log.image.get_mut(&1).expect("there");
    file[3 * SECTOR as usize..].fill(0); // block 2 is torn,
    file[SECTOR as usize + 70] ^= 1; // and block 1 has rotted.
    let Verdict::Damaged(damage) = log.scan().1.verdict else { panic!("block 1 was synced") };
    assert_eq!(damage.fault, Fault::Lost { expected: Lsn(1), found: Some(Lsn(2)) });
}

/// 1. A life reads a block that only its cache holds, and repeats it.
/// 2. The power fails, and the block is gone; the repetition is not.
#[test]
fn the_repetition_stands_in_for_a_block_that_never_reached_the_disk() {
    let mut log = Log::new();
    log.append(1, 10);
    let lost = log.tail.offset() as usize;
    log.append(2, 10);
    let (all, _) = log.scan();
    let mut log = Log::open(log.image, log.made);
    log.append(3, 10);
    for byte in [0, 0xee] {
        log.image.get_mut(&1).expect("there")[lost..].fill(byte);
        let (blocks, found) = log.scan();
        assert_eq!(found.verdict, Verdict::Clean, "{byte}");
        assert_eq!(blocks.len(), 3);
        assert!(blocks.iter().zip(&all).all(|(now, then)| now.records == then.records));
    }
}

/// 1. A torn block is cut, and another life goes on without it.
/// 2. The disk brings it back.
#[test]
fn a_block_that_was_cut_and_comes_back_is_damage() {
    let mut log = Log::new();
    log.append(1, 10);
    let mut ghost = log.image.clone();
    let offset = log.tail.offset() as usize;
    log.append(2, 10);
    let revenant = log.image[&1][offset..].to_vec();
    let mut log = Log::open(ghost.clone(), 1);
    log.append(3, 10);
    ghost = log.image.clone();
    ghost.get_mut(&1).expect("there")[offset..].copy_from_slice(&revenant);
    assert!(matches!(scan_image(&ghost, 2).1.verdict, Verdict::Damaged(_)));
}

#[test]
fn old_bytes_of_a_recycled_segment_are_nothing() {
    let mut old = Log::new();
    (1..=3).for_each(|round| old.append(round, 10));
    // The same file, under a new salt, as segment 1 of a new log.
    let mut image = old.image.clone();
    let fresh = Segment { salt: 77, ..segment(1) };
    image.get_mut(&1).expect("there")[..SECTOR as usize].copy_from_slice(&fresh.encode());
    let (blocks, found) = scan_image(&image, 1);
    assert_eq!((blocks.len(), &found.verdict), (0, &Verdict::Clean));
    assert_eq!(found.spares, [fresh]);
    let (mut tail, _) = Tail::resume(&found, fresh, Incarnation(1));
    let mut draft = Draft::new();
    draft.push(&records(9, 10)[0]).expect("small");
    put(&mut image, tail.seal(&mut draft));
    let (blocks, found) = scan_image(&image, 1);
    assert_eq!((blocks.len(), found.verdict), (1, Verdict::Clean));
}

#[test]
fn a_missing_segment_is_named() {
    let mut log = Log::new();
    (1..=9).for_each(|round| log.append(round, 700));
    for seq in 1..=log.made {
        let mut image = log.image.clone();
        image.remove(&seq);
        let Verdict::Damaged(damage) = scan_image(&image, log.made).1.verdict else {
            panic!("segment {seq} is missing");
        };
        let place = Place { segment: seq, offset: 0 };
        assert_eq!((damage.place, damage.fault), (place, Fault::Missing));
    }
}

#[test]
fn what_an_earlier_life_left_unused_may_be_cut_off() {
    let mut log = Log::new();
    log.append(1, 10);
    let used = log.tail.offset() as usize;
    let mut log = Log::open(log.image, log.made);
    log.image.get_mut(&1).expect("there").truncate(used);
    assert_eq!(log.scan().1.verdict, Verdict::Clean);
    // But not before the next life has left its mark.
    log.image.get_mut(&2).expect("there")[SECTOR as usize..].fill(0);
    let Verdict::Damaged(damage) = log.scan().1.verdict else { panic!("cut off") };
    assert_eq!(damage.fault, Fault::Short);
}

/// The numbers fit, but this is not what the block before was followed by.
#[test]
fn a_segment_of_another_history_is_damage() {
    let mut log = Log::new();
    (1..=3).for_each(|round| log.append(round, 700));
    let mut other = Log::new();
    (11..=13).for_each(|round| other.append(round, 700));
    log.image.insert(2, other.image[&2].clone());
    let Verdict::Damaged(damage) = log.scan().1.verdict else { panic!("two histories") };
    assert_eq!(damage.fault, Fault::Lost { expected: Lsn(3), found: Some(Lsn(3)) });
}

#[test]
fn a_half_made_segment_is_to_be_made_anew_unless_it_was_in_use() {
    let mut log = Log::new();
    log.append(1, 10);
    let mut image = log.image.clone();
    image.insert(2, segment(2).encode()[..40].to_vec());
    image.insert(3, vec![]);
    let (_, found) = scan_image(&image, 1);
    assert_eq!((found.verdict, found.unmade), (Verdict::Clean, vec![2, 3]));
    // Known to have been made: then its header is lost.
    let Verdict::Damaged(damage) = scan_image(&image, 2).1.verdict else { panic!("header lost") };
    assert_eq!(damage.fault, Fault::Header);
    // Not known, but it holds a block.
    image.get_mut(&1).expect("there")[20] ^= 1;
    let Verdict::Damaged(damage) = scan_image(&image, 0).1.verdict else { panic!("header lost") };
    assert_eq!(damage.fault, Fault::Header);
}

#[test]
fn segments_of_others_and_in_the_wrong_place_are_named() {
    let mut log = Log::new();
    log.append(1, 10);
    let fault = |image: &Image| match scan_image(image, 1).1.verdict {
        Verdict::Damaged(damage) => damage.fault,
        other => panic!("{other}"),
    };
    let sealed = |segment: Segment| {
        let mut image = log.image.clone();
        image.get_mut(&1).expect("there")[..SECTOR as usize].copy_from_slice(&segment.encode());
        image
    };
    let stranger = Owner { node: NodeId(2), ..OWNER };
    let foreign = sealed(Segment { owner: stranger, ..segment(1) });
    assert_eq!(fault(&foreign), Fault::Foreign(stranger));
    assert_eq!(fault(&sealed(segment(8))), Fault::Misplaced(8));
}

#[test]
fn a_trimmed_log_starts_where_it_is_told_to() {
    let mut log = Log::new();
    (1..=9).for_each(|round| log.append(round, 700));
    let (all, _) = log.scan();
    let first = all.iter().position(|b| b.place.segment == 2).expect("a second segment");
    let chain = Chain { lsn: all[first].lsn, link: link_before(&log, all[first].lsn) };
    let expected = Expected { owner: OWNER, start: Start { segment: 2, chain }, made: log.made };
    let segments = log.image.iter().map(|(seq, bytes)| (*seq, &bytes[..]));
    let (blocks, found) = scan(expected, segments.clone());
    assert_eq!((&blocks[..], found.verdict), (&all[first..], Verdict::Clean));
    // The right segment, and the wrong block.
    let chain = Chain { lsn: Lsn(1), link: 0 };
    let (_, found) = scan(Expected { start: Start { segment: 2, chain }, ..expected }, segments);
    assert!(matches!(found.verdict, Verdict::Damaged(_)));
}

fn link_before(log: &Log, lsn: Lsn) -> u32 {
    let sectors = log.image.values().flat_map(|file| file.chunks(SECTOR as usize));
    let mut heads = sectors.filter_map(block::Head::decode);
    heads.find(|head| head.chain.lsn == lsn).expect("a block of that number").chain.link
}

#[test]
fn a_later_version_is_refused_and_not_cut() {
    let mut log = Log::new();
    log.append(1, 10);
    let head = &mut log.image.get_mut(&1).expect("there")[SECTOR as usize..];
    head[20] = 2;
    let crc = crc32fast::hash(&head[8..HEAD_BYTES]);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    let Verdict::Damaged(damage) = log.scan().1.verdict else { panic!("another version") };
    assert_eq!(damage.fault, Fault::Unsupported);
}

/// Whoever changes this sum changes the format: raise the version of what has
/// changed, and keep reading the old one.
#[test]
fn the_bytes_of_a_log_are_what_they_were() {
    let mut log = Log::new();
    let ballot = Ballot { round: 300, node: NodeId(2), disk: 8 };
    let run = Run::new(Slot(7), vec![Value::Noop]);
    let command = Command { client: ClientId(9), sequence: 1, payload: Bytes::from("pay") };
    let learned = Run::one(Slot(8), Value::Command(command));
    let mut draft = Draft::new();
    for entry in [
        Entry::Promised(ballot),
        Entry::Voted { ballot, run },
        Entry::Learned { run: learned },
        Entry::Chosen { below: Slot(9) },
    ] {
        draft.push(&Record { group: GroupId(3), entry }).expect("small");
    }
    put(&mut log.image, log.tail.seal(&mut draft));
    let (block, records) = (SECTOR as usize, SECTOR as usize + HEAD_BYTES);
    let file = &log.image[&1];
    assert_eq!(file[records..records + 9], [1, 1, 1, 5, 3, 0xac, 2, 2, 8]);
    assert_eq!(file[records + 9..records + 21], [2, 1, 1, 8, 3, 0xac, 2, 2, 8, 7, 1, 0]);
    assert_eq!(crc32fast::hash(&file[..HEADER_BYTES]), 621_568_272);
    assert_eq!(crc32fast::hash(&file[block..2 * block]), 3_729_928_324);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_have_a_verdict(data in prop::collection::vec(any::<u8>(), 0..3000)) {
        harness::wal_scan(&data);
    }

    /// Bytes that look like blocks, so that the sums do not hide what is behind them.
    #[test]
    fn any_sound_blocks_have_a_verdict(
        segments in any::<u8>(),
        sectors in prop::collection::vec(
            (any::<bool>(), 0..8u8, 0..80u8, 0..4u8, prop::collection::vec(any_record(), 0..2)),
            0..9,
        ),
    ) {
        let mut data = vec![segments];
        for (block, lie, length, count, records) in sectors {
            let mut sector = vec![if block { b'P' } else { 0 }, lie, length, count];
            sector.resize(HEAD_BYTES, 0);
            records.iter().for_each(|r| record::put(r, &mut sector, &mut Vec::new()));
            sector.resize(sector.len().next_multiple_of(SECTOR as usize), 0);
            data.extend(sector);
        }
        harness::wal_scan(&data);
    }

    #[test]
    fn a_crash_costs_nothing_that_was_acknowledged(
        script in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        harness::wal_crash(&script);
    }

    #[test]
    fn any_bytes_are_an_envelope_or_not(data in prop::collection::vec(any::<u8>(), 0..60)) {
        harness::envelope(&data);
        harness::frames(&data);
    }

    #[test]
    fn any_records_return(records in prop::collection::vec(any_record(), 0..6)) {
        let mut log = Log::new();
        let mut draft = Draft::new();
        records.iter().for_each(|r| draft.push(r).expect("small"));
        put(&mut log.image, log.tail.seal(&mut draft));
        let (blocks, found) = log.scan();
        prop_assert_eq!(found.verdict, Verdict::Clean);
        prop_assert_eq!(&blocks[0].records, &records);
    }
}

/// A promise, and a vote with a payload of some bytes.
fn records(round: u64, payload: usize) -> Vec<Record> {
    let ballot = Ballot::new(round, NodeId(1));
    let value = Value::Command(Command::plain(Bytes::from(vec![round as u8; payload])));
    let run = Run::one(Slot(round), value);
    let entries = [Entry::Promised(ballot), Entry::Voted { ballot, run }];
    entries.into_iter().map(|entry| Record { group: GroupId(5), entry }).collect()
}

/// A log that grows in memory.
struct Log {
    image: Image,
    tail: Tail,
    made: u64,
}

impl Log {
    fn new() -> Log {
        Log::open(Image::new(), 0)
    }

    /// A new life, in a new segment.
    fn open(mut image: Image, mut made: u64) -> Log {
        let (_, found) = scan_image(&image, made);
        assert_eq!(found.verdict, Verdict::Clean);
        let life = Incarnation(found.incarnation.0 + 1);
        let fresh = make(&mut image, &mut made);
        let (mut tail, repeat) = Tail::resume(&found, fresh, life);
        if let Some(mut repeat) = repeat {
            put(&mut image, tail.seal(&mut repeat));
        }
        Log { image, tail, made }
    }

    fn append(&mut self, round: u64, payload: usize) {
        let mut draft = Draft::new();
        records(round, payload).iter().for_each(|r| draft.push(r).expect("small"));
        if !self.tail.fits(&draft) {
            let next = make(&mut self.image, &mut self.made);
            self.tail.enter(next);
        }
        put(&mut self.image, self.tail.seal(&mut draft));
    }

    fn mark(&mut self) {
        let mut draft = Draft::new();
        put(&mut self.image, self.tail.mark(&mut draft).expect("room for a mark"));
    }

    fn scan(&self) -> (Vec<Block>, Scan) {
        scan_image(&self.image, self.made)
    }
}

fn make(image: &mut Image, made: &mut u64) -> Segment {
    *made += 1;
    let segment = segment(*made);
    let mut bytes = segment.encode();
    bytes.resize(CAPACITY as usize, 0);
    image.insert(*made, bytes);
    segment
}

fn put(image: &mut Image, write: Write<'_>) {
    let file = image.get_mut(&write.segment).expect("made before");
    let at = write.offset as usize;
    file.resize(file.len().max(at + write.bytes.len()), 0);
    file[at..at + write.bytes.len()].copy_from_slice(write.bytes);
}
