//! A vault in memory, sound or broken on purpose; and the proof that the suite can tell.

use bytes::Bytes;
use paxos_core::types::{Checkpoint, Checksum, Image, ImageId, Piece, Slot};

use super::{Claim, Found, Order, Vault, check};
use crate::choice::{Choice, MILLION};
use crate::vault::digest;

/// What is wrong with a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Acknowledges an image that still lies in a cache.
    AcksTheCache,
    /// Installs in memory alone.
    InstallsInMemory,
    /// Removes what it has before what is to come is durable.
    MakesRoomFirst,
    /// Finds the oldest image, not the newest.
    FindsTheOldest,
    /// A later start finds what a crash has undone.
    Remembers,
    /// Keeps no checkpoint with the image.
    ForgetsTheCheckpoint,
    /// Believes any image that has a name.
    BelievesNames,
    /// Refuses what a crash has torn, instead of passing it over.
    RefusesTorn,
    /// A start eats the newest image, and says so only the next time.
    EatsTheNewest,
    /// Reads from the front, wherever the piece is to begin.
    ReadsTheFront,
    /// Fills up with zeros what is read beyond the end.
    PadsTheEnd,
    /// Reads the newest image for one that is gone.
    ReadsTheNewest,
    /// Keeps one image.
    KeepsOne,
    /// Says that all is there which was stored, whatever a crash has left.
    TrustsTheLength,
    /// Calls what was stored by another image's name.
    NamesAnother,
    /// Leaves an image that was given up where it is, and writes the next into it.
    MixesPieces,
    /// Installs without a look at the digest.
    InstallsAnything,
}

#[derive(Clone, Debug)]
struct Kept {
    image: Image,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    /// Ascending by slot.
    disk: Vec<Kept>,
    /// What is not durable, though it was said to be.
    cache: Vec<Kept>,
    ghost: Option<Kept>,
    aside: Option<(ImageId, Vec<u8>)>,
    /// What an earlier life knew of its length.
    length: u64,
    starts: u32,
}

impl Flawed {
    fn new(flaw: Flaw) -> Flawed {
        let (disk, cache, starts) = (Vec::new(), Vec::new(), 0);
        Flawed { flaw, disk, cache, ghost: None, aside: None, length: 0, starts }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn put(&mut self, kept: Kept) {
        self.disk.retain(|other| other.image.checkpoint.below != kept.image.checkpoint.below);
        self.disk.push(kept);
        self.disk.sort_by_key(|kept| kept.image.checkpoint.below);
        let most = if self.is(Flaw::KeepsOne) { 1 } else { 2 };
        self.disk.drain(..self.disk.len().saturating_sub(most));
    }

    fn image(checkpoint: &Checkpoint, state: &[u8]) -> Kept {
        let (checkpoint, bytes) = (checkpoint.clone(), state.len() as u64);
        let image = Image { checkpoint, bytes, digest: digest(state) };
        Kept { image, bytes: state.to_vec() }
    }

    /// The image that an order is about to make.
    fn made_by(&self, order: &Order) -> Option<Kept> {
        match order {
            Order::Save(checkpoint, state) => Some(Flawed::image(checkpoint, state)),
            Order::Install(image) => Some(self.stored(image)),
            Order::Store(_) => None,
        }
    }

    /// The image of a peer as far as it was stored; one of no bytes never was.
    fn stored(&self, image: &Image) -> Kept {
        let aside = self.aside.as_ref().filter(|(of, _)| *of == image.id());
        let bytes = aside.map_or(Vec::new(), |(_, bytes)| bytes.clone());
        Kept { image: image.clone(), bytes }
    }
}

fn is_sound(kept: &Kept) -> bool {
    digest(&kept.bytes) == kept.image.digest
}

impl Vault for Flawed {
    fn open(&mut self) -> Result<Found, String> {
        self.starts += 1;
        if self.is(Flaw::Remembers) && self.starts.is_multiple_of(2) {
            let ghost = self.ghost.take();
            ghost.into_iter().for_each(|kept| self.put(kept));
        }
        if self.is(Flaw::RefusesTorn) && !self.disk.iter().all(is_sound) {
            return Err("damaged".into());
        }
        if !self.is(Flaw::BelievesNames) {
            self.disk.retain(is_sound);
        }
        let newest = match self.flaw {
            Flaw::FindsTheOldest => self.disk.first(),
            _ => self.disk.last(),
        };
        let mut newest = newest.map(|kept| (kept.image.clone(), kept.bytes.clone()));
        if self.is(Flaw::EatsTheNewest) {
            self.disk.pop();
        }
        if let Some((image, _)) = newest.as_mut().filter(|_| self.is(Flaw::ForgetsTheCheckpoint)) {
            image.checkpoint.sum = Checksum::FIRST;
        }
        let mut partial = self.aside.as_ref().map(|(image, bytes)| (*image, bytes.len() as u64));
        if let Some((image, end)) = &mut partial {
            match self.flaw {
                Flaw::TrustsTheLength => *end = self.length,
                Flaw::NamesAnother => image.below = Slot(7),
                _ => {}
            }
        }
        Ok(Found { newest, partial })
    }

    fn save(&mut self, checkpoint: &Checkpoint, state: &[u8]) -> Result<Image, String> {
        let kept = Flawed::image(checkpoint, state);
        let image = kept.image.clone();
        if self.is(Flaw::AcksTheCache) {
            self.cache.push(kept)
        } else {
            self.put(kept)
        }
        Ok(image)
    }

    fn read(&mut self, image: ImageId, offset: u64, bytes: usize) -> Result<Bytes, String> {
        let all = || self.disk.iter().chain(&self.cache);
        let mut held = all().find(|kept| kept.image.id() == image);
        if held.is_none() && self.is(Flaw::ReadsTheNewest) {
            held = all().last();
        }
        let Some(held) = held else { return Ok(Bytes::new()) };
        let offset = if self.is(Flaw::ReadsTheFront) { 0 } else { offset };
        let rest = held.bytes.get(offset as usize..).unwrap_or(&[]);
        let mut read = rest[..bytes.min(rest.len())].to_vec();
        if self.is(Flaw::PadsTheEnd) {
            read.resize(bytes, 0);
        }
        Ok(read.into())
    }

    fn store(&mut self, piece: &Piece) -> Result<(), String> {
        let (image, mut bytes) = self.aside.take().unwrap_or((piece.image, Vec::new()));
        let (at, end) = (piece.offset as usize, piece.end() as usize);
        if image != piece.image && !self.is(Flaw::MixesPieces) {
            bytes.clear();
        }
        bytes.resize(bytes.len().max(end), 0);
        bytes[at..end].copy_from_slice(&piece.payload);
        self.aside = Some((piece.image, bytes));
        self.length = piece.end();
        Ok(())
    }

    fn install(&mut self, image: &Image) -> Result<Vec<u8>, String> {
        let kept = self.stored(image);
        self.aside = None;
        if !is_sound(&kept) && !self.is(Flaw::InstallsAnything) {
            return Err("not what its digest says".into());
        }
        let state = kept.bytes.clone();
        if self.is(Flaw::InstallsInMemory) {
            self.cache.push(kept)
        } else {
            self.put(kept)
        }
        Ok(state)
    }

    fn close(&mut self) {
        let cache = std::mem::take(&mut self.cache);
        cache.into_iter().for_each(|kept| self.put(kept));
    }

    fn crash(&mut self, during: Option<&Order>, choice: &mut dyn Choice) {
        self.cache.clear();
        let made = during.and_then(|order| self.made_by(order));
        match choice.below(3) {
            0 if self.is(Flaw::MakesRoomFirst) && made.is_some() => self.disk.clear(),
            0 => self.ghost = made,
            1 => {
                // The name is there, and the bytes are not.
                if let Some(mut torn) = made.filter(|made| !made.bytes.is_empty()) {
                    torn.bytes.pop();
                    // Nothing that is whole has to go for it.
                    self.disk.push(torn);
                }
            }
            _ => {
                let _ = during.map(|order| order.carry_out(self));
                self.cache.clear();
            }
        }
        if let Some((_, aside)) = self.aside.as_mut().filter(|_| choice.chance(MILLION / 2)) {
            aside.truncate(choice.below(aside.len() as u32 + 1) as usize);
        }
    }

    fn rot(&mut self, choice: &mut dyn Choice) -> bool {
        let at = choice.below(self.disk.len() as u32) as usize;
        let Some(kept) = self.disk.get_mut(at).filter(|kept| !kept.bytes.is_empty()) else {
            return false;
        };
        let at = choice.below(kept.bytes.len() as u32) as usize;
        kept.bytes[at] ^= 1;
        true
    }
}

#[test]
fn a_sound_vault_passes() {
    let report =
        check(|| Flawed::new(Flaw::None), 0..100).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 50 && report.lost > 50 && report.resumed > 50, "{report:?}");
    assert!(report.installs > 50 && report.refused > 20 && report.rotted > 30, "{report:?}");
}

#[test]
fn every_flaw_is_found_and_called_by_its_name() {
    use Claim::{Before, Checked, Durable, Installs, Opens, Partial, Reads, Stable, Whole};
    let flaws: [(Flaw, &[Claim]); 17] = [
        (Flaw::AcksTheCache, &[Durable]),
        (Flaw::InstallsInMemory, &[Durable, Before]),
        (Flaw::MakesRoomFirst, &[Durable]),
        (Flaw::FindsTheOldest, &[Durable, Stable]),
        (Flaw::Remembers, &[Durable, Stable]),
        (Flaw::ForgetsTheCheckpoint, &[Whole]),
        (Flaw::BelievesNames, &[Whole]),
        (Flaw::RefusesTorn, &[Opens]),
        (Flaw::EatsTheNewest, &[Stable, Durable, Reads]),
        (Flaw::ReadsTheFront, &[Reads]),
        (Flaw::PadsTheEnd, &[Reads]),
        (Flaw::ReadsTheNewest, &[Reads]),
        (Flaw::KeepsOne, &[Before]),
        (Flaw::TrustsTheLength, &[Partial, Installs]),
        (Flaw::NamesAnother, &[Partial]),
        (Flaw::MixesPieces, &[Partial, Installs]),
        (Flaw::InstallsAnything, &[Checked]),
    ];
    for (flaw, claims) in flaws {
        let breach = check(|| Flawed::new(flaw), 0..100);
        let breach = breach.expect_err(&format!("{flaw:?} is broken"));
        assert!(claims.contains(&breach.claim), "{flaw:?}: {breach}");
    }
}

#[test]
fn a_breach_tells_its_story() {
    let breach = check(|| Flawed::new(Flaw::AcksTheCache), 0..100).expect_err("it is broken");
    let again = check(|| Flawed::new(Flaw::AcksTheCache), breach.seed..breach.seed + 1);
    assert_eq!(again, Err(breach.clone()), "the seed is enough");
    assert!(breach.story.iter().any(|line| line.starts_with("save")));
    assert!(breach.to_string().lines().count() > 3);
}
