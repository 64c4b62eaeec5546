//! Writes, one claim at a time.

use super::{Talk, play};

#[test]
fn set_stores_and_overwrites() {
    play(&[
        ("set k v", "OK"),
        ("get k", "\"v\""),
        ("SET k '' ", "-ERR syntax error"),
        ("SeT k w", "OK"),
        ("get k", "\"w\""),
        ("set k ''", "OK"),
        ("get k", "\"\""),
        ("set k", "-ERR wrong number of arguments for 'set' command"),
        ("set k v what", "-ERR syntax error"),
    ]);
}

#[test]
fn set_obeys_nx_and_xx() {
    play(&[
        ("set k v xx", "nil"),
        ("get k", "nil"),
        ("set k v nx", "OK"),
        ("set k w nx", "nil"),
        ("get k", "\"v\""),
        ("set k w XX", "OK"),
        ("get k", "\"w\""),
        ("set k v nx xx", "-ERR syntax error"),
        ("set k v xx nx", "-ERR syntax error"),
        ("set k v nx nx", "nil"),
    ]);
}

#[test]
fn set_get_answers_the_old_value_whatever_the_condition_says() {
    play(&[
        ("set k v get", "nil"),
        ("set k w get", "\"v\""),
        ("set k x nx get", "\"w\""),
        ("get k", "\"w\""),
        ("set k x xx get", "\"w\""),
        ("get k", "\"x\""),
        ("set none x xx get", "nil"),
        ("exists none", ":0"),
    ]);
}

#[test]
fn set_takes_one_deadline_option() {
    play(&[
        ("set k v ex 10", "OK"),
        ("ttl k", ":10"),
        ("set k v px 1500", "OK"),
        ("pttl k", ":1500"),
        ("set k v exat 1010", "OK"),
        ("pttl k", ":10000"),
        ("set k v pxat 1000001", "OK"),
        ("pttl k", ":1"),
        ("set k v keepttl", "OK"),
        ("pttl k", ":1"),
        ("set k v", "OK"),
        ("pttl k", ":-1"),
        ("set k v ex", "-ERR syntax error"),
        ("set k v ex 1 px 1", "-ERR syntax error"),
        ("set k v ex 1 ex 1", "-ERR syntax error"),
        ("set k v ex 1 keepttl", "-ERR syntax error"),
        ("set k v keepttl ex 1", "-ERR syntax error"),
        ("set k v keepttl keepttl", "OK"),
        ("set k v persist", "-ERR syntax error"),
        ("set k v ex x what", "-ERR syntax error"),
        ("set k v ex x", "-ERR value is not an integer or out of range"),
        ("set k v ex 0", "-ERR invalid expire time in 'set' command"),
        ("set k v px -1", "-ERR invalid expire time in 'set' command"),
        ("set k v exat 0", "-ERR invalid expire time in 'set' command"),
        ("set k v ex 9223372036854775", "-ERR invalid expire time in 'set' command"),
        ("set k v ex 9223372036854776", "-ERR invalid expire time in 'set' command"),
        ("set k v px 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("set k v pxat 9223372036854775807", "OK"),
        ("pexpiretime k", ":9223372036854775807"),
        ("expiretime k", ":9223372036854776"),
    ]);
}

#[test]
fn set_with_a_deadline_in_the_past_leaves_nothing() {
    play(&[("set k v", "OK"), ("set k w pxat 1", "OK"), ("get k", "nil"), ("dbsize", ":0")]);
}

#[test]
fn set_variants_answer_in_their_own_way() {
    play(&[
        ("setnx k v", ":1"),
        ("setnx k w", ":0"),
        ("get k", "\"v\""),
        ("getset k w", "\"v\""),
        ("getset none w", "nil"),
        ("setex k 10 v", "OK"),
        ("ttl k", ":10"),
        ("getset k w", "\"v\""),
        ("ttl k", ":-1"),
        ("psetex k 10 v", "OK"),
        ("pttl k", ":10"),
        ("setex k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("psetex k -1 v", "-ERR invalid expire time in 'psetex' command"),
        ("setex k x v", "-ERR value is not an integer or out of range"),
    ]);
}

#[test]
fn getdel_answers_and_removes() {
    play(&[
        ("set k v", "OK"),
        ("getdel k", "\"v\""),
        ("getdel k", "nil"),
        ("exists k", ":0"),
        ("getdel", "-ERR wrong number of arguments for 'getdel' command"),
    ]);
}

#[test]
fn getex_changes_the_deadline_it_is_told() {
    play(&[
        ("set k v ex 10", "OK"),
        ("getex k", "\"v\""),
        ("ttl k", ":10"),
        ("getex k persist", "\"v\""),
        ("ttl k", ":-1"),
        ("getex k ex 5", "\"v\""),
        ("ttl k", ":5"),
        ("getex k px 5 persist", "-ERR syntax error"),
        ("getex k keepttl", "-ERR syntax error"),
        ("getex k ex 0", "-ERR invalid expire time in 'getex' command"),
        ("getex none ex 5", "nil"),
        ("getex k pxat 1", "\"v\""),
        ("exists k", ":0"),
    ]);
}

#[test]
fn mset_sets_all_and_msetnx_all_or_none() {
    play(&[
        ("mset a 1 b 2 a 3", "OK"),
        ("mget a b c", "[\"3\" \"2\" nil]"),
        ("msetnx c 1 a 9", ":0"),
        ("mget a c", "[\"3\" nil]"),
        ("msetnx c 1 d 2", ":1"),
        ("mget c d", "[\"1\" \"2\"]"),
        ("mset a", "-ERR wrong number of arguments for 'mset' command"),
        ("mset a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("msetnx a 1 b", "-ERR wrong number of arguments for 'msetnx' command"),
    ]);
}

#[test]
fn del_and_unlink_count_what_was_there() {
    play(&[
        ("mset a 1 b 2 c 3", "OK"),
        ("del a a none", ":1"),
        ("unlink b c", ":2"),
        ("dbsize", ":0"),
        ("del", "-ERR wrong number of arguments for 'del' command"),
    ]);
}

#[test]
fn append_grows_and_keeps_the_deadline() {
    play(&[
        ("append k Hello", ":5"),
        ("append k _World", ":11"),
        ("get k", "\"Hello World\""),
        ("append k ''", ":11"),
        ("append empty ''", ":0"),
        ("exists empty", ":1"),
        ("set k v ex 10", "OK"),
        ("append k v", ":2"),
        ("ttl k", ":10"),
    ]);
}

#[test]
fn setrange_writes_over_and_fills_with_zeros() {
    play(&[
        ("set k Hello_World", "OK"),
        ("setrange k 6 Redis", ":11"),
        ("get k", "\"Hello Redis\""),
        ("setrange k 9 ''", ":11"),
        ("setrange gap 2 x", ":3"),
        ("get gap", "\"\0\0x\""),
        ("setrange none 2 ''", ":0"),
        ("exists none", ":0"),
        ("setrange k -1 x", "-ERR offset is out of range"),
        ("setrange k x x", "-ERR value is not an integer or out of range"),
    ]);
}

#[test]
fn counters_count_and_refuse_what_is_no_integer() {
    play(&[
        ("incr n", ":1"),
        ("incrby n 41", ":42"),
        ("decr n", ":41"),
        ("decrby n 50", ":-9"),
        ("get n", "\"-9\""),
        ("set n 10 ex 10", "OK"),
        ("incr n", ":11"),
        ("ttl n", ":10"),
        ("set n 01", "OK"),
        ("incr n", "-ERR value is not an integer or out of range"),
        ("set n ''", "OK"),
        ("incr n", "-ERR value is not an integer or out of range"),
        ("incrby n 1.5", "-ERR value is not an integer or out of range"),
        ("incrby n 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("set n 9223372036854775807", "OK"),
        ("incr n", "-ERR increment or decrement would overflow"),
        ("get n", "\"9223372036854775807\""),
        ("decrby n -9223372036854775808", "-ERR decrement would overflow"),
        ("incrby n -9223372036854775808", ":-1"),
    ]);
}

#[test]
fn expire_sets_deadlines_and_says_if_it_did() {
    play(&[
        ("expire none 10", ":0"),
        ("set k v", "OK"),
        ("expire k 10", ":1"),
        ("pttl k", ":10000"),
        ("pexpire k 10", ":1"),
        ("pttl k", ":10"),
        ("expireat k 1020", ":1"),
        ("pttl k", ":20000"),
        ("pexpireat k 1000020", ":1"),
        ("pttl k", ":20"),
        ("expire k x", "-ERR value is not an integer or out of range"),
        ("expire k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("expire k -9223372036854775808", "-ERR invalid expire time in 'expire' command"),
        ("pexpire k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("expire k 10 what", "-ERR Unsupported option what"),
        ("expire k", "-ERR wrong number of arguments for 'expire' command"),
    ]);
}

#[test]
fn expire_in_the_past_removes_at_once() {
    for line in ["expire k -1", "expire k 0", "pexpire k -1", "expireat k 1", "pexpireat k -5"] {
        play(&[("set k v", "OK"), (line, ":1"), ("exists k", ":0"), ("dbsize", ":0")]);
    }
}

#[test]
fn expire_obeys_its_conditions() {
    play(&[
        ("set k v", "OK"),
        ("expire k 10 xx", ":0"),
        ("expire k 10 gt", ":0"),
        ("expire k 10 xx lt", ":0"),
        ("expire k 10 nx", ":1"),
        ("expire k 20 nx", ":0"),
        ("expire k 5 gt", ":0"),
        ("expire k 10 gt", ":0"),
        ("expire k 20 GT", ":1"),
        ("expire k 30 lt", ":0"),
        ("expire k 20 lt", ":0"),
        ("expire k 10 lt", ":1"),
        ("expire k 20 xx gt", ":1"),
        ("expire k 15 xx lt", ":1"),
        ("ttl k", ":15"),
        ("persist k", ":1"),
        ("expire k 10 lt", ":1"),
        (
            "expire k 1 nx xx",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        (
            "expire k 1 nx gt",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        ("expire k 1 gt lt", "-ERR GT and LT options at the same time are not compatible"),
        ("expire k x gt lt", "-ERR GT and LT options at the same time are not compatible"),
    ]);
}

#[test]
fn persist_takes_the_deadline_away_once() {
    play(&[
        ("persist none", ":0"),
        ("set k v ex 10", "OK"),
        ("persist k", ":1"),
        ("persist k", ":0"),
        ("ttl k", ":-1"),
    ]);
}

#[test]
fn flush_leaves_nothing() {
    for line in ["flushall", "flushdb", "flushall async", "flushdb SYNC"] {
        play(&[("mset a 1 b 2", "OK"), (line, "OK"), ("dbsize", ":0"), ("get a", "nil")]);
    }
    play(&[("flushall now", "-ERR syntax error"), ("flushall sync sync", "-ERR syntax error")]);
}

#[test]
fn key_is_gone_at_its_deadline_and_not_before() {
    let mut talk = Talk::new();
    talk.play(&[("set k v px 100", "OK"), ("set other v", "OK")]);
    talk.wait(99);
    talk.play(&[("get k", "\"v\""), ("pttl k", ":1"), ("dbsize", ":2")]);
    talk.wait(1);
    talk.play(&[("get k", "nil"), ("ttl k", ":-2"), ("dbsize", ":1"), ("setnx k w", ":1")]);
    assert_eq!(talk.say("ttl k"), ":-1");
}

#[test]
fn time_never_goes_back() {
    let mut talk = Talk::new();
    talk.say("set k v px 100");
    talk.wait(100);
    talk.now -= 50;
    talk.play(&[("get k", "nil"), ("set k v px 100", "OK"), ("pttl k", ":100")]);
}

#[test]
fn expired_keys_are_invisible_before_they_are_purged() {
    let mut talk = Talk::new();
    let purged = talk.machine.limits().purged_keys_max;
    for number in 0..2 * purged {
        talk.say(&format!("set {number} v px 10"));
    }
    talk.wait(10);
    assert_eq!(talk.machine.len(), purged, "one step removes so many");
    assert_eq!(talk.say("keys *"), "[]");
    assert_eq!(talk.machine.next_expiry(), Some(talk.now));
    talk.wait(0);
    assert_eq!((talk.machine.len(), talk.machine.next_expiry()), (0, None));
}

#[test]
fn expired_key_counts_as_absent_for_every_write() {
    // Three keys expire and each step purges one: the third is still there when written to.
    for (line, wanted) in [
        ("setnx KEY w", ":1"),
        ("set KEY w xx", "nil"),
        ("set KEY w get", "nil"),
        ("set KEY w keepttl", "OK"),
        ("getdel KEY", "nil"),
        ("getex KEY persist", "nil"),
        ("del KEY", ":0"),
        ("append KEY w", ":1"),
        ("setrange KEY 0 w", ":1"),
        ("incr KEY", ":1"),
        ("expire KEY 10", ":0"),
        ("persist KEY", ":0"),
        ("msetnx KEY w", ":1"),
        ("exists KEY", ":0"),
        ("strlen KEY", ":0"),
    ] {
        let mut talk =
            Talk::with(crate::kv::Limits { purged_keys_max: 1, ..crate::kv::Limits::default() });
        talk.play(&[("mset a 7 b 7 c 7", "OK"), ("pexpire a 10", ":1"), ("pexpire b 10", ":1")]);
        talk.play(&[("pexpire c 10", ":1")]);
        talk.wait(10);
        assert_eq!(talk.machine.len(), 2);
        assert_eq!(talk.say(&line.replace("KEY", "c")), wanted, "{line}");
        assert!(talk.say("ttl c") != ":0", "{line}");
    }
}
