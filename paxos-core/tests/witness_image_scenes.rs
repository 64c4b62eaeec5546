//! What witnesses keep of a state machine: nothing, but where too few others hold what they know.

mod common;

use common::{Cluster, SECOND, n};
use paxos_core::types::{Limits, Slot};

/// Two mains and a witness that checkpoint soon and keep nothing below; n1 leads.
fn trimming(limit: impl FnOnce(&mut Limits)) -> Cluster {
    let mut c = Cluster::witnessed(2, 1, 4);
    (c.limits.checkpoint_slots, c.limits.keep_slots) = (8, 0);
    limit(&mut c.limits);
    for id in 1..=3 {
        c.restart(n(id));
    }
    c.elect_this(n(1));
    c.run(SECOND);
    c
}

/// n3 is away while the log moves on and is trimmed; then n1 and n3 start again, and n2 is gone.
fn parted() -> Cluster {
    let mut c = trimming(|limits| (limits.window_slots, limits.ahead_slots_max) = (16, 16));
    c.crash(n(3));
    for i in 0..60 {
        c.write(1, &format!("{i}"));
    }
    c.crash(n(1));
    c.crash(n(2));
    c.restart(n(1));
    c.restart(n(3));
    c
}

/// Nobody can give n3 what it lacks from a log: it takes in an image.
fn stranded() -> Cluster {
    let mut c = parted();
    c.elect();
    c.run(SECOND * 3);
    assert!(c.image(n(3)).is_some(), "of what may be nowhere else but at n1");
    c
}

#[test]
fn w13_a_witness_that_nobody_can_tell_the_past_still_votes() {
    let mut c = stranded();
    for i in 0..60 {
        c.write(1, &format!("again {i}"));
    }
    c.run(SECOND);
    assert_eq!(c.payloads(n(3)), c.payloads(n(1)), "it has a state machine meanwhile");
    c.restart(n(2));
    c.run(SECOND * 5);
    assert_eq!(c.payloads(n(2)), c.payloads(n(1)));
    assert_eq!(c.held(3), 0);
    let before = c.payloads(n(3)).len();
    c.write(1, "with n2");
    c.run(SECOND * 5);
    assert_eq!((c.payloads(n(3)).len(), c.held(3)), (before, 0), "and then no more");
}

/// It was let go of what it lacks, and remembers who the members are.
#[test]
fn w24_a_witness_that_starts_again_asks_for_no_image() {
    let mut c = trimming(|limits| limits.checkpoint_slots = 1 << 30);
    c.write(1, "by both mains");
    c.run(SECOND);
    assert!(c.replica(n(3)).log().floor() > Slot::FIRST);
    c.crash(n(3));
    c.restart(n(3));
    c.run(SECOND * 5);
    assert_eq!(c.replica(n(3)).leader(), Some(n(1)));
    assert!(c.image(n(1)).is_none() && c.image(n(2)).is_none(), "nobody had to make one");
}

/// While n2 is gone, n3 keeps all that is chosen: in a state machine, before its log is full.
#[test]
fn w23_a_main_that_stays_away_fills_no_log() {
    for relieved in [true, false] {
        let mut c = trimming(|limits| limits.log_slots_max = 64);
        if relieved {
            c.write(1, "by both mains");
            c.run(SECOND);
        }
        c.crash(n(2));
        for i in 0..30 {
            c.write(1, &format!("{i}"));
        }
        assert!(c.image(n(3)).is_none(), "there is room yet");
        for i in 30..300 {
            c.write(1, &format!("{i}"));
        }
        c.run(SECOND);
        assert_eq!(c.payloads(n(3)), c.payloads(n(1)));
        assert!(c.held(3) <= 8, "{}", c.held(3));
        c.restart(n(2));
        c.run(SECOND * 5);
        assert_eq!((c.payloads(n(2)), c.held(3)), (c.payloads(n(1)), 0));
    }
}

/// A witness does not go on without what it was to keep, when it has lost that.
#[test]
fn w22_a_witness_that_has_lost_its_image_takes_another_in() {
    let mut c = stranded();
    c.crash(n(3));
    c.restart_with(n(3), c.host(n(3)).records.clone());
    c.elect();
    c.run(SECOND * 5);
    assert_eq!(c.image(n(3)), c.image(n(1)));
    c.write(1, "by n1 and n3");
    c.run(SECOND);
    assert_eq!(c.payloads(n(3)), c.payloads(n(1)));
}

/// Here n2 comes back, on an empty disk: it answers, and its votes do not count before
/// n1 has had that disk chosen, for which it needs n3.
#[test]
fn w21_a_main_on_an_empty_disk_holds_nobody_up() {
    let mut c = parted();
    c.wipe_and_join(n(2));
    c.run(SECOND * 10);
    assert_eq!(c.leader(), Some(n(1)));
    assert_eq!(c.newest(n(1)).disk(n(2)), 201, "taken up with its new disk");
    c.write(1, "by both mains");
    c.run(SECOND);
    assert_eq!(c.payloads(n(2)).last(), c.payloads(n(1)).last());
    assert_eq!(c.held(3), 0);
}
