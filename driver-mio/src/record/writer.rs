//! Bytes into files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use paxos_core::Config;
use paxos_core::codec::wire::put_number;
use paxos_core::effect::{Effect, Input};
use paxos_core::log::Durable;
use paxos_core::types::Instant;

use super::{MAGIC, sum, words};

/// How much a recorder may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all files together.
    pub bytes_max: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { bytes_max: 512 << 20 }
    }
}

/// Writes one life down.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    /// Whole parts that are not written yet.
    waiting: Vec<u8>,
    /// The step under way.
    step: Vec<u8>,
    /// When it began.
    now: Instant,
    /// Bytes that this life may still take.
    left: u64,
}

/// Why a recorder writes no more; harmless for the node.
#[derive(Debug)]
pub enum Ended {
    /// This life has filled its share of the room.
    Full,
    /// The log is one that a recording cannot hold.
    Unspeakable,
    /// The system says so.
    Io(io::Error),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Full => f.write_str("the recording of this life has filled its room"),
            Ended::Unspeakable => f.write_str("the log on disk cannot be put into a recording"),
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
    /// Begins the recording of a node that is restored from this, now. Older lives make room.
    /// Returns what to restore the node from: the same as `durable`, in the runs that a replay
    /// will find it in.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn begin(
        dir: &Path,
        room: Room,
        (config, durable, now): (&Config, &Durable, Instant),
    ) -> Result<(Recorder, Durable), Ended> {
        let replayed = words::as_replayed(durable).ok_or(Ended::Unspeakable)?;
        fs::create_dir_all(dir)?;
        make_room(dir, room.bytes_max / 2)?;
        let mut file = File::create(dir.join(format!("life-{:016x}.rec", config.incarnation.0)))?;
        file.write_all(MAGIC)?;
        let (waiting, step, left) = (Vec::new(), Vec::new(), room.bytes_max / 2);
        let mut recorder = Recorder { file, waiting, step, now, left };
        put_number(&mut recorder.step, now.as_micros());
        words::put_config(config, &mut recorder.step);
        words::put_durable(&replayed, &mut recorder.step);
        recorder.close();
        recorder.flush()?;
        Ok((recorder, replayed))
    }

    /// The core is about to be told this.
    pub fn hears(&mut self, now: Instant, input: &Input) {
        self.now = now;
        words::put_input(input, &mut self.step);
    }

    /// It has ordered that.
    pub fn orders<'a>(&mut self, effects: impl Iterator<Item = &'a Effect>) {
        let mut head = Vec::with_capacity(24);
        put_number(&mut head, self.now.as_micros());
        put_number(&mut head, sum(effects));
        self.step.splice(..0, head);
        self.close();
    }

    /// Writes out what this turn has brought, as far as the operating system: it survives the
    /// process, not the machine.
    ///
    /// # Errors
    /// [`Ended`]; the file is whole up to the last turn.
    pub fn flush(&mut self) -> Result<(), Ended> {
        let bytes = self.waiting.len() as u64;
        if bytes > self.left {
            return Err(Ended::Full);
        }
        self.left -= bytes;
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// Ends a part: length, sum, body.
    fn close(&mut self) {
        let length = u32::try_from(self.step.len()).unwrap_or(u32::MAX);
        self.waiting.extend_from_slice(&length.to_le_bytes());
        self.waiting.extend_from_slice(&crc32fast::hash(&self.step).to_le_bytes());
        self.waiting.append(&mut self.step);
    }
}

/// Deletes the oldest lives until the others take no more than `bytes_max`.
fn make_room(dir: &Path, bytes_max: u64) -> io::Result<()> {
    let mut lives: Vec<(PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("life-") && name.ends_with(".rec")) {
            lives.push((entry.path(), entry.metadata()?.len()));
        }
    }
    // Names are numbers of one width: by name is by age.
    lives.sort();
    let mut taken: u64 = lives.iter().map(|(_, bytes)| bytes).sum();
    for (path, bytes) in lives {
        if taken <= bytes_max {
            break;
        }
        fs::remove_file(path)?;
        taken -= bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use paxos_core::GroupConfig;
    use paxos_core::types::{GroupId, Incarnation, Limits, Membership, NodeId, Timing};

    use super::super::Recording;
    use super::*;

    fn config(life: u64) -> Config {
        Config {
            node: NodeId(1),
            incarnation: Incarnation(life),
            disk: 1,
            seed: 2,
            groups: vec![GroupConfig::new(GroupId(0), Membership::majority([NodeId(1)]))],
            timing: Timing::default(),
            limits: Limits::default(),
            priority: 0,
        }
    }

    fn begin(dir: &Path, bytes_max: u64, life: u64) -> Recorder {
        let start = (&config(life), &Durable::default(), Instant::from_micros(7));
        Recorder::begin(dir, Room { bytes_max }, start).expect("a recorder").0
    }

    fn tick(recorder: &mut Recorder, at: u64) {
        recorder.hears(Instant::from_micros(at), &Input::Ticked);
        recorder.orders([].into_iter());
    }

    fn read(dir: &Path, life: u64) -> Bytes {
        fs::read(dir.join(format!("life-{life:016x}.rec"))).expect("a recording").into()
    }

    #[test]
    fn what_was_flushed_is_read_and_a_torn_end_is_cut_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut recorder = begin(dir.path(), 1 << 20, 1);
        (8..11).for_each(|at| tick(&mut recorder, at));
        recorder.flush().expect("room");
        tick(&mut recorder, 99);
        let bytes = read(dir.path(), 1);
        let whole = Recording::read(&bytes).expect("a recording");
        let times: Vec<u64> = whole.steps.iter().map(|step| step.now.as_micros()).collect();
        assert_eq!((times, whole.torn), (vec![8, 9, 10], 0));
        assert_eq!((whole.config, whole.now), (config(1), Instant::from_micros(7)));
        let torn = Recording::read(&bytes.slice(..bytes.len() - 1)).expect("a recording");
        assert_eq!(torn.steps.len(), 2);
        assert!(torn.torn > 0);
    }

    #[test]
    fn a_life_that_fills_its_room_is_recorded_no_further() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut recorder = begin(dir.path(), 2_000, 1);
        let ended = (0..1_000).find_map(|at| {
            tick(&mut recorder, at);
            recorder.flush().err()
        });
        assert!(matches!(ended, Some(Ended::Full)), "{ended:?}");
        assert!(read(dir.path(), 1).len() <= 1_000 + MAGIC.len());
    }

    #[test]
    fn the_oldest_lives_make_room() {
        let dir = tempfile::tempdir().expect("a directory");
        for life in 1..20 {
            let mut recorder = begin(dir.path(), 4_000, life);
            for at in 0..20 {
                tick(&mut recorder, at);
            }
            recorder.flush().expect("room");
        }
        let files = fs::read_dir(dir.path()).expect("recordings");
        let bytes: u64 =
            files.map(|file| file.expect("a file").metadata().expect("it").len()).sum();
        assert!(bytes <= 4_000, "{bytes} bytes");
        assert!(!read(dir.path(), 19).is_empty());
    }
}
