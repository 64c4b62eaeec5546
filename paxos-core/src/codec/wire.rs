//! Numbers, byte strings and lists.
//!
//! Numbers are LEB128: seven bits a byte, lowest first, the top bit says that more
//! follow. Byte strings and lists begin with their length. There is exactly one
//! spelling for everything.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use super::Malformed;

/// Items that a list on the wire may have. A peer can spell a small item with one
/// byte while it costs some sixty in memory; this bounds the difference to a few
/// MiB a list. Files are exempt: their bytes are this node's own.
pub const LIST_MAX: usize = 1 << 16;

/// What has exactly one spelling in bytes.
pub trait Wire: Sized {
    /// The fewest bytes that any such word takes; at least 1.
    const BYTES_MIN: usize = 1;

    /// Appends the word to `out`.
    fn put(&self, out: &mut impl BufMut);

    /// Reads the word that `reader` stands before.
    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Reads words from the front of some bytes.
///
/// Byte strings come out as slices that share the memory of the source.
pub struct Reader<'a> {
    source: &'a Bytes,
    at: usize,
    list_max: usize,
}

impl<'a> Reader<'a> {
    /// A reader of a stranger's bytes: no list is longer than [`LIST_MAX`].
    pub fn new(source: &'a Bytes) -> Reader<'a> {
        Reader { source, at: 0, list_max: LIST_MAX }
    }

    /// A reader of this node's own bytes: a list may be as long as they last.
    pub fn of_own(source: &'a Bytes) -> Reader<'a> {
        Reader { source, at: 0, list_max: usize::MAX }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.source.len() - self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// That nothing is left.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed::Trailing(self.left())) }
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.source.get(self.at).ok_or(Malformed::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `n` bytes, sharing the source's memory.
    pub fn slice(&mut self, n: usize) -> Result<Bytes, Malformed> {
        if n > self.left() {
            return Err(Malformed::Truncated);
        }
        let slice = self.source.slice(self.at..self.at + n);
        self.at += n;
        Ok(slice)
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::Overlong);
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                // A last byte of zero adds nothing: the same number has a shorter spelling.
                return if byte == 0 && shift > 0 { Err(Malformed::Overlong) } else { Ok(n) };
            }
        }
        Err(Malformed::Overlong)
    }

    /// How many items the next list has, if the bytes left can hold that many of
    /// at least `item_bytes_min` each.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, Malformed> {
        let claimed = self.number()?;
        let fits = (self.left() / item_bytes_min).min(self.list_max);
        match usize::try_from(claimed) {
            Ok(count) if count <= fits => Ok(count),
            _ => Err(Malformed::TooMany { claimed }),
        }
    }
}

/// Appends `n` in as few bytes as it takes.
pub fn put_number(out: &mut impl BufMut, mut n: u64) {
    while n >= 0x80 {
        out.put_u8(n as u8 | 0x80);
        n >>= 7;
    }
    out.put_u8(n as u8);
}

impl Wire for u64 {
    fn put(&self, out: &mut impl BufMut) {
        put_number(out, *self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
        reader.number()
    }
}

macro_rules! narrow {
    ($($int:ident)*) => {$(
        impl Wire for $int {
            fn put(&self, out: &mut impl BufMut) {
                put_number(out, u64::from(*self));
            }

            fn take(reader: &mut Reader<'_>) -> Result<$int, Malformed> {
                let n = reader.number()?;
                $int::try_from(n).map_err(|_| Malformed::OutOfRange(stringify!($int)))
            }
        }
    )*};
}
narrow!(u8 u16 u32);

impl Wire for bool {
    fn put(&self, out: &mut impl BufMut) {
        out.put_u8(u8::from(*self));
    }

    fn take(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(Malformed::UnknownTag { of: "truth", tag }),
        }
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut impl BufMut) {
        put_number(out, self.len() as u64);
        out.put_slice(self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Bytes, Malformed> {
        let claimed = reader.number()?;
        reader.slice(usize::try_from(claimed).map_err(|_| Malformed::Truncated)?)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut impl BufMut) {
        self.is_some().put(out);
        if let Some(word) = self {
            word.put(out);
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Option<T>, Malformed> {
        if bool::take(reader)? { T::take(reader).map(Some) } else { Ok(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut impl BufMut) {
        put_number(out, self.len() as u64);
        self.iter().for_each(|word| word.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Vec<T>, Malformed> {
        let count = reader.count(T::BYTES_MIN)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(T::take(reader)?);
        }
        Ok(list)
    }
}

/// A struct is its fields in order; one line each.
macro_rules! wire_struct {
    ($($name:ident { $first:ident $(, $field:ident)* })*) => {$(
        impl $crate::codec::wire::Wire for $name {
            // One byte a field, whatever the field.
            const BYTES_MIN: usize = 1 $(+ { stringify!($field); 1 })*;

            fn put(&self, out: &mut impl bytes::BufMut) {
                self.$first.put(out);
                $(self.$field.put(out);)*
            }

            fn take(
                reader: &mut $crate::codec::wire::Reader<'_>,
            ) -> Result<$name, $crate::codec::Malformed> {
                Ok($name {
                    $first: $crate::codec::wire::Wire::take(reader)?,
                    $($field: $crate::codec::wire::Wire::take(reader)?,)*
                })
            }
        }
    )*};
}
pub(super) use wire_struct;

/// A name around one number is spelled as that number.
macro_rules! wire_newtype {
    ($($name:ident)*) => {$(
        impl $crate::codec::wire::Wire for $name {
            fn put(&self, out: &mut impl bytes::BufMut) {
                self.0.put(out);
            }

            fn take(
                reader: &mut $crate::codec::wire::Reader<'_>,
            ) -> Result<$name, $crate::codec::Malformed> {
                $crate::codec::wire::Wire::take(reader).map($name)
            }
        }
    )*};
}
pub(super) use wire_newtype;

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn number(bytes: &[u8]) -> Result<u64, Malformed> {
        let bytes = Bytes::copy_from_slice(bytes);
        let mut reader = Reader::new(&bytes);
        let n = reader.number()?;
        reader.finish().map(|()| n)
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (n, spelling) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_number(&mut out, n);
            assert_eq!(out, spelling);
            assert_eq!(number(spelling), Ok(n));
        }
    }

    #[test]
    fn needless_bytes_are_refused() {
        assert_eq!(number(&[0x80, 0]), Err(Malformed::Overlong));
        assert_eq!(number(&[0xff, 0]), Err(Malformed::Overlong));
        let mut eleven = vec![0xff; 10];
        eleven.push(1);
        assert_eq!(number(&eleven), Err(Malformed::Overlong));
        // Ten bytes, but 65 bits.
        let mut wide = vec![0xff; 9];
        wide.push(2);
        assert_eq!(number(&wide), Err(Malformed::Overlong));
    }

    #[test]
    fn a_claimed_count_costs_nothing() {
        let mut out = Vec::new();
        put_number(&mut out, u64::MAX);
        out.extend([0; 64]);
        let bytes = Bytes::from(out);
        let list = Vec::<bool>::take(&mut Reader::new(&bytes));
        assert_eq!(list, Err(Malformed::TooMany { claimed: u64::MAX }));
    }

    #[test]
    fn a_list_is_as_long_as_the_bytes_left_can_be() {
        // A ballot takes three bytes at least.
        for (left, claimed) in [(8, 3), (8, 2), (9, 3), (2, 1), (0, 0)] {
            let mut out = vec![claimed];
            out.resize(1 + left, 0);
            let bytes = Bytes::from(out);
            let list = Vec::<crate::types::Ballot>::take(&mut Reader::new(&bytes));
            let fits = usize::from(claimed) * 3 <= left;
            let too_many = Malformed::TooMany { claimed: claimed.into() };
            assert_eq!(list.map(|list| list.len()), fits.then_some(claimed.into()).ok_or(too_many));
        }
    }

    #[test]
    fn a_list_from_a_stranger_is_bounded() {
        let mut out = Vec::new();
        put_number(&mut out, LIST_MAX as u64 + 1);
        out.resize(out.len() + LIST_MAX + 1, 0);
        let bytes = Bytes::from(out);
        assert!(Vec::<bool>::take(&mut Reader::new(&bytes)).is_err());
        let own = Vec::<bool>::take(&mut Reader::of_own(&bytes));
        assert_eq!(own.map(|list| list.len()), Ok(LIST_MAX + 1));
    }

    #[test]
    fn byte_strings_share_the_source() {
        let source = Bytes::from_static(b"\x03abc");
        let taken = Bytes::take(&mut Reader::new(&source)).expect("three bytes");
        assert_eq!(taken.as_ptr(), source[1..].as_ptr());
    }

    proptest! {
        #[test]
        fn every_number_returns(n in any::<u64>()) {
            let mut out = Vec::new();
            put_number(&mut out, n);
            prop_assert_eq!(number(&out), Ok(n));
            prop_assert_eq!(number(&out[..out.len() - 1]), Err(Malformed::Truncated));
        }

        /// Whatever is read is spelled the way it was read.
        #[test]
        fn every_spelling_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(n) = number(&bytes) {
                let mut out = Vec::new();
                put_number(&mut out, n);
                prop_assert_eq!(out, bytes);
            }
        }
    }
}
