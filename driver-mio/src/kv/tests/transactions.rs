//! `EXEC` as one step.

use super::{Talk, shown};
use crate::kv::{Command, Query, Request, Transaction, parse};
use crate::resp::Reply;

#[test]
fn commands_take_effect_together() {
    let mut talk = Talk::new();
    let answer = exec(&mut talk, &[], &["set a 1", "incr a", "get a", "mget a b", "dbsize"]);
    assert_eq!(answer, "[OK :2 \"2\" [\"2\" nil] :1]");
}

#[test]
fn failed_command_does_not_stop_the_others() {
    let mut talk = Talk::new();
    let answer = exec(&mut talk, &[], &["set a x", "incr a", "set b 1"]);
    assert_eq!(answer, "[OK -ERR value is not an integer or out of range OK]");
    assert_eq!(talk.say("get b"), "\"1\"");
}

#[test]
fn empty_transaction_answers_an_empty_list() {
    assert_eq!(exec(&mut Talk::new(), &[], &[]), "[]");
}

#[test]
fn change_of_a_watched_key_aborts() {
    for (change, is_change) in [
        ("set w 2", true),
        ("set w 1", true),
        ("del w", true),
        ("append w ''", true),
        ("expire w 100", true),
        ("pexpire w 1", true),
        ("flushall", true),
        ("set other 1", false),
        ("get w", false),
        ("set w 2 nx", false),
        ("persist w", false),
        ("del none", false),
    ] {
        let mut talk = Talk::new();
        talk.say("set w 1");
        let version = version(&talk, "w");
        talk.say(change);
        let answer = exec(&mut talk, &[("w", version)], &["set done 1"]);
        assert_eq!(answer, if is_change { "nil array" } else { "[OK]" }, "{change}");
        assert_eq!(talk.say("exists done"), if is_change { ":0" } else { ":1" }, "{change}");
    }
}

#[test]
fn absent_watched_key_must_stay_absent() {
    let mut talk = Talk::new();
    assert_eq!(version(&talk, "w"), 0);
    assert_eq!(exec(&mut talk, &[("w", 0)], &["set w 1"]), "[OK]");
    assert_eq!(exec(&mut talk, &[("w", 0)], &["set w 2"]), "nil array");
}

#[test]
fn expiry_of_a_watched_key_aborts() {
    let mut talk = Talk::new();
    talk.say("set w 1 px 10");
    let version = version(&talk, "w");
    talk.now += 10;
    assert_eq!(exec(&mut talk, &[("w", version)], &[]), "nil array");
}

#[test]
fn read_in_the_log_sees_the_writes_before_it() {
    let mut talk = Talk::new();
    talk.say("set k v");
    let read = Command::Read(Query::Get { key: "k".into() });
    assert_eq!(shown(&talk.apply(&read)), "\"v\"");
    assert!(read.is_read() && !read.may_grow());
}

fn version(talk: &Talk, key: &'static str) -> u64 {
    match talk.machine.query(&Query::Versions { keys: vec![key.into()] }) {
        Reply::Array(versions) => match versions[..] {
            [Reply::Integer(version)] => version as u64,
            _ => panic!("one key, one version"),
        },
        _ => panic!("versions come as a list"),
    }
}

fn exec(talk: &mut Talk, watched: &[(&'static str, u64)], lines: &[&str]) -> String {
    let watched = watched.iter().map(|(key, version)| ((*key).into(), *version)).collect();
    let limits = talk.machine.limits().clone();
    let command = |line: &&str| parse(&super::words(line), &limits).unwrap().unwrap();
    let commands = lines.iter().map(command).map(Request::into_command).collect();
    shown(&talk.apply(&Command::Exec(Transaction { watched, commands })))
}
