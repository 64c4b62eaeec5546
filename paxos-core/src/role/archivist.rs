//! The archivist: when a checkpoint is due, and how much of the log is kept below
//! it once it is durable.
//!
//! Where a checkpoint may be due is a function of the log alone: every so many slots
//! or bytes. If images are large, one is due at every second or fourth of those places
//! only, counted from the start of the log or from the image that this life began with,
//! so that replicas whose images are of about the same size capture at the same slots
//! and make equal images, as long as their logs have room; also after one was late or
//! failed. Nothing is trimmed before the image that stands in for it is durable, and
//! the disk hears of a floor before it hears of anything that rests on it.

use super::{Cx, Shelf};
use crate::effect::{Ignored, Notice};
use crate::log::{Entry, Log};
use crate::types::{Checkpoint, GroupId, Image, Instant, Limits, Run, Schedule, Slot};

/// This replica's checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Archivist {
    group: GroupId,
    /// Slots that went by since the last place where a checkpoint may be due, or since one was
    /// installed.
    slots: u64,
    /// What they weigh.
    bytes: u64,
    /// Such places gone by.
    places: u64,
    /// At every so-manieth of them, a checkpoint is due: a power of two.
    stretch: u64,
    /// What the embedder is to capture and has not answered for yet.
    ordered: Option<Checkpoint>,
    /// The log's floor as the disk knows it.
    recorded: Slot,
    /// Whether it was said that an image is missing.
    told_loss: bool,
    /// When to see whether the log needs a checkpoint that is not due.
    look_at: Option<Instant>,
}

/// At most one part in so many of the room in a log is for what lies below a checkpoint.
const KEPT_PART: u64 = 4;

/// At most one part in so many of the room in a log is for what lies between two checkpoints
/// that a large image has moved apart: half of the room is what a log does not wait for.
const STRETCH_PART: u64 = 4;

/// At every how-manieth place a checkpoint is due where the last image is of `image` bytes. A
/// power of two: it stays the same while images differ a little, and places that are due at one
/// stretch are due at a smaller one, too.
fn stretch(image: u64, limits: &Limits) -> u64 {
    let slots = limits.log_slots_max as u64 / STRETCH_PART / limits.checkpoint_slots;
    let bytes = limits.log_bytes_max as u64 / STRETCH_PART / limits.checkpoint_bytes;
    // Of none: slots do not say when a checkpoint is due.
    let slots = if slots == 0 { u64::MAX } else { slots };
    let most = limits.checkpoint_stretch_max.min(slots).min(bytes).max(1);
    image.div_ceil(limits.checkpoint_bytes).min(1 << most.ilog2()).next_power_of_two()
}

impl Archivist {
    /// An archivist whose disk holds a log from `recorded` on, and an image of so many bytes.
    pub(crate) fn new(group: GroupId, recorded: Slot, image: u64, limits: &Limits) -> Archivist {
        let (slots, bytes, places, stretch) = (0, 0, 0, stretch(image, limits));
        let (ordered, told_loss, look_at) = (None, false, None);
        Archivist { group, slots, bytes, places, stretch, ordered, recorded, told_loss, look_at }
    }

    /// At every how-manieth place a checkpoint is due.
    pub(crate) fn stretch(&self) -> u64 {
        self.stretch
    }

    /// When to see whether the log needs a checkpoint that is not due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Takes in that half of the log is full. Unless a checkpoint is being made, somebody is to look
    /// a while later whether it still is: the last one may have failed, or have been due in an
    /// earlier life, and a log that is full takes no more slots that would make another one due.
    pub(crate) fn see_to(&mut self, cx: &Cx<'_>) {
        if self.ordered.is_none() && self.look_at.is_none() {
            self.look_at = Some(cx.now + cx.setting.timing.patience);
        }
    }

    /// Whether that time has come.
    pub(crate) fn looks(&mut self, now: Instant) -> bool {
        self.look_at.take_if(|at| *at <= now).is_some()
    }

    /// Whether the embedder is capturing.
    pub(crate) fn is_capturing(&self) -> bool {
        self.ordered.is_some()
    }

    /// Counts slots that the state machine takes in. If there is a place on the way where a
    /// checkpoint may be due, says of all below which slot, and whether it is, and counts no
    /// further.
    pub(crate) fn count(&mut self, run: &Run, limits: &Limits) -> Option<(Slot, bool)> {
        let is_place =
            |slots, bytes| slots >= limits.checkpoint_slots || bytes >= limits.checkpoint_bytes;
        let slots = self.slots + run.len() as u64;
        let bytes = self.bytes.saturating_add(run.weight() as u64);
        if !is_place(slots, bytes) {
            (self.slots, self.bytes) = (slots, bytes);
            return None;
        }
        for (slot, value) in run.iter() {
            self.slots += 1;
            self.bytes = self.bytes.saturating_add(value.weight() as u64);
            if is_place(self.slots, self.bytes) {
                (self.slots, self.bytes) = (0, 0);
                self.places = self.places.wrapping_add(1);
                return Some((slot.next(), self.places.is_multiple_of(self.stretch)));
            }
        }
        None
    }

    /// Orders a checkpoint. One that is due while another is under way is skipped.
    pub(crate) fn capture(&mut self, checkpoint: Checkpoint, cx: &mut Cx<'_>) {
        if self.ordered.is_none() {
            self.ordered = Some(checkpoint.clone());
            cx.out.capture(checkpoint);
        }
    }

    /// Orders a checkpoint because someone wants one; `now` is what can be had, if
    /// that is news.
    pub(crate) fn on_requested(&mut self, now: Option<Checkpoint>, cx: &mut Cx<'_>) {
        match now.filter(|_| self.ordered.is_none()) {
            Some(now) => self.capture(now, cx),
            None => cx.out.note(Notice::Ignored(Ignored::NoCheckpoint(self.group))),
        }
    }

    /// Takes in that an image is durable, and trims the log: what lies below it is
    /// kept only for peers that are a little behind.
    pub(crate) fn on_captured(
        &mut self,
        image: Image,
        shelf: &mut Shelf,
        log: &mut Log,
        cx: &mut Cx<'_>,
    ) {
        if self.ordered.as_ref() != Some(&image.checkpoint) {
            return cx.out.note(Notice::Ignored(Ignored::NotOrdered(self.group)));
        }
        self.ordered = None;
        let below = image.checkpoint.below;
        cx.out.note(Notice::Captured { group: self.group, below });
        let limits = &cx.setting.limits;
        self.stretch = stretch(image.bytes, limits);
        shelf.put(image);
        let slots = limits.keep_slots.min(limits.log_slots_max as u64 / KEPT_PART);
        let bytes = limits.keep_bytes.min(limits.log_bytes_max / KEPT_PART as usize);
        let floor = log.floor_keeping(below, slots, bytes);
        if floor > log.floor() {
            log.trim(floor);
            cx.out.note(Notice::Trimmed { group: self.group, below: floor });
        }
        self.tell_disk(log, cx);
    }

    /// Takes in that no image was made. The log is kept.
    pub(crate) fn on_capture_failed(&mut self, below: Slot, cx: &mut Cx<'_>) {
        if self.ordered.as_ref().is_none_or(|c| c.below != below) {
            return cx.out.note(Notice::Ignored(Ignored::NotOrdered(self.group)));
        }
        self.ordered = None;
        cx.out.note(Notice::CaptureFailed { group: self.group, below });
    }

    /// Takes in that a peer's image is durable here and stands in for everything
    /// below it: counting starts there.
    pub(crate) fn on_installed(&mut self, image: &Image, log: &mut Log, cx: &mut Cx<'_>) {
        (self.slots, self.bytes, self.places) = (0, 0, 0);
        self.stretch = stretch(image.bytes, &cx.setting.limits);
        let below = image.checkpoint.below;
        log.trim(below);
        cx.out.note(Notice::Installed { group: self.group, below });
        self.tell_disk(log, cx);
    }

    /// Forgets all below `below`, as a witness that was told that others hold it.
    pub(crate) fn on_relieved(
        &mut self,
        (below, schedule): (Slot, Schedule),
        log: &mut Log,
        cx: &mut Cx<'_>,
    ) {
        log.trim(below);
        self.recorded = below;
        cx.out.record(Entry::Relieved { below, schedule });
    }

    /// Writes the log's floor down if the disk has not heard of it. Comes before
    /// anything else that a step writes: what is written about slots above the
    /// floor makes sense only after it.
    pub(crate) fn tell_disk(&mut self, log: &Log, cx: &mut Cx<'_>) {
        if !self.has_told_disk(log) {
            self.recorded = log.floor();
            cx.out.record(Entry::Trimmed { below: self.recorded });
        }
    }

    /// Whether the disk has heard of the log's floor.
    pub(crate) fn has_told_disk(&self, log: &Log) -> bool {
        log.floor() <= self.recorded
    }

    /// Says once if the log begins above what the state machine has.
    pub(crate) fn tell_loss(&mut self, log: &Log, applied: Slot, cx: &mut Cx<'_>) {
        let floor = log.floor();
        if applied < floor && !self.told_loss {
            self.told_loss = true;
            cx.out.note(Notice::CheckpointMissing { group: self.group, applied, floor });
        }
    }
}

#[cfg(test)]
mod tests;
