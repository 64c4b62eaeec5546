//! Delta debugging of a schedule.

use super::{Progress, Search};

/// Zeroes pieces and takes pieces out, halves first, single bytes last.
pub(super) fn simplify<W: FnMut(Progress)>(search: &mut Search<W>) {
    let mut size = search.best.schedule.len().next_power_of_two() / 2;
    while size > 0 && !search.is_over() {
        round(search, size);
        size /= 2;
    }
}

/// One pass over the schedule, from its end: what comes late hangs on what came before it.
fn round<W: FnMut(Progress)>(search: &mut Search<W>, size: usize) {
    let mut end = search.best.schedule.len();
    while end > 0 && !search.is_over() {
        let start = end.saturating_sub(size);
        if !without(search, start, end) {
            zeroed(search, start, end);
        }
        // What is left may be shorter by more than the piece.
        end = start.min(search.best.schedule.len());
    }
}

/// Takes a piece out.
fn without<W: FnMut(Progress)>(search: &mut Search<W>, start: usize, end: usize) -> bool {
    let schedule = &search.best.schedule;
    let shorter = [&schedule[..start], schedule.get(end..).unwrap_or_default()].concat();
    search.attempt_bytes(&shorter)
}

/// Answers quietly for a piece.
fn zeroed<W: FnMut(Progress)>(search: &mut Search<W>, start: usize, end: usize) -> bool {
    let mut schedule = search.best.schedule.clone();
    let Some(piece) = schedule.get_mut(start..end) else { return false };
    if piece.iter().all(|byte| *byte == 0) {
        return false;
    }
    piece.fill(0);
    search.attempt_bytes(&schedule)
}
