//! `SCAN`: every key that stays is answered, however the keyspace changes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Talk, shown};
use crate::resp::Reply;

#[test]
fn scan_refuses_what_redis_refuses() {
    super::play(&[
        ("scan 0", "[\"0\" []]"),
        ("scan", "-ERR wrong number of arguments for 'scan' command"),
        ("scan x", "-ERR invalid cursor"),
        ("scan 18446744073709551616", "-ERR invalid cursor"),
        ("scan 0 count", "-ERR syntax error"),
        ("scan 0 count 0", "-ERR syntax error"),
        ("scan 0 count -1", "-ERR syntax error"),
        ("scan 0 count x", "-ERR value is not an integer or out of range"),
        ("scan 0 what 1", "-ERR syntax error"),
        ("scan 0 match", "-ERR syntax error"),
        ("scan 18446744073709551615", "[\"0\" []]"),
    ]);
}

#[test]
fn scan_filters_by_pattern_and_type() {
    let mut talk = Talk::new();
    talk.say("mset a1 1 a2 2 b1 3");
    assert_eq!(sorted(&mut talk, "match a*"), ["a1", "a2"]);
    assert_eq!(sorted(&mut talk, "type string count 1"), ["a1", "a2", "b1"]);
    assert_eq!(sorted(&mut talk, "TYPE STRING MATCH *1"), ["a1", "b1"]);
    assert_eq!(sorted(&mut talk, "type hash"), [""; 0]);
}

#[test]
fn scan_looks_at_no_more_keys_than_count() {
    let mut talk = Talk::new();
    for number in 0..100 {
        talk.say(&format!("set {number} v"));
    }
    let (cursor, keys) = page(&mut talk, "0", "count 7");
    assert_eq!(keys.len(), 7);
    let (next, keys) = page(&mut talk, &cursor, "count 7 match none");
    assert!(keys.is_empty() && next != "0", "an empty page is not the end");
}

#[test]
fn cursor_means_the_same_on_every_node() {
    let (mut one, mut two) = (Talk::new(), Talk::new());
    for number in 0..50 {
        one.say(&format!("set {number} v"));
        two.say(&format!("set {} v", 49 - number));
    }
    let (cursor, _) = page(&mut one, "0", "count 20");
    assert_eq!(page(&mut one, &cursor, "count 20"), page(&mut two, &cursor, "count 20"));
    assert!(cursor.parse::<u64>().unwrap() < 1 << 53, "a double can hold it");
}

proptest! {
    #[test]
    fn keys_present_throughout_are_answered_once(
        kept in 1_usize..80,
        others in prop::collection::vec((0_usize..60, any::<bool>()), 0..200),
        count in 1_usize..9,
    ) {
        let mut talk = Talk::new();
        for number in 0..kept {
            talk.say(&format!("set kept{number} v"));
        }
        let mut others = others.into_iter();
        let mut seen = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let (next, keys) = page(&mut talk, &cursor, &format!("count {count}"));
            seen.extend(keys.into_iter().filter(|key| key.starts_with("kept")));
            for (number, is_added) in others.by_ref().take(3) {
                let line = if is_added { "set other{} v" } else { "del other{}" };
                talk.say(&line.replace("{}", &number.to_string()));
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
        prop_assert_eq!(seen.len(), kept);
        prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), kept);
    }
}

fn sorted(talk: &mut Talk, options: &str) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let (next, keys) = page(talk, &cursor, options);
        found.extend(keys);
        if next == "0" {
            found.sort_unstable();
            return found;
        }
        cursor = next;
    }
}

fn page(talk: &mut Talk, cursor: &str, options: &str) -> (String, Vec<String>) {
    let Reply::Array(answer) = talk.reply(&format!("scan {cursor} {options}")) else {
        panic!("a page has two parts");
    };
    let Reply::Array(keys) = &answer[1] else { panic!("the second part is a list") };
    let text = |reply: &Reply| shown(reply).trim_matches('"').to_owned();
    (text(&answer[0]), keys.iter().map(text).collect())
}
