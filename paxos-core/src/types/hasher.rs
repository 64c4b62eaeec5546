//! A hasher that gives the same sum on every machine.

use core::hash::Hasher;

/// Folds a state into 64 bits for comparison of two runs of the same program.
///
/// FNV-1a over words (Fowler, Noll, Vo), finished with a mix. Not for untrusted
/// keys and not for files: the sum may change between versions of this crate.
#[derive(Clone, Debug)]
pub struct StateHasher(u64);

impl Default for StateHasher {
    fn default() -> StateHasher {
        StateHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl StateHasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
}

impl Hasher for StateHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for w in &mut words {
            self.word(u64::from_le_bytes(w.try_into().expect("chunks_exact gives eight")));
        }
        let mut last = [0; 8];
        let rest = words.remainder();
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last) ^ ((rest.len() as u64) << 56));
    }

    fn write_u8(&mut self, n: u8) {
        self.word(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.word(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.word(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }

    fn finish(&self) -> u64 {
        let z = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use core::hash::Hash;

    fn sum(of: impl Hash) -> u64 {
        let mut hasher = StateHasher::default();
        of.hash(&mut hasher);
        hasher.finish()
    }

    fn bytes(of: &[u8]) -> u64 {
        let mut hasher = StateHasher::default();
        hasher.write(of);
        hasher.finish()
    }

    /// Words of each width: whatever differs in one bit has another sum.
    #[test]
    fn every_bit_of_every_word_counts() {
        for bit in 0..64 {
            assert_ne!(sum(1_u64 << bit), sum(0_u64), "{bit}");
            assert_ne!(sum(!0_u64 ^ 1 << bit), sum(!0_u64), "{bit}");
            assert_ne!(sum((1_u64 << bit, 5_u64)), sum((0_u64, 5_u64)), "{bit}");
            assert_ne!(sum(1_usize << bit), sum(0_usize), "{bit}");
        }
        for bit in 0..8 {
            assert_ne!(sum(1_u32 << (bit * 4)), sum(0_u32), "{bit}");
            assert_ne!(sum(1_u16 << (bit * 2)), sum(0_u16), "{bit}");
            assert_ne!(sum(1_u8 << bit), sum(0_u8), "{bit}");
        }
        assert_ne!(sum((1_u64, 2_u64)), sum((2_u64, 1_u64)), "their order, too");
    }

    /// Like a coin: so two states that differ have the same sum once in 2^64.
    #[test]
    fn every_bit_of_a_sum_is_set_half_of_the_time() {
        for bit in 0..64 {
            let set = (0..1000_u64).filter(|n| sum(*n) >> bit & 1 == 1).count();
            assert!((400..600).contains(&set), "bit {bit}: {set} of 1000");
        }
    }

    #[test]
    fn every_bit_of_a_row_of_bytes_counts_and_how_many_there_are() {
        for length in [1, 7, 8, 9, 16, 21] {
            let row = &[0x5A; 21][..length];
            for at in 0..length {
                for bit in 0..8 {
                    let mut other = [0x5A; 21];
                    other[at] ^= 1 << bit;
                    assert_ne!(bytes(&other[..length]), bytes(row), "{length}: {at} {bit}");
                }
            }
        }
        let zeros: alloc::vec::Vec<u64> = (0..20).map(|length| bytes(&[0; 20][..length])).collect();
        for (length, sum) in zeros.iter().enumerate() {
            assert!(!zeros[..length].contains(sum), "{length} zeros");
        }
    }
}
