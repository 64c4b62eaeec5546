//! Commands of the connection itself, one claim at a time.

use super::{Client, play, words};
use crate::kv::Limits;
use crate::resp::{Protocol, Reply};

#[test]
fn ping_and_echo_answer() {
    play(&[
        ("ping", "+PONG"),
        ("PING hello", "\"hello\""),
        ("ping a b", "-ERR wrong number of arguments for 'ping' command"),
        ("echo hello", "\"hello\""),
        ("echo", "-ERR wrong number of arguments for 'echo' command"),
    ]);
}

#[test]
fn unknown_command_is_named_with_its_arguments() {
    play(&[
        ("foo", "-ERR unknown command 'foo', with args beginning with:"),
        ("foo bar baz", "-ERR unknown command 'foo', with args beginning with: 'bar' 'baz'"),
    ]);
    let mut client = Client::new();
    let said = client.say(&format!("{} {}", "x".repeat(500), "y".repeat(500)));
    assert_eq!(said.matches('x').count(), 128);
    assert!(said.matches('y').count() <= 128, "{said}");
}

#[test]
fn hello_agrees_on_a_protocol() {
    let welcome = |proto: &str| {
        format!(
            "{{\"server\"=\"redis\" \"version\"=\"7.0.15\" \"proto\"=:{proto} \"id\"=:7 \
             \"mode\"=\"standalone\" \"role\"=\"master\" \"modules\"=[]}}"
        )
    };
    play(&[
        ("hello", &welcome("2")),
        ("hello 3", &welcome("3")),
        ("hello", &welcome("3")),
        ("hello 2 setname me", &welcome("2")),
        ("client getname", "\"me\""),
        ("hello 3 auth default secret setname you", &welcome("3")),
        ("client getname", "\"you\""),
        ("hello 4", "-NOPROTO unsupported protocol version"),
        ("hello x", "-ERR Protocol version is not an integer or out of range"),
        (
            "hello 2 auth me secret",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        ),
        ("hello 2 auth me", "-ERR Syntax error in HELLO option 'auth'"),
        ("hello 2 what", "-ERR Syntax error in HELLO option 'what'"),
        ("hello", &welcome("3")),
    ]);
}

#[test]
fn reply_is_said_in_the_protocol_of_its_request() {
    let mut client = Client::new();
    client.send("ping");
    let read = client.send("get k").unwrap();
    client.send("hello 3");
    client.send("ping");
    client.connection.on_answer(read.ticket, Reply::Null);
    let spoken: Vec<_> = std::iter::from_fn(|| client.connection.next_reply())
        .map(|(_, protocol)| protocol)
        .collect();
    assert_eq!(spoken, [Protocol::Resp2, Protocol::Resp2, Protocol::Resp3, Protocol::Resp3]);
}

#[test]
fn there_is_one_database_and_one_user() {
    play(&[
        ("select 0", "+OK"),
        ("select 1", "-ERR DB index is out of range"),
        ("select x", "-ERR value is not an integer or out of range"),
        ("auth default x", "+OK"),
        ("auth me x", "-WRONGPASS invalid username-password pair or user is disabled."),
        ("auth a b c", "-ERR syntax error"),
    ]);
    assert!(Client::new().say("auth x").starts_with("-ERR AUTH <password> called without"));
}

#[test]
fn client_tells_about_the_connection() {
    play(&[
        ("client id", ":7"),
        ("client getname", "_"),
        ("client setname me", "+OK"),
        ("client getname", "\"me\""),
        (
            "client setname a_b",
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        ),
        ("client setinfo LIB-NAME redis-rs", "+OK"),
        ("client setinfo lib-ver 1.0", "+OK"),
        ("client setinfo what 1.0", "-ERR Unrecognized option 'what'"),
        ("client no-evict on", "+OK"),
        ("client no-touch off", "+OK"),
        ("client no-evict x", "-ERR syntax error"),
        ("client no-evict", "-ERR wrong number of arguments for 'client|no-evict' command"),
        ("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP."),
        ("client id x", "-ERR wrong number of arguments for 'client|id' command"),
        ("client", "-ERR wrong number of arguments for 'client' command"),
    ]);
    let mut client = Client::new();
    client.say("client setname me");
    let listed = client.say("client list");
    for part in ["id=7", "addr=10.0.0.9:5000", "laddr=10.0.0.1:6379", "name=me", "resp=2"] {
        assert!(listed.contains(part), "{listed}");
    }
    assert_eq!(client.say("client info"), listed);
}

#[test]
fn client_reply_silences_answers() {
    play(&[
        ("client reply skip", ""),
        ("ping", ""),
        ("ping", "+PONG"),
        ("client reply off", ""),
        ("set k v", ""),
        ("ping", ""),
        ("client reply skip", ""),
        ("client reply on", "+OK"),
        ("get k", "\"v\""),
        ("client reply x", "-ERR syntax error"),
    ]);
}

#[test]
fn reset_forgets_everything() {
    let mut client = Client::new();
    client.play(&[
        ("client setname me", "+OK"),
        ("readonly", "+OK"),
        ("multi", "+OK"),
        ("reset", "+RESET"),
        ("exec", "-ERR EXEC without MULTI"),
        ("client getname", "_"),
        ("reset x", "-ERR wrong number of arguments for 'reset' command"),
    ]);
    assert!(matches!(client.send("get k").unwrap().work, super::Work::Query { .. }));
}

#[test]
fn quit_closes_behind_the_answers() {
    let mut client = Client::new();
    let write = client.send("set k v").unwrap();
    assert_eq!(client.send("quit"), None);
    assert!(!client.connection.wants_request());
    assert!(!client.connection.is_finished());
    client.answer(write.ticket, "OK");
    assert_eq!(client.replies(), ["+OK", "+OK"]);
    assert!(client.connection.is_finished());
}

/// Each is held against all that there is, while everybody waits.
#[test]
fn a_question_names_so_much_and_no_more() {
    const REFUSAL: &str = "-ERR too much named: at most 64 words of 1024 bytes each";
    let mut client = Client::new();
    for command in ["config get", "info"] {
        let many = |count: usize| format!("{command}{}", " none".repeat(count));
        let long = |bytes: usize| format!("{command} {}", "x".repeat(bytes));
        for line in [many(65), long(1025)] {
            assert_eq!(client.say(&line), REFUSAL);
        }
        for line in [many(64), long(1024)] {
            assert!(!client.say(&line).starts_with('-'));
        }
    }
}

#[test]
fn config_get_matches_patterns() {
    play(&[
        ("config get save", "{\"save\"=\"\"}"),
        ("config get SAVE appendonly", "{\"appendonly\"=\"yes\" \"save\"=\"\"}"),
        ("config get maxmemory-*", "{\"maxmemory-policy\"=\"noeviction\"}"),
        ("config get none", "{}"),
        ("config get", "-ERR wrong number of arguments for 'config|get' command"),
        ("config foo", "-ERR unknown subcommand 'foo'. Try CONFIG HELP."),
        ("config set foo bar", "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        ("config set foo bar baz", "-ERR syntax error"),
        (
            "config set save x",
            "-ERR CONFIG SET failed (possibly related to argument 'save') - can't set immutable config",
        ),
    ]);
    let mut client = Client::with(Limits { value_bytes_max: 77, ..Limits::default() });
    let found = client.say("config get proto-max-bulk-len");
    assert_eq!(found, "{\"proto-max-bulk-len\"=\"77\"}");
}

#[test]
fn command_tells_what_there_is() {
    let mut client = Client::new();
    let count: usize = client.say("command count")[1..].parse().unwrap();
    let Some((Reply::Array(all), _)) = ({
        client.send("command");
        client.connection.next_reply()
    }) else {
        panic!("COMMAND answers a list");
    };
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|info| matches!(info, Reply::Array(parts) if parts.len() == 10)));
    let info = client.say("command info get nope");
    assert!(info.starts_with("[[\"get\" :2 ~2\r\n+readonly\r\n+fast :1 :1 :1"), "{info}");
    assert!(info.ends_with(" _]"), "{info}");
    assert!(client.say("command docs set").contains("\"summary\"=\"Sets a value.\""));
    client.play(&[
        ("command docs nope", "{}"),
        ("command getkeys mset a 1 b 2", "[\"a\" \"b\"]"),
        ("command getkeys get k", "[\"k\"]"),
        ("command getkeys watch a b", "[\"a\" \"b\"]"),
        ("command getkeys get", "-ERR wrong number of arguments for 'command|getkeys' command"),
        ("command getkeys ping x", "-ERR The command has no key arguments"),
        ("command getkeys nope x", "-ERR Invalid command specified"),
        ("command foo", "-ERR unknown subcommand 'foo'. Try COMMAND HELP."),
    ]);
}

#[test]
fn command_does_not_repeat_itself_without_end() {
    for question in ["info", "docs"] {
        let line = format!("command {question}{}", " get".repeat(1025));
        assert_eq!(Client::new().say(&line), "-ERR too many commands named");
    }
}

#[test]
fn long_answers_count_with_all_their_parts() {
    let mut client = Client::new();
    let mut asked = 0;
    while client.connection.wants_request() && asked < 1024 {
        client.send("command");
        asked += 1;
    }
    assert!(asked < 1024, "the lists of a thousand answers are not for free");
}

#[test]
fn every_command_is_answered_whatever_its_arguments() {
    let names = crate::kv::SPECS.iter().map(|spec| spec.name);
    let names = names.chain(crate::front::table::SPECS.iter().map(|spec| spec.name));
    for name in names {
        for extra in 0..7 {
            let line = [name].into_iter().chain(std::iter::repeat_n("1", extra));
            let line = line.collect::<Vec<_>>().join(" ");
            for before in ["ping", "multi"] {
                let mut client = Client::new();
                client.say(before);
                assert_ne!(client.say(&line), "", "{before}, then {line}");
            }
        }
    }
    assert!(!words("").is_empty());
}
