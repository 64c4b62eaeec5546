//! `paxos-sim` as it is called: what it prints where, and how it ends.

use std::fs;
use std::process::{Command, Output};

fn paxos_sim(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-sim"));
    command.args(words).output().expect("it starts")
}

/// A picture that is printed is alone on its way, and does not hide how the run ended.
#[test]
fn a_printed_picture_is_nothing_else_and_ends_as_the_run_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let page_words = page.to_str().expect("a name in words");
    let run = ["run", "--seed", "7", "--svg", "1..5", "--html", page_words];
    let well = paxos_sim(&[&run[..], &["--ticks", "500"]].concat());
    assert!(fs::read(&page).is_ok_and(|page| !page.is_empty()), "the page is written, too");
    // As if it broke an invariant.
    let broken = paxos_sim(&[&run[..], &["--ticks", "2000", "--until", "pauses"]].concat());
    assert_eq!((well.status.code(), broken.status.code()), (Some(0), Some(1)));
    for said in [well.stdout, broken.stdout] {
        let said = String::from_utf8(said).expect("a picture is text");
        assert!(said.starts_with("<svg") && said.trim_end().ends_with("</svg>"));
    }
}
