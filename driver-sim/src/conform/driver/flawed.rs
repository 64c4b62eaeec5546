//! Drivers that are broken on purpose, and the proof that the suite can tell.

use super::three::Three;
use super::{Claim, Report, check};

/// What is wrong with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Acknowledges what still waits for the disk.
    AcksTheQueue,
    /// Writes the newest batch of its queue first.
    TakesTheNewest,
    /// Starts as if the disk were empty.
    ForgetsTheLog,
    /// Sends letters to the next node but the one they are for.
    MistakesPeers,
    /// Sends nothing to a node that has started again.
    StaysDeaf,
    /// Never wakes a node up.
    NeverTicks,
    /// Loses some answers.
    DropsAnAnswer,
    /// Answers some proposals twice.
    AnswersTwice,
    /// Answers the first of several alone.
    AnswersTheFirst,
    /// Says that nothing happened where nobody can say.
    TakesUnknownForNothing,
    /// Says that something stands where nobody can say.
    TakesUnknownForChosen,
    /// Says that a command stands one slot further.
    NamesAnotherSlot,
    /// Applies some slots twice.
    DeliversTwice,
    /// Leaves some slots out.
    SkipsADelivery,
    /// Applies what comes together from the back.
    TurnsRunsRound,
    /// Applies some commands one slot further.
    DeliversAgainLater,
    /// One node applies the first command instead of some others.
    MixesUpCommands,
    /// Cuts some commands off.
    CutsCommands,
    /// Starts as if some slots more were applied than are.
    RunsAhead,
}

fn tried(flaw: Flaw) -> Result<Report, Box<super::Breach>> {
    let mut seed = 0;
    let make = || {
        seed += 1;
        Three::new(flaw, seed)
    };
    check(make, 0..60)
}

#[test]
fn a_sound_driver_passes() {
    let report = tried(Flaw::None).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.chosen > 1_000 && report.nothing + report.unknown > 10, "{report:?}");
    assert!(report.kills > 300 && report.blackouts > 60, "{report:?}");
}

#[test]
fn every_flaw_is_found_and_called_by_its_name() {
    use Claim::{Agreed, Answered, InOrder, Kept, Nothing, Once, Progress, Proposed, Starts};
    let flaws: [(Flaw, &[Claim]); 19] = [
        (Flaw::AcksTheQueue, &[Kept, Agreed, InOrder, Progress]),
        (Flaw::TakesTheNewest, &[Starts, Kept, Agreed, InOrder, Progress]),
        (Flaw::ForgetsTheLog, &[Kept, Agreed, Progress]),
        (Flaw::MistakesPeers, &[Progress]),
        (Flaw::StaysDeaf, &[Progress]),
        (Flaw::NeverTicks, &[Answered, Progress]),
        (Flaw::DropsAnAnswer, &[Answered]),
        (Flaw::AnswersTwice, &[Answered]),
        (Flaw::AnswersTheFirst, &[Answered]),
        (Flaw::TakesUnknownForNothing, &[Nothing]),
        (Flaw::TakesUnknownForChosen, &[Kept]),
        (Flaw::NamesAnotherSlot, &[Kept]),
        (Flaw::DeliversTwice, &[InOrder]),
        (Flaw::SkipsADelivery, &[InOrder, Kept]),
        (Flaw::TurnsRunsRound, &[InOrder, Kept]),
        (Flaw::DeliversAgainLater, &[Once, Kept, Agreed]),
        (Flaw::MixesUpCommands, &[Agreed, Once, Kept]),
        (Flaw::CutsCommands, &[Proposed]),
        (Flaw::RunsAhead, &[InOrder]),
    ];
    let wrong = flaws.into_iter().filter_map(|(flaw, claims)| match tried(flaw) {
        Ok(report) => Some(format!("{flaw:?} is not found: {report:?}")),
        Err(breach) if !claims.contains(&breach.claim) => Some(format!("{flaw:?}: {breach}")),
        Err(_) => None,
    });
    assert_eq!(Vec::from_iter(wrong), Vec::<String>::new());
}

#[test]
fn a_breach_tells_its_story() {
    let breach = tried(Flaw::AnswersTwice).expect_err("it is broken");
    assert_eq!(tried(Flaw::AnswersTwice), Err(breach.clone()), "the same every time");
    assert!(breach.story.iter().any(|line| line.starts_with("propose")));
    assert!(breach.to_string().lines().count() > 3);
}
