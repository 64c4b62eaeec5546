//! The simulated images against the suite for vaults.

use bytes::Bytes;
use paxos_core::types::{Checkpoint, Image, ImageId, Piece};

use super::shelf::{Shelf, digest};
use crate::choice::Choice;
use crate::conform::vault::{Found, Order, Vault, check};

/// A shelf, and the bytes that a machine's image begins with: none is empty.
struct Simulated(Shelf);

const HEAD: &[u8] = b"state";

impl Simulated {
    fn new() -> Simulated {
        Simulated(Shelf::new(2))
    }

    fn image(checkpoint: &Checkpoint, state: &[u8]) -> (Image, Bytes) {
        let bytes = Bytes::from([HEAD, state].concat());
        let (checkpoint, length) = (checkpoint.clone(), bytes.len() as u64);
        (Image { checkpoint, bytes: length, digest: digest(&bytes) }, bytes)
    }

    /// Loses any part of what was stored.
    fn lose(&mut self, choice: &mut dyn Choice) {
        if let Some((_, bytes)) = self.0.partial() {
            let lost = u64::from(choice.below(bytes as u32 + 1));
            self.0.cut(if choice.chance(500_000) { bytes - lost } else { bytes });
        }
    }
}

fn state(bytes: &Bytes) -> Result<Vec<u8>, String> {
    let state = bytes.strip_prefix(HEAD).ok_or("no image of a state")?;
    Ok(state.to_vec())
}

impl Vault for Simulated {
    fn open(&mut self) -> Result<Found, String> {
        self.0.wake();
        let (newest, _) = self.0.newest();
        let newest = newest.map(|(image, bytes)| state(&bytes).map(|state| (image, state)));
        Ok(Found { newest: newest.transpose()?, partial: self.0.partial() })
    }

    fn save(&mut self, checkpoint: &Checkpoint, state: &[u8]) -> Result<Image, String> {
        let (image, bytes) = Simulated::image(checkpoint, state);
        self.0.put(image.clone(), bytes);
        Ok(image)
    }

    fn read(&mut self, image: ImageId, offset: u64, bytes: usize) -> Result<Bytes, String> {
        let held = self.0.bytes(image).cloned().unwrap_or_default();
        let from = (offset as usize).min(held.len());
        Ok(held.slice(from..from.saturating_add(bytes).min(held.len())))
    }

    fn store(&mut self, piece: &Piece) -> Result<(), String> {
        if self.0.store(piece) { Ok(()) } else { Err("a piece that does not follow".into()) }
    }

    fn install(&mut self, image: &Image) -> Result<Vec<u8>, String> {
        let bytes = self.0.take(image.id()).ok_or("not what its digest says")?;
        self.0.put(image.clone(), bytes.clone());
        state(&bytes)
    }

    fn close(&mut self) {}

    fn crash(&mut self, during: Option<&Order>, choice: &mut dyn Choice) {
        if choice.chance(500_000) {
            let _ = during.map(|order| order.carry_out(self));
        }
        self.lose(choice);
    }

    fn rot(&mut self, choice: &mut dyn Choice) -> bool {
        self.0.rot(&mut &mut *choice)
    }
}

#[test]
fn the_simulated_vault_conforms() {
    let report = check(Simulated::new, 0..60).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 20 && report.lost > 20 && report.resumed > 20, "{report:?}");
    assert!(report.installs > 50 && report.refused > 5 && report.rotted > 10, "{report:?}");
}
