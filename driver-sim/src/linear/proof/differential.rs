//! Small random histories, right and wrong alike: all checkers agree with the definition.

use proptest::prelude::*;

use super::super::search::NODES_MAX;
use super::super::{
    Cell, CellAnswer, CellInput, Model, Operation, Outcome, Register, RegisterInput, search, zones,
};
use super::brute_force;

/// When an operation begins, how long it takes (`None`: unknown outcome).
fn times() -> impl Strategy<Value = (u64, Option<u64>)> {
    (0..12_u64, prop::option::weighted(0.8, 0..7_u64))
}

fn operation<I, O>(
    id: usize,
    (invoked, takes): (u64, Option<u64>),
    input: I,
    output: O,
) -> Operation<I, O> {
    let outcome = takes.map(|takes| Outcome { at: invoked + takes, output });
    Operation { id, process: id as u64, invoked, input, outcome }
}

type RegisterOperation = Operation<RegisterInput<usize>, Option<usize>>;

/// Histories of a register: each write writes its own id, each read returns some id or nothing.
fn register_history(len_max: usize) -> impl Strategy<Value = Vec<RegisterOperation>> {
    let one = (times(), any::<bool>(), prop::option::weighted(0.9, any::<prop::sample::Index>()));
    prop::collection::vec(one, 0..=len_max).prop_map(|drafts| {
        let writes: Vec<usize> = (0..drafts.len()).filter(|id| drafts[*id].1).collect();
        let input =
            |id, is_write| if is_write { RegisterInput::Write(id) } else { RegisterInput::Read };
        let seen = |index: Option<prop::sample::Index>| {
            index.filter(|_| !writes.is_empty()).map(|index| *index.get(&writes))
        };
        let drafts = drafts.iter().enumerate();
        drafts
            .map(|(id, (times, is_write, index))| {
                let output = if *is_write { None } else { seen(*index) };
                operation(id, *times, input(id, *is_write), output)
            })
            .collect()
    })
}

fn cell_input() -> impl Strategy<Value = CellInput> {
    let text = || prop::sample::select(vec!["", "1", "2", "x"]).prop_map(bytes::Bytes::from);
    prop_oneof![
        3 => Just(CellInput::Get),
        4 => text().prop_map(CellInput::Set),
        2 => (prop::option::of(text()), text()).prop_map(|(old, new)| CellInput::Cas { old, new }),
        1 => text().prop_map(CellInput::Append),
        2 => (1..=2_i64).prop_map(CellInput::Incr),
        1 => Just(CellInput::Del),
    ]
}

/// Histories of a key, half right: answers come from a run in some random order.
fn cell_history(len_max: usize) -> impl Strategy<Value = Vec<Operation<CellInput, CellAnswer>>> {
    let one = (times(), cell_input(), 0..20_u64);
    prop::collection::vec(one, 0..=len_max).prop_map(|drafts| {
        let mut order: Vec<usize> = (0..drafts.len()).collect();
        order.sort_by_key(|id| drafts[*id].0.0 + drafts[*id].2);
        let mut state = Cell.initial();
        let mut outputs = vec![CellAnswer::Refused; drafts.len()];
        for id in order {
            // Some of unknown outcome have no effect.
            if drafts[id].0.1.is_some() || drafts[id].2 % 2 == 0 {
                outputs[id] = Cell.apply(&mut state, &drafts[id].1);
            }
        }
        let drafts = drafts.into_iter().zip(outputs).enumerate();
        drafts
            .map(|(id, ((times, input, _), output))| operation(id, times, input, output))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn registers_agree_with_the_definition(operations in register_history(7)) {
        let truth = brute_force(&Register::new(), &operations);
        prop_assert_eq!(zones::check(&operations).is_linearizable(), truth);
        let verdict = search::check(&Register::new(), &operations, NODES_MAX);
        prop_assert_eq!(verdict.is_linearizable(), truth, "{:?}", verdict);
    }

    #[test]
    fn cells_agree_with_the_definition(operations in cell_history(7)) {
        let truth = brute_force(&Cell, &operations);
        let verdict = search::check(&Cell, &operations, NODES_MAX);
        prop_assert_eq!(verdict.is_linearizable(), truth, "{:?}", verdict);
    }

    #[test]
    fn zones_and_search_agree_on_longer_histories(operations in register_history(40)) {
        let verdict = search::check(&Register::new(), &operations, NODES_MAX);
        prop_assert_eq!(
            zones::check(&operations).is_linearizable(),
            verdict.is_linearizable(),
            "{:?}", verdict
        );
    }
}

/// The random histories above are worth something only if both verdicts come up often.
#[test]
fn both_verdicts_come_up() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut registers, mut cells) = (0, 0);
    for _ in 0..500 {
        let operations = register_history(7).new_tree(&mut runner).unwrap().current();
        registers += u32::from(brute_force(&Register::new(), &operations));
        let operations = cell_history(7).new_tree(&mut runner).unwrap().current();
        cells += u32::from(brute_force(&Cell, &operations));
    }
    assert!((50..450).contains(&registers), "{registers} of 500 register histories hold");
    assert!((50..450).contains(&cells), "{cells} of 500 cell histories hold");
}
