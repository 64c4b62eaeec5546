//! One run is one number, on every machine and in every process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use driver_sim::replay::{self, Setup};
use driver_sim::swarm::Plan;
use driver_sim::transcript::Telling;

/// A small run of everything that a calm node does.
fn setup() -> Setup {
    let plan = Plan {
        nodes: Some(1),
        groups: Some(1),
        safety_us: Some(100_000),
        calm: true,
        kind: true,
        ..Plan::default()
    };
    Setup { plan, ..Setup::default() }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.tape")
}

/// The sum of all steps is the one that another machine has found. Whoever changes what nodes or
/// the simulator do records it anew, and sees in the diff that they did.
#[test]
fn a_tape_is_the_same_run_on_every_machine() {
    if std::env::var_os("UPDATE").is_some() {
        let (tape, report) = replay::record(17, &setup(), Telling::Silent);
        assert_eq!(report.violation, None);
        fs::write(golden(), tape.to_string()).expect("a tape that can be written");
    }
    let text = fs::read_to_string(golden()).expect("a tape");
    let tape = replay::parse(&text).expect("a tape");
    let report = tape.play(Telling::Silent);
    let now = replay::Verdict::of(&report);
    let again = "if this is meant: UPDATE=1 cargo test -p driver-sim --test golden";
    assert_eq!(tape.verdict, Some(now), "{again}");
}

/// Another process, with other addresses and another order of hash maps, plays the same run; and
/// it says so when a tape is not what was recorded.
#[test]
fn another_process_plays_the_same_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.tape");
    let plan = Plan { nodes: Some(3), safety_us: Some(300_000), ..Plan::default() };
    let setup = Setup { plan, ..Setup::default() };
    let (tape, report) = replay::record(23, &setup, Telling::Silent);
    fs::write(&path, tape.to_string()).expect("a tape that can be written");
    let play = |path: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_paxos-sim")).arg("replay").arg(path).output();
        let output = output.expect("the simulator runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (is_same, said) = play(&path);
    assert!(
        is_same && said.contains(&format!("trace hash {:016x}", report.summary.trace)),
        "{said}"
    );
    let other = tape.to_string().replace("events ", "events 1");
    fs::write(&path, other).expect("a tape that can be written");
    let (is_same, said) = play(&path);
    assert!(!is_same && said.contains("NOT the run"), "{said}");
}
