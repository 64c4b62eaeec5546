//! Arrows point down: every path from one room of the crate to another is on the
//! map in the crate docs. Comments may point anywhere; code may not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom. Top to bottom, each room uses only rooms above it.
const MAP: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("quorum", &["types"]),
    ("log", &["types"]),
    ("message", &["types"]),
    ("effect", &["types", "quorum", "log", "message"]),
    ("role", &["types", "quorum", "log", "message", "effect"]),
    ("replica", &["types", "quorum", "log", "message", "effect", "role"]),
    ("node", &["types", "quorum", "log", "message", "effect", "role", "replica"]),
    ("codec", &["types", "log", "message"]),
    ("service", &["types"]),
];

/// Rooms that stand aside: none of the core proper may know of them.
const ASIDE: [&str; 2] = ["codec", "service"];

#[test]
fn every_arrow_is_on_the_map() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for (room, _) in MAP {
        for file in rust_files(&src().join(room)) {
            files += 1;
            let inside = file.strip_prefix(src()).expect("the file is below src");
            let text = fs::read_to_string(&file).expect("a readable source file");
            let found = arrows_off_the_map(room, depth_of(inside), &text);
            wrong.extend(found.into_iter().map(|what| format!("{}: {what}", inside.display())));
        }
    }
    assert!(files > 40, "only {files} files: the test looks in the wrong place");
    assert!(wrong.is_empty(), "arrows that are not on the map:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let entries = fs::read_dir(src()).expect("the source folder");
    for entry in entries {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        let room = name.trim_end_matches(".rs");
        assert!(room == "lib" || MAP.iter().any(|(r, _)| *r == room), "{name} is not on the map");
    }
}

#[test]
fn the_map_points_down() {
    for (at, (room, uses)) in MAP.iter().enumerate() {
        for used in *uses {
            assert!(MAP[..at].iter().any(|(r, _)| r == used), "{room} looks up at {used}");
            assert!(!ASIDE.contains(used), "{room} knows of {used}");
        }
    }
}

#[test]
fn the_docs_show_this_map() {
    let docs = fs::read_to_string(src().join("lib.rs")).expect("lib.rs");
    let words = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let shown: BTreeMap<String, Vec<String>> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("//! |"))
        .filter_map(|row| {
            let mut cells = row.split('|');
            let room = words(cells.next()?).pop()?;
            Some((room, words(cells.next()?)))
        })
        .collect();
    let owned = |uses: &[&str]| uses.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>();
    let map = MAP.iter().map(|(room, uses)| ((*room).to_owned(), owned(uses))).collect();
    assert_eq!(shown, map);
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let wrong = [
        ("role", 2, "use crate::node::Node;", "node"),
        ("role", 2, "    let x = crate::replica::Replica::new();", "replica"),
        ("effect", 2, "use crate::{log::Batch, role::{Cx, earliest}};", "role"),
        ("effect", 2, "use crate::{\n    log::Batch,\n    codec::wire,\n};", "codec"),
        ("message", 2, "use crate::{self as everything};", "self"),
        ("types", 2, "use crate::Node;", "Node"),
        ("types", 1, "use super::effect::Effect;", "super::"),
        ("role", 3, "use super::super::super::node::Node;", "super::"),
        ("log", 2, "pub(in crate::role) fn f() {}", "role"),
    ];
    for (room, depth, code, named) in wrong {
        let found = arrows_off_the_map(room, depth, code);
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert!(found[0].contains(named), "{code}: {found:?}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_right() {
    let right = [
        ("role", 2, "use crate::{log::Log, effect::{Notice, Ignored}};"),
        ("role", 2, "use crate::role::Cx;\nuse super::Cx;"),
        ("node", 1, "mod tests {\n    use super::*;"),
        ("types", 2, "/// See [`Effect`](crate::effect::Effect)."),
        ("quorum", 2, "let x = 1; // as crate::node does"),
        ("log", 2, "pub(crate) fn f() {}"),
    ];
    for (room, depth, code) in right {
        assert_eq!(arrows_off_the_map(room, depth, code), [""; 0], "{code}");
    }
}

/// What `code`, a file in `room` whose module is `depth` below the root, reaches
/// for and must not.
fn arrows_off_the_map(room: &str, depth: usize, code: &str) -> Vec<String> {
    let (_, uses) = MAP.iter().find(|(r, _)| *r == room).expect("a room of the map");
    let allowed = |name: &str| name == room || uses.contains(&name);
    let code: String =
        code.lines().flat_map(|l| [l.split("//").next().unwrap_or(l), "\n"]).collect();
    let mut wrong: Vec<String> = rooms_named(&code)
        .into_iter()
        .filter(|name| !allowed(name))
        .map(|name| format!("{room} -> {name}"))
        .collect();
    wrong.extend(escapes(depth, &code));
    wrong
}

/// The first name of every path that starts at the root of the crate.
fn rooms_named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = code[at + found.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(list) => names.extend(first_names(list)),
            None => names.push(ident(rest)),
        }
    }
    names
}

/// The first name of every path in a list that has just been opened.
fn first_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut open, mut item) = (0, 0);
    for (at, c) in list.char_indices() {
        let ends = open == 0 && (c == ',' || c == '}');
        if ends {
            names.push(ident(list[item..at].trim_start()));
            item = at + 1;
        }
        match c {
            '{' => open += 1,
            '}' if open == 0 => break,
            '}' => open -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Chains of `super::` that climb to the root of the crate, past the room's door.
fn escapes(depth: usize, code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut depth = depth;
    for line in code.lines() {
        if line.trim_start().starts_with("mod tests {") {
            depth += 1;
        }
        let climbs = line.split("super::").skip(1).scan(0, |chain, between| {
            *chain += 1;
            let climbed = *chain;
            if !between.is_empty() {
                *chain = 0;
            }
            Some(climbed)
        });
        if climbs.max().is_some_and(|climbed| climbed >= depth) {
            wrong.push(format!("leaves its room by super:: in `{}`", line.trim()));
        }
    }
    wrong
}

fn ident(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// How deep the module of a file lies: 1 for `role/mod.rs`, 2 for `role/reader.rs`.
fn depth_of(file: &Path) -> usize {
    let parts = file.components().count();
    if file.ends_with("mod.rs") { parts - 1 } else { parts }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(under: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(under).expect("a folder of the map") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}
