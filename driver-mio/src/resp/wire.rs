//! The few words that both decoders share.

use bytes::BytesMut;

/// Makes sure that a read has room, in blocks that are large against what is
/// left over, so that a slice kept from a block pins few bytes beside its own.
///
/// Call it before each read into the spare capacity of `buffer`. It allocates
/// only when little room is left: a sender who trickles single bytes fills the
/// block that is there, and does not get a new one per byte.
pub fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < ROOM_BYTES_MIN {
        buffer.reserve(BLOCK_BYTES);
    }
}

/// Reads a decimal integer exactly as Redis does: an optional `-`, no `+`, no
/// leading zero, no blank, and within `i64`.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        b"0" if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Counted downwards: the most negative number has no positive twin.
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// The outcome of looking for the end of a line in what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It ends before this index, where the newline stands.
    EndsAt(usize),
    /// Not here yet; everything before this index has been looked at.
    Searched(usize),
    /// Longer than allowed, whatever else may come.
    TooLong,
}

/// Looks for the newline of the line that begins at `start`, of which the part
/// before `searched` is known to hold none.
///
/// A line of exactly `bytes_max` bytes is allowed, and the answer does not
/// depend on how many bytes beyond it have arrived already.
pub(crate) fn find_line(buffer: &[u8], start: usize, searched: usize, bytes_max: u32) -> Line {
    let window = start.saturating_add(bytes_max as usize).saturating_add(1);
    let end = buffer.len().min(window);
    match buffer[searched..end].iter().position(|byte| *byte == b'\n') {
        Some(offset) => Line::EndsAt(searched + offset),
        None if end == window => Line::TooLong,
        None => Line::Searched(end),
    }
}

/// The least room worth a read, in bytes.
const ROOM_BYTES_MIN: usize = 4 << 10;
/// How much is set aside at a time, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_redis_reads_them() {
        for (text, value) in [("0", 0), ("7", 7), ("-1", -1), ("1048576", 1 << 20)] {
            assert_eq!(parse_integer(text.as_bytes()), Some(value));
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(parse_integer(extreme.to_string().as_bytes()), Some(extreme));
        }
        for text in ["", "-", "-0", "+1", "01", "-01", " 1", "1 ", "1a", "9223372036854775808"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        assert_eq!(find_line(b"abc\n", 0, 0, 3), Line::EndsAt(3));
        assert_eq!(find_line(b"abc", 0, 0, 3), Line::Searched(3));
        assert_eq!(find_line(b"abcd", 0, 3, 3), Line::TooLong);
        assert_eq!(find_line(b"abcd\n", 0, 0, 3), Line::TooLong);
    }

    #[test]
    fn bytes_that_trickle_in_share_one_block() {
        let mut buffer = BytesMut::new();
        let mut kept = Vec::new();
        make_room(&mut buffer);
        let capacity = buffer.capacity();
        for _ in 0..capacity - ROOM_BYTES_MIN {
            make_room(&mut buffer);
            buffer.extend_from_slice(b"x");
            kept.push(buffer.split_to(1));
        }
        assert_eq!(buffer.capacity(), ROOM_BYTES_MIN, "no second block yet");
    }
}
