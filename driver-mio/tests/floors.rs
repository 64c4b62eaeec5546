//! Arrows point down: which room of this crate may use which. Comments may point
//! anywhere; code may not.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom. Top to bottom, each room uses only rooms above it.
const MAP: &[(&str, &[&str])] = &[
    ("exit", &[]),
    ("args", &[]),
    ("resp", &[]),
    ("disk", &[]),
    ("record", &[]),
    ("kv", &["resp"]),
    ("front", &["kv", "resp"]),
    ("store", &["front", "kv", "resp"]),
    ("vault", &["disk", "kv", "resp", "store"]),
    ("net", &["front", "kv", "resp"]),
    ("node", &["args", "disk", "front", "kv", "net", "record", "resp", "store", "vault"]),
    ("inspect", &["disk", "vault"]),
    ("tool", &["args", "resp"]),
    ("local", &["args", "exit"]),
];

#[test]
fn every_arrow_is_on_the_map() {
    let mut files = 0;
    for (room, uses) in MAP {
        for file in rust_files(room) {
            files += 1;
            let text = fs::read_to_string(&file).expect("a readable source file");
            let wrong: Vec<_> =
                used(&text).into_iter().filter(|u| u != room && !uses.contains(u)).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?} is not on the map", file.display());
        }
    }
    assert!(files > 60, "only {files} files: the test looks in the wrong place");
}

#[test]
fn every_room_is_on_the_map_and_the_map_points_down() {
    for entry in fs::read_dir(src()).expect("the source folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        let room = name.trim_end_matches(".rs");
        let outside = ["lib", "main"].contains(&room);
        assert!(outside || MAP.iter().any(|(r, _)| *r == room), "{name} is not on the map");
    }
    for (at, (room, uses)) in MAP.iter().enumerate() {
        let above = |used: &&str| MAP[..at].iter().any(|(r, _)| r == used);
        assert!(uses.iter().all(above), "{room} looks up");
    }
}

#[test]
fn the_reader_sees_every_arrow_and_no_comment() {
    let text =
        "use crate::kv::{self, Query};\n// crate::no\n/// [`x`](crate::no)\nlet x = crate::net::X;";
    assert_eq!(used(text), ["kv", "net"]);
    assert_eq!(used("pub(crate) fn f() {}"), [""; 0]);
}

/// The rooms that `text` names in code.
fn used(text: &str) -> Vec<&str> {
    let code = text.lines().filter_map(|line| line.split("//").next());
    let named = code.flat_map(|line| line.split("crate::").skip(1));
    named.filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next()).collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `room.rs`, and everything below `room/`.
fn rust_files(room: &str) -> Vec<PathBuf> {
    let mut found = Vec::from_iter(Some(src().join(format!("{room}.rs"))).filter(|f| f.exists()));
    let mut folders = vec![src().join(room)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}
