//! `MULTI` and its family, as Redis has it.

use super::{Client, play};
use crate::front::Work;
use crate::kv::{Command, Limits};
use crate::resp::Reply;

const ABORT: &str = "-EXECABORT Transaction discarded because of previous errors.";

#[test]
fn queued_commands_take_effect_at_exec() {
    play(&[
        ("multi", "+OK"),
        ("set k 1", "+QUEUED"),
        ("incr k", "+QUEUED"),
        ("get k", "+QUEUED"),
        ("ping", "+QUEUED"),
        ("ping hi", "+QUEUED"),
        ("echo hey", "+QUEUED"),
        ("select 0", "+QUEUED"),
        ("unwatch", "+QUEUED"),
        ("exec", "[+OK :2 \"2\" +PONG \"hi\" \"hey\" +OK +OK]"),
        ("get k", "\"2\""),
        ("exec", "-ERR EXEC without MULTI"),
    ]);
}

#[test]
fn empty_transaction_answers_at_once() {
    play(&[("multi", "+OK"), ("exec", "[]")]);
}

#[test]
fn refused_command_aborts_the_transaction() {
    for (line, refusal) in [
        ("foo", "-ERR unknown command 'foo', with args beginning with:"),
        ("get", "-ERR wrong number of arguments for 'get' command"),
        ("echo", "-ERR wrong number of arguments for 'echo' command"),
        ("info", "-ERR Command not allowed inside a transaction"),
        ("paxos once a 1 set k v", "-ERR Command not allowed inside a transaction"),
    ] {
        play(&[
            ("multi", "+OK"),
            ("set k v", "+QUEUED"),
            (line, refusal),
            ("set k w", "+QUEUED"),
            ("exec", ABORT),
            ("get k", "nil".replace("nil", "_").as_str()),
            ("exec", "-ERR EXEC without MULTI"),
        ]);
    }
}

#[test]
fn wrong_words_are_heard_at_exec_in_their_place() {
    play(&[
        ("multi", "+OK"),
        ("set k v what", "+QUEUED"),
        ("set k v", "+QUEUED"),
        ("select 1", "+QUEUED"),
        ("ping a b", "+QUEUED"),
        (
            "exec",
            "[-ERR syntax error +OK -ERR DB index is out of range -ERR wrong number of arguments \
             for 'ping' command]",
        ),
        ("get k", "\"v\""),
    ]);
}

#[test]
fn misplaced_commands_leave_the_transaction_alone() {
    play(&[
        ("discard", "-ERR DISCARD without MULTI"),
        ("multi", "+OK"),
        ("multi", "-ERR MULTI calls can not be nested"),
        ("watch k", "-ERR WATCH inside MULTI is not allowed"),
        ("set k v", "+QUEUED"),
        ("exec", "[+OK]"),
    ]);
}

#[test]
fn wrong_exec_ends_the_transaction() {
    const WRONG: &str = "-EXECABORT Transaction discarded because of: wrong number of arguments \
                         for 'exec' command";
    play(&[
        ("exec now", WRONG),
        ("multi", "+OK"),
        ("set k v", "+QUEUED"),
        ("exec now", WRONG),
        ("get k", "_"),
    ]);
}

#[test]
fn discard_forgets_queue_and_watch() {
    let mut client = Client::new();
    client.play(&[("watch k", "+OK"), ("multi", "+OK"), ("set k 1", "+QUEUED")]);
    client.play(&[("discard", "+OK"), ("get k", "_")]);
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    client.play(&[("multi", "+OK"), ("incr k", "+QUEUED"), ("exec", "[:2]")]);
}

/// No transaction could hold them, and to tell them apart takes long.
#[test]
fn keys_that_fit_into_no_transaction_are_not_watched() {
    const REFUSAL: &str = "-ERR watched keys are too long together";
    let limits = Limits { command_bytes_max: 1000, ..Limits::default() };
    let mut client = Client::with(limits);
    let key = |name: &str| format!("{name:0>250}");
    let four: Vec<String> = ["a", "b", "c", "d"].map(key).into();
    assert_eq!(client.say(&format!("watch {}", four.join(" "))), REFUSAL);
    assert_eq!(client.say(&format!("watch {}", four[..3].join(" "))), "+OK");
    assert_eq!(client.say(&format!("watch {}", four[3])), REFUSAL);
    assert_eq!(client.say(&format!("watch {}", four[1..3].join(" "))), "+OK", "no news");
    client.play(&[("multi", "+OK"), ("set k v", "+QUEUED"), ("exec", "[+OK]")]);
}

#[test]
fn change_of_a_watched_key_aborts() {
    let change = Command::Add { key: "k".into(), by: 1 };
    let mut client = Client::new();
    client.play(&[("watch a k", "+OK"), ("multi", "+OK"), ("set done 1", "+QUEUED")]);
    client.apply(&change);
    client.play(&[("exec", "_"), ("exists done", ":0")]);
    // The watch is over with the transaction.
    client.apply(&change);
    client.play(&[("multi", "+OK"), ("incr k", "+QUEUED"), ("exec", "[:3]")]);
}

#[test]
fn second_watch_of_a_key_does_not_forgive_a_change() {
    let mut client = Client::new();
    client.say("watch k");
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    client.play(&[("watch k other", "+OK"), ("multi", "+OK"), ("ping", "+QUEUED"), ("exec", "_")]);
}

#[test]
fn unwatch_forgives() {
    let mut client = Client::new();
    client.say("watch k");
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    client.play(&[("unwatch", "+OK"), ("multi", "+OK"), ("ping", "+QUEUED")]);
    assert_eq!(client.say("exec"), "[+PONG]");
}

#[test]
fn own_write_to_a_watched_key_aborts_too() {
    play(&[
        ("watch k", "+OK"),
        ("set k 1", "+OK"),
        ("multi", "+OK"),
        ("incr k", "+QUEUED"),
        ("exec", "_"),
    ]);
}

#[test]
fn transaction_with_nothing_but_a_watch_is_still_checked() {
    let mut client = Client::new();
    client.play(&[("watch k", "+OK"), ("multi", "+OK")]);
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    assert_eq!(client.say("exec"), "_");
}

#[test]
fn nothing_is_looked_at_while_a_watch_is_on_its_way() {
    let mut client = Client::new();
    let watch = client.send("watch k").unwrap();
    assert!(!client.connection.wants_request());
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    let versions = client.carry_out(&watch.work);
    client.connection.on_answer(watch.ticket, versions);
    assert!(client.connection.wants_request());
    assert_eq!(client.replies(), ["+OK"]);
    client.play(&[("multi", "+OK"), ("incr k", "+QUEUED"), ("exec", "[:2]")]);
}

#[test]
fn failed_watch_is_told_and_watches_nothing() {
    let mut client = Client::new();
    let watch = client.send("watch k").unwrap();
    client.connection.on_answer(watch.ticket, crate::front::NOT_READY);
    assert_eq!(client.replies(), ["-NOTREADY no leader is known; nothing happened"]);
    client.apply(&Command::Add { key: "k".into(), by: 1 });
    client.play(&[("multi", "+OK"), ("incr k", "+QUEUED"), ("exec", "[:2]")]);
}

#[test]
fn transaction_is_bounded() {
    let mut client = Client::with(Limits { transaction_commands_max: 2, ..Limits::default() });
    client.play(&[("multi", "+OK"), ("incr k", "+QUEUED"), ("incr k", "+QUEUED")]);
    client.play(&[("incr k", "-ERR transaction is too long"), ("exec", ABORT)]);
    let mut client = Client::with(Limits { command_bytes_max: 100, ..Limits::default() });
    client.play(&[("multi", "+OK"), ("set k 0123456789012345678901234567890", "+QUEUED")]);
    client.play(&[("set k 0123456789012345678901234567890", "-ERR transaction is too long")]);
    let mut client = Client::with(Limits { watched_keys_max: 2, ..Limits::default() });
    client.play(&[
        ("watch a b", "+OK"),
        ("watch a", "+OK"),
        ("watch c", "-ERR too many watched keys"),
        ("watch a a a", "-ERR too many watched keys"),
    ]);
}

#[test]
fn longest_transaction_still_fits_into_a_command() {
    const LINE: &str = "set k 0123456789";
    let open = || {
        let mut client = Client::with(Limits { command_bytes_max: 300, ..Limits::default() });
        client.play(&[("watch a bb ccc", "+OK"), ("multi", "+OK")]);
        client
    };
    let mut probe = open();
    let accepted = std::iter::from_fn(|| (probe.say(LINE) == "+QUEUED").then_some(())).count();
    assert!(accepted > 1);

    let mut client = open();
    (0..accepted).for_each(|_| assert_eq!(client.say(LINE), "+QUEUED"));
    let order = client.send("exec").unwrap();
    let Work::Propose { command, .. } = order.work else { panic!("it goes through the log") };
    assert!(command.encoded_len() <= 300, "{}", command.encoded_len());
}

#[test]
fn full_store_refuses_what_grows_it() {
    const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
    let mut client = Client::new();
    client.is_store_full = true;
    client.play(&[("set k v", FULL), ("del k", ":0"), ("get k", "_"), ("multi", "+OK")]);
    client.play(&[("incr k", FULL), ("exec", ABORT)]);
    client.play(&[("paxos once a 1 set k v", FULL), ("paxos once a 1 del k", ":0")]);
}

#[test]
fn queued_command_does_not_pin_the_read_buffer() {
    let mut client = Client::new();
    client.say("multi");
    let line = super::words("set key value");
    let ranges: Vec<_> = line.iter().map(|word| word.as_ptr_range()).collect();
    let limits = Limits::default();
    let env = crate::front::Env {
        limits: &limits,
        connection: 1,
        address: "",
        local_address: "",
        is_store_full: false,
    };
    client.connection.on_request(&line, &env);
    let Some(order) = client.send("exec") else { panic!("there is something to do") };
    let Work::Propose { command: Command::Exec(transaction), .. } = order.work else {
        panic!("a transaction goes through the log");
    };
    transaction.commands[0].each_key(&mut |key| {
        assert!(ranges.iter().all(|range| !range.contains(&key.as_ptr())));
    });
    assert!(client.connection.on_answer(order.ticket, Reply::OK).is_none());
}
