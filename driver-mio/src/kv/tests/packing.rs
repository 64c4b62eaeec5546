//! The packed keyspace beside a plain ordered map.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use crate::kv::keyspace::{Entry, Keyspace, key_hash};
use crate::kv::leaf::{Leaf, View};
use crate::kv::record::SHORT_BYTES_MAX;

type Model = BTreeMap<(u64, Vec<u8>), Entry>;

#[derive(Clone, Debug)]
enum Deed {
    Put {
        key: u16,
        length: usize,
        expire: Option<u64>,
    },
    Grow {
        key: u16,
        by: usize,
    },
    Remove {
        key: u16,
    },
    /// Removes a stretch of keys, so that leaves run empty.
    Thin {
        from: u16,
        to: u16,
    },
    Freeze,
    Purge {
        time: u64,
    },
    Clear,
}

fn deeds(keys: u16) -> impl Strategy<Value = Vec<Deed>> {
    let length = prop_oneof![
        0..80usize,
        SHORT_BYTES_MAX - 1..SHORT_BYTES_MAX + 2,
        Just(64usize),
        Just(3000usize),
    ];
    let expire = prop_oneof![3 => Just(None), 1 => (0..50u64).prop_map(Some)];
    let put = (0..keys, length, expire).prop_map(|(key, length, expire)| Deed::Put {
        key,
        length,
        expire,
    });
    let deed = prop_oneof![
        400 => put,
        60 => (0..keys, 0..40usize).prop_map(|(key, by)| Deed::Grow { key, by }),
        60 => (0..keys).prop_map(|key| Deed::Remove { key }),
        2 => (0..keys, 0..keys).prop_map(|(from, to)| Deed::Thin { from, to }),
        2 => Just(Deed::Freeze),
        2 => (0..50u64).prop_map(|time| Deed::Purge { time }),
        1 => Just(Deed::Clear),
    ];
    proptest::collection::vec(deed, 0..2500)
}

/// Some long, most short, so that records differ in size.
fn key_of(number: u16) -> Bytes {
    Bytes::from(format!("{number}{}", "k".repeat(usize::from(number % 37))))
}

fn of_view(view: View<'_>) -> Entry {
    view.to_entry()
}

fn seen(leaves: &[Arc<Leaf>]) -> Vec<((u64, Vec<u8>), Entry)> {
    let entries = leaves.iter().flat_map(|leaf| leaf.entries_from(0));
    entries.map(|(place, key, view)| ((place, key.to_vec()), of_view(view))).collect()
}

fn remove(keyspace: &mut Keyspace, model: &mut Model, key: &Bytes) {
    assert_eq!(keyspace.remove(key), model.remove(&(key_hash(key), key.to_vec())));
}

fn apply(deed: Deed, version: u64, keyspace: &mut Keyspace, model: &mut Model) {
    match deed {
        Deed::Put { key, length, expire } => {
            let key = key_of(key);
            let value = Bytes::from(vec![version as u8; length]);
            let entry = Entry { value, expire, version };
            keyspace.put(&key, entry.clone());
            model.insert((key_hash(&key), key.to_vec()), entry);
        }
        Deed::Grow { key, by } => {
            let key = key_of(key);
            let grown = |value: Bytes| [&value[..], &vec![7; by]].concat();
            keyspace.change_value(&key, version, |value| grown(value).into());
            if let Some(entry) = model.get_mut(&(key_hash(&key), key.to_vec())) {
                entry.value = grown(entry.value.clone()).into();
                entry.version = version;
            }
        }
        Deed::Remove { key } => remove(keyspace, model, &key_of(key)),
        Deed::Thin { from, to } => {
            (from..to).for_each(|key| remove(keyspace, model, &key_of(key)));
        }
        Deed::Purge { time } => {
            keyspace.purge(time, usize::MAX);
            model.retain(|_, entry| !entry.is_expired(time));
        }
        Deed::Clear => {
            let _ = keyspace.clear();
            model.clear();
        }
        Deed::Freeze => {}
    }
}

/// What a reader sees of both is the same.
fn compare(keyspace: &Keyspace, model: &Model, places: Range<u64>) {
    let entries: Vec<_> = model.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
    assert_eq!(seen(keyspace.leaves()), entries);
    assert_eq!(keyspace.len(), model.len());
    let bytes = |((_, key), entry): (&(u64, Vec<u8>), &Entry)| key.len() + entry.value.len() + 64;
    assert_eq!(keyspace.bytes(), model.iter().map(bytes).sum::<usize>() as u64);
    assert_eq!(keyspace.expiring(), model.values().filter(|e| e.expire.is_some()).count());
    assert_eq!(keyspace.first_deadline(), model.values().filter_map(|e| e.expire).min());
    for place in [places.start, places.end] {
        let from = keyspace.entries_from(place).map(|(place, key, _)| (place, key.to_vec()));
        let wanted = model.range((place, Vec::new())..).map(|(key, _)| key.clone());
        assert!(from.eq(wanted), "from {place} on");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_packed_keyspace_is_an_ordered_map(
        deeds in prop_oneof![deeds(40), deeds(3000)],
        places in any::<Range<u64>>(),
    ) {
        let (mut keyspace, mut model) = (Keyspace::new(), Model::new());
        let mut frozen = Vec::new();
        for (version, deed) in deeds.into_iter().enumerate() {
            if let Deed::Freeze = deed {
                frozen.push((keyspace.leaves().to_vec(), seen(keyspace.leaves())));
            }
            apply(deed, version as u64, &mut keyspace, &mut model);
            if version.is_multiple_of(64) {
                // Whatever is there or not: that must do nothing.
                let keys: Vec<Bytes> = (0..40).map(|n| key_of(version as u16 ^ (n * 71))).collect();
                keyspace.glance(keys.iter().map(|key| &key[..]));
            }
        }
        keyspace.check();
        compare(&keyspace, &model, places.start >> 11..places.end >> 9);
        for number in 0..3000 {
            let key = key_of(number);
            let wanted = model.get(&(key_hash(&key), key.to_vec())).filter(|e| !e.is_expired(25));
            let live = keyspace.live(&key, 25).map(of_view);
            prop_assert_eq!(live.as_ref(), wanted);
        }
        // What was frozen is as it was.
        for (leaves, before) in frozen {
            prop_assert!(seen(&leaves) == before);
        }
    }
}

#[test]
fn a_million_small_entries_take_little_more_than_their_bytes() {
    let mut keyspace = Keyspace::new();
    let value = Bytes::from(vec![b'v'; 64]);
    let keys: u32 = 1_000_000;
    let put = |keyspace: &mut Keyspace, version| {
        for number in 0..keys {
            let key = format!("key:{number:012}");
            keyspace.put(key.as_bytes(), Entry { value: value.clone(), expire: None, version });
        }
    };
    put(&mut keyspace, 1);
    let raw = keys as usize * (16 + 64);
    let taken = |keyspace: &Keyspace| keyspace.leaves().iter().map(|l| l.memory()).sum::<usize>();
    let first = taken(&keyspace);
    assert!(first < raw * 29 / 20, "{first} for {raw} bytes");
    // Writing over them all takes no more.
    put(&mut keyspace, 2);
    assert_eq!(taken(&keyspace), first);
    keyspace.check();
}

#[test]
fn leaves_that_run_empty_join() {
    let mut keyspace = Keyspace::new();
    let key = |number: u32| number.to_string().into_bytes();
    for number in 0..20_000 {
        keyspace.put(&key(number), Entry { value: Bytes::new(), expire: None, version: 1 });
    }
    let full = keyspace.leaves().len();
    assert!(full >= 20_000 / 256, "{full} leaves");
    for number in 0..20_000 {
        if number % 100 != 0 {
            keyspace.remove(&key(number));
        }
        if number % 500 == 0 {
            keyspace.check();
        }
    }
    assert!(keyspace.leaves().len() <= 8, "{} leaves for 200 keys", keyspace.leaves().len());
    for number in (0..20_000).step_by(100) {
        assert!(keyspace.remove(&key(number)).is_some());
    }
    assert_eq!((keyspace.len(), keyspace.bytes(), keyspace.leaves().len()), (0, 0, 1));
}

#[test]
fn an_emptied_leaf_goes_even_between_full_ones() {
    for nth in [0, 1, 5, usize::MAX] {
        let mut keyspace = Keyspace::new();
        for number in 0..3000_u32 {
            let entry = Entry { value: Bytes::new(), expire: None, version: 1 };
            keyspace.put(&number.to_le_bytes(), entry);
        }
        let leaves = keyspace.leaves();
        let count = leaves.len();
        let leaf = &leaves[nth.min(count - 1)];
        let keys: Vec<_> = leaf.entries_from(0).map(|(_, key, _)| key.to_vec()).collect();
        let kept = 3000 - keys.len();
        keys.iter().for_each(|key| drop(keyspace.remove(key)));
        keyspace.check();
        assert_eq!((keyspace.len(), keyspace.leaves().len() < count), (kept, true));
        let keys = keys.iter().map(Vec::as_slice);
        keys.for_each(|key| assert!(keyspace.live(key, 0).is_none()));
    }
}

#[test]
fn a_leaf_of_longer_entries_holds_fewer() {
    let mut keyspace = Keyspace::new();
    for number in 0..5000_u32 {
        let entry = Entry { value: vec![7; 400].into(), expire: None, version: 1 };
        keyspace.put(&number.to_le_bytes(), entry);
    }
    let longest = keyspace.leaves().iter().map(|leaf| leaf.memory()).max();
    assert!(longest.is_some_and(|bytes| bytes < 56 << 10), "{longest:?}");
}
