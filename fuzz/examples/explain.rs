//! Tells what a script for the `step` target says, input by input, and what the
//! node orders: for reading what the fuzzer has found.

use std::{env, fs, process};

use paxos_core::effect::{Effect, Input};
use paxos_core::types::Instant;
use paxos_fuzz::step::{Listener, run_aloud};

struct Teller;

impl Listener for Teller {
    fn on_input(&mut self, now: Instant, input: &Input) {
        println!("{now} {input:?}");
    }

    fn on_order(&mut self, _: Instant, order: &Effect) {
        println!("            {order:?}");
    }

    fn on_restart(&mut self, now: Instant) {
        println!("{now} crash and restart");
    }
}

fn main() {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: explain FILE");
        process::exit(2);
    };
    match fs::read(&path) {
        Ok(data) => run_aloud(&data, &mut Teller),
        Err(e) => {
            eprintln!("{path}: {e}");
            process::exit(1);
        }
    }
}
