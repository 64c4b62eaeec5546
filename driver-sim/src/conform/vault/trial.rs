//! One life after another of one vault, and a peer to pull from.

use paxos_core::types::{Image, ImageId, Piece, Slot};

use super::model::{Kept, Machine, Shelf};
use super::{Breach, Claim, Found, Order, Report, Vault};
use crate::choice::{Choice, Seeded};
use crate::conform::story::Story;

/// So many lives has a vault, and so many events a life at most.
const LIVES: u32 = 8;
const EVENTS: u32 = 24;

/// So many bytes come at once.
const PIECE_MAX: usize = 1 << 20;

type Checked<T = ()> = Result<T, Box<Breach>>;

/// A vault, and all that it must hold.
struct Trial<'a, V> {
    mine: &'a mut V,
    theirs: &'a mut V,
    report: &'a mut Report,
    choice: Seeded,
    machine: Machine,
    shelf: Shelf,
    /// What the peer has saved last.
    offered: Slot,
    pull: Option<Pull>,
    /// What was stored last of a peer's image, and up to where.
    aside: Option<(ImageId, u64)>,
    story: Story,
}

/// A peer's image on its way.
#[derive(Clone, Debug)]
struct Pull {
    image: Image,
    bytes: Vec<u8>,
    /// So much of it is stored.
    end: u64,
    /// Where a byte was changed on the way.
    is_wrong_at: Option<u64>,
}

/// How a life ended.
#[derive(Default)]
struct End {
    during: Option<Order>,
    has_rotted: bool,
}

/// Tries one vault.
pub(super) fn run<V: Vault>(
    mine: &mut V,
    theirs: &mut V,
    seed: u64,
    report: &mut Report,
) -> Checked {
    let mut choice = Seeded::new(seed);
    let machine = Machine::new(&mut choice);
    let (shelf, story) = (Shelf::new(), Story::new(seed));
    theirs.open().map_err(|why| story.breach(Claim::Opens, why))?;
    let (offered, pull, aside) = (Slot::FIRST, None, None);
    let mut trial =
        Trial { mine, theirs, report, choice, machine, shelf, offered, pull, aside, story };
    let mut end = End::default();
    for _ in 0..LIVES {
        trial.start(end)?;
        trial.live()?;
        end = trial.end();
    }
    trial.start(end)
}

impl<V: Vault> Trial<'_, V> {
    /// A start, perhaps two at once.
    fn start(&mut self, end: End) -> Checked {
        let found = self.open()?;
        self.settle(&found, end)?;
        let Found { newest, mut partial } = found;
        if self.choice.chance(200_000) {
            self.mine.close();
            let again = self.open()?;
            partial = again.partial;
            let same = again.newest == newest;
            self.story.ensure(same, Claim::Stable, "a second start finds other things")?;
        }
        // What is not there any more is pulled again.
        if let Some(pull) = &mut self.pull {
            let same = partial.filter(|(image, _)| *image == pull.image.id());
            pull.end = same.map_or(0, |(_, end)| end);
            pull.is_wrong_at.take_if(|at| *at >= pull.end);
            self.report.resumed += u64::from(pull.end > 0);
        }
        self.aside = partial;
        Ok(())
    }

    fn open(&mut self) -> Checked<Found> {
        self.report.starts += 1;
        self.story.tell("open");
        self.mine.open().map_err(|why| self.story.breach(Claim::Opens, why))
    }

    /// Compares what is found with what may be there.
    fn settle(&mut self, found: &Found, End { during, has_rotted }: End) -> Checked {
        let below = found.newest.as_ref().map(|(image, _)| image.checkpoint.below);
        self.story.tell(format!("found below {below:?}, partly {:?}", found.partial));
        if let Some((image, state)) = &found.newest {
            self.is_sound(image, state)?;
        }
        self.settle_partial(found, during.as_ref())?;
        let open = match &during {
            Some(Order::Save(checkpoint, _)) => Some(checkpoint.below),
            Some(Order::Install(image)) => Some(image.checkpoint.below),
            _ => None,
        };
        if below.is_some() && below == open {
            let (image, _) = found.newest.clone().expect("it has a slot");
            self.report.survived += 1;
            return self.put(image);
        }
        self.report.lost += u64::from(open.is_some());
        let newest = self.shelf.newest();
        if below.unwrap_or(Slot::FIRST) == newest {
            if has_rotted {
                self.shelf.falls_to(below);
            }
            return Ok(());
        }
        if has_rotted && self.shelf.may_fall_to(below) {
            self.shelf.falls_to(below);
            return Ok(());
        }
        let (claim, why) = match below {
            Some(below) if below > newest => (Claim::Durable, "what was lost is found again"),
            _ if has_rotted => (Claim::Before, "the image before the one that has rotted is gone"),
            _ => (Claim::Durable, "what was made durable is not found"),
        };
        Err(self.story.breach(claim, why))
    }

    /// The image must be what the machine comes to below its slot.
    fn is_sound(&self, image: &Image, state: &[u8]) -> Checked {
        let below = image.checkpoint.below;
        let checkpoint = self.machine.checkpoint(below);
        let same = image.checkpoint == checkpoint;
        self.story.ensure(same, Claim::Whole, "found under another checkpoint")?;
        let same = state == self.machine.state(below);
        self.story.ensure(same, Claim::Whole, "what is found is not what was saved")?;
        let known = self.shelf.image(below).filter(|_| below == self.shelf.newest());
        let same = known.is_none_or(|known| known == image);
        self.story.ensure(same, Claim::Whole, "the newest image has another name than before")
    }

    fn settle_partial(&mut self, found: &Found, during: Option<&Order>) -> Checked {
        let Some((image, end)) = found.partial else { return Ok(()) };
        let mut stored = Vec::from_iter(self.aside);
        if let Some(Order::Store(piece)) = during {
            stored.push((piece.image, piece.end()));
        }
        let is_stored = stored.iter().any(|(of, most)| *of == image && end <= *most);
        self.story.ensure(is_stored, Claim::Partial, "more is there than was stored")
    }

    fn live(&mut self) -> Checked {
        for _ in 0..self.choice.below(EVENTS + 1) {
            match self.choice.weighted(&[6, 4, 2]) {
                0 => self.pull()?,
                1 => self.read()?,
                _ => self.save()?,
            }
        }
        Ok(())
    }

    fn save(&mut self) -> Checked {
        let Order::Save(checkpoint, state) = self.next_save() else { return Ok(()) };
        let below = checkpoint.below;
        self.story.tell(format!("save {} bytes below {below}", state.len()));
        self.report.saves += 1;
        let saved = self.mine.save(&checkpoint, &state);
        let image = saved.map_err(|why| self.story.breach(Claim::Opens, why))?;
        let same = image.checkpoint == checkpoint;
        self.story.ensure(same, Claim::Whole, "saved under another checkpoint")?;
        // Whoever has come so far by itself needs no image of a peer.
        self.pull.take_if(|pull| pull.image.checkpoint.below <= below);
        self.put(image)
    }

    fn next_save(&mut self) -> Order {
        let below = self.shelf.newest().plus(1 + u64::from(self.choice.below(9)));
        Order::Save(self.machine.checkpoint(below), self.machine.state(below))
    }

    /// An image is durable, the newest: reads it once, whole.
    fn put(&mut self, image: Image) -> Checked {
        let mut bytes = Vec::new();
        let most = 1 + self.choice.below((image.bytes / 2).min(1 << 20) as u32 + 1) as usize;
        while (bytes.len() as u64) < image.bytes {
            let read = self.mine.read(image.id(), bytes.len() as u64, most);
            let read = read.map_err(|why| self.story.breach(Claim::Reads, why))?;
            let full = most.min(image.bytes as usize - bytes.len());
            let why = "a piece of the newest image is too short or too long";
            self.story.ensure(read.len() == full, Claim::Reads, why)?;
            bytes.extend(read);
        }
        self.report.reads += 1;
        self.pull.take_if(|pull| pull.image.checkpoint.below <= image.checkpoint.below);
        self.shelf.put(image, bytes);
        Ok(())
    }

    fn read(&mut self) -> Checked {
        let Some((kept, is_firm)) = self.shelf.any(&mut self.choice) else { return Ok(()) };
        let Kept { image, bytes, .. } = kept;
        let offset = u64::from(self.choice.below(image.bytes as u32 + 2));
        let most = self.choice.below(200_000) as usize;
        let rest = bytes.get(offset as usize..).unwrap_or(&[]);
        let expected = &rest[..most.min(rest.len())];
        let below = image.checkpoint.below;
        self.story.tell(format!("read {most} bytes at {offset} of the image below {below}"));
        let read = self.mine.read(image.id(), offset, most);
        let read = read.map_err(|why| self.story.breach(Claim::Reads, why))?;
        self.report.reads += 1;
        let is_gone = read.is_empty() && !expected.is_empty();
        if is_gone {
            let claim = if below == self.shelf.newest() { Claim::Reads } else { Claim::Before };
            return self.story.ensure(!is_firm, claim, "an image is gone too early");
        }
        self.story.ensure(read == expected, Claim::Reads, "not what the image holds there")
    }

    /// Goes on with a peer's image, or begins with one.
    fn pull(&mut self) -> Checked {
        // The peer may have gone on, and offer another.
        match self.pull.take().filter(|_| !self.choice.chance(60_000)) {
            None => self.offer(),
            Some(pull) if pull.end == pull.image.bytes => self.install(pull),
            Some(mut pull) => {
                let mut piece = self.next_piece(&pull);
                if self.choice.chance(50_000) {
                    let at = self.choice.below(piece.payload.len() as u32) as usize;
                    let mut payload = piece.payload.to_vec();
                    payload[at] ^= 1 << self.choice.below(8);
                    piece.payload = payload.into();
                    pull.is_wrong_at = Some(pull.end + at as u64);
                }
                self.story.tell(format!("store {} bytes at {}", piece.payload.len(), pull.end));
                self.report.pieces += 1;
                let stored = self.mine.store(&piece);
                stored.map_err(|why| self.story.breach(Claim::Opens, why))?;
                pull.end = piece.end();
                self.aside = Some((piece.image, pull.end));
                self.pull = Some(pull);
                Ok(())
            }
        }
    }

    /// The peer saves a state, and tells of it.
    fn offer(&mut self) -> Checked {
        let above = self.shelf.newest().max(self.offered);
        self.offered = above.plus(1 + u64::from(self.choice.below(60)));
        let (checkpoint, state) =
            (self.machine.checkpoint(self.offered), self.machine.state(self.offered));
        let image = self.theirs.save(&checkpoint, &state);
        let image = image.map_err(|why| self.story.breach(Claim::Opens, why))?;
        self.story.tell(format!("the peer has {} bytes below {}", image.bytes, self.offered));
        let bytes = self.theirs.read(image.id(), 0, image.bytes as usize);
        let bytes = bytes.map_err(|why| self.story.breach(Claim::Reads, why))?.to_vec();
        let is_whole = bytes.len() as u64 == image.bytes;
        self.story.ensure(is_whole, Claim::Reads, "an image is shorter than it says")?;
        self.pull = Some(Pull { image, bytes, end: 0, is_wrong_at: None });
        Ok(())
    }

    fn next_piece(&mut self, pull: &Pull) -> Piece {
        let rest = &pull.bytes[pull.end as usize..];
        let most = rest.len().min([PIECE_MAX, 60_000, 100][self.choice.weighted(&[8, 2, 1])]);
        let most = match self.choice.weighted(&[1, 1]) {
            0 => most,
            _ => 1 + self.choice.below(most as u32) as usize,
        };
        let payload = rest[..most].to_vec().into();
        Piece { image: pull.image.id(), offset: pull.end, payload }
    }

    fn install(&mut self, pull: Pull) -> Checked {
        let Pull { image, bytes, is_wrong_at, .. } = pull;
        let below = image.checkpoint.below;
        self.story.tell(format!("install the image below {below}, wrong at {is_wrong_at:?}"));
        let installed = self.mine.install(&image);
        self.aside = None;
        if is_wrong_at.is_some() {
            self.report.refused += 1;
            let why = "bytes that were changed on the way were installed";
            return self.story.ensure(installed.is_err(), Claim::Checked, why);
        }
        self.report.installs += 1;
        let state = installed.map_err(|why| self.story.breach(Claim::Installs, why))?;
        let same = state == self.machine.state(below);
        self.story.ensure(same, Claim::Installs, "the state is not what the peer has saved")?;
        let held = self.mine.read(image.id(), 0, bytes.len());
        let same = held.is_ok_and(|held| held == bytes);
        self.story.ensure(same, Claim::Reads, "an image is not what the peer's was")?;
        self.put(image)
    }

    fn end(&mut self) -> End {
        if !self.choice.chance(700_000) {
            self.story.tell("close");
            self.mine.close();
            let has_rotted = self.choice.chance(300_000) && self.mine.rot(&mut self.choice);
            self.report.rotted += u64::from(has_rotted);
            if has_rotted {
                self.story.tell("one image rots");
            }
            return End { during: None, has_rotted };
        }
        let pull = self.pull.clone();
        let during = match (self.choice.below(3), pull) {
            (0, _) => None,
            (1, Some(pull)) if pull.end < pull.image.bytes => {
                Some(Order::Store(self.next_piece(&pull)))
            }
            (1, Some(pull)) if pull.is_wrong_at.is_none() => Some(Order::Install(pull.image)),
            _ => Some(self.next_save()),
        };
        self.story.tell(match &during {
            None => "crash".to_owned(),
            Some(Order::Save(checkpoint, _)) => format!("crash, saving below {}", checkpoint.below),
            Some(Order::Store(piece)) => format!("crash, storing up to {}", piece.end()),
            Some(Order::Install(_)) => "crash, installing".to_owned(),
        });
        self.report.crashes += 1;
        self.mine.crash(during.as_ref(), &mut self.choice);
        End { during, has_rotted: false }
    }
}
