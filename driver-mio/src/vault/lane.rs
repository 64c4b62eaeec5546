//! What the threads do, one order after the other.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use bytes::Bytes;
use paxos_core::effect::Input;
use paxos_core::types::{Checkpoint, Image, ImageId, NodeId, Piece, Slot};

use super::file::{Fault, Reader, Writer, complete};
use super::part::Part;
use super::{Place, Told, names};
use crate::disk::sync_dir;
use crate::store::{Frozen, Store};

/// Something to do.
#[derive(Debug)]
pub(super) enum Order {
    Capture(Checkpoint, Frozen),
    Install(Image),
    Load { to: NodeId, image: ImageId, offset: u64, bytes: usize },
    Store(Piece),
    Discard(Box<Store>),
}

impl Order {
    /// What the event loop is to hear if nothing comes of this.
    fn failed(&self, place: &Place) -> Option<Told> {
        let group = place.group;
        Some(Told::Input(match self {
            Order::Capture(checkpoint, _) => {
                Input::CaptureFailed { group, below: checkpoint.below }
            }
            Order::Install(image) => Input::InstallFailed { group, image: image.id() },
            Order::Load { to, image, offset, .. } => {
                let piece = Piece { image: *image, offset: *offset, payload: Bytes::new() };
                Input::Loaded { group, to: *to, piece }
            }
            Order::Store(piece) => Input::StoreFailed { group, image: piece.image },
            Order::Discard(_) => return None,
        }))
    }
}

/// One thread's own.
pub(super) struct Lane<W> {
    place: Place,
    told: Sender<Told>,
    wake: W,
    is_closing: Arc<AtomicBool>,
    /// The image that pieces come of.
    part: Option<Part>,
}

impl<W: Fn()> Lane<W> {
    pub(super) fn new(
        place: Place,
        told: Sender<Told>,
        wake: W,
        is_closing: Arc<AtomicBool>,
    ) -> Lane<W> {
        Lane { place, told, wake, is_closing, part: None }
    }

    /// Carries out orders until there will be no more. One that panics has failed, as others
    /// do: who would wait for a thread that is gone would wait for ever.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            let failed = order.failed(&self.place);
            // Nothing that a panic leaves half done is looked at again: an image without its
            // final name is none, and a part is read anew from its file.
            let told = panic::catch_unwind(AssertUnwindSafe(|| self.carry_out(order)));
            let told = told.unwrap_or_else(|_| {
                self.part = None;
                self.complain("the thread for images has panicked".into());
                failed
            });
            if let Some(told) = told {
                self.tell(told);
            }
        }
    }

    /// What the event loop is to hear of it.
    fn carry_out(&mut self, order: Order) -> Option<Told> {
        Some(match order {
            Order::Capture(checkpoint, frozen) => self.capture(checkpoint, &frozen),
            Order::Install(image) => self.install(&image),
            Order::Load { to, image, offset, bytes } => self.load(to, image, offset, bytes),
            Order::Store(piece) => self.store(&piece),
            Order::Discard(store) => {
                drop(store);
                return None;
            }
        })
    }

    fn capture(&mut self, checkpoint: Checkpoint, frozen: &Frozen) -> Told {
        let (group, below) = (self.place.group, checkpoint.below);
        let path = names::unfinished(&self.place.dir, group, below);
        let captured = self.write(&path, checkpoint, frozen);
        let input = match captured.and_then(|image| self.name(&path, below).map(|()| image)) {
            Ok(image) => Input::Captured { group, image },
            Err(error) => {
                // Room for others; the error that counts is the first.
                let _ = fs::remove_file(&path);
                self.complain(format!("cannot write an image of the state: {error}"));
                Input::CaptureFailed { group, below }
            }
        };
        Told::Input(input)
    }

    fn write(&self, path: &Path, checkpoint: Checkpoint, frozen: &Frozen) -> io::Result<Image> {
        let mut writer = Writer::create(path)?;
        frozen.tell(PIECE_BYTES, |bytes| {
            if self.is_closing() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            writer.push(bytes)
        })?;
        writer.finish(&self.place, checkpoint)
    }

    /// Gives a whole image its name, durably, and lets old ones go.
    fn name(&self, path: &Path, below: Slot) -> io::Result<()> {
        let Place { dir, group, .. } = &self.place;
        fs::rename(path, names::image(dir, *group, below))?;
        sync_dir(dir)?;
        let mut images = names::images(dir)?;
        images.retain(|(of, ..)| of == group);
        let old = images.len().saturating_sub(IMAGES_KEPT);
        for (.., path) in &images[..old] {
            // One more than needed does no harm, and is tried again the next time.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    fn install(&mut self, image: &Image) -> Told {
        let (group, id) = (self.place.group, image.id());
        match self.put_in_place(image) {
            Ok(store) => Told::Installed(id, Box::new(store)),
            Err(fault) => {
                let _ = fs::remove_file(names::incoming(&self.place.dir, group));
                self.complain(format!("cannot use the image of a peer: {fault}"));
                Told::Input(Input::InstallFailed { group, image: id })
            }
        }
    }

    fn put_in_place(&self, image: &Image) -> Result<Store, Fault> {
        let path = names::incoming(&self.place.dir, self.place.group);
        let part = match Part::reopen(&self.place)? {
            Some(part) if part.image() == image.id() => part,
            // An empty one comes in no pieces.
            _ if image.bytes == 0 => Part::create(&self.place, image.id())?,
            _ => return Err(Fault::Foreign),
        };
        let store = complete(&part.into_file(), &self.place, image, &|| !self.is_closing())?;
        self.name(&path, image.checkpoint.below)?;
        Ok(store)
    }

    fn load(&mut self, to: NodeId, image: ImageId, offset: u64, bytes: usize) -> Told {
        let Place { dir, group, cluster, .. } = &self.place;
        let path = names::image(dir, *group, image.below);
        let read = Reader::open(&path, *cluster, *group).and_then(|reader| {
            if reader.image().id() != image {
                return Ok(Bytes::new());
            }
            reader.read(offset, bytes)
        });
        let payload = match read {
            Ok(payload) => payload,
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => Bytes::new(),
            Err(fault) => {
                let below = image.below;
                self.complain(format!("cannot give the image below slot {below} away: {fault}"));
                Bytes::new()
            }
        };
        let piece = Piece { image, offset, payload };
        Told::Input(Input::Loaded { group: self.place.group, to, piece })
    }

    fn store(&mut self, piece: &Piece) -> Told {
        let (group, image) = (self.place.group, piece.image);
        let input = match self.put_aside(piece) {
            Ok(end) => Input::Stored { group, image, end },
            Err(error) => {
                self.part = None;
                let _ = fs::remove_file(names::incoming(&self.place.dir, group));
                self.complain(format!("cannot store the image of a peer: {error}"));
                Input::StoreFailed { group, image }
            }
        };
        Told::Input(input)
    }

    /// Answers up to where the image is there.
    fn put_aside(&mut self, piece: &Piece) -> io::Result<u64> {
        let is_first = piece.offset == 0;
        let part = match self.part.take().filter(|part| part.takes(piece) && !is_first) {
            Some(part) => Some(part),
            None if is_first => Some(Part::create(&self.place, piece.image)?),
            None => Part::reopen(&self.place)?,
        };
        let Some(mut part) = part.filter(|part| part.takes(piece)) else {
            return Err(io::Error::other("a piece that fits nowhere"));
        };
        part.write(piece)?;
        // What is whole is about to become another file.
        self.part = Some(part).filter(|part| part.end() < piece.image.bytes);
        Ok(piece.end())
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    fn complain(&self, line: String) {
        self.tell(Told::Line(line));
    }

    fn tell(&self, told: Told) {
        // Whoever does not listen any more is about to end this thread.
        let _ = self.told.send(told);
        (self.wake)();
    }
}

/// Images that stay: the newest, and one in case that is damaged.
const IMAGES_KEPT: usize = 2;
/// Bytes of the stream that are made at once.
const PIECE_BYTES: usize = 256 << 10;
