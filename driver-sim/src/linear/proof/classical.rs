//! The histories of the textbooks, by hand.

use super::super::search::NODES_MAX;
use super::super::{
    Cell, CellAnswer, CellInput, FOREVER, Operation, Outcome, Register, RegisterInput, Verdict,
    Violation, search, zones,
};
use super::brute_force;

/// Writes an operation down: when it began and ended ([`FOREVER`] for unknown), input, output.
fn op<I, O>(invoked: u64, at: u64, input: I, output: O) -> Operation<I, O> {
    let outcome = (at < FOREVER).then_some(Outcome { at, output });
    Operation { id: 0, process: 0, invoked, input, outcome }
}

fn write(invoked: u64, at: u64, value: u32) -> Operation<RegisterInput<u32>, Option<u32>> {
    op(invoked, at, RegisterInput::Write(value), None)
}

fn read(invoked: u64, at: u64, value: Option<u32>) -> Operation<RegisterInput<u32>, Option<u32>> {
    op(invoked, at, RegisterInput::Read, value)
}

fn numbered<I, O, const N: usize>(mut operations: [Operation<I, O>; N]) -> [Operation<I, O>; N] {
    for (id, operation) in operations.iter_mut().enumerate() {
        (operation.id, operation.process) = (id, id as u64);
    }
    operations
}

/// Gives a history of a register to every checker that can tell.
fn register<const N: usize>(
    operations: [Operation<RegisterInput<u32>, Option<u32>>; N],
    linearizable: bool,
) {
    let operations = numbered(operations);
    let by_zones = zones::check(&operations);
    let by_search = search::check(&Register::new(), &operations, NODES_MAX);
    assert_eq!(brute_force(&Register::new(), &operations), linearizable, "brute force");
    assert_eq!(by_zones.is_linearizable(), linearizable, "{by_zones:?}");
    assert_eq!(by_search.is_linearizable(), linearizable, "{by_search:?}");
}

fn cell<const N: usize>(operations: [Operation<CellInput, CellAnswer>; N], linearizable: bool) {
    let operations = numbered(operations);
    let by_search = search::check(&Cell, &operations, NODES_MAX);
    assert_eq!(brute_force(&Cell, &operations), linearizable, "brute force");
    assert_eq!(by_search.is_linearizable(), linearizable, "{by_search:?}");
}

#[test]
fn nothing_happened() {
    register([], true);
}

#[test]
fn a_read_beside_a_write_sees_old_or_new() {
    register([write(0, 1, 1), write(2, 9, 2), read(3, 4, Some(1))], true);
    register([write(0, 1, 1), write(2, 9, 2), read(3, 4, Some(2))], true);
}

#[test]
fn a_stale_read() {
    register([write(0, 1, 1), write(2, 3, 2), read(4, 5, Some(1))], false);
    register([write(0, 1, 1), read(2, 3, None)], false);
}

#[test]
fn new_old_inversion() {
    // Both reads lie inside of the second write, but the second may not go back.
    register([write(0, 1, 1), write(2, 9, 2), read(3, 4, Some(2)), read(5, 6, Some(1))], false);
    register([write(0, 9, 1), read(1, 2, Some(1)), read(3, 4, None)], false);
}

#[test]
fn two_writes_side_by_side_stand_in_one_order_for_all() {
    let writes = || [write(0, 4, 1), write(0, 4, 2)];
    let [one, two] = writes();
    register([one, two, read(5, 6, Some(1)), read(7, 8, Some(1))], true);
    let [one, two] = writes();
    register([one, two, read(5, 6, Some(1)), read(7, 8, Some(2))], false);
}

#[test]
fn an_unknown_write_seen_later() {
    register([write(0, FOREVER, 1), read(1, 2, None), read(90, 91, Some(1))], true);
}

#[test]
fn an_unknown_write_never_seen() {
    register([write(0, FOREVER, 1), read(1, 2, None), read(90, 91, None)], true);
}

#[test]
fn an_unknown_write_seen_then_unseen() {
    register([write(0, FOREVER, 1), read(1, 2, Some(1)), read(3, 4, None)], false);
    // Unless another write came between.
    register(
        [
            write(0, 1, 1),
            write(2, FOREVER, 2),
            write(2, FOREVER, 3),
            read(4, 5, Some(3)),
            read(6, 7, Some(2)),
        ],
        true,
    );
    register(
        [write(0, 1, 1), write(2, FOREVER, 2), read(4, 5, Some(2)), read(6, 7, Some(1))],
        false,
    );
}

#[test]
fn a_read_from_the_future() {
    register([read(0, 1, Some(1)), write(2, 3, 1)], false);
    register([read(0, 2, Some(1)), write(2, 3, 1)], true);
}

#[test]
fn a_value_out_of_thin_air() {
    register([write(0, 1, 1), read(2, 3, Some(7))], false);
}

#[test]
fn a_write_that_failed_for_certain_is_thin_air() {
    let mut history = super::super::History::new();
    history.invoke(1, 0, RegisterInput::Write(1)).unwrap();
    history.fail(1).unwrap();
    history.invoke(2, 5, RegisterInput::Read).unwrap();
    history.ok(2, 6, Some(1)).unwrap();
    let operations = history.into_operations();
    assert_eq!(zones::check(&operations), Verdict::Violation(Violation::Unwritten { read: 1 }));
}

#[test]
fn a_write_at_time_zero_ends_the_absence() {
    register([write(0, 0, 1), read(5, 6, None)], false);
}

#[test]
fn an_answer_before_the_question_counts_as_one_at_the_same_time() {
    register([write(9, 3, 1), read(10, 2, Some(1)), read(11, 12, None)], false);
    register([write(9, 3, 1), read(10, 2, Some(1))], true);
}

#[test]
fn a_lost_update() {
    let incr = |from, to, sum| op(from, to, CellInput::Incr(1), CellAnswer::Number(sum));
    cell([incr(0, 5, 1), incr(0, 5, 1)], false);
    cell([incr(0, 5, 1), incr(0, 5, 2)], true);
    cell([incr(0, 5, 2), incr(0, 5, 1), incr(6, 7, 2)], false);
}

#[test]
fn a_duplicated_effect() {
    let append =
        |from, to, len| op(from, to, CellInput::Append("ab".into()), CellAnswer::Number(len));
    let get = |from, to, text: &'static str| {
        op(from, to, CellInput::Get, CellAnswer::Value(Some(text.into())))
    };
    cell([append(0, 1, 2), get(2, 3, "ab")], true);
    cell([append(0, 1, 2), get(2, 3, "abab")], false);
    // A retry under a new name, outcome of the first try unknown, may well take effect twice.
    cell([append(0, FOREVER, 2), append(2, 3, 4), get(4, 5, "abab")], true);
}

#[test]
fn an_unknown_increment_counts_once_or_never() {
    let incr = |from, to, sum| op(from, to, CellInput::Incr(1), CellAnswer::Number(sum));
    cell([incr(0, FOREVER, 0), incr(1, 2, 1), incr(3, 4, 2)], true);
    cell([incr(0, FOREVER, 0), incr(1, 2, 1), incr(3, 4, 3)], true);
    cell([incr(0, FOREVER, 0), incr(1, 2, 1), incr(3, 4, 4)], false);
    cell([incr(0, FOREVER, 0), incr(1, FOREVER, 0), incr(2, 3, 3), incr(4, 5, 4)], true);
}

#[test]
fn two_winners_of_one_compare_and_swap() {
    let cas = |from, to, new: &'static str, won| {
        let input = CellInput::Cas { old: None, new: new.into() };
        op(from, to, input, CellAnswer::Swapped(won))
    };
    cell([cas(0, 9, "a", true), cas(0, 9, "b", true)], false);
    cell([cas(0, 9, "a", true), cas(0, 9, "b", false)], true);
    // Who lost saw the winner, so the winner began before the loser was over.
    cell([cas(5, 9, "a", true), cas(0, 4, "b", false)], false);
    cell([cas(0, FOREVER, "a", false), cas(2, 4, "b", false)], true);
}

#[test]
fn a_wrong_answer_to_a_write_is_found_even_if_nobody_saw_the_write() {
    let set = |from, to, answer| op(from, to, CellInput::Set("x".into()), answer);
    cell([set(0, 9, CellAnswer::Number(1)), set(1, 3, CellAnswer::Done)], false);
}

#[test]
fn the_explanation_names_the_operation_and_the_states() {
    let operations = numbered([
        write(0, 1, 1),
        write(2, 6, 2),
        write(3, 7, 3),
        read(8, 9, Some(1)),
        write(20, 21, 4),
    ]);
    let verdict = search::check(&Register::new(), &operations, NODES_MAX);
    let Some(Violation::Unexplained { operation, concurrent, prefix, states }) =
        verdict.violation()
    else {
        panic!("{verdict:?}");
    };
    assert_eq!((*operation, concurrent.as_slice(), *prefix), (3, [].as_slice(), 4));
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(states.contains(&"Some(2)".to_owned()) && states.contains(&"Some(3)".to_owned()));
    assert_eq!(
        zones::check(&operations),
        Verdict::Violation(Violation::Crossed { a: Some(0), b: Some(1), c: Some(1), d: Some(3) })
    );
}
