//! The line against one that keeps each command by itself.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::types::{Command, ProposalId, Rng};

fn commands(lengths: &[usize]) -> Commands {
    lengths.iter().map(|length| Command::plain(vec![0; *length].into())).collect()
}

fn proposal(first: u64, lengths: &[usize], deadline: Instant) -> Proposal {
    let origin = Origin::Local(ProposalId(first));
    Proposal { commands: commands(lengths), origin, deadline }
}

fn number(origin: Origin) -> u64 {
    match origin {
        Origin::Local(id) => id.0,
        other => panic!("{other:?}"),
    }
}

/// The handles that these origins stand for.
fn each(origins: &Origins) -> Vec<u64> {
    let of = |(origin, count): &(Origin, u32)| number(*origin)..number(*origin) + u64::from(*count);
    origins.iter().flat_map(of).collect()
}

/// Whoever comes is in line or refused; whoever is in line leaves in order, once, in runs
/// within their bounds and as long as those allow. The line knows how much it holds.
#[test]
fn all_who_come_leave_in_order_or_are_refused() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let limits = Limits {
            waiting_max: 1 + rng.below(20) as usize,
            waiting_bytes_max: 1 + rng.below(200) as usize,
            run_slots_max: 1 + rng.below(9) as usize,
            run_bytes_max: 1 + rng.below(400) as usize,
            ..Limits::default()
        };
        let (mut line, mut plain) = (Line::default(), VecDeque::new());
        let (mut next, mut now) = (1, Instant::default());
        for _ in 0..60 {
            if rng.below(3) > 0 {
                let lengths: Vec<usize> =
                    (0..rng.below(6)).map(|_| rng.below(40) as usize).collect();
                let mut refused = Vec::new();
                let deadline = now + Duration::from_millis(5);
                line.join(proposal(next, &lengths, deadline), &limits, |origin, count| {
                    refused.extend(number(origin)..number(origin) + u64::from(count));
                });
                for (handle, length) in (next..).zip(&lengths) {
                    let held: usize = plain.iter().map(|(_, length, _)| *length).sum();
                    let fits = plain.len() < limits.waiting_max
                        && held + length <= limits.waiting_bytes_max;
                    assert_eq!(refused.contains(&handle), !fits, "seed {seed}");
                    if fits {
                        plain.push_back((handle, *length, deadline));
                    }
                }
                next += lengths.len() as u64;
            } else if rng.below(8) == 0 {
                now = now + Duration::from_millis(3);
                while let Some(late) = line.expire(now) {
                    for command in late.commands.iter() {
                        let (_, length, deadline) = plain.pop_front().expect("in line");
                        assert!(deadline <= now && command.payload.len() == length);
                    }
                }
                assert!(plain.front().is_none_or(|(.., deadline)| *deadline > now));
            } else {
                let room = 1 + rng.below(9) as usize;
                let lot = line.next_run(Slot(1), room, &limits);
                let taken: Vec<_> = plain.drain(..lot.run.len()).collect();
                let handles: Vec<u64> = taken.iter().map(|(handle, ..)| *handle).collect();
                assert_eq!(each(&lot.origins), handles, "seed {seed}");
                let lengths: usize = taken.iter().map(|(_, length, _)| length).sum();
                assert_eq!(lot.run.payload_bytes(), lengths);
                assert_eq!(lot.deadline, taken.first().map_or(Instant::default(), |t| t.2));
                let most = room.min(limits.run_slots_max);
                let fits = |bytes: usize| bytes <= limits.run_bytes_max;
                assert!(lot.run.len() <= most && (fits(lot.run.weight()) || lot.run.len() == 1));
                let more = plain.front().map(|(_, length, _)| length + Value::OVERHEAD);
                let full =
                    lot.run.len() == most || more.is_none_or(|more| !fits(lot.run.weight() + more));
                assert!(full, "seed {seed}: there was room for one more");
            }
            assert_eq!((line.len(), line.is_empty()), (plain.len(), plain.is_empty()));
            assert_eq!(line.bytes, plain.iter().map(|(_, length, _)| *length).sum::<usize>());
        }
    }
}

/// Many that came together leave as they came; few are gathered to many.
#[test]
fn few_are_merged_and_many_are_not_copied() {
    let now = Instant::default();
    let limits = Limits::default();
    for (first, second, together) in
        [(1, 1, true), (MERGED_MIN - 1, 1, true), (MERGED_MIN, 1, false)]
    {
        let mut line = Line::default();
        line.join(proposal(1, &vec![1; first], now), &limits, |_, _| panic!("there is room"));
        line.join(proposal(500, &vec![1; second], now), &limits, |_, _| panic!("there is room"));
        let lot = line.next_run(Slot(1), 1000, &limits);
        assert_eq!(lot.run.len(), if together { first + second } else { first });
        assert_eq!(lot.origins.len(), if together { 2 } else { 1 });
        assert_eq!(line.is_empty(), together);
    }
}
