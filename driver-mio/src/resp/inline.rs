//! Words of a line as a person types it, with the quoting rules of Redis.
//!
//! Words are parted by blanks. Inside of double quotes a backslash makes `\n`,
//! `\r`, `\t`, `\a`, `\b`, `\xHH`, or stands for the character after it; inside
//! of single quotes only `\'` is special. A closing quote must be followed by a
//! blank or the end. As in Redis, a NUL byte ends the line.

use std::fmt;

use bytes::Bytes;

use super::Argv;

/// A quote was left open, or closed in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

impl fmt::Display for UnbalancedQuotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unbalanced quotes")
    }
}

impl std::error::Error for UnbalancedQuotes {}

/// Splits a line into its words. A word without quotes is a slice of the line;
/// only one with quotes is copied.
pub fn split_words(line: &Bytes) -> Result<Argv, UnbalancedQuotes> {
    let end = line.iter().position(|byte| *byte == 0).unwrap_or(line.len());
    let text = &line[..end];
    let mut words = Argv::new();
    let mut at = 0;
    loop {
        at += count(&text[at..], is_blank);
        if at == text.len() {
            return Ok(words);
        }
        let plain = at + count(&text[at..], is_plain);
        match text.get(plain) {
            Some(quote) if is_quote(*quote) => {
                let mut word = text[at..plain].to_vec();
                at = plain + quoted(&text[plain..], &mut word)?;
                words.push(word.into());
            }
            _ => {
                words.push(line.slice(at..plain));
                at = plain;
            }
        }
    }
}

/// Reads a quoted end of a word, both quotes included; returns how many bytes that took.
fn quoted(text: &[u8], word: &mut Vec<u8>) -> Result<usize, UnbalancedQuotes> {
    let inner = &text[1..];
    let used = match text[0] {
        b'"' => double_quoted(inner, word)?,
        _ => single_quoted(inner, word)?,
    };
    match inner.get(used) {
        Some(next) if !is_blank(*next) => Err(UnbalancedQuotes),
        _ => Ok(1 + used),
    }
}

/// Reads up to and with the closing quote; returns how many bytes that took.
fn double_quoted(text: &[u8], word: &mut Vec<u8>) -> Result<usize, UnbalancedQuotes> {
    let mut at = 0;
    loop {
        match text[at..] {
            [] => return Err(UnbalancedQuotes),
            [b'"', ..] => return Ok(at + 1),
            [b'\\', b'x', high, low, ..] if is_hex(high) && is_hex(low) => {
                word.push(hex_value(high) << 4 | hex_value(low));
                at += 4;
            }
            [b'\\', letter, ..] => {
                word.push(unescape(letter));
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

/// Reads up to and with the closing quote; returns how many bytes that took.
fn single_quoted(text: &[u8], word: &mut Vec<u8>) -> Result<usize, UnbalancedQuotes> {
    let mut at = 0;
    loop {
        match text[at..] {
            [] => return Err(UnbalancedQuotes),
            [b'\'', ..] => return Ok(at + 1),
            [b'\\', b'\'', ..] => {
                word.push(b'\'');
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// Neither begins a quote nor ends a word. As in Redis, a vertical tab or a
/// form feed parts words only where a blank is expected anyway.
fn is_plain(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
}

fn count(text: &[u8], is: fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| is(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_by_blanks() {
        assert_eq!(words("  set\tk  v "), ["set", "k", "v"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words(" \t\r\x0b"), [""; 0]);
    }

    #[test]
    fn quotes_hold_blanks_and_make_empty_words() {
        assert_eq!(words(r#"set "a b" 'c d' "" ''"#), ["set", "a b", "c d", "", ""]);
        assert_eq!(words(r#"pre"fix ed""#), ["prefix ed"]);
    }

    #[test]
    fn escapes_mean_what_they_mean_in_redis() {
        assert_eq!(words(r#""\n\r\t\b\a\\\"\q""#), ["\n\r\t\x08\x07\\\"q"]);
        assert_eq!(words(r#""\x41\x6a\xZZ""#), ["AjxZZ"]);
        assert_eq!(words(r"'\n\' \x41'"), ["\\n' \\x41"]);
        assert_eq!(words(r"a\nb"), ["a\\nb"]);
    }

    #[test]
    fn a_quote_must_be_closed_before_a_blank_or_the_end() {
        for line in ["\"open", "'open", "\"a\"b", "'a'b", "\"a\"\"b\"", "\"a\\\"", "x\"", "\"a\0\""]
        {
            assert_eq!(split_words(&Bytes::from(line)), Err(UnbalancedQuotes), "{line:?}");
        }
    }

    #[test]
    fn a_nul_byte_ends_the_line() {
        assert_eq!(words("get k\0 more"), ["get", "k"]);
    }

    #[test]
    fn plain_words_are_slices_of_the_line() {
        let line = Bytes::from("get key");
        let argv = split_words(&line).expect("no quotes");
        assert_eq!(argv[1].as_ptr(), line[4..].as_ptr());
    }

    fn words(line: &'static str) -> Vec<String> {
        let argv = split_words(&Bytes::from(line)).expect("balanced");
        argv.iter().map(|word| String::from_utf8(word.to_vec()).expect("text")).collect()
    }
}
