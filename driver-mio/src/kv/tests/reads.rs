//! Reads, one claim at a time.

use super::{Talk, play};

#[test]
fn get_and_mget_answer_values_or_null() {
    play(&[
        ("get k", "nil"),
        ("set k v", "OK"),
        ("get k", "\"v\""),
        ("mget k none k", "[\"v\" nil \"v\"]"),
        ("get", "-ERR wrong number of arguments for 'get' command"),
        ("get a b", "-ERR wrong number of arguments for 'get' command"),
        ("MGET", "-ERR wrong number of arguments for 'mget' command"),
    ]);
}

#[test]
fn exists_and_touch_count_repeats() {
    play(&[
        ("mset a 1 b 2", "OK"),
        ("exists a b c a", ":3"),
        ("touch a c", ":1"),
        ("exists", "-ERR wrong number of arguments for 'exists' command"),
    ]);
}

#[test]
fn type_and_strlen_know_strings_only() {
    play(&[
        ("type k", "none"),
        ("strlen k", ":0"),
        ("set k value", "OK"),
        ("type k", "string"),
        ("strlen k", ":5"),
    ]);
}

#[test]
fn getrange_counts_from_both_ends() {
    play(&[
        ("set k This_is_a_string", "OK"),
        ("getrange k 0 3", "\"This\""),
        ("getrange k -3 -1", "\"ing\""),
        ("getrange k 0 -1", "\"This is a string\""),
        ("getrange k 10 100", "\"string\""),
        ("getrange k 5 2", "\"\""),
        ("getrange k 100 200", "\"\""),
        ("getrange k -100 -200", "\"\""),
        ("getrange k -1 -3", "\"\""),
        ("substr k 0 3", "\"This\""),
        ("getrange none 0 -1", "\"\""),
        ("getrange k -9223372036854775808 9223372036854775807", "\"This is a string\""),
        ("getrange k a 1", "-ERR value is not an integer or out of range"),
    ]);
}

#[test]
fn ttl_is_rounded_and_says_what_is_missing() {
    play(&[
        ("ttl k", ":-2"),
        ("pttl k", ":-2"),
        ("expiretime k", ":-2"),
        ("set k v", "OK"),
        ("ttl k", ":-1"),
        ("pexpiretime k", ":-1"),
        ("pexpire k 1499", ":1"),
        ("ttl k", ":1"),
        ("pexpire k 1500", ":1"),
        ("ttl k", ":2"),
        ("expiretime k", ":1002"),
        ("pexpiretime k", ":1001500"),
    ]);
}

#[test]
fn keys_match_a_pattern() {
    let mut talk = Talk::new();
    talk.say("mset one 1 two 2 three 3");
    for (pattern, wanted) in [
        ("t*", vec!["three", "two"]),
        ("*o*", vec!["one", "two"]),
        ("t[^h]o", vec!["two"]),
        ("", vec![]),
        ("*", vec!["one", "three", "two"]),
    ] {
        let line = format!("keys {}", if pattern.is_empty() { "''" } else { pattern });
        let answer = talk.say(&line);
        let mut found: Vec<_> = answer.trim_matches(['[', ']']).split_whitespace().collect();
        found.sort_unstable();
        let wanted: Vec<_> = wanted.into_iter().map(|key| format!("\"{key}\"")).collect();
        assert_eq!(found, wanted, "{pattern}");
    }
}

#[test]
fn dbsize_counts() {
    play(&[
        ("dbsize", ":0"),
        ("mset a 1 b 2", "OK"),
        ("dbsize", ":2"),
        ("dbsize x", "-ERR wrong number of arguments for 'dbsize' command"),
    ]);
}
