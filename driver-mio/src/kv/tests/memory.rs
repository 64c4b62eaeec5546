//! What the machine keeps in memory, and what one step may take.

use bytes::Bytes;

use super::{Talk, shown, words};
use crate::kv::{Command, Limits, Query, Set, SetAnswer, Transaction, parse};
use crate::kv::{Deadline, Expiry, Presence};
use crate::resp::Reply;

/// Commands of one step.
fn exec(lines: impl IntoIterator<Item = String>) -> Command {
    let limits = Limits::default();
    let command = |line: String| parse(&words(&line), &limits).unwrap().unwrap().into_command();
    let commands = lines.into_iter().map(command).collect();
    Command::Exec(Transaction { watched: vec![], commands })
}

/// Sets one key, by a payload that holds not much else.
fn set(key: String, value: Bytes, expiry: Expiry) -> Command {
    let (only_if, answer) = (Presence::Any, SetAnswer::Ok);
    Command::Set(Set { key: key.into(), value, only_if, expiry, answer })
}

fn exec_answers(talk: &mut Talk, lines: impl IntoIterator<Item = String>) -> Vec<String> {
    match talk.apply(&exec(lines)) {
        Reply::Array(answers) => answers.iter().map(shown).collect(),
        other => panic!("a transaction answers a list, not {other:?}"),
    }
}

const TOO_MUCH: &str = "-ERR too much work for one transaction";

#[test]
fn flushes_and_refills_take_no_more_than_one_fill() {
    let gaps =
        |fill: usize| exec((0..200).map(|n| format!("setrange {}:{n} {} x", fill % 2, 4000 + n)));
    let short = |fill: usize| {
        let pairs: String = (0..4000).map(|n| format!(" {}:{n} vvvvvvvvvv", fill % 2)).collect();
        exec([format!("mset{pairs}")])
    };
    let dying =
        |fill: usize| exec((0..2000).map(|n| format!("set {}:{n} v px 100000000", fill % 2)));
    for step in [&gaps as &dyn Fn(usize) -> Command, &short, &dying] {
        let mut talk = Talk::new();
        talk.apply(&step(0));
        let full = talk.machine.bytes();
        for fill in 1..20 {
            talk.say("flushall");
            talk.apply(&step(fill));
            assert_eq!(talk.machine.bytes(), full);
            let left = talk.machine.trash_bytes();
            assert!(left <= full / 8, "{left} bytes of trash beside {full}");
        }
        // Nor does it help to do all of it in one step.
        let Command::Exec(Transaction { watched, commands }) = step(0) else { unreachable!() };
        let commands = [commands, vec![Command::Clear]].concat();
        for _ in 0..20 {
            talk.apply(&Command::Exec(Transaction {
                watched: watched.clone(),
                commands: commands.clone(),
            }));
            assert!(talk.machine.trash_bytes() <= full / 8, "{}", talk.machine.trash_bytes());
        }
    }
}

#[test]
fn what_was_flushed_goes_while_half_as_much_is_put() {
    let mut talk = Talk::new();
    let deadline = Expiry::At(Deadline::In(1 << 40));
    let put = |talk: &mut Talk, step: usize| {
        let key = |n| format!("{step}:{n}");
        let commands = (0..500).map(|n| set(key(n), vec![7; 600].into(), deadline)).collect();
        talk.apply(&Command::Exec(Transaction { watched: vec![], commands }));
    };
    (0..40).for_each(|step| put(&mut talk, step));
    talk.say("flushall");
    let flushed = talk.machine.trash_bytes();
    for step in 20..41 {
        put(&mut talk, step);
        let both = talk.machine.bytes() + talk.machine.trash_bytes();
        assert!(both <= flushed, "{both} of {flushed} after {step}");
    }
    assert_eq!(talk.machine.trash_bytes(), 0);
}

#[test]
fn a_change_that_adds_nothing_drops_little() {
    let mut talk = Talk::new();
    for key in 0..2000 {
        talk.apply(&set(format!("old:{key}"), vec![7; 1000].into(), Expiry::Never));
    }
    talk.say("flushall");
    talk.apply(&set("long".into(), vec![7; 100_000].into(), Expiry::Never));
    let before = talk.machine.trash_bytes();
    talk.apply(&exec((0..20).map(|n| format!("expire long {}", n + 100))));
    let dropped = before - talk.machine.trash_bytes();
    assert!((1..=100 * 1000).contains(&dropped), "{dropped} bytes");
}

#[test]
fn an_idle_machine_gets_rid_of_what_was_flushed() {
    let mut talk = Talk::new();
    for number in 0..5000 {
        let length = if number % 50 == 0 { 5000 } else { 50 };
        talk.apply(&set(format!("{number}"), vec![7; length].into(), Expiry::Never));
    }
    talk.say("flushall");
    let (digest, before) = (talk.machine.digest(), talk.machine.trash_bytes());
    assert!(before > 0);
    talk.machine.tidy();
    assert!(talk.machine.trash_bytes() > 0, "not all at once");
    (0..50).for_each(|_| talk.machine.tidy());
    assert_eq!((talk.machine.trash_bytes(), talk.machine.digest()), (0, digest));
}

#[test]
fn gaps_of_one_transaction_are_counted_together() {
    let limits = Limits { copied_bytes_max: 10_000, ..Limits::default() };
    let mut talk = Talk::with(limits);
    let gaps = (0..4).map(|n| format!("setrange gap:{n} 3999 x"));
    let answers = exec_answers(&mut talk, gaps.chain(["incr n".into()]));
    assert_eq!(answers, [":4000", ":4000", TOO_MUCH, TOO_MUCH, ":1"]);
    talk.play(&[("exists gap:2", ":0"), ("dbsize", ":3"), ("setrange gap:2 3999 x", ":4000")]);
    // Under the usual limits, thousands of short commands do not fill gigabytes.
    let mut talk = Talk::new();
    let gaps = (0..200).map(|n| format!("setrange gap:{n} 1048575 x"));
    let answers = exec_answers(&mut talk, gaps);
    assert_eq!(answers.iter().filter(|answer| *answer == ":1048576").count(), 64);
    assert!(talk.machine.bytes() < 65 << 20);
}

#[test]
fn copies_of_long_values_are_counted_once_for_a_key() {
    let limits = Limits { copied_bytes_max: 10_000, ..Limits::default() };
    let mut talk = Talk::with(limits);
    for key in ["a", "b", "c"] {
        talk.apply(&set(key.into(), vec![b'v'; 4000].into(), Expiry::Never));
    }
    let same = exec_answers(&mut talk, (0..100).map(|_| "append a x".into()));
    assert!(same.last().is_some_and(|answer| answer == ":4100"), "{same:?}");
    // That the deadline was changed before does not make it our own.
    let lines = ["expire c 100", "append a x", "setrange b 0 x", "append c x", "append d x"];
    let many = exec_answers(&mut talk, lines.map(String::from));
    assert_eq!(many, [":1", ":4101", ":4000", TOO_MUCH, ":1"]);
    // It counts no other way where a snapshot or an answer shares the values.
    let mut other = Talk::with(talk.machine.limits().clone());
    for key in ["a", "b", "c"] {
        other.apply(&set(key.into(), vec![b'v'; 4000].into(), Expiry::Never));
    }
    let (image, answer) = (other.machine.image(), other.reply("get b"));
    assert_eq!(exec_answers(&mut other, (0..100).map(|_| "append a x".into())), same);
    assert_eq!(exec_answers(&mut other, lines.map(String::from)), many);
    assert_eq!(other.machine.digest(), talk.machine.digest());
    drop((image, answer));
}

#[test]
fn part_of_a_long_value_is_shared_only_if_it_is_most_of_it() {
    let limits = Limits { copied_bytes_max: 100_000, ..Limits::default() };
    let mut talk = Talk::with(limits);
    talk.apply(&set("k".into(), vec![b'v'; 100_000].into(), Expiry::Never));
    let get = |talk: &mut Talk, line: &str| match talk.reply(line) {
        Reply::Bulk(value) => value,
        other => panic!("{other:?}"),
    };
    let whole = get(&mut talk, "get k");
    for (range, is_shared) in
        [("5 5", false), ("5 40000", false), ("0 49999", true), ("0 -1", true)]
    {
        let part = get(&mut talk, &format!("getrange k {range}"));
        assert_eq!(whole.as_ptr_range().contains(&part.as_ptr()), is_shared, "{range}");
    }
    // What is copied is counted, what is shared is not.
    let part = |end| Query::GetRange { key: "k".into(), start: 0, end };
    let commands = [39_999, 99_999, 39_999, 39_999, 99_999].map(part).map(Command::Read).into();
    match talk.apply(&Command::Exec(Transaction { watched: vec![], commands })) {
        Reply::Array(answers) => {
            let is_error = |answer: &Reply| matches!(answer, Reply::Error(_));
            let errors: Vec<bool> = answers.iter().map(is_error).collect();
            assert_eq!(errors, [false, false, false, true, false]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_value_does_not_pin_what_came_with_it() {
    let mut talk = Talk::new();
    let length = talk.machine.limits().shared_value_bytes_min;
    let value = |_| Bytes::from(vec![b'v'; length]);
    for (others, is_shared) in [(0, true), (2, false), (20, false)] {
        let pairs = (0..=others).map(|n| (Bytes::from(n.to_string()), value(n))).collect();
        let payload = Command::SetMany { pairs, only_if_absent: false }.encode(1);
        talk.machine.apply(1, &payload);
        let Reply::Bulk(stored) = talk.reply("get 0") else { panic!("it was stored") };
        let range = payload.as_ptr_range();
        assert_eq!(range.contains(&stored.as_ptr()), is_shared, "{others} others");
    }
}
