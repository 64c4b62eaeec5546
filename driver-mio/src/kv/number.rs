//! Numbers as Redis reads them: decimal, canonical, nothing around them.

/// Reads a signed integer the way Redis does: no plus, no leading zeros, no
/// spaces, no `-0`. Whatever it accepts prints back as the same bytes.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        b"0" if text.len() == 1 => return Some(0),
        [b'1'..=b'9', ..] if text.len() <= LONGEST => {}
        _ => return None,
    }
    // `parse` would take a second sign, but the first digit is one to nine.
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Characters of `i64::MIN`.
const LONGEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_read() {
        for (text, number) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            ("", None),
            ("-", None),
            (" 1", None),
            ("1 ", None),
            ("1_0", None),
            ("--1", None),
            ("1e3", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), number, "{text:?}");
        }
    }
}
