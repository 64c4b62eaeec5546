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
