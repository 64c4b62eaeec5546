//! The search for an order, on histories of a system that others have judged.

use bytes::Bytes;
use driver_sim::choice::Seeded;
use driver_sim::linear::sample::{Shape, sample_cell};
use driver_sim::linear::search::{self, NODES_MAX};
use driver_sim::linear::{Cell, CellAnswer, CellInput, History, Misuse, Verdict};

/// Every history of etcd 0.4 in the collection is judged as it was by Porcupine.
#[test]
fn histories_of_etcd_are_judged_as_others_have_judged_them() {
    let lines = include_str!("histories/etcd.txt").lines().filter(|line| !line.starts_with('#'));
    let (mut linearizable, mut wrong) = (0, 0);
    for line in lines {
        let (number, rest) = line.split_once(' ').expect("a number");
        let (verdict, events) = rest.split_once(' ').unwrap_or((rest, ""));
        let history = read(events).unwrap_or_else(|misuse| panic!("{number}: {misuse}"));
        let operations: Vec<_> = history.into_operations();
        let found = search::check(&Cell, &operations, NODES_MAX);
        match verdict {
            "yes" => {
                assert_eq!(found, Verdict::Linearizable, "{number}");
                linearizable += 1;
            }
            "no" => {
                assert!(matches!(found, Verdict::Violation(_)), "{number}: {found:?}");
                wrong += 1;
            }
            other => panic!("{number}: {other}?"),
        }
    }
    assert_eq!((linearizable, wrong), (23, 79));
}

/// The events of a line, each a tick after the one before.
fn read(events: &str) -> Result<History<CellInput, CellAnswer>, Misuse> {
    let mut history = History::new();
    // What each process asks for now.
    let mut asked = std::collections::HashMap::new();
    for (at, event) in (0..).zip(events.split_ascii_whitespace()) {
        let digits = event.find(|c: char| !c.is_ascii_digit()).expect("a kind");
        let (process, event) = event.split_at(digits);
        let process: u64 = process.parse().expect("a process");
        let (kind, value) = event.split_at(1);
        let bytes = |value: &str| Bytes::copy_from_slice(value.as_bytes());
        match kind {
            "r" | "w" | "c" => {
                let input = match value.split_once('>') {
                    _ if kind == "r" => CellInput::Get,
                    None => CellInput::Set(bytes(value)),
                    Some((old, new)) => CellInput::Cas { old: Some(bytes(old)), new: bytes(new) },
                };
                asked.insert(process, input.clone());
                history.invoke(process, at, input)?;
            }
            "=" => {
                let answer = match asked[&process] {
                    CellInput::Get => CellAnswer::Value((value != "-").then(|| bytes(value))),
                    CellInput::Set(_) => CellAnswer::Done,
                    _ => CellAnswer::Swapped(true),
                };
                history.ok(process, at, answer)?;
            }
            "!" if asked[&process] == CellInput::Get => history.fail(process)?,
            "!" => history.ok(process, at, CellAnswer::Swapped(false))?,
            "?" => history.unknown(process)?,
            other => panic!("{other}?"),
        }
    }
    Ok(history)
}

/// A hundred thousand operations of ten clients on one key, of which some have no known outcome,
/// are within the budget; so is an answer among them that cannot be, unless many are unknown before.
#[test]
fn a_hundred_thousand_operations_are_judged() {
    let shape = Shape { unknown_per_million: 1_000, ..Shape::dense(100_000, 10) };
    let mut operations = sample_cell(shape, &mut Seeded::new(7)).operations;
    assert_eq!(operations.len(), 100_000);
    assert_eq!(search::check(&Cell, &operations, NODES_MAX), Verdict::Linearizable);

    let mut reads = operations.iter_mut().skip(1_000).filter(|o| o.input == CellInput::Get);
    let outcome = reads.find_map(|read| read.outcome.as_mut()).expect("an answered read");
    outcome.output = CellAnswer::Value(Some(Bytes::from_static(b"never written")));
    let spoilt = search::check(&Cell, &operations, NODES_MAX);
    assert!(matches!(spoilt, Verdict::Violation(_)), "{spoilt:?}");
}
