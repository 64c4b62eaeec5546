//! Claims about images in real directories.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use paxos_core::quorum::Membership;
use paxos_core::types::{Checksum, Command, Schedule, Value};
use tempfile::TempDir;

use super::file::{CHUNK_BYTES, Fault, HEADER_BYTES, Writer};
use super::*;

#[cfg(target_os = "linux")]
#[test]
fn who_writes_images_lets_others_go_first_and_nobody_else_does() {
    let nice = || rustix::process::getpriority_process(None).expect("everyone has one");
    let usual = nice();
    let thread = std::thread::spawn(move || {
        give_way();
        nice()
    });
    assert_eq!(thread.join().expect("no panic"), (usual + NICER).min(19));
    assert_eq!(nice(), usual);
}

#[test]
fn a_captured_state_is_what_the_next_start_goes_on_from() {
    let (dir, mut vault) = vault();
    let mut store = filled(300);
    let image = captured(&mut vault, &store);
    assert_eq!((vault.newest(), vault.is_running()), (Slot(301), false));
    apply(&mut store, 301);
    drop(vault);
    let (found, again) = open(&place(&dir)).expect("readable").state.expect("an image");
    assert_eq!((found, again.next()), (image.clone(), Slot(301)));
    assert_ne!(again.machine().digest(), store.machine().digest());
    assert_eq!(again.machine().digest(), filled(300).machine().digest());
    // Equal states are one image, whoever has made it.
    let (_other, mut vault) = self::vault();
    assert_eq!(captured(&mut vault, &again), image);
}

#[test]
fn the_newest_two_stay() {
    let (dir, mut vault) = vault();
    for slots in [10, 20, 30, 40] {
        captured(&mut vault, &filled(slots));
    }
    let slots: Vec<Slot> = images(&dir).iter().map(|(_, below, _)| *below).collect();
    assert_eq!(slots, [Slot(31), Slot(41)]);
}

#[test]
fn a_peer_gets_an_image_in_pieces_and_makes_the_same_state_of_it() {
    let (_donor_dir, mut donor) = vault();
    let image = captured(&mut donor, &filled(3000));
    assert!(image.bytes > 2 * CHUNK_BYTES as u64);
    let (dir, mut vault) = vault();
    // Two pieces across the edges of chunks; all again after a restart.
    assert_eq!(pull(&mut donor, &mut vault, &image, 0, 2, 50_000), 100_000);
    drop(vault);
    assert_eq!(open(&place(&dir)).expect("readable").partial, None, "perhaps not durable");
    let mut vault = spawn(&dir);
    pull(&mut donor, &mut vault, &image, 0, usize::MAX, 50_000);
    vault.install(image.clone());
    let Told::Installed(id, store) = hear(&mut vault) else { panic!("a state") };
    assert_eq!((id, vault.newest()), (image.id(), Slot(3001)));
    assert_eq!(store.machine().digest(), filled(3000).machine().digest());
    // It is on the disk as well, and may be given on.
    assert_eq!(loaded(&mut vault, &image, 0, 100).len(), 100);
    drop(vault);
    let opened = open(&place(&dir)).expect("readable");
    assert_eq!(opened.state.map(|(found, _)| found), Some(image));
    assert_eq!(opened.partial, None);
}

#[test]
fn what_a_peer_sent_and_was_synced_need_not_be_sent_again() {
    let (dir, mut vault) = vault();
    let image = ImageId { below: Slot(9), bytes: 64 << 20, digest: 7 };
    let payload = bytes::Bytes::from(vec![5; 1 << 20]);
    for mib in 0..9 {
        let piece = Piece { image, offset: mib << 20, payload: payload.clone() };
        vault.store(piece);
        let stored = Input::Stored { group: GROUP, image, end: (mib + 1) << 20 };
        assert!(matches!(hear(&mut vault), Told::Input(input) if input == stored));
    }
    drop(vault);
    let (found, end) = open(&place(&dir)).expect("readable").partial.expect("a part");
    assert_eq!(found, image);
    assert!((4 << 20..=8 << 20).contains(&end), "{end}");
    // It goes on from there, and nowhere else.
    let mut vault = spawn(&dir);
    vault.store(Piece { image, offset: end, payload });
    assert!(matches!(hear(&mut vault), Told::Input(Input::Stored { .. })));
    let other = ImageId { digest: 8, ..image };
    vault.store(Piece { image: other, offset: end, payload: bytes::Bytes::new() });
    assert!(matches!(hear(&mut vault), Told::Line(_)));
    assert!(matches!(hear(&mut vault), Told::Input(Input::StoreFailed { .. })));
}

#[test]
fn a_piece_beyond_its_image_is_refused() {
    let (_dir, mut vault) = vault();
    let image = ImageId { below: Slot(9), bytes: 10, digest: 7 };
    for (offset, bytes) in [(0, 11), (5, 1), (u64::MAX, 1)] {
        vault.store(Piece { image, offset, payload: bytes::Bytes::from(vec![0; bytes]) });
        assert!(matches!(hear(&mut vault), Told::Line(_)));
        assert!(matches!(hear(&mut vault), Told::Input(Input::StoreFailed { .. })), "{offset}");
    }
}

#[test]
fn an_image_that_is_not_what_its_digest_says_is_not_installed() {
    let (_donor_dir, mut donor) = vault();
    let image = captured(&mut donor, &filled(3000));
    for wrong in [
        Image { digest: image.digest ^ 1, ..image.clone() },
        Image { bytes: image.bytes + 1, ..image.clone() },
        Image { checkpoint: checkpoint(Slot(8)), ..image.clone() },
    ] {
        let (dir, mut vault) = vault();
        let mut offset = 0;
        while offset < image.bytes {
            let payload = loaded(&mut donor, &image, offset, 1 << 20);
            let piece = Piece { image: wrong.id(), offset, payload };
            offset = piece.end();
            vault.store(piece);
            assert!(matches!(hear(&mut vault), Told::Input(Input::Stored { .. })));
        }
        vault.install(wrong.clone());
        assert!(matches!(hear(&mut vault), Told::Line(_)));
        let Told::Input(Input::InstallFailed { .. }) = hear(&mut vault) else { panic!("wrong") };
        assert_eq!((vault.newest(), images(&dir).len()), (Slot::FIRST, 0));
        drop(vault);
        assert_eq!(open(&place(&dir)).expect("readable").partial, None, "given up");
    }
}

/// Every byte that means something is under some sum.
#[test]
fn a_flipped_byte_falls_back_to_the_image_before_and_is_told() {
    let (dir, mut vault) = vault();
    captured(&mut vault, &filled(50));
    let image = captured(&mut vault, &filled(60));
    drop(vault);
    let path = images(&dir).pop().expect("two").2;
    let whole = fs::read(&path).expect("read");
    let end = HEADER_BYTES as usize;
    for at in (0..60).chain((end..whole.len()).step_by(97)).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).expect("written");
        let opened = open(&place(&dir)).expect("readable");
        let (found, store) = opened.state.expect("the one before");
        assert_eq!((found.checkpoint.below, store.next()), (Slot(51), Slot(51)), "byte {at}");
        assert_eq!(opened.lines.len(), 1, "byte {at}");
        assert!(!path.exists(), "set aside");
    }
    for length in [0, 10, end, end + 100, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("written");
        assert_eq!(open(&place(&dir)).expect("readable").lines.len(), 1, "cut at {length}");
    }
    assert!(dir.path().join("damaged-0-000000000000003d.img").exists());
    fs::write(&path, &whole).expect("written");
    let opened = open(&place(&dir)).expect("readable");
    assert_eq!((opened.state.map(|(found, _)| found), opened.lines), (Some(image), vec![]));
}

#[test]
fn each_damaged_image_has_a_place_of_its_own() {
    let (dir, mut vault) = vault();
    captured(&mut vault, &filled(50));
    captured(&mut vault, &filled(60));
    drop(vault);
    for (_, _, path) in images(&dir) {
        fs::write(path, "rotten").expect("written");
    }
    let opened = open(&place(&dir)).expect("readable");
    assert!(opened.state.is_none() && opened.lines.len() == 2, "{:?}", opened.lines);
    for below in ["33", "3d"] {
        let name = format!("damaged-0-00000000000000{below}.img");
        assert!(dir.path().join(&name).exists(), "{name}");
    }
}

#[test]
fn a_bad_sector_is_damage_and_what_the_system_lacks_is_not() {
    let (bad_sector, access, files, memory) = (5, 13, 24, 12);
    let is_damage = |code| Fault::Io(io::Error::from_raw_os_error(code)).is_damage();
    assert!(is_damage(bad_sector));
    assert!(![access, files, memory].into_iter().any(is_damage));
}

/// What the system refuses now may be read with the next start.
#[test]
fn an_image_that_the_system_cannot_open_is_no_damaged_one() {
    let (dir, mut vault) = vault();
    captured(&mut vault, &filled(10));
    drop(vault);
    let newest = names::image(dir.path(), GROUP, Slot(99));
    std::os::unix::fs::symlink(&newest, &newest).expect("a way that leads nowhere");
    open(&place(&dir)).expect_err("too many links");
    assert!(newest.is_symlink(), "left where it is");
    fs::remove_file(&newest).expect("there");
    assert!(open(&place(&dir)).expect("readable").state.is_some());
}

/// It is whole, and a later version can read it.
#[test]
fn an_image_whose_state_is_in_a_later_format_is_left_where_it_is() {
    let store = Store::new(kv::Limits::default());
    let mut stream = Vec::new();
    let told: Result<(), ()> = store.freeze().tell(1 << 20, |bytes| {
        stream.extend_from_slice(bytes);
        Ok(())
    });
    told.expect("memory takes everything");
    // The store's own format, and the machine's behind its head, a length and a kind.
    for at in [7, 29] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bytes = stream.clone();
        assert_eq!(std::mem::replace(&mut bytes[at], 2), 1);
        let path = names::image(dir.path(), GROUP, store.next());
        let mut writer = Writer::create(&path).expect("made");
        writer.push(&bytes).expect("written");
        writer.finish(&place(&dir), checkpoint(store.next())).expect("written");
        let error = open(&place(&dir)).expect_err("not for this version");
        assert!(error.to_string().contains("later version (2)"), "{error}");
        assert!(path.exists());
    }
}

/// As by a mistake in here: nobody waits for ever for what is not done.
#[test]
fn a_panic_fails_its_order_and_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let panics = Arc::new(AtomicBool::new(true));
    let wake = move || assert!(!panics.swap(false, Ordering::SeqCst), "once, as a test");
    let mut vault = Vault::spawn(place(&dir), Slot::FIRST, wake).expect("threads");
    let image = Image { checkpoint: checkpoint(Slot(9)), bytes: 10, digest: 7 };
    vault.install(image.clone());
    assert!(matches!(hear(&mut vault), Told::Line(_)), "there is no such image");
    assert!(matches!(hear(&mut vault), Told::Line(line) if line.contains("panicked")));
    let failed = Input::InstallFailed { group: GROUP, image: image.id() };
    assert!(matches!(hear(&mut vault), Told::Input(input) if input == failed));
    assert!(!vault.is_running());
    captured(&mut vault, &filled(10));
}

#[test]
fn a_rotten_image_is_given_to_nobody() {
    let (dir, mut vault) = vault();
    let image = captured(&mut vault, &filled(3000));
    let path = images(&dir).pop().expect("one").2;
    let mut bytes = fs::read(&path).expect("read");
    bytes[HEADER_BYTES as usize + CHUNK_BYTES + 5] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert_eq!(loaded(&mut vault, &image, 0, 1000).len(), 1000, "another part of it");
    vault.load(NodeId(2), image.id(), CHUNK_BYTES as u64 - 10, 1000);
    assert!(matches!(hear(&mut vault), Told::Line(_)));
    let Told::Input(Input::Loaded { piece, .. }) = hear(&mut vault) else { panic!("an answer") };
    assert!(piece.payload.is_empty());
}

#[test]
fn an_image_that_is_gone_or_ends_is_answered_with_nothing() {
    let (_dir, mut vault) = vault();
    let image = captured(&mut vault, &filled(10));
    assert_eq!(loaded(&mut vault, &image, image.bytes, 1000).len(), 0);
    assert_eq!(loaded(&mut vault, &image, u64::MAX, 1000).len(), 0);
    assert_eq!(loaded(&mut vault, &image, image.bytes - 3, 1000).len(), 3);
    let gone = Image { checkpoint: checkpoint(Slot(5)), ..image.clone() };
    assert_eq!(loaded(&mut vault, &gone, 0, 1000).len(), 0);
    let other = Image { digest: 1, ..image };
    assert_eq!(loaded(&mut vault, &other, 0, 1000).len(), 0);
}

#[test]
fn what_a_crash_left_half_written_is_removed_and_a_failed_capture_is_told() {
    let (dir, mut vault) = vault();
    captured(&mut vault, &filled(10));
    let unfinished = dir.path().join("snap-0-00000000000000ff.tmp");
    fs::write(&unfinished, "half").expect("written");
    assert_eq!(open(&place(&dir)).expect("readable").state.expect("one").1.next(), Slot(11));
    assert!(!unfinished.exists());
    fs::create_dir(dir.path().join("snap-0-0000000000000015.tmp")).expect("in the way");
    vault.capture(checkpoint(Slot(21)), filled(20).freeze());
    assert!(matches!(hear(&mut vault), Told::Line(_)));
    let failed = Input::CaptureFailed { group: GROUP, below: Slot(21) };
    assert!(matches!(hear(&mut vault), Told::Input(input) if input == failed));
    assert_eq!((vault.newest(), vault.is_running()), (Slot(11), false));
}

#[test]
fn an_image_of_another_cluster_or_slot_is_not_read() {
    let (dir, mut vault) = vault();
    captured(&mut vault, &filled(10));
    drop(vault);
    let foreign = Place { cluster: 8, ..place(&dir) };
    assert!(look(dir.path(), 8).expect("readable")[0].found.is_err());
    let path = images(&dir).pop().expect("one").2;
    let renamed = names::image(dir.path(), GROUP, Slot(99));
    fs::copy(&path, &renamed).expect("copied");
    let opened = open(&place(&dir)).expect("readable");
    assert_eq!((opened.lines.len(), opened.state.expect("the true one").1.next()), (1, Slot(11)));
    assert!(open(&foreign).expect("readable").state.is_none());
}

/// The loop must not stand still for longer the more there is to write out.
#[test]
fn freezing_costs_the_same_for_a_large_state() {
    let fastest = |store: &Store| {
        let freeze = |_| {
            let began = Instant::now();
            let frozen = store.freeze();
            let took = began.elapsed();
            drop(frozen);
            took
        };
        (0..20).map(freeze).min().expect("some")
    };
    let (small, large) = (fastest(&filled(100)), fastest(&filled(100_000)));
    assert!(large < 20 * small + Duration::from_millis(1), "{small:?} and {large:?}");
}

const GROUP: GroupId = GroupId(0);

/// Only threads that are dead take so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn place(dir: &TempDir) -> Place {
    let limits = kv::Limits::default();
    Place { dir: dir.path().into(), group: GROUP, cluster: 7, limits }
}

fn spawn(dir: &TempDir) -> Vault {
    Vault::spawn(place(dir), Slot::FIRST, || ()).expect("threads")
}

fn vault() -> (TempDir, Vault) {
    let dir = tempfile::tempdir().expect("a directory");
    let vault = spawn(&dir);
    (dir, vault)
}

fn apply(store: &mut Store, slot: u64) {
    let (key, value) = (slot.to_string().into(), vec![slot as u8; 40].into());
    let set = kv::Command::Append { key, value };
    let client = paxos_core::types::ClientId(slot % 200);
    let command = Command { client, sequence: slot / 200 + 1, payload: set.encode(slot) };
    store.apply(Slot(slot), &Value::Command(command));
}

fn filled(slots: u64) -> Store {
    let mut store = Store::new(kv::Limits::default());
    (1..=slots).for_each(|slot| apply(&mut store, slot));
    store
}

fn checkpoint(below: Slot) -> Checkpoint {
    let members = Membership::majority((1..=3).map(NodeId)).into();
    Checkpoint { below, sum: Checksum(5), schedule: Schedule::starting(Slot::FIRST, members) }
}

fn captured(vault: &mut Vault, store: &Store) -> Image {
    vault.capture(checkpoint(store.next()), store.freeze());
    let Told::Input(Input::Captured { image, .. }) = hear(vault) else { panic!("an image") };
    image
}

fn loaded(vault: &mut Vault, image: &Image, offset: u64, bytes: usize) -> bytes::Bytes {
    vault.load(NodeId(2), image.id(), offset, bytes);
    let Told::Input(Input::Loaded { to, piece, .. }) = hear(vault) else { panic!("a piece") };
    assert_eq!((to, piece.image, piece.offset), (NodeId(2), image.id(), offset));
    piece.payload
}

/// Pulls at most so many pieces; says how far it has come.
fn pull(
    donor: &mut Vault,
    to: &mut Vault,
    image: &Image,
    mut offset: u64,
    pieces: usize,
    bytes: usize,
) -> u64 {
    for _ in 0..pieces {
        let payload = loaded(donor, image, offset, bytes);
        let piece = Piece { image: image.id(), offset, payload };
        offset = piece.end();
        to.store(piece);
        let stored = Input::Stored { group: GROUP, image: image.id(), end: offset };
        assert!(matches!(hear(to), Told::Input(input) if input == stored));
        if offset == image.bytes {
            break;
        }
    }
    offset
}

fn images(dir: &TempDir) -> Vec<(GroupId, Slot, PathBuf)> {
    names::images(dir.path()).expect("listed")
}

fn hear(vault: &mut Vault) -> Told {
    let began = Instant::now();
    loop {
        if let Some(told) = vault.next() {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "the vault says nothing");
        std::thread::yield_now();
    }
}
