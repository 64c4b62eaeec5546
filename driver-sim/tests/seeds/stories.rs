//! Each of these has shown a bug, in the core or in the simulator.

use driver_sim::run_seed;
use driver_sim::swarm::Plan;
use driver_sim::transcript::Telling;

use crate::plans::*;

/// Each of these has shown a bug: a stale read where a leader did not know yet who decides, reads
/// that waited for a vote which nobody would propose again, a leader overtaken by what it knew
/// itself, an image that was asked of everyone but the one who had offered it, slots that were
/// asked of nobody but a leader that is gone for good.
#[test]
fn seeds_that_once_broke_groups_with_changing_members_are_sound() {
    for seed in [3, 102, 254, 315, 565, 1609, 3179, 20169] {
        let plan = Plan { changes: Some(true), ..plain() };
        sound(run_seed(seed, &plan, Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// A founder that was alone loses the image for its log, and cannot start on: others have joined.
#[test]
fn who_founded_a_group_alone_may_lose_its_image_when_others_are_there() {
    sound(run_seed(526, &plain(), Telling::Last(40)), "seed 526");
}

/// A voter far ahead of what it knows to be chosen, whose promise takes a page a slot.
#[test]
fn a_promise_of_many_pages_is_within_bounds() {
    sound(run_seed(13_390, &plain(), Telling::Last(40)), "seed 13390");
}

/// Images of bytes one by one, each replaced before it was had: nobody caught up.
#[test]
fn an_image_is_not_replaced_under_a_pull() {
    sound(run_seed(21_752, &plain(), Telling::Last(40)), "seed 21752");
}

/// Mail that a slow network brings long after the faults have ended deposes a leader, and a
/// candidate that lags behind counts itself where its predecessor voted, until it knows better:
/// both were taken for faults of the core.
#[test]
fn late_mail_and_late_learners_are_not_mistaken_for_faults() {
    for seed in [912, 944] {
        sound(run_seed(seed, &plain(), Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// A node that came back with an empty disk stood at a ballot of its earlier life again.
#[test]
fn a_lost_disk_takes_no_ballot_with_it() {
    sound(run_seed(15_096, &plain(), Telling::Last(40)), "seed 15096");
}

/// A main that was a witness for a while, and was let go of more than its machine had, made an
/// image of that machine which named later members.
#[test]
fn who_was_let_go_of_slots_makes_no_image_until_it_has_them() {
    sound(run_seed(1_086, &mild(), Telling::Last(40)), "seed 1086");
}

/// An older copy of a disk started twice before it reached anyone who remembered what it had
/// forgotten: by then the life before was one of its own.
#[test]
fn an_older_copy_of_a_disk_is_recognized_at_its_second_start() {
    sound(run_seed(928, &mild(), Telling::Last(40)), "seed 928");
}

/// A witness had missed who came to decide, and could be told by no leader: without its promise
/// there was none.
#[test]
fn a_witness_hears_who_decides_from_those_who_cannot_lead_without_it() {
    sound(run_seed(5_246, &mild(), Telling::Last(40)), "seed 5246");
}

/// A main that had been a witness for a while pledged to hold what only its machine held, in
/// memory; and a witness waited for ever for what the leader would not tell a main.
#[test]
fn mains_that_were_witnesses_hold_what_they_say_and_learn_what_they_missed() {
    for seed in [21_033, 22_799] {
        sound(run_seed(seed, &mild(), Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// A whole image waited for a capture that never came to an end, and had its node look again at
/// once, for ever.
#[test]
fn who_waits_for_its_own_image_waits_for_no_time() {
    sound(run_seed(10_195, &mild(), Telling::Last(40)), "seed 10195");
}

/// A change named the disk that a node had come back with, and its leader bound the one that it
/// had heard of before.
#[test]
fn a_change_binds_no_disk_that_was_lost() {
    sound(run_seed(24_948, &mild(), Telling::Last(40)), "seed 24948");
}

/// A witness that knew only the members before the last could be told of them by nobody, a
/// rotten image was believed to hold what witnesses forgot, and a leader that had joined told a
/// witness of members that it did not know itself.
#[test]
fn witnesses_are_told_only_what_is_known_and_by_whoever_knows_it() {
    for seed in [292, 1_524, 4_686] {
        sound(run_seed(seed, &mild(), Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// A leader that did not yet have all below what is chosen let a witness go of slots beyond
/// those of which it knew who decides them.
#[test]
fn a_leader_lets_go_of_nothing_beyond_what_it_knows() {
    sound(run_seed(7_151, &kind(), Telling::Last(40)), "seed 7151");
}

/// Those who left were not told that their last slot is chosen, and deposed the leader.
#[test]
fn who_has_left_disturbs_nobody() {
    sound(run_seed(12_461, &kind(), Telling::Last(40)), "seed 12461");
}

/// A leader became a witness before it had delivered anything, and let itself go of slots.
#[test]
fn a_leader_that_becomes_a_witness_needs_no_state_machine() {
    sound(run_seed(72_871, &kind(), Telling::Last(40)), "seed 72871");
}

/// One voter held what the leader had counted, and only a hub reached both.
#[test]
fn a_leader_that_does_not_get_what_it_has_counted_makes_room() {
    sound(run_seed(114_481, &kind(), Telling::Last(40)), "seed 114481");
}

/// An embedder that never said how a capture had ended: its node could not put an image in place,
/// stayed behind for ever, and was elected again and again by one that had left the leader.
#[test]
fn a_capture_of_a_wrong_state_fails_in_the_end() {
    for seed in [91_266, 93_545] {
        sound(run_seed(seed, &kind(), Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// The last founder but one, alone with slots that only it decides, led them once more before it
/// heard that others decide the rest, and was taken for one that deposes a leader.
#[test]
fn who_does_not_know_that_it_left_may_stand_once() {
    sound(run_seed(133_327, &kind(), Telling::Last(40)), "seed 133327");
}

/// A leader that was no voter any more asked the preferred node whether it reaches a quorum, was
/// taken for a stranger, and led on.
#[test]
fn a_leader_that_left_may_still_make_way_for_the_preferred() {
    sound(run_seed(80_296, &kind(), Telling::Last(40)), "seed 80296");
}

/// A donor that loaded one piece at a time was asked for more than a hundred at once, which came
/// in any order, and loaded one that was not of use yet: again and again.
#[test]
fn a_donor_that_loads_little_is_asked_for_little() {
    sound(run_seed(501_646, &kind(), Telling::Last(40)), "seed 501646");
}

/// What a node had said with the disk before its last one came late, and its leader bound it to
/// that disk: with one other voter, for good.
#[test]
fn late_words_bind_nobody_to_a_disk_that_is_gone() {
    sound(run_seed(5_990, &alike(), Telling::Last(40)), "seed 5990");
}

/// The only node that the others reach was behind, and could not lead without somebody of the
/// members before, who was gone. Those who asked it for its promise knew what it lacked, and it did
/// not ask them.
#[test]
fn a_hub_learns_what_it_lacks_from_those_who_stand() {
    sound(run_seed(65_772, &alike(), Telling::Last(40)), "seed 65772");
}

/// A new leader counted the votes for slots that the one before it had left open. Members had
/// changed among those; who had decided them before was out of its reach for good, and it waited,
/// though a follower knew that they were chosen.
#[test]
fn a_leader_begins_again_above_what_others_know() {
    sound(run_seed(218_254, &roomy(), Telling::Last(40)), "seed 218254");
}

/// A leader became a witness, let itself go of slots that its machine had not taken in yet, and was
/// made a main again.
#[test]
fn a_leader_keeps_its_machine_while_it_is_a_witness() {
    sound(run_seed(194_945, &roomy(), Telling::Last(40)), "seed 194945");
}

/// A node knew that its newest image could not be read any more, and pledged to hold what only that
/// stood in for.
#[test]
fn nothing_is_held_under_an_image_that_is_gone() {
    sound(run_seed(118_290, &roomy(), Telling::Last(40)), "seed 118290");
}

/// Many commands came at once to a node that had room for few, and each was refused by itself.
#[test]
fn many_refusals_are_one_answer() {
    sound(run_seed(247_048, &roomy(), Telling::Last(40)), "seed 247048");
}

/// What a witness was told to let go of waited for room on its disk while those were drawn who must
/// go on. Then there was room, and it was gone: the simulator's own mistake.
#[test]
fn what_waits_for_room_counts_as_forgotten() {
    sound(run_seed(3_000_318, &roomy(), Telling::Last(40)), "seed 3000318");
}

/// A leader that the others could do without, for what had become of another group's image, had a
/// witness forget what only its own image had: the simulator's own mistake.
#[test]
fn who_can_be_done_without_lets_go_of_nothing() {
    sound(run_seed(3_043_022, &roomy(), Telling::Last(40)), "seed 3043022");
}

/// A main that was far behind became a witness by a change that it was told of by an image, and
/// forgot for it what it had voted for: there was one copy left of what had been chosen.
#[test]
fn who_is_told_to_be_a_witness_keeps_what_it_voted_for() {
    sound(run_seed(5_125_985, &roomy(), Telling::Last(40)), "seed 5125985");
}

/// The only main had misread its disk, and the leader, who was no member any more, halted for it.
#[test]
fn one_that_differs_halts_nobody() {
    sound(run_seed(5_141_618, &roomy(), Telling::Last(40)), "seed 5141618");
}

/// The first that a leader heard of a member since it was named with its new disk was a late word
/// of the old one.
#[test]
fn late_words_of_a_former_disk_bind_nobody_who_was_not_heard_since() {
    sound(run_seed(5_088_928, &roomy(), Telling::Last(40)), "seed 5088928");
}

/// One that had decided alone, once, stood again for the slots that it knew: nobody was led by it.
#[test]
fn who_leads_itself_in_the_past_leads_nobody() {
    sound(run_seed(199_621, &roomy(), Telling::Last(40)), "seed 199621");
}

/// A witness that was to have a state machine, and had been let go of more than the leader's image
/// was of, was offered that image for ever.
#[test]
fn a_witness_that_forgot_more_than_an_image_gets_another() {
    sound(run_seed(63_319, &roomy(), Telling::Last(40)), "seed 63319");
}

/// Who had pledged what witnesses were let go of had lost its disk just then: the simulator's own
/// mistake.
#[test]
fn a_pledge_dies_with_its_disk() {
    sound(run_seed(101_211, &roomy(), Telling::Last(40)), "seed 101211");
}

/// A new leader asks new members for their promises. What they have chosen under the leader before
/// it had become known to it by then, so that their votes were of no use to it; but reads that came
/// earlier went without it.
#[test]
fn what_new_members_have_chosen_is_read() {
    sound(run_seed(14_947, &apart(), Telling::Last(40)), "seed 14947");
}

/// Its log was full when a slow checkpoint was done, and nothing made another one due.
#[test]
fn a_log_that_filled_up_under_a_checkpoint_is_not_full_for_good() {
    sound(run_seed(21_513, &apart(), Telling::Last(40)), "seed 21513");
}

/// Two of three mains misread the same slot, and the third one, which was right, halted: more than
/// one ill at once.
#[test]
fn most_mains_do_not_misread_at_once() {
    sound(run_seed(12_860, &apart(), Telling::Last(40)), "seed 12860");
}

/// A witness had become a main, and lacked what it had been let go of. The main that had become a
/// witness had it, in its log alone since its last start, and gave nothing of that.
#[test]
fn what_only_a_witness_has_is_given_out() {
    sound(run_seed(10_017_724, &apart(), Telling::Last(40)), "seed 10017724");
}

/// A node that joined could make no checkpoint before it had heard who the members were, and had no
/// room in its log for the slots that said so. It asks for an image then.
#[test]
fn who_has_no_room_for_what_it_lacks_takes_an_image() {
    sound(run_seed(20_448, &apart(), Telling::Last(40)), "seed 20448");
}

/// One that had decided alone stood twice for slots that others had decided since, as whoever told it
/// of a higher ballot did not tell it of them.
#[test]
fn who_is_deposed_hears_what_was_decided_without_it() {
    sound(run_seed(99_286, &apart(), Telling::Last(40)), "seed 99286");
}

/// Many slots in flight, and little held for the disk: a leader was long in choosing what it found,
/// between pauses in which all looked done. Only then was it known that the one that had been
/// preferred was no member any more, and who came next led.
#[test]
fn a_leader_has_not_settled_before_all_that_it_found_is_chosen() {
    sound(run_seed(20_016_296, &apart(), Telling::Last(40)), "seed 20016296");
}

/// An older copy of a disk started eighteen times before it met anyone, and a disk knows sixteen
/// of its lives.
#[test]
fn an_older_copy_does_not_outlive_what_it_is_known_by() {
    sound(run_seed(9_111_952, &roomy(), Telling::Last(40)), "seed 9111952");
}

/// The hub of a star came back on an older copy of its disk, which counts for nothing, and of the other
/// two one did not hear the other: nothing could be decided.
#[test]
fn a_hub_votes_on_a_disk_that_counts() {
    sound(run_seed(40_011_360, &apart(), Telling::Last(40)), "seed 40011360");
}

/// One outside of the core had promised more than its leader stood for, and read only late what that
/// one had asked it.
#[test]
fn who_stands_against_a_leader_may_say_so_late() {
    sound(run_seed(70_007_988, &apart(), Telling::Last(40)), "seed 70007988");
}

/// A leader that lacked what lay below its first own slot asked a witness for it that had been let
/// go of that, gave up before it could ask another, and was named the same donor when it led again.
#[test]
fn a_leader_that_comes_back_asks_another_donor() {
    sound(run_seed(107_157, &loose(), Telling::Last(40)), "seed 107157");
}

/// A change of members was open when commands that the next ones decide were chosen, and their clients
/// told. Whoever led after that knew nothing of those members, and had what was asked of it only then
/// chosen below.
#[test]
fn nobody_is_told_of_what_later_members_chose_above_an_open_slot() {
    sound(run_seed(323_094, &loose(), Telling::Last(40)), "seed 323094");
}

/// A new leader called less chosen than clients had been told of by the one before, and followers
/// took its word for the latest.
#[test]
fn the_word_of_a_new_leader_makes_nobody_young() {
    for seed in [315_670, 318_605, 320_561] {
        sound(run_seed(seed, &loose(), Telling::Last(40)), &format!("seed {seed}"));
    }
}

/// A leader that fell did not answer for what it had held back.
#[test]
fn who_falls_answers_for_what_it_held_back() {
    sound(run_seed(300_038, &loose(), Telling::Last(40)), "seed 300038");
}

/// A leader that had become a witness heard the other witness, and no main. The only main heard that
/// one as well, which followed the leader.
#[test]
fn a_leader_that_hears_witnesses_alone_lets_go_of_them() {
    sound(run_seed(90_083_761, &Plan::default(), Telling::Last(40)), "seed 90083761");
}

/// An emptied disk began to stand by disks, and was told to join before that was durable. One answer
/// for both writes lets out both: what it says late was so before it joined, and binds nobody.
#[test]
fn what_a_founder_stood_by_may_be_heard_after_it_has_joined() {
    sound(run_seed(100_056_524, &Plan::default(), Telling::Last(40)), "seed 100056524");
}
