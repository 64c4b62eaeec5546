//! What happens at each limit.

use bytes::Bytes;

use super::{Talk, shown};
use crate::kv::{Command, Limits, Transaction, parse};
use crate::resp::Reply;

#[test]
fn long_words_are_refused_before_they_are_proposed() {
    let limits = Limits {
        key_bytes_max: 4,
        value_bytes_max: 8,
        pattern_bytes_max: 6,
        command_bytes_max: 80,
        ..Limits::default()
    };
    let mut talk = Talk::with(limits);
    talk.play(&[
        ("set 12345 v", "-ERR key is longer than 4 bytes"),
        ("get 12345", "-ERR key is longer than 4 bytes"),
        ("mget a 12345", "-ERR key is longer than 4 bytes"),
        ("set k 123456789", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("append k 123456789", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("mset k 123456789", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("keys 1234567", "-ERR pattern is longer than 6 bytes"),
        ("scan 0 match 1234567", "-ERR pattern is longer than 6 bytes"),
        (
            "mset a 12345678 b 12345678 c 12345678 d 12345678 e 1",
            "-ERR command is longer than 80 bytes",
        ),
    ]);
    assert_eq!(talk.slot, 0, "nothing was proposed");
}

#[test]
fn value_does_not_grow_past_the_limit() {
    let mut talk = Talk::with(Limits { value_bytes_max: 8, ..Limits::default() });
    talk.play(&[
        ("set k 12345", "OK"),
        ("append k 6789", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("append k 678", ":8"),
        ("setrange k 8 9", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        (
            "setrange none 9223372036854775807 x",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        ),
        ("setrange k 7 x", ":8"),
        ("get k", "\"1234567x\""),
    ]);
}

#[test]
fn short_questions_get_no_endless_answers() {
    let mut talk = Talk::with(Limits { answer_bytes_max: 8, ..Limits::default() });
    talk.say("mset k 1234 l 56789");
    talk.play(&[
        ("mget k k none", "[\"1234\" \"1234\" nil]"),
        ("mget k l", "-ERR answer is too long; ask for less at a time"),
    ]);
    let get = |key: &'static str| Command::Read(crate::kv::Query::Get { key: key.into() });
    let commands = vec![get("k"), get("l"), Command::Add { key: "n".into(), by: 1 }];
    let answer = talk.apply(&Command::Exec(Transaction { watched: vec![], commands }));
    assert_eq!(shown(&answer), "[\"1234\" -ERR answer is too long; ask for less at a time :1]");
}

#[test]
fn keys_gives_way_to_scan() {
    let mut talk = Talk::with(Limits { keys_examined_max: 2, ..Limits::default() });
    talk.play(&[("mset a 1 b 2", "OK"), ("set c 3", "OK")]);
    assert_eq!(talk.say("keys *"), "-ERR too much work for KEYS; use SCAN");
    assert_eq!(talk.say("del c"), ":1");
    assert!(talk.say("keys *").starts_with('['));
    let mut talk = Talk::with(Limits { glob_steps_max: 10, ..Limits::default() });
    talk.say("mset aaaaaaaaaaaaaaaa 1 aaaaaaaaaaaaaaab 2");
    assert_eq!(talk.say("keys *a*a*c"), "-ERR too much work for KEYS; use SCAN");
    let page = talk.say("scan 0 match *a*a*c");
    assert!(page.starts_with("[\"") && !page.starts_with("[\"0\""), "{page}");
}

#[test]
fn walks_of_one_transaction_are_counted_together() {
    let limits = Limits { keys_examined_max: 5, ..Limits::default() };
    let mut talk = Talk::with(limits.clone());
    talk.say("mset a 1 b 2 c 3");
    let command = |line: &str| parse(&super::words(line), &limits).unwrap().unwrap().into_command();
    let commands = ["keys a", "scan 0 count 2", "keys a", "scan 0", "get a"].map(command).into();
    let answer = shown(&talk.apply(&Command::Exec(Transaction { watched: vec![], commands })));
    let refusals = " -ERR too much work for KEYS; use SCAN -ERR too much work for one transaction";
    assert!(answer.starts_with("[[\"a\"] [\""), "{answer}");
    assert!(answer.ends_with(&format!("{refusals} \"1\"]")), "{answer}");
}

#[test]
fn full_store_is_told_by_its_bytes() {
    let mut talk = Talk::with(Limits { store_bytes_max: 1000, ..Limits::default() });
    assert!(!talk.machine.is_full());
    talk.say(&format!("set k {}", "v".repeat(1000)));
    assert!(talk.machine.is_full());
    talk.say("del k");
    assert_eq!(talk.machine.bytes(), 0);
}

#[test]
fn full_store_takes_only_what_does_not_grow_it() {
    const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
    let mut talk = Talk::with(Limits { store_bytes_max: 1000, ..Limits::default() });
    // A short command with a long gap does not get past the limit either.
    talk.play(&[("set k v", "OK"), ("setrange gap 5000 x", FULL), ("exists gap", ":0")]);
    let long = format!("set long {}", "v".repeat(1000));
    talk.play(&[(&long, "OK"), ("set k w", FULL), ("incr n", FULL), ("append k v", FULL)]);
    let commands = vec![
        Command::Add { key: "n".into(), by: 1 },
        Command::Remove { keys: vec!["long".into()] },
        Command::Add { key: "n".into(), by: 1 },
    ];
    let answer = talk.apply(&Command::Exec(Transaction { watched: vec![], commands }));
    assert_eq!(shown(&answer), format!("[{FULL} :1 :1]"));
    talk.play(&[("get k", "\"v\""), ("set k w", "OK")]);
}

#[test]
fn only_commands_that_grow_the_store_say_so() {
    for (line, may_grow) in [
        ("set k v", true),
        ("mset k v", true),
        ("append k v", true),
        ("setrange k 0 v", true),
        ("incr k", true),
        ("del k", false),
        ("getdel k", false),
        ("expire k 1", false),
        ("persist k", false),
        ("flushall", false),
    ] {
        let command = parse(&super::words(line), &Limits::default()).unwrap().unwrap();
        let command = command.into_command();
        assert_eq!(command.may_grow(), may_grow, "{line}");
        let exec = Command::Exec(Transaction { watched: vec![], commands: vec![command] });
        assert_eq!(exec.may_grow(), may_grow, "{line} in a transaction");
    }
}

#[test]
fn short_value_does_not_pin_its_payload() {
    let mut talk = Talk::new();
    let min = talk.machine.limits().shared_value_bytes_min;
    for (length, is_shared) in [(64, false), (min - 1, false), (min, true)] {
        let value = "v".repeat(length);
        let line = format!("set k {value}");
        let set = parse(&super::words(&line), &Limits::default()).unwrap().unwrap();
        let payload = set.into_command().encode(1);
        talk.machine.apply(1, &payload);
        let Reply::Bulk(stored) = talk.reply("get k") else { panic!("it was stored") };
        let range = payload.as_ptr_range();
        assert_eq!(range.contains(&stored.as_ptr()), is_shared, "{length}");
    }
}

#[test]
fn garbage_is_answered_and_changes_nothing() {
    let mut talk = Talk::new();
    talk.say("set k v px 100");
    let before = talk.machine.digest();
    let whole = parse(&super::words("mset a 1 b 2"), &Limits::default()).unwrap().unwrap();
    let whole = whole.into_command().encode(u64::MAX);
    for length in 0..whole.len() {
        let answer = talk.machine.apply(9, &whole.slice(..length));
        assert_eq!(shown(&answer), "-ERR malformed command", "{length} bytes");
    }
    let longer = Bytes::from([&whole[..], b"x"].concat());
    assert_eq!(shown(&talk.machine.apply(9, &longer)), "-ERR malformed command");
    assert_eq!(talk.machine.digest(), before);
}

#[test]
fn list_longer_than_its_payload_reserves_nothing() {
    // A count of four thousand million in a payload of a few bytes.
    let mut payload = Command::Remove { keys: vec![] }.encode(1).to_vec();
    payload[10..14].fill(0xff);
    assert!(Command::decode(&payload.into()).is_err());
}

#[test]
fn transaction_in_a_transaction_is_malformed() {
    let inner = Transaction { watched: vec![], commands: vec![] };
    let outer = Transaction { watched: vec![], commands: vec![Command::Clear] };
    let mut payload = Command::Exec(outer).encode(1).to_vec();
    payload.pop();
    payload.extend_from_slice(&Command::Exec(inner).encode(1)[9..]);
    assert!(Command::decode(&payload.into()).is_err());
}

#[test]
fn stamp_beyond_all_clocks_does_not_overflow() {
    let mut talk = Talk::new();
    talk.say("set k v");
    talk.machine.apply(9, &Command::Advance.encode(u64::MAX));
    talk.play(&[("set l v px 9223363240761753599", "OK"), ("persist l", ":1")]);
    assert_eq!(talk.say("get k"), "\"v\"");
}
