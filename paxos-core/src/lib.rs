//! Placeholder crate root.
#![no_std]
#![forbid(unsafe_code)]
