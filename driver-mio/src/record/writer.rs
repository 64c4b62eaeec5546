//! Steps into files.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use paxos_core::effect::{Effect, Input};
use paxos_core::log::Durable;
use paxos_core::types::Instant;
use paxos_core::{Config, Node};

use super::reader::Begun;
use super::shelf::{Room, Shelf};
use super::{MAGIC, part, sum, sum_of};

/// Writes one life down.
#[derive(Debug)]
pub struct Recorder {
    shelf: Shelf,
    file: File,
    /// Bytes that it begins with.
    start_bytes: u64,
    /// When it was begun.
    began: Instant,
    /// Bytes of the steps in it.
    taken: u64,
    /// Parts that are not written yet.
    waiting: Vec<u8>,
    /// When the last step began.
    now: Instant,
    /// The step under way.
    step: Option<part::Open>,
    /// Whether a step was too long to be written down.
    has_hole: bool,
}

/// Why a recorder writes no more; harmless for the node.
#[derive(Debug)]
pub enum Ended {
    /// The file has filled its share of the room, and the log that the node holds is too large
    /// to begin another one with.
    Full,
    /// A step, or the state, is over 4 GiB.
    Unspeakable,
    /// The system says so.
    Io(io::Error),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Full => f.write_str("the log in memory does not fit into its room"),
            Ended::Unspeakable => f.write_str("4 GiB at once cannot be recorded"),
            Ended::Io(error) => write!(f, "cannot record: {error}"),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Io(error)
    }
}

impl Recorder {
    /// Begins the recording of a node that is restored from this, now. What is there of older
    /// lives makes room.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn begin(
        dir: &Path,
        room: Room,
        (config, durable, now): (&Config, &Durable, Instant),
    ) -> Result<Recorder, Ended> {
        let mut shelf = Shelf::new(dir, room, config.incarnation)?;
        let start =
            first_part(Begun::Restored((config, durable)), now).ok_or(Ended::Unspeakable)?;
        let file = shelf.next(&start)?;
        Ok(Recorder {
            shelf,
            file,
            start_bytes: start.len() as u64,
            began: now,
            taken: 0,
            waiting: Vec::new(),
            now,
            step: None,
            has_hole: false,
        })
    }

    /// The core is about to be told this.
    pub fn hears(&mut self, now: Instant, input: &Input) {
        let part = part::Open::begin(&mut self.waiting);
        part.say(&(now, input), &mut self.waiting);
        (self.now, self.step) = (now, Some(part));
    }

    /// It has ordered that.
    pub fn orders<'a>(&mut self, effects: impl Iterator<Item = &'a Effect>) {
        if let Some(part) = self.step.take() {
            part.say(&sum(effects), &mut self.waiting);
            self.has_hole |= !part.end(&mut self.waiting);
        }
    }

    /// Writes out what this turn has brought, as far as the operating system: it survives the
    /// process, not the machine. Begins another file if it is time to; `core` is as the last
    /// step has left it.
    ///
    /// # Errors
    /// [`Ended`]; what was written is whole up to the last turn.
    pub fn flush(&mut self, core: &Node) -> Result<(), Ended> {
        if self.has_hole {
            return Err(Ended::Unspeakable);
        }
        self.file.write_all(&self.waiting)?;
        self.taken += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(WAITING_BYTES_KEPT);
        self.shelf.reserve(self.start_bytes + self.taken)?;
        // A state that is larger than the steps so far would fill the room with states.
        let room = self.shelf.room;
        let held: usize = core.groups().map(|group| group.log().bytes()).sum();
        let held = held as u64;
        if held > room.start_bytes_max() {
            // It will be less once it is trimmed.
            return if self.taken < room.steps_bytes_max() { Ok(()) } else { Err(Ended::Full) };
        }
        let is_full = self.taken >= room.share().max(held);
        let is_long = self.now.since(self.began) >= room.age_max;
        if is_full || is_long { self.turn_over(core) } else { Ok(()) }
    }

    /// Goes on in another file.
    fn turn_over(&mut self, core: &Node) -> Result<(), Ended> {
        let start = first_part(Begun::Running(core), self.now).ok_or(Ended::Unspeakable)?;
        if start.len() as u64 > self.shelf.room.start_bytes_max() {
            return Err(Ended::Full);
        }
        self.file = self.shelf.next(&start)?;
        (self.start_bytes, self.began, self.taken) = (start.len() as u64, self.now, 0);
        Ok(())
    }
}

/// The magic, and what a recording begins with.
fn first_part(start: Begun<'_>, now: Instant) -> Option<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    part::put(&(now, sum_of(&start), start), &mut bytes).then_some(bytes)
}

/// Memory that is kept for the next turn.
const WAITING_BYTES_KEPT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use paxos_core::GroupConfig;
    use paxos_core::effect::Effects;
    use paxos_core::types::{
        Command, GroupId, Image, Incarnation, Limits, Membership, NodeId, ProposalId, Timing,
        WriteId,
    };

    use super::super::{Recording, Start};
    use super::*;

    fn config(life: u64) -> Config {
        Config {
            node: NodeId(1),
            incarnation: Incarnation(life),
            disk: 1,
            seed: 2,
            groups: vec![GroupConfig::new(GroupId(0), Membership::majority([NodeId(1)]))],
            timing: Timing::default(),
            limits: Limits { checkpoint_slots: 64, keep_slots: 0, ..Limits::default() },
            priority: Config::PRIORITY,
        }
    }

    const AGE_MAX: Duration = Duration::from_secs(300);

    /// A node that is alone, and its recorder.
    struct Flight {
        node: Node,
        now: u64,
        asked: u64,
        has_vault: bool,
        recorder: Recorder,
    }

    impl Flight {
        fn begin(dir: &Path, bytes_max: u64, life: u64) -> Flight {
            let (config, durable) = (config(life), Durable::default());
            let now = Instant::from_micros(7);
            let start = (&config, &durable, now);
            let room = Room { bytes_max, age_max: AGE_MAX };
            let recorder = Recorder::begin(dir, room, start).expect("a recorder");
            let node = Node::restore(config, durable, now).expect("a node");
            let mut flight = Flight { node, now: 7, asked: 0, has_vault: true, recorder };
            for _ in 0..100 {
                flight.now += 100_000;
                flight.step(Input::Ticked);
            }
            flight
        }

        /// Steps the node, and has its disk and its vault answer.
        fn step(&mut self, input: Input) {
            let (now, mut effects) = (Instant::from_micros(self.now), Effects::new());
            self.recorder.hears(now, &input);
            self.node.step(now, input, &mut effects);
            self.recorder.orders(effects.iter());
            for effect in effects.drain() {
                if let (true, Effect::Capture { group, checkpoint }) = (self.has_vault, effect) {
                    let image = Image { checkpoint, bytes: 1, digest: 2 };
                    self.step(Input::Captured { group, image });
                }
            }
            let (WriteId(issued), durable) = self.node.writes();
            if issued > durable.0 {
                self.step(Input::Persisted(WriteId(issued)));
            }
        }

        fn propose(&mut self, bytes: usize) -> Result<(), Ended> {
            self.asked += 1;
            let commands = vec![Command::plain(vec![7; bytes].into())].into();
            let first = ProposalId(self.asked);
            self.step(Input::Proposed { group: GroupId(0), first, commands });
            self.recorder.flush(&self.node)
        }
    }

    /// All recordings there are, oldest first.
    fn read(dir: &Path) -> Vec<Recording> {
        let files = fs::read_dir(dir).expect("listed").map(|file| file.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        let read = |path| Recording::read(&fs::read(path).expect("read")).expect("a recording");
        files.into_iter().map(read).collect()
    }

    fn bytes_in(dir: &Path) -> u64 {
        let files = fs::read_dir(dir).expect("listed");
        files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
    }

    /// The node as it is after all that was recorded.
    fn replayed(recording: &Recording) -> Node {
        let mut node = recording.start.node(recording.now).expect("a core");
        let mut effects = Effects::new();
        for step in &recording.steps {
            node.step(step.now, step.input.clone(), &mut effects);
            assert_eq!(sum(effects.iter()), step.sum);
            effects.clear();
        }
        node
    }

    #[test]
    fn what_was_flushed_is_read_and_a_torn_end_is_cut_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut flight = Flight::begin(dir.path(), 1 << 20, 1);
        flight.propose(10).expect("room");
        let whole = read(dir.path()).remove(0);
        assert_eq!((whole.now, whole.torn), (Instant::from_micros(7), 0));
        assert!(matches!(&whole.start, Start::Restored(from) if from.0 == config(1)));
        assert_eq!(replayed(&whole), flight.node);
        flight.step(Input::Ticked);
        assert_eq!(read(dir.path()).remove(0), whole, "not flushed");
        let path = fs::read_dir(dir.path()).expect("listed").next().expect("a file");
        let bytes = fs::read(path.expect("a file").path()).expect("read");
        let torn = Recording::read(&bytes[..bytes.len() - 1]).expect("a recording");
        assert_eq!(torn.steps.len(), whole.steps.len() - 1);
        assert!(torn.torn > 0);
        for end in 0..bytes.len().min(400) {
            let _ = Recording::read(&bytes[..end]);
        }
    }

    /// Every file can be replayed by itself, ends as the next one begins, and the oldest go.
    #[test]
    fn a_long_life_is_kept_as_its_last_while() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut flight = Flight::begin(dir.path(), 200_000, 1);
        let mut written = 0;
        while written < 1_000_000 {
            flight.propose(100).expect("room");
            written += 100;
        }
        assert!((100_000..=200_000).contains(&bytes_in(dir.path())));
        let lives = read(dir.path());
        assert!(lives.len() > 1, "{}", lives.len());
        assert!(matches!(lives[0].start, Start::Running(_)), "the oldest are gone");
        for pair in lives.windows(2) {
            let Start::Running(next) = &pair[1].start else { panic!("it goes on") };
            assert_eq!(replayed(&pair[0]), **next);
        }
        assert_eq!(replayed(lives.last().expect("some")), flight.node);
    }

    /// A node that has little to do turns over all the same, and forgets what is too old.
    #[test]
    fn as_much_time_is_kept_as_is_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut flight = Flight::begin(dir.path(), 1 << 20, 1);
        let began = flight.now;
        let later = |flight: &mut Flight, by: Duration| {
            flight.now += by.as_micros() as u64;
            flight.propose(10).expect("room");
        };
        later(&mut flight, AGE_MAX - Duration::from_secs(11));
        assert_eq!(read(dir.path()).len(), 1, "not yet");
        later(&mut flight, Duration::from_secs(11));
        let lives = read(dir.path());
        assert_eq!(lives.len(), 2);
        assert!(
            lives[1].now.since(Instant::from_micros(began)) >= AGE_MAX - Duration::from_secs(10)
        );
        assert_eq!(replayed(&lives[1]), flight.node);
        let mut files: Vec<_> = fs::read_dir(dir.path()).expect("listed").collect();
        files.sort_by_key(|file| file.as_ref().expect("a file").path());
        let age = |file: &fs::DirEntry, age: Duration| {
            let file = File::options().append(true).open(file.path()).expect("opened");
            file.set_modified(SystemTime::now() - age).expect("aged");
        };
        let first = files.remove(0).expect("a file");
        for (by, left) in [(AGE_MAX / 2, 3), (AGE_MAX * 2, 3)] {
            age(&first, by);
            later(&mut flight, AGE_MAX);
            assert_eq!((read(dir.path()).len(), first.path().exists()), (left, by < AGE_MAX));
        }
    }

    #[test]
    fn a_log_that_fits_into_no_file_ends_the_recording() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut flight = Flight::begin(dir.path(), 100_000, 1);
        // Nothing is trimmed where no image is made.
        flight.has_vault = false;
        let ended = (0..1000).find_map(|_| flight.propose(1000).err());
        assert!(matches!(ended, Some(Ended::Full)), "{ended:?}");
        assert!(bytes_in(dir.path()) <= 100_000);
        assert!(flight.asked > 20);
    }

    #[test]
    fn the_oldest_make_room() {
        let dir = tempfile::tempdir().expect("a directory");
        for life in 1..20 {
            let mut flight = Flight::begin(dir.path(), 100_000, life);
            for _ in 0..20 {
                flight.propose(100).expect("room");
            }
        }
        assert!(bytes_in(dir.path()) <= 100_000);
        let lives = read(dir.path());
        let newest = lives.last().expect("some");
        assert!(matches!(&newest.start, Start::Restored(from) if from.0.incarnation.0 == 19));
    }

    /// The words follow the types of this build; what follows others is not taken for it.
    #[test]
    fn a_start_that_is_not_what_was_written_is_found_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let flight = Flight::begin(dir.path(), 1 << 20, 1);
        let mut bytes = first_part(Begun::Running(&flight.node), Instant::default()).expect("one");
        assert!(Recording::read(&bytes).is_ok());
        let body = MAGIC.len() + 8;
        // The sum stands behind the time; its last bits are not those of the state now.
        bytes[body + 2] ^= 1;
        let crc = crc32fast::hash(&bytes[body..]).to_le_bytes();
        bytes[body - 4..body].copy_from_slice(&crc);
        assert_eq!(Recording::read(&bytes), Err(super::super::reader::BadRecording::OtherBuild));
    }
}
