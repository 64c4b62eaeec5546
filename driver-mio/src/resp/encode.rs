//! Answers and requests into bytes.
//!
//! Invariant: whatever a reply holds, what is written is one well-formed reply.
//! Line breaks inside of a line become blanks, as in Redis.

use bytes::BufMut;

use super::Reply;

/// What a connection speaks: RESP2 until it says `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Lines, integers, strings and arrays.
    #[default]
    Resp2,
    /// Also maps, sets, pushes, doubles, booleans and a null of its own.
    Resp3,
}

/// Appends one answer in the given protocol. What RESP2 lacks is said as Redis
/// says it there: see [`Reply`].
///
/// Recurses once per level of the reply, which is as deep as its maker made it.
pub fn encode(reply: &Reply, protocol: Protocol, out: &mut impl BufMut) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Status(text) => put_line(b'+', text.as_bytes(), out),
        Reply::Simple(text) => put_line(b'+', text, out),
        Reply::Error(text) => put_line(b'-', text, out),
        Reply::Integer(value) => put_number(b':', *value, out),
        Reply::Bulk(text) => put_blob(b'$', text, out),
        Reply::Null if resp3 => out.put_slice(b"_\r\n"),
        Reply::Null => out.put_slice(b"$-1\r\n"),
        Reply::NullArray if resp3 => out.put_slice(b"_\r\n"),
        Reply::NullArray => out.put_slice(b"*-1\r\n"),
        Reply::Array(items) => put_items(b'*', items, protocol, out),
        Reply::Set(items) => put_items(if resp3 { b'~' } else { b'*' }, items, protocol, out),
        Reply::Push(items) => put_items(if resp3 { b'>' } else { b'*' }, items, protocol, out),
        Reply::Map(pairs) => put_pairs(pairs, protocol, out),
        Reply::Boolean(value) if resp3 => out.put_slice(if *value { b"#t\r\n" } else { b"#f\r\n" }),
        Reply::Boolean(value) => put_number(b':', i64::from(*value), out),
        Reply::Double(text) if resp3 => put_line(b',', text, out),
        Reply::BigNumber(text) if resp3 => put_line(b'(', text, out),
        Reply::Verbatim(kind, text) if resp3 => put_verbatim(*kind, text, out),
        Reply::Double(text) | Reply::BigNumber(text) | Reply::Verbatim(_, text) => {
            put_blob(b'$', text, out);
        }
    }
}

/// Appends one request, as an array of bulk strings.
pub fn encode_request(argv: &[impl AsRef<[u8]>], out: &mut impl BufMut) {
    put_length(b'*', argv.len(), out);
    for argument in argv {
        put_blob(b'$', argument.as_ref(), out);
    }
}

fn put_items(kind: u8, items: &[Reply], protocol: Protocol, out: &mut impl BufMut) {
    put_length(kind, items.len(), out);
    for item in items {
        encode(item, protocol, out);
    }
}

fn put_pairs(pairs: &[(Reply, Reply)], protocol: Protocol, out: &mut impl BufMut) {
    match protocol {
        Protocol::Resp2 => put_length(b'*', 2 * pairs.len(), out),
        Protocol::Resp3 => put_length(b'%', pairs.len(), out),
    }
    for (key, value) in pairs {
        encode(key, protocol, out);
        encode(value, protocol, out);
    }
}

fn put_verbatim(kind: [u8; 3], text: &[u8], out: &mut impl BufMut) {
    put_length(b'=', kind.len() + 1 + text.len(), out);
    out.put_slice(&kind);
    out.put_u8(b':');
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn put_blob(kind: u8, text: &[u8], out: &mut impl BufMut) {
    put_length(kind, text.len(), out);
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn put_line(kind: u8, text: &[u8], out: &mut impl BufMut) {
    out.put_u8(kind);
    for (nth, part) in text.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
        if nth > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(part);
    }
    out.put_slice(b"\r\n");
}

fn put_length(kind: u8, length: usize, out: &mut impl BufMut) {
    // Memory holds fewer than 2^63 of anything.
    put_number(kind, i64::try_from(length).unwrap_or(i64::MAX), out);
}

fn put_number(kind: u8, value: i64, out: &mut impl BufMut) {
    out.put_u8(kind);
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn resp2_and_resp3_say_the_same_in_their_own_words() {
        let text = || Bytes::from("1.5");
        let pair = || vec![Reply::Integer(1), Reply::Null];
        for (reply, resp2, resp3) in [
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (Reply::error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (Reply::Integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (Reply::bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
            (Reply::bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::NullArray, "*-1\r\n", "_\r\n"),
            (Reply::Array(vec![]), "*0\r\n", "*0\r\n"),
            (Reply::Array(pair()), "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n"),
            (Reply::Set(pair()), "*2\r\n:1\r\n$-1\r\n", "~2\r\n:1\r\n_\r\n"),
            (Reply::Push(pair()), "*2\r\n:1\r\n$-1\r\n", ">2\r\n:1\r\n_\r\n"),
            (
                Reply::Map(vec![(Reply::OK, Reply::Null)]),
                "*2\r\n+OK\r\n$-1\r\n",
                "%1\r\n+OK\r\n_\r\n",
            ),
            (Reply::Boolean(true), ":1\r\n", "#t\r\n"),
            (Reply::Boolean(false), ":0\r\n", "#f\r\n"),
            (Reply::Double(text()), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (Reply::BigNumber("123".into()), "$3\r\n123\r\n", "(123\r\n"),
            (Reply::Verbatim(*b"txt", text()), "$3\r\n1.5\r\n", "=7\r\ntxt:1.5\r\n"),
        ] {
            assert_eq!(written(&reply, Protocol::Resp2), resp2);
            assert_eq!(written(&reply, Protocol::Resp3), resp3);
        }
    }

    #[test]
    fn a_line_break_cannot_smuggle_in_a_second_reply() {
        let reply = Reply::error("ERR a\r\n+OK\nb");
        assert_eq!(written(&reply, Protocol::Resp2), "-ERR a  +OK b\r\n");
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        encode_request(&["GET", ""], &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
    }

    fn written(reply: &Reply, protocol: Protocol) -> String {
        let mut out = Vec::new();
        encode(reply, protocol, &mut out);
        String::from_utf8(out).expect("text")
    }
}
