//! The state of one group in bytes, and back.
//!
//! Everything that a later answer may depend on is in it: the cells, the session table with its
//! replies, the sum over the history, and the real machine's own image. Equal states give equal
//! bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use paxos_core::service::{Service, Sessions};
use paxos_core::types::{ClientId, Slot};

use super::shop::Shop;
use super::{Bank, Cells, Reply};

impl Bank {
    /// The whole state in bytes.
    pub(crate) fn freeze(&self) -> Bytes {
        let (cells, sessions) = (self.service.machine(), self.service.session_table());
        let mut out = BytesMut::new();
        out.put_u64(self.next().0);
        out.put_u64(self.digest);
        cells.cells.iter().for_each(|cell| out.put_u64(*cell));
        out.put_u64(sessions.len() as u64);
        for (client, sequence, slot, (reply, bytes)) in sessions.iter() {
            let words = [client.0, sequence, slot.0, reply.value, reply.slot.0, bytes as u64];
            words.into_iter().for_each(|word| out.put_u64(word));
            out.put_u8(reply.done.into());
        }
        cells.shop.freeze(&mut out);
        out.freeze()
    }

    /// The state that `bytes` hold; none if they hold none.
    pub(crate) fn thaw(mut bytes: Bytes) -> Option<Bank> {
        let next = Slot(bytes.try_get_u64().ok()?);
        let digest = bytes.try_get_u64().ok()?;
        let mut cells = [0; Self::KEYS];
        for cell in &mut cells {
            *cell = bytes.try_get_u64().ok()?;
        }
        let mut sessions = Sessions::new(Self::SESSIONS_MAX, usize::MAX);
        for _ in 0..bytes.try_get_u64().ok()? {
            let mut word = || bytes.try_get_u64().ok();
            let (client, sequence, slot) = (ClientId(word()?), word()?, Slot(word()?));
            let (value, reply_slot, weight) = (word()?, Slot(word()?), word()?);
            let done = bytes.try_get_u8().ok()? != 0;
            let reply = Reply { done, value, slot: reply_slot };
            sessions.remember(client, sequence, slot, (reply, usize::try_from(weight).ok()?));
        }
        let shop = Shop::thaw(&mut bytes)?;
        let service = Service::resume(Cells { cells, shop }, sessions, next);
        Some(Bank { service, digest, replies: Vec::new(), since: next })
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::{Command, Value};

    use super::*;
    use crate::machine::{Ask, encode};

    fn command(mark: u64) -> Value {
        let payload = encode(mark as u8 % 3, mark, Ask::Append(mark % 10), 0);
        Value::Command(Command { client: ClientId(mark % 4), sequence: mark / 4 + 1, payload })
    }

    #[test]
    fn a_bank_goes_on_where_it_was_frozen() {
        let mut whole = Bank::new();
        for mark in 0..150 {
            whole.apply(&command(mark), mark);
        }
        let mut thawed = Bank::thaw(whole.freeze()).unwrap();
        assert_eq!((thawed.next(), thawed.since()), (Slot(151), Slot(151)));
        assert_eq!(thawed.freeze(), whole.freeze(), "equal states give equal bytes");
        assert_eq!(thawed.reply(Slot(150)), None, "not in the image");
        // The last commands of all sessions again, and new ones.
        for mark in 146..300 {
            assert_eq!(thawed.apply(&command(mark), mark), whole.apply(&command(mark), mark));
            assert_eq!(thawed.digest(), whole.digest(), "command {mark}");
        }
        assert_eq!(thawed.freeze(), whole.freeze());
    }

    #[test]
    fn an_image_that_is_cut_holds_nothing() {
        let mut bank = Bank::new();
        (0..9).for_each(|mark| {
            bank.apply(&command(mark), mark);
        });
        let bytes = bank.freeze();
        for end in 0..bytes.len() {
            assert!(Bank::thaw(bytes.slice(..end)).is_none(), "cut at {end}");
        }
    }
}
