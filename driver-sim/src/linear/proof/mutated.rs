//! Long random histories: accepted as they are, rejected after a mutation that is certainly wrong.

use super::super::sample::{Sample, Shape, sample};
use super::super::search::NODES_MAX;
use super::super::witness::{self, Place, Placed};
use super::super::{
    Cell, CellAnswer, CellInput, Operation, Outcome, Register, RegisterInput, Verdict, Violation,
    search, zones,
};
use crate::choice::{Choice, Seeded};

type Input = RegisterInput<usize>;
type Registers = Vec<Operation<Input, Option<usize>>>;

const SEEDS: u64 = 40;

/// Draws the shape of a history: few or many clients, with and without pauses and losses.
fn shape(choice: &mut Seeded, operations: usize) -> Shape {
    Shape {
        operations,
        clients: choice.range(1..=12) as usize,
        latency_ns_max: choice.range(1..=1_000),
        pause_ns_max: choice.range(0..=1_000),
        unknown_per_million: [0, 10_000, 100_000][choice.below(3) as usize],
    }
}

/// Samples a register; every write writes its own id.
fn register(choice: &mut Seeded, operations: usize) -> Sample<Input, Option<usize>> {
    let shape = shape(choice, operations);
    let writes_per_million = choice.range(100_000..=900_000) as u32;
    sample(&Register::new(), shape, choice, |choice, id| {
        if choice.chance(writes_per_million) { Input::Write(id) } else { Input::Read }
    })
}

/// Samples a key on which most operations depend on what was there before.
fn cell(choice: &mut Seeded, operations: usize) -> Sample<CellInput, CellAnswer> {
    let shape = shape(choice, operations);
    sample(&Cell, shape, choice, |choice, id| {
        let small = |choice: &mut Seeded| bytes::Bytes::from(choice.below(3).to_string());
        match choice.below(8) {
            0 => CellInput::Set(id.to_string().into()),
            1 => CellInput::Set(small(choice)),
            2 | 3 => CellInput::Incr(1 + i64::from(choice.below(2))),
            4 => CellInput::Cas { old: Some(small(choice)), new: small(choice) },
            5 if choice.chance(100_000) => CellInput::Append(small(choice)),
            6 if choice.chance(300_000) => CellInput::Del,
            _ => CellInput::Get,
        }
    })
}

fn rejected(operations: &Registers) {
    let by_zones = zones::check(operations);
    assert!(by_zones.violation().is_some(), "zones: {by_zones:?}");
    let by_search = search::check(&Register::new(), operations, NODES_MAX);
    assert!(by_search.violation().is_some(), "search: {by_search:?}");
}

/// Runs a mutation on many histories; it must find something to mutate in most of them.
fn mutate(mutation: impl Fn(&mut Registers, &mut Seeded) -> Option<()>) {
    let mut mutated = 0;
    for seed in 0..SEEDS {
        let mut choice = Seeded::new(seed);
        let mut operations = register(&mut choice, 600).operations;
        if mutation(&mut operations, &mut choice).is_some() {
            mutated += 1;
            rejected(&operations);
        }
    }
    assert!(mutated > SEEDS / 2, "only {mutated} of {SEEDS} histories could be mutated");
}

/// Lists what was read: the place of the read and the value, if there was one.
fn reads(operations: &Registers) -> impl Iterator<Item = (usize, usize)> {
    let values = operations.iter().enumerate();
    values.filter_map(|(at, read)| Some((at, (*read.output()?)?)))
}

fn set_answer<I, O>(operation: &mut Operation<I, O>, output: O) {
    operation.outcome.as_mut().expect("answered").output = output;
}

#[test]
fn sampled_registers_are_linearizable() {
    for seed in 0..SEEDS {
        let operations = register(&mut Seeded::new(seed), 2_000).operations;
        assert_eq!(zones::check(&operations), Verdict::Linearizable, "seed {seed}");
        let by_search = search::check(&Register::new(), &operations, NODES_MAX);
        assert_eq!(by_search, Verdict::Linearizable, "seed {seed}");
    }
}

#[test]
fn sampled_cells_are_linearizable() {
    for seed in 0..SEEDS {
        let operations = cell(&mut Seeded::new(seed), 500).operations;
        let verdict = search::check(&Cell, &operations, NODES_MAX);
        assert_eq!(verdict, Verdict::Linearizable, "seed {seed}");
    }
}

#[test]
fn two_reads_that_swap_their_answers_are_found() {
    mutate(|operations, choice| {
        // Once the early read is over, the late one's value is yet to be written.
        let pairs: Vec<_> = reads(operations)
            .flat_map(|early| reads(operations).map(move |late| (early, late)))
            .filter(|((early, _), (_, value))| operations[*early].precedes(&operations[*value]))
            .collect();
        let ((early, old), (late, new)) = *choice.pick(&pairs)?;
        set_answer(&mut operations[early], Some(new));
        set_answer(&mut operations[late], Some(old));
        Some(())
    });
}

#[test]
fn a_dropped_write_is_found() {
    mutate(|operations, choice| {
        let read: Vec<_> = reads(operations).collect();
        let (_, value) = *choice.pick(&read)?;
        operations.remove(value);
        Some(())
    });
}

#[test]
fn a_read_that_is_stale_by_k_is_found() {
    for k in [1, 2, 5] {
        mutate(|operations, choice| {
            let all: Vec<_> = reads(operations).collect();
            let (late, value) = *choice.pick(&all)?;
            // Go back over k writes, each over before the next began, the last before the read.
            let mut after = late;
            for _ in 0..=k {
                let overwritten = |at: &usize| {
                    matches!(operations[*at].input, Input::Write(_))
                        && operations[*at].precedes(&operations[after])
                };
                after = (0..operations.len()).rev().find(overwritten)?;
            }
            assert_ne!(after, value, "an overwritten value was read");
            set_answer(&mut operations[late], Some(after));
            Some(())
        });
    }
}

#[test]
fn a_write_forgotten_at_the_end_is_found() {
    mutate(|operations, _| {
        let written = |operation: &&Operation<Input, _>| {
            matches!(operation.input, Input::Write(_)) && operation.outcome.is_some()
        };
        let last = operations.iter().rfind(written)?.clone();
        let end = operations.iter().filter_map(|op| op.outcome.as_ref()).map(|o| o.at).max()?;
        let id = operations.len();
        let mut read =
            Operation { id, process: 10_000, invoked: end + 1, input: Input::Read, ..last };
        read.outcome.as_mut()?.at = end + 2;
        set_answer(&mut read, None);
        operations.push(read);
        Some(())
    });
}

#[test]
fn a_duplicated_effect_is_found() {
    for seed in 0..SEEDS {
        let mut choice = Seeded::new(seed);
        let shape = Shape { unknown_per_million: 0, ..shape(&mut choice, 300) };
        let sampled = sample(&Cell, shape, &mut choice, |_, _| CellInput::Incr(1));
        let mut operations = sampled.operations;
        assert!(search::check(&Cell, &operations, NODES_MAX).is_linearizable());
        let twice = i64::from(choice.below(299));
        for operation in &mut operations {
            let Some(CellAnswer::Number(sum)) = operation.output().cloned() else {
                panic!("an increment answers a number");
            };
            set_answer(operation, CellAnswer::Number(sum + i64::from(sum > twice)));
        }
        let verdict = search::check(&Cell, &operations, NODES_MAX);
        assert!(verdict.violation().is_some(), "seed {seed}: {verdict:?}");
    }
}

#[test]
fn a_search_that_may_not_take_a_step_is_inconclusive() {
    let operations = cell(&mut Seeded::new(1), 100).operations;
    let verdict = search::check(&Cell, &operations, 3);
    assert!(matches!(verdict, Verdict::Inconclusive(_)), "{verdict:?}");
}

type Log = Vec<(u64, CellInput)>;
type PlacedCells = Vec<Placed<CellInput, CellAnswer>>;

/// Places the operations of a sample in a log of its writes; returns both.
fn witnessed(sampled: &Sample<CellInput, CellAnswer>) -> (Log, PlacedCells) {
    let (mut log, mut placed, mut slot) = (Vec::new(), Vec::new(), 0);
    for id in &sampled.order {
        let operation = sampled.operations[*id].clone();
        let place = if operation.input == CellInput::Get {
            Place::Read { slot }
        } else {
            slot += 2; // A no-op between any two.
            log.push((slot, operation.input.clone()));
            Place::Write { slot }
        };
        placed.push(Placed { place, operation });
    }
    (log, placed)
}

#[test]
fn a_log_witnesses_what_went_through_it() {
    for seed in 0..SEEDS {
        let mut choice = Seeded::new(seed);
        let (log, mut placed) = witnessed(&cell(&mut choice, 2_000));
        choice.shuffle(&mut placed);
        assert_eq!(witness::check(&Cell, log, &placed), Verdict::Linearizable, "seed {seed}");
        assert_eq!(witness::check_order(&placed), Verdict::Linearizable, "seed {seed}");
    }
}

#[test]
fn a_witness_that_lies_is_found() {
    let (log, placed) = witnessed(&cell(&mut Seeded::new(1), 200));
    let check = |log: &[(u64, CellInput)], placed: &[Placed<CellInput, CellAnswer>]| {
        witness::check(&Cell, log.to_vec(), placed)
    };
    let is_write = |placed: &Placed<_, _>| matches!(placed.place, Place::Write { .. });
    let answered = |placed: &PlacedCells, write: bool| {
        let fits =
            |placed: &Placed<_, _>| placed.operation.outcome.is_some() && is_write(placed) == write;
        placed.iter().rposition(fits).expect("an answer")
    };
    let write = placed.iter().position(is_write).expect("a write");

    for is_write in [true, false] {
        let mut wrong = placed.clone();
        let at = answered(&placed, is_write);
        let id = wrong[at].operation.id;
        set_answer(&mut wrong[at].operation, CellAnswer::Number(-77));
        let verdict = check(&log, &wrong);
        assert_eq!(verdict, Verdict::Violation(Violation::WrongAnswer { operation: id }));
    }

    let mut moved = placed.clone();
    let at = answered(&placed, false);
    let id = moved[at].operation.id;
    moved[at].place = Place::Read { slot: 0 };
    let verdict = check(&log, &moved);
    assert!(
        matches!(verdict.violation(), Some(Violation::OutOfOrder { later, .. }) if *later == id)
    );

    let id = placed[write].operation.id;
    let missing = check(&log[1..], &placed);
    assert_eq!(missing, Verdict::Violation(Violation::NotInLog { operation: id }));
    let mut other = log.clone();
    other[0].1 = CellInput::Append("never asked".into());
    assert_eq!(check(&other, &placed), Verdict::Violation(Violation::NotInLog { operation: id }));

    let mut twice = placed.clone();
    twice.push(placed[write].clone());
    assert!(matches!(check(&log, &twice).violation(), Some(Violation::SharedSlot { .. })));

    let mut unsorted = log.clone();
    unsorted.reverse();
    assert!(matches!(check(&unsorted, &[]), Verdict::Inconclusive(_)));
}

#[test]
fn a_witness_in_the_wrong_order_is_found() {
    let mut found = 0;
    for seed in 0..SEEDS {
        let mut choice = Seeded::new(seed);
        let (_, mut placed) = witnessed(&cell(&mut choice, 300));
        let [one, other] = [(); 2].map(|()| choice.below(placed.len() as u32) as usize);
        let places = (placed[one].place, placed[other].place);
        (placed[one].place, placed[other].place) = (places.1, places.0);
        let definition = placed.iter().any(|early| {
            let overtakes = |late: &&Placed<_, _>| {
                early.operation.precedes(&late.operation) && late.place < early.place
            };
            placed.iter().any(|late| overtakes(&late))
        });
        let verdict = witness::check_order(&placed);
        assert_eq!(verdict.violation().is_some(), definition, "seed {seed}: {verdict:?}");
        found += u64::from(definition);
    }
    assert!(found > SEEDS / 2, "only {found} swaps mattered");
}

#[test]
fn a_read_of_what_was_not_asked_for_yet_is_found() {
    let operation = |id, invoked, input, output| Operation {
        id,
        process: 0,
        invoked,
        input,
        outcome: Some(Outcome { at: invoked + 1, output }),
    };
    let read = operation(0, 0, Input::Read, Some(9));
    let write = operation(1, 5, Input::Write(9), None);
    let placed = [
        Placed { place: Place::Read { slot: 3 }, operation: read },
        Placed { place: Place::Write { slot: 3 }, operation: write },
    ];
    let verdict = witness::check(&Register::new(), [(3, Input::Write(9))], &placed);
    assert_eq!(verdict, Verdict::Violation(Violation::OutOfOrder { earlier: 0, later: 1 }));
}
