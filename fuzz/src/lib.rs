//! What must hold for any bytes. A fuzz target is one call into here or into a
//! crate's own harness; `cargo test` plays the corpora through the same calls, on
//! any toolchain (`tests/fuzz_corpus.rs` in each crate).
//!
//! ```text
//! cargo +nightly fuzz run -s none step                     look for new trouble
//! cargo run --example seeds -- seeds                       begin from sound inputs
//! cargo run --example explain -- artifacts/step/crash-...  read what was found
//! ```
//!
//! There is no unsafe code here, so `-s none` loses nothing and is several times
//! as fast. An input that broke something is kept in `regressions/`, with a name;
//! `corpus/` is small, and chosen by what it covers (`-set_cover_merge=1`).
#![forbid(unsafe_code)]

pub mod cluster;
pub mod step;
