//! What is known of how old the state is.

use super::*;

#[test]
fn a_word_counts_from_when_it_came_once_all_of_it_is_delivered() {
    let at = Instant::from_micros;
    let mut news = News::default();
    assert_eq!(news.current_at(), None);
    news.on_delivered(Slot(9));
    assert_eq!(news.current_at(), None, "nobody has said that this was all");
    assert!(news.lacks(at(10)));
    news.on_word(at(10), Slot(12));
    news.on_delivered(Slot(11));
    assert_eq!((news.current_at(), news.lacks(at(20))), (None, false));
    // What comes while one is waited for would move the goal for ever.
    news.on_word(at(20), Slot(99));
    news.on_delivered(Slot(12));
    assert_eq!(news.current_at(), Some(at(10)));
    assert!(!news.lacks(at(10)) && news.lacks(at(11)));
    news.on_word(at(5), Slot(3));
    news.on_delivered(Slot(12));
    assert_eq!(news.current_at(), Some(at(10)), "what is older takes nothing back");
    news.on_word(at(30), Slot(12));
    news.on_delivered(Slot(12));
    assert_eq!(news.current_at(), Some(at(30)));
}

/// A leader may have told of slots that were only proposed: who comes next need not choose them.
#[test]
fn what_a_leader_waited_for_is_not_waited_for_after_its_fall() {
    let at = Instant::from_micros;
    let mut news = News::default();
    news.on_word(at(10), Slot(50));
    assert!(!news.lacks(at(20)));
    news.on_fallen();
    assert!(news.lacks(at(20)));
    news.on_word(at(20), Slot(12));
    news.on_delivered(Slot(12));
    assert_eq!(news.current_at(), Some(at(20)));
}

/// One who has just come to lead may not have chosen yet what others were told of.
#[test]
fn only_the_word_of_a_settled_leader_counts() {
    let at = Instant::from_micros;
    let [old, new] = [1, 2].map(|round| Ballot::new(round, crate::types::NodeId(2)));
    let mut news = News::default();
    let mut hear = |ballot, settled: Option<bool>, now| {
        settled.into_iter().for_each(|settled| news.on_beat(ballot, settled));
        news.on_heard(at(now), ballot, Slot(5));
        news.on_delivered(Slot(5));
        news.current_at()
    };
    assert_eq!(hear(old, None, 10), None);
    assert_eq!(hear(old, Some(false), 20), None);
    assert_eq!(hear(old, Some(true), 30), Some(at(30)));
    assert_eq!(hear(old, None, 40), Some(at(40)));
    assert_eq!(hear(new, None, 50), Some(at(40)));
    assert_eq!(hear(new, Some(false), 60), Some(at(40)));
    assert_eq!(hear(old, None, 70), Some(at(40)), "and the other's no more");
    assert_eq!(hear(new, Some(true), 80), Some(at(80)));
    assert_eq!(hear(new, Some(false), 90), Some(at(90)), "an earlier beat that is late");
}
