//! Laws: what holds for all inputs.

use bytes::Bytes;
use proptest::prelude::*;

use crate::kv::{
    Command, Constant, Deadline, ExpireIf, Expiry, Limits, Machine, Presence, Query, Scan, Set,
    SetAnswer, Transaction, TtlForm, harness,
};

proptest! {
    #[test]
    fn decoding_undoes_encoding(command in command(), stamp in any::<u64>()) {
        let payload = command.encode(stamp);
        prop_assert_eq!(payload.len(), command.encoded_len());
        let key = match &command {
            Command::Set(set) if set.expiry == Expiry::Never => Some(&set.key[..]),
            _ => None,
        };
        prop_assert_eq!(Command::key_to_set(&payload), key);
        prop_assert_eq!(Command::decode(&payload), Ok((stamp, command)));
    }

    #[test]
    fn decoding_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::key_to_set(&bytes);
        let _ = Command::decode(&bytes.into());
    }

    #[test]
    fn decoding_damaged_commands_does_not_panic(
        command in command(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut payload = command.encode(1).to_vec();
        for (at, byte) in damage {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let payload = Bytes::from(payload);
        if let Ok((stamp, command)) = Command::decode(&payload) {
            prop_assert_eq!(command.encode(stamp), payload, "one encoding for each command");
        }
    }

    #[test]
    fn replicas_agree_after_every_step(
        steps in prop::collection::vec((command(), 0_u64..50), 1..60),
    ) {
        let limits = Limits { purged_keys_max: 1, value_bytes_max: 64, ..Limits::default() };
        let mut one = Machine::new(limits.clone());
        let mut two = Machine::new(limits);
        for (slot, (command, stamp)) in (1..).zip(steps) {
            let payload = command.encode(stamp);
            one.prepare([&payload, &payload].into_iter());
            prop_assert_eq!(one.apply(slot, &payload), two.apply(slot, &payload));
            prop_assert_eq!(one.digest(), two.digest());
            // A replica that comes from a snapshot goes on as one that was there all along.
            if slot % 8 == 0 {
                two = restored(&two);
            }
        }
        prop_assert_eq!((one.len(), one.bytes()), (two.len(), two.bytes()));
        prop_assert_eq!(one.next_expiry(), two.next_expiry());
    }

    #[test]
    fn sums_are_those_of_the_entries(commands in prop::collection::vec(command(), 1..60)) {
        let mut machine = Machine::new(Limits::default());
        for (slot, command) in (1..).zip(commands) {
            machine.apply(slot, &command.encode(slot));
        }
        // Restoring counts everything anew.
        let fresh = restored(&machine);
        prop_assert_eq!((machine.len(), machine.bytes()), (fresh.len(), fresh.bytes()));
        prop_assert_eq!(machine.expiring(), fresh.expiring());
    }

    #[test]
    fn harness_finds_nothing(data in prop::collection::vec(any::<u8>(), 0..400)) {
        harness::run(&data);
    }

    #[test]
    fn harness_finds_nothing_in_likely_lines(lines in prop::collection::vec(line(), 0..20)) {
        let piece = |line: String| [&[line.len() as u8 + 1, 1], line.as_bytes()].concat();
        harness::run(&lines.into_iter().flat_map(piece).collect::<Vec<_>>());
    }
}

#[test]
fn digest_tells_states_apart() {
    let digest_after = |lines: &[&str]| {
        let mut talk = super::Talk::new();
        lines.iter().for_each(|line| drop(talk.say(line)));
        talk.machine.digest()
    };
    let base = digest_after(&["set k v"]);
    for other in [&["set k w"][..], &["set l v"], &["set k v ex 1"], &["set k v", "set k v"], &[]] {
        assert_ne!(base, digest_after(other), "{other:?}");
    }
    assert_eq!(base, digest_after(&["set k v"]));
}

fn restored(machine: &Machine) -> Machine {
    let mut restore = crate::kv::Restore::new(machine.limits().clone());
    machine.image().chunks(50).for_each(|chunk| restore.push(&chunk).unwrap());
    restore.finish().unwrap()
}

fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(crate::kv::SPECS).prop_map(|spec| spec.name.to_owned());
    let word = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "0",
        "1",
        "-1",
        "10",
        "100",
        "*",
        "nx",
        "xx",
        "get",
        "ex",
        "px",
        "pxat",
        "gt",
        "lt",
        "keepttl",
        "match",
        "count",
        "",
        "9223372036854775807",
    ]);
    (name, prop::collection::vec(word, 0..5))
        .prop_map(|(name, words)| [&[name.as_str()], &words[..]].concat().join(" "))
}

fn command() -> impl Strategy<Value = Command> {
    let transaction =
        (prop::collection::vec((key(), 0_u64..5), 0..3), prop::collection::vec(single(), 0..4));
    let exec = transaction
        .prop_map(|(watched, commands)| Command::Exec(Transaction { watched, commands }));
    prop_oneof![8 => single(), 1 => exec, 1 => Just(Command::Advance)]
}

fn single() -> impl Strategy<Value = Command> {
    let sets = (key(), value(), presence(), expiry(), answer()).prop_map(
        |(key, value, only_if, expiry, answer)| {
            Command::Set(Set { key, value, only_if, expiry, answer })
        },
    );
    let many = (prop::collection::vec((key(), value()), 0..4), any::<bool>())
        .prop_map(|(pairs, only_if_absent)| Command::SetMany { pairs, only_if_absent });
    let range = (key(), 0_u64..80, value()).prop_map(|(key, offset, value)| Command::SetRange {
        key,
        offset,
        value,
    });
    let expire = (key(), deadline(), expire_if())
        .prop_map(|(key, deadline, only_if)| Command::Expire { key, deadline, only_if });
    let append = (key(), value()).prop_map(|(key, value)| Command::Append { key, value });
    let get_expire = (key(), expiry()).prop_map(|(key, expiry)| Command::GetExpire { key, expiry });
    prop_oneof![
        sets,
        many,
        range,
        expire,
        append,
        get_expire,
        key().prop_map(|key| Command::GetDel { key }),
        keys().prop_map(|keys| Command::Remove { keys }),
        (key(), any::<i64>()).prop_map(|(key, by)| Command::Add { key, by }),
        key().prop_map(|key| Command::Persist { key }),
        Just(Command::Clear),
        query().prop_map(Command::Read),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let scan = (0_u64..1 << 53, prop::option::of(value()), 1_u64..20, any::<bool>()).prop_map(
        |(cursor, pattern, count, strings)| Query::Scan(Scan { cursor, pattern, count, strings }),
    );
    let form = prop::sample::select(vec![
        TtlForm::Seconds,
        TtlForm::Millis,
        TtlForm::SecondsAt,
        TtlForm::MillisAt,
    ]);
    let constant = prop_oneof![
        Just(Constant::Ok),
        Just(Constant::Pong),
        value().prop_map(Constant::Text),
        value().prop_map(Constant::Refusal),
    ];
    prop_oneof![
        scan,
        key().prop_map(|key| Query::Get { key }),
        keys().prop_map(|keys| Query::GetMany { keys }),
        (key(), any::<i64>(), any::<i64>()).prop_map(|(key, start, end)| Query::GetRange {
            key,
            start,
            end
        }),
        keys().prop_map(|keys| Query::Exists { keys }),
        key().prop_map(|key| Query::Type { key }),
        key().prop_map(|key| Query::Length { key }),
        (key(), form).prop_map(|(key, form)| Query::Ttl { key, form }),
        value().prop_map(|pattern| Query::Keys { pattern }),
        Just(Query::Count),
        keys().prop_map(|keys| Query::Versions { keys }),
        constant.prop_map(Query::Constant),
    ]
}

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "a", "b", "c", "longer-key"]).prop_map(Bytes::from)
}

fn keys() -> impl Strategy<Value = Vec<Bytes>> {
    prop::collection::vec(key(), 0..4)
}

fn value() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "0", "41", "-7", "*", "[a-c]", "some longer value of text"])
        .prop_map(Bytes::from)
}

fn deadline() -> impl Strategy<Value = Deadline> {
    prop_oneof![
        (-5_i64..60).prop_map(Deadline::In),
        (-5_i64..60).prop_map(Deadline::At),
        any::<i64>().prop_map(Deadline::In),
        any::<i64>().prop_map(Deadline::At),
    ]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![Just(Expiry::Never), Just(Expiry::Keep), deadline().prop_map(Expiry::At)]
}

fn presence() -> impl Strategy<Value = Presence> {
    prop::sample::select(vec![Presence::Any, Presence::Absent, Presence::Present])
}

fn answer() -> impl Strategy<Value = SetAnswer> {
    prop::sample::select(vec![SetAnswer::Ok, SetAnswer::Old, SetAnswer::Count])
}

fn expire_if() -> impl Strategy<Value = ExpireIf> {
    prop::sample::select(vec![
        ExpireIf::Always,
        ExpireIf::Unset,
        ExpireIf::Set,
        ExpireIf::Later,
        ExpireIf::Earlier,
        ExpireIf::SetAndEarlier,
    ])
}
