//! A few hundred neighbours in the order of keys, packed into one piece of memory.
//!
//! A record takes little more than its key and its value; overwriting a value with one of
//! the same length happens in its place. A leaf is copied as a whole, by whoever writes to
//! it while a snapshot shares it, so its size is bounded.
//!
//! Invariants: `places` ascend, and keys do where places are the same; `spots` has as many
//! elements; `long` holds the values of exactly the records that say so, each where its record
//! says, and beside it the spot of that.

use std::ops::{Deref, Range};

use bytes::Bytes;

use super::keyspace::Entry;
use super::record::Head;

/// Entries whose places are next to each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    places: Vec<u64>,
    /// Where in the heap the record of each begins.
    spots: Vec<u32>,
    /// Records as they came, and what is left of former ones.
    heap: Vec<u8>,
    /// Bytes of the heap that belong to no record any more.
    waste: usize,
    /// Values that are too long for the heap, in no order, and where their records are.
    long: Vec<(u32, Bytes)>,
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) value: Value<'a>,
    pub(super) expire: Option<u64>,
    pub(super) version: u64,
}

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Short(&'a [u8]),
    Long(&'a Bytes),
}

impl Value<'_> {
    /// The value for whoever keeps it longer than the entry; a long one is shared.
    pub(super) fn to_bytes(self) -> Bytes {
        match self {
            Value::Short(bytes) => Bytes::copy_from_slice(bytes),
            Value::Long(bytes) => bytes.clone(),
        }
    }

    /// A part of the value: shared, if it is the better part of a long one. What is short
    /// beside it must not keep it in memory.
    pub(super) fn slice(self, range: Range<usize>) -> Bytes {
        match self {
            Value::Long(bytes) if !self.copies(range.len()) => bytes.slice(range),
            _ => Bytes::copy_from_slice(&self[range]),
        }
    }

    /// Whether a part of so many bytes is copied.
    pub(super) fn copies(self, part: usize) -> bool {
        matches!(self, Value::Short(_)) || part < self.len() / 2
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Value::Short(bytes) => bytes,
            Value::Long(bytes) => bytes,
        }
    }
}

impl View<'_> {
    /// Tells whether the deadline has come.
    pub(super) fn is_expired(&self, time: u64) -> bool {
        self.expire.is_some_and(|deadline| deadline <= time)
    }

    pub(super) fn to_entry(self) -> Entry {
        Entry { value: self.value.to_bytes(), expire: self.expire, version: self.version }
    }
}

impl Leaf {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether it is to be parted, if it can be.
    pub(super) fn is_crowded(&self) -> bool {
        self.len() > ENTRIES_MAX || self.heap.len() - self.waste > HEAP_BYTES_MAX
    }

    /// Whether it and a neighbour are better off as one.
    pub(super) fn goes_with(&self, other: &Leaf) -> bool {
        let bytes = |leaf: &Leaf| leaf.heap.len() - leaf.waste;
        self.len() + other.len() <= ENTRIES_MAX / 2
            && bytes(self) + bytes(other) <= HEAP_BYTES_MAX / 2
    }

    /// How many entries lie before `place`; `span` is what places here lie between.
    pub(super) fn rank(&self, place: u64, span: &Range<u64>) -> usize {
        rank(&self.places, place, span)
    }

    /// Where a key is, or where it would go.
    pub(super) fn find(&self, place: u64, key: &[u8], span: &Range<u64>) -> Result<usize, usize> {
        let mut at = self.rank(place, span);
        while self.places.get(at) == Some(&place) {
            match self.key(at).cmp(key) {
                std::cmp::Ordering::Less => at += 1,
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => break,
            }
        }
        Err(at)
    }

    /// Reads what a search for `place` reads first. One of the steps that a search does not
    /// take by itself: each reads memory that the one before has told of, and what they answer
    /// is of no use but that it was read.
    pub(super) fn glance_at_places(&self, place: u64, span: &Range<u64>) -> u64 {
        self.places.get(guess(self.len(), place, span)).copied().unwrap_or(0)
    }

    /// Reads where the first record at `place` is, if there is one, or else the next.
    pub(super) fn glance_at_spots(&self, place: u64, span: &Range<u64>) -> u32 {
        self.spots.get(self.rank(place, span)).copied().unwrap_or(u32::MAX)
    }

    /// Reads the record that is there: its key, and some of a value in it.
    pub(super) fn glance_at_record(&self, spot: u32) -> u8 {
        let record = self.heap.get(spot as usize..).unwrap_or_default();
        let byte = |at| record.get(at).copied().unwrap_or(0);
        byte(0) ^ byte(LINE_BYTES)
    }

    /// Reads where the value of that record begins, if it is a long one.
    pub(super) fn glance_at_value(&self, spot: u32) -> u8 {
        let record = self.heap.get(spot as usize..).filter(|record| !record.is_empty());
        let head = record.map(Head::read).filter(|head| head.is_long);
        let value = head.and_then(|head| self.long.get(head.long()));
        value.and_then(|(_, value)| value.first().copied()).unwrap_or(0)
    }

    pub(super) fn place(&self, at: usize) -> u64 {
        self.places[at]
    }

    /// From the one at `at` on: places, keys, and what is known.
    pub(super) fn entries_from(&self, at: usize) -> impl Iterator<Item = (u64, &[u8], View<'_>)> {
        (at..self.len()).map(|at| (self.places[at], self.key(at), self.view(at)))
    }

    pub(super) fn key(&self, at: usize) -> &[u8] {
        let spot = self.spots[at] as usize;
        let head = Head::read(&self.heap[spot..]);
        &self.heap[spot..][head.key()]
    }

    pub(super) fn view(&self, at: usize) -> View<'_> {
        let record = &self.heap[self.spots[at] as usize..];
        let head = Head::read(record);
        let value = match head.is_long {
            true => Value::Long(&self.long[head.long()].1),
            false => Value::Short(&record[head.value()]),
        };
        View { value, expire: head.expire, version: head.version }
    }

    /// Puts an entry in the place of the one at `at`.
    pub(super) fn replace(&mut self, at: usize, entry: Entry) {
        let record = &mut self.heap[self.spots[at] as usize..];
        let old = Head::read(record);
        let head = Head::of(old.key_bytes, &entry, old.long());
        if head.is_long == old.is_long && head.len() == old.len() && head.key() == old.key() {
            head.write(record);
            match head.is_long {
                true => self.long[head.long()].1 = entry.value,
                false => record[head.value()].copy_from_slice(&entry.value),
            }
            return;
        }
        let key = self.key(at).to_vec();
        self.discard(at);
        self.spots[at] = self.push(&key, entry);
        self.tidy();
    }

    /// Puts in an entry that was not there, where [`find`](Leaf::find) says that it goes.
    pub(super) fn insert(&mut self, at: usize, place: u64, key: &[u8], entry: Entry) {
        let spot = self.push(key, entry);
        make_room(&mut self.places, 1);
        make_room(&mut self.spots, 1);
        self.places.insert(at, place);
        self.spots.insert(at, spot);
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, at: usize) -> Entry {
        let View { value, expire, version } = self.view(at);
        let short = if let Value::Short(_) = value { value.to_bytes() } else { Bytes::new() };
        let long = self.discard(at);
        self.places.remove(at);
        self.spots.remove(at);
        self.tidy();
        Entry { value: long.unwrap_or(short), expire, version }
    }

    /// The upper half, which is taken out, unless all are at the same place.
    pub(super) fn split(&mut self) -> Option<Leaf> {
        let middle = self.len() / 2;
        let same = |at: &usize| self.places[*at] == self.places[*at - 1];
        let at = (middle..self.len()).find(|at| *at > 0 && !same(at))?;
        let upper = self.take(at..self.len());
        *self = self.take(0..at);
        Some(upper)
    }

    /// Takes in what follows.
    pub(super) fn append(&mut self, other: &Leaf) {
        for at in 0..other.len() {
            let spot = self.push(other.key(at), other.view(at).to_entry());
            self.places.push(other.places[at]);
            self.spots.push(spot);
        }
    }

    /// Bytes of records and their places, without long values.
    pub(super) fn bytes(&self) -> usize {
        self.heap.len() + self.len() * (size_of::<u64>() + size_of::<u32>())
    }

    /// Takes a long value out of a leaf that no one looks into any more.
    pub(super) fn pop_long(&mut self) -> Option<Bytes> {
        self.long.pop().map(|(_, value)| value)
    }

    /// Values that lie outside of the records.
    #[cfg(test)]
    pub(super) fn long_values(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.long.iter().map(|(_, value)| value)
    }

    /// Bytes of memory, without long values.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let long = self.long.capacity() * size_of::<(u32, Bytes)>();
        let index = self.places.capacity() * 8 + self.spots.capacity() * 4;
        size_of::<Leaf>() + 2 * size_of::<usize>() + index + self.heap.capacity() + long
    }

    /// Panics if an invariant does not hold.
    #[cfg(test)]
    pub(super) fn check(&self, span: &Range<u64>) {
        assert_eq!(self.places.len(), self.spots.len());
        let keys: Vec<_> = (0..self.len()).map(|at| (self.places[at], self.key(at))).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(
            keys.iter()
                .all(|(place, key)| { span.contains(place) && super::key_hash(key) == *place })
        );
        let heads = self.spots.iter().map(|spot| (*spot, Head::read(&self.heap[*spot as usize..])));
        let used: usize = heads.clone().map(|(_, head)| head.len()).sum();
        assert_eq!(self.heap.len(), used + self.waste);
        assert!(self.waste <= self.heap.len() / 4);
        let long: Vec<_> = heads.filter(|(_, head)| head.is_long).collect();
        assert_eq!(self.long.len(), long.len());
        assert!(long.iter().all(|(spot, head)| self.long[head.long()].0 == *spot));
        assert!(self.len() <= ENTRIES_MAX);
    }

    /// Forgets a record, and hands over its value if it was a long one.
    fn discard(&mut self, at: usize) -> Option<Bytes> {
        let head = Head::read(&self.heap[self.spots[at] as usize..]);
        self.waste += head.len();
        if !head.is_long {
            return None;
        }
        let (_, value) = self.long.swap_remove(head.long());
        if let Some((spot, _)) = self.long.get(head.long()) {
            Head::set_long(&mut self.heap[*spot as usize..], head.long());
        }
        Some(value)
    }

    /// Writes a record at the end of the heap, and says where.
    fn push(&mut self, key: &[u8], entry: Entry) -> u32 {
        let head = Head::of(key.len(), &entry, self.long.len());
        let spot = self.heap.len();
        make_room(&mut self.heap, head.len());
        self.heap.resize(spot + head.len(), 0);
        let record = &mut self.heap[spot..];
        head.write(record);
        record[head.key()].copy_from_slice(key);
        let spot = spot as u32;
        if head.is_long {
            self.long.push((spot, entry.value));
        } else {
            record[head.value()].copy_from_slice(&entry.value);
        }
        spot
    }

    fn tidy(&mut self) {
        if self.waste > self.heap.len() / 4 {
            *self = self.take(0..self.len());
        }
    }

    /// Some, without waste. Whoever calls drops them here: their long values are gone.
    fn take(&mut self, range: Range<usize>) -> Leaf {
        let size = |at: &u32| Head::read(&self.heap[*at as usize..]).len();
        let bytes: usize = self.spots[range.clone()].iter().map(size).sum();
        let mut part = Leaf {
            places: self.places[range.clone()].to_vec(),
            spots: Vec::with_capacity(range.len()),
            heap: Vec::with_capacity(bytes),
            ..Leaf::default()
        };
        for at in range {
            let (from, to) = (self.spots[at], part.heap.len() as u32);
            let record = &self.heap[from as usize..];
            let head = Head::read(record);
            part.heap.extend_from_slice(&record[..head.len()]);
            part.spots.push(to);
            if head.is_long {
                Head::set_long(&mut part.heap[to as usize..], part.long.len());
                part.long.push((to, std::mem::take(&mut self.long[head.long()].1)));
            }
        }
        part
    }
}

/// Grows a list by an eighth, where it has to grow: twice as much would be half empty.
fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8));
    }
}

/// How many of `places`, which ascend, lie before `place`. They are hashes: between the
/// bounds of `span` they lie as if thrown, so the guess is rarely far off.
pub(super) fn rank(places: &[u64], place: u64, span: &Range<u64>) -> usize {
    let guess = guess(places.len(), place, span);
    let (mut low, mut step) = (guess, FIRST_STEP);
    while low > 0 && places[low - 1] >= place {
        low = low.saturating_sub(step);
        step *= 2;
    }
    let (mut high, mut step) = (guess, FIRST_STEP);
    while high < places.len() && places[high] < place {
        high = places.len().min(high + step);
        step *= 2;
    }
    low + places[low..high].partition_point(|other| *other < place)
}

/// How many of so many places lie before `place`, if they lie as if thrown.
fn guess(places: usize, place: u64, span: &Range<u64>) -> usize {
    let share = place.saturating_sub(span.start) as f64 / (span.end - span.start) as f64;
    ((places as f64 * share) as usize).min(places)
}

/// Most entries of a leaf.
const ENTRIES_MAX: usize = 256;
/// Most bytes of records in a leaf of more than one: what a write behind a snapshot copies
/// at most, in microseconds. So spots, and the lengths in a record, fit into 32 bits.
const HEAP_BYTES_MAX: usize = 32 << 10;
/// What a processor reads from memory at once.
const LINE_BYTES: usize = 64;
/// How far beside the guess a search looks first.
const FIRST_STEP: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(places: impl IntoIterator<Item = u64>) -> Leaf {
        let mut leaf = Leaf::default();
        for (number, place) in places.into_iter().enumerate() {
            let entry = Entry { value: Bytes::new(), expire: None, version: 0 };
            leaf.insert(number, place, &[number as u8], entry);
        }
        leaf
    }

    #[test]
    fn keys_at_one_place_are_found_by_their_bytes_and_stay_together() {
        let mut same = leaf([7; 20]);
        for number in 0..20 {
            assert_eq!(same.find(7, &[number], &(0..100)), Ok(usize::from(number)));
        }
        assert_eq!(same.find(7, &[3, 0], &(0..100)), Err(4));
        assert!(same.split().is_none() && same.len() == 20);

        let mut mixed = leaf([1, 1, 2, 2, 2, 2, 2, 3, 3, 4]);
        let upper = mixed.split().expect("there are four places");
        assert_eq!((mixed.len(), upper.len(), upper.place(0)), (7, 3, 3));
    }

    #[test]
    fn a_rank_is_right_however_wrong_the_guess() {
        for places in [vec![], vec![5], vec![9; 50], (0..300).collect(), vec![0, 1, 2, 1 << 52]] {
            for place in [0, 1, 5, 9, 10, 150, 299, 1 << 40, 1 << 52, u64::MAX] {
                let wanted = places.partition_point(|other| *other < place);
                for span in [0..1 << 53, 0..1, 100..200] {
                    assert_eq!(rank(&places, place, &span), wanted, "{place} in {places:?}");
                }
            }
        }
    }
}
