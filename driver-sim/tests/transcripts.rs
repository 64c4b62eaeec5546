//! Scenarios in text files: directives go in, what the nodes do comes out.
//!
//! Each file in `paxos-core/tests/transcripts` is a cluster's story: blocks of directives, each
//! followed by `----` and everything that happened because of it, in the words that the simulator
//! prints (`driver_sim::transcript`). `UPDATE=1 cargo test -p driver-sim --test transcripts`
//! records them anew; what has changed is then read in the diff. The directives are listed in
//! [`directives`]; they are the words of the harness in `paxos-core/tests/common`.
//!
//! The stories `tNN_...` are drawn, too, into `driver-sim/docs`.
//!
//! A file that nobody plays is an error, so that none is forgotten.

#[path = "../../paxos-core/tests/common/mod.rs"]
mod common;
#[path = "transcripts/directives.rs"]
mod directives;
#[path = "transcripts/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use driver_sim::picture::{Look, svg};

use stage::Stage;

/// A test for each file.
macro_rules! transcripts {
    ($($name:ident,)*) => {
        const ALL: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                play(stringify!($name));
            }
        )*
    };
}

transcripts! {
    s01_a_promise_binds_only_upwards,
    s02_an_accept_raises_the_promise_too,
    s03_a_failed_write_is_never_answered,
    s04_two_values_under_one_ballot_are_a_lie,
    s05_a_vote_that_the_quorum_told_of_is_proposed_again,
    s06_of_two_votes_the_higher_ballot_wins,
    s07_what_the_quorum_has_not_seen_may_be_replaced,
    s10_a_promise_to_an_older_campaign_is_late,
    s11_a_doubled_promise_is_one_promise,
    s12_a_reject_makes_the_next_ballot_higher,
    s15_a_vote_at_an_older_ballot_is_not_counted,
    s16_a_higher_ballot_ends_a_leadership,
    s17_a_leader_that_is_cut_off_steps_down_and_stays_down,
    s18_a_node_that_was_cut_off_deposes_nobody,
    s23_a_ballot_is_durable_before_anyone_hears_of_it,
    s24_leadership_is_handed_over_without_an_election_timeout,
    s27_the_only_node_that_reaches_everyone_takes_over,
    s30_a_leader_that_cannot_hear_steps_down,
    s31_an_old_message_changes_nothing,
    s35_a_lost_announcement_is_made_up_for,
    s36_a_lost_promise_is_asked_for_again,
    s39_a_hole_is_closed_with_a_noop,
    s40_a_trimmed_slot_is_not_proposed_anew,
    s45_who_is_behind_a_trimmed_log_gets_a_checkpoint,
    s46_no_vote_leaves_before_its_record_is_durable,
    s47_a_leader_counts_its_own_vote_after_its_own_sync,
    s47_followers_choose_without_the_leaders_disk,
    s48_a_completion_speaks_for_its_own_write_only,
    s49_completions_that_nobody_waits_for_change_nothing,
    s52_a_crash_between_two_batches_keeps_the_promise_first,
    s55_learning_a_value_lowers_no_promise,
    s61_a_read_after_an_election_waits_for_the_barrier,
    s62_a_confirmation_of_an_earlier_round_confirms_no_later_read,
    s63_a_deposed_leader_serves_no_read,
    s64_a_lease_reads_without_a_round_and_ends_with_a_transfer,
    s65_what_may_yet_be_chosen_is_called_unknown,
    s66_a_followers_read_survives_a_change_of_leaders,
    s67_whoever_finishes_a_value_its_owner_is_told_the_truth,
    s68_new_members_decide_from_a_window_after_their_slot_on,
    s69_a_leader_that_is_removed_leads_until_that_rules_and_no_longer,
    s70_members_are_replaced_in_one_change_the_leader_too,
    s71_of_two_changes_at_once_one_is_chosen,
    s72_on_an_empty_disk_old_promises_do_not_count,
    s74_a_stranger_binds_nobody,
    t01_the_second_officer_adopts_the_first_ones_time,
    t02_crossed_officers_and_a_captured_messenger,
    t03_x_is_adopted_where_the_quorums_meet,
    t03_y_wins_where_s3_had_only_promised,
    t04_outbidding_ends_when_scheduling_is_fair,
    t06_what_nobody_could_be_told_of_is_finished_by_the_next,
    t07_a_minority_accepts_nothing_and_converges,
}

/// Plays one file, and compares; or records.
fn play(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = fs::read_to_string(&path).expect("a transcript");
    let mut stage = Stage::new();
    let told = retold(&text, &mut stage);
    let drawn = name.starts_with('t').then(|| {
        let film = stage.film();
        let look = Look::all(&film, &title(&text)).without_probes();
        (stories().join(format!("{name}.svg")), svg(&film, &look))
    });
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &told).expect("a transcript that can be written");
        if let Some((path, picture)) = &drawn {
            fs::write(path, picture).expect("a picture that can be written");
        }
    }
    let again = "UPDATE=1 cargo test -p driver-sim --test transcripts";
    let kept = fs::read_to_string(&path).expect("a transcript");
    assert_eq!(first_difference(&kept, &told), None, "{name}; if this is meant: {again}");
    if let Some((path, picture)) = drawn {
        let is_same = fs::read_to_string(&path).is_ok_and(|kept| kept == picture);
        assert!(is_same, "{} is out of date: {again}", path.display());
    }
}

/// The same text, with what happens now.
fn retold(text: &str, stage: &mut Stage) -> String {
    let mut told = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let (asked, _) = block.split_once("\n----").unwrap_or((block, ""));
        if !told.is_empty() {
            told.push('\n');
        }
        told.push_str(asked.trim_end());
        told.push('\n');
        let mut happened = Vec::new();
        for line in asked.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match directives::direct(stage, line) {
                Ok(said) => happened.extend(said),
                Err(why) => panic!("'{line}': {why}"),
            }
        }
        if !happened.is_empty() {
            told.push_str("----\n");
            happened.iter().for_each(|line| told.extend([line.as_str(), "\n"]));
        }
    }
    told
}

/// The first line in which two texts differ, with what stands there.
fn first_difference(kept: &str, told: &str) -> Option<String> {
    let mut lines = (1..).zip(kept.lines().map(Some).chain(std::iter::repeat(None)));
    let mut others = told.lines().map(Some).chain(std::iter::repeat(None));
    loop {
        let ((number, kept), told) = (lines.next()?, others.next()?);
        match (kept, told) {
            (None, None) => return None,
            _ if kept == told => {}
            _ => return Some(format!("line {number}: kept {kept:?}, told {told:?}")),
        }
    }
}

/// The first sentence of a file.
fn title(text: &str) -> String {
    let comment: Vec<_> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    comment.join(" ").split_inclusive('.').next().unwrap_or_default().to_owned()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../paxos-core/tests/transcripts")
}

fn stories() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn every_file_is_played() {
    let files = fs::read_dir(folder()).expect("the folder of transcripts");
    let names = files.map(|file| file.expect("a file").path());
    let names = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let played: BTreeSet<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), played);
}

#[test]
fn a_wrong_transcript_is_found_out() {
    let told = |text| retold(text, &mut Stage::new());
    let right = told("cluster 3\nelect n1");
    assert_eq!(first_difference(&right, &told(&right)), None, "a transcript is what it records");
    let wrong = right.replacen("Prepare", "Promise", 1);
    assert!(first_difference(&wrong, &told(&wrong)).is_some());
}

#[test]
fn what_is_no_directive_is_said_to_be_none() {
    for line in ["frobnicate", "crash", "crash x", "propose n1", "run", "tell n1 from n2: Hello"] {
        let mut stage = Stage::new();
        directives::direct(&mut stage, "cluster 3").expect("a cluster");
        assert!(directives::direct(&mut stage, line).is_err(), "{line}");
    }
}
