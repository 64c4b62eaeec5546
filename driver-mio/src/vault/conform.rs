//! The images in real files against the suite that any embedder's vault can be tried with.
//!
//! A loss of power in the midst of an order leaves one of the directories through which the order
//! goes: those are made here from the one before it and the one after it. So this does not tell
//! whether every sync is made that must be, only that a start can cope with what syncs allow.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use bytes::Bytes;
use driver_sim::choice::Choice;
use driver_sim::conform::vault::{Found, Order, Vault as Tried, check};
use paxos_core::effect::Input;
use paxos_core::types::{Checkpoint, Command, GroupId, Image, ImageId, NodeId, Piece, Slot, Value};
use tempfile::TempDir;

use super::file::HEADER_BYTES;
use super::{Place, Told, Vault, open};
use crate::kv::{self, Query};
use crate::resp::Reply;
use crate::store::Store;

const SECTOR: usize = 512;
/// What was stored of a peer's image may be lost from so many bytes before its end.
const UNSYNCED_MAX: usize = 1 << 20;

/// The vault under test.
struct Real {
    dir: TempDir,
    vault: Option<Vault>,
}

impl Real {
    fn new() -> Real {
        Real { dir: tempfile::tempdir().expect("a directory"), vault: None }
    }

    fn place(&self) -> Place {
        let limits = kv::Limits { value_bytes_max: 8 << 20, ..kv::Limits::default() };
        Place { dir: self.dir.path().into(), group: GroupId(0), cluster: 7, limits }
    }

    /// Waits for the answer to the one order that is under way.
    fn hear(&mut self) -> Result<Told, String> {
        let vault = self.vault.as_mut().ok_or("not open")?;
        let mut complaint = String::new();
        loop {
            match vault.next() {
                Some(Told::Line(line)) => complaint = line,
                Some(Told::Input(
                    Input::CaptureFailed { .. }
                    | Input::StoreFailed { .. }
                    | Input::InstallFailed { .. },
                )) => return Err(complaint),
                Some(told) => return Ok(told),
                None => thread::yield_now(),
            }
        }
    }

    fn vault(&mut self) -> Result<&mut Vault, String> {
        self.vault.as_mut().ok_or_else(|| "not open".to_owned())
    }
}

impl Tried for Real {
    fn open(&mut self) -> Result<Found, String> {
        let opened = open(&self.place()).map_err(|error| error.to_string())?;
        let newest = opened.state.map(|(image, store)| (image, bytes_of(&store)));
        let below = newest.as_ref().map_or(Slot::FIRST, |(image, _)| image.checkpoint.below);
        let vault = Vault::spawn(self.place(), below, || ()).map_err(|error| error.to_string())?;
        self.vault = Some(vault);
        Ok(Found { newest, partial: opened.partial })
    }

    fn save(&mut self, checkpoint: &Checkpoint, state: &[u8]) -> Result<Image, String> {
        let store = store_of(&self.place(), checkpoint.below, state);
        self.vault()?.capture(checkpoint.clone(), store.freeze());
        let Told::Input(Input::Captured { image, .. }) = self.hear()? else {
            return Err("another answer".into());
        };
        Ok(image)
    }

    fn read(&mut self, image: ImageId, offset: u64, bytes: usize) -> Result<Bytes, String> {
        self.vault()?.load(NodeId(2), image, offset, bytes);
        let Told::Input(Input::Loaded { piece, .. }) = self.hear()? else {
            return Err("another answer".into());
        };
        Ok(piece.payload)
    }

    fn store(&mut self, piece: &Piece) -> Result<(), String> {
        self.vault()?.store(piece.clone());
        self.hear().map(drop)
    }

    fn install(&mut self, image: &Image) -> Result<Vec<u8>, String> {
        self.vault()?.install(image.clone());
        let Told::Installed(_, store) = self.hear()? else { return Err("another answer".into()) };
        Ok(bytes_of(&store))
    }

    fn close(&mut self) {
        self.vault = None;
    }

    fn crash(&mut self, during: Option<&Order>, choice: &mut dyn Choice) {
        let before = Photo::of(self.dir.path());
        if let Some(order) = during {
            order.carry_out(self).expect("sound files");
        }
        self.vault = None;
        let after = Photo::of(self.dir.path());
        before.on_the_way_to(&after, choice).develop(self.dir.path());
    }

    fn rot(&mut self, choice: &mut dyn Choice) -> bool {
        let mut photo = Photo::of(self.dir.path());
        let images = photo.0.iter_mut().filter(|(name, _)| name.ends_with(".img"));
        let mut images: Vec<_> = images.filter(|(name, _)| name.starts_with("snap")).collect();
        let at = choice.below(images.len() as u32) as usize;
        let Some((_, bytes)) = images.get_mut(at) else { return false };
        // Zeros of the header that mean nothing are under no sum.
        let sound = bytes.len() - HEADER_BYTES as usize;
        let at = HEADER_BYTES as usize + choice.below(sound as u32) as usize;
        bytes[at] ^= 1 << choice.below(8);
        photo.develop(self.dir.path());
        true
    }
}

/// All files of a directory.
#[derive(Clone, Debug)]
struct Photo(BTreeMap<String, Vec<u8>>);

impl Photo {
    fn of(dir: &Path) -> Photo {
        let files = fs::read_dir(dir).expect("a directory").map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("plain names");
            (name, fs::read(entry.path()).expect("a file"))
        });
        Photo(files.collect())
    }

    /// Makes the directory what the photo shows.
    fn develop(&self, dir: &Path) {
        for name in Photo::of(dir).0.keys().filter(|name| !self.0.contains_key(*name)) {
            fs::remove_file(dir.join(name)).expect("a file");
        }
        for (name, bytes) in &self.0 {
            fs::write(dir.join(name), bytes).expect("a file");
        }
    }

    /// A directory that a loss of power may leave between this and `after`.
    fn on_the_way_to(self, after: &Photo, choice: &mut dyn Choice) -> Photo {
        let mut left = self.clone();
        let is_new = |name: &&String| name.ends_with(".img") && !self.0.contains_key(*name);
        if let Some(name) = after.0.keys().find(is_new) {
            let mut bytes = after.0[name].clone();
            match choice.below(5) {
                // Not begun.
                0 => {}
                // The header comes last, and then the name.
                stage @ (1 | 2) => {
                    if stage == 1 {
                        bytes[..HEADER_BYTES as usize].fill(0);
                        tear(&mut bytes, HEADER_BYTES as usize, choice);
                    }
                    left.0.insert(name.replace(".img", ".tmp"), bytes);
                }
                // The name stays, and what is too old may go.
                3 => drop(left.0.insert(name.clone(), bytes)),
                _ => left = after.clone(),
            }
        } else if choice.chance(500_000) {
            left = after.clone();
        }
        for (_, part) in left.0.iter_mut().filter(|(name, _)| name.ends_with(".part")) {
            let synced = part.len().saturating_sub(UNSYNCED_MAX).max(HEADER_BYTES as usize);
            tear(part, synced, choice);
        }
        left
    }
}

/// From `synced` on any sectors are lost, and perhaps the length too.
fn tear(bytes: &mut Vec<u8>, synced: usize, choice: &mut dyn Choice) {
    let mostly = [1, 500_000, 999_000][choice.weighted(&[1, 2, 1])];
    let unsynced = bytes.get_mut(synced..).unwrap_or(&mut []);
    unsynced.chunks_mut(SECTOR).filter(|_| choice.chance(mostly)).for_each(|lost| lost.fill(0));
    let kept = choice.below((bytes.len().saturating_sub(synced)) as u32 + 1) as usize;
    if choice.chance(300_000) {
        bytes.truncate(synced + kept);
    }
}

const KEY: Bytes = Bytes::from_static(b"state");

/// A store below a slot that holds a state.
fn store_of(place: &Place, below: Slot, state: &[u8]) -> Store {
    let mut store = Store::new(place.limits.clone());
    let value = Bytes::copy_from_slice(state);
    let payload = kv::Command::Append { key: KEY, value }.encode(1);
    store.apply(Slot::FIRST, &Value::Command(Command::plain(payload)));
    (2..below.0).for_each(|slot| drop(store.apply(Slot(slot), &Value::Noop)));
    store
}

fn bytes_of(store: &Store) -> Vec<u8> {
    match store.query(&Query::Get { key: KEY }) {
        Reply::Bulk(state) => state.to_vec(),
        other => panic!("no state: {other:?}"),
    }
}

#[test]
fn the_vault_conforms() {
    let report = check(Real::new, 0..8).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 0 && report.lost > 3 && report.rotted > 1, "{report:?}");
    assert!(report.installs > 3 && report.pieces > 100, "{report:?}");
}
