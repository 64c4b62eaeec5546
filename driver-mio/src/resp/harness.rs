//! Laws of the two decoders, held against any bytes: for fuzzing and for tests.
//!
//! 1. Nothing panics, whatever the bytes.
//! 2. How a stream is cut into reads changes nothing that comes out.
//! 3. What comes out is within the limits.
//! 4. What comes out can be written again, and reads as the same.

use bytes::BytesMut;

use super::{
    Argv, Protocol, ProtocolError, Reply, ReplyDecoder, ReplyError, ReplyLimits, RequestDecoder,
    RespLimits, encode, encode_request,
};

/// Takes `data` apart into the places to cut at and the stream to cut, and
/// holds all laws against it, with generous and with tight limits.
///
/// The first byte says how many of the bytes after it (at most 15) are cut
/// lengths, less one; they are used in turn, over and over. The rest is the stream.
///
/// # Panics
/// When a law is broken.
pub fn run(data: &[u8]) {
    let (cuts, stream) = take_apart(data);
    for limits in [RespLimits::default(), TIGHT_REQUESTS] {
        check_requests(stream, cuts, limits);
    }
    for limits in [ReplyLimits::default(), TIGHT_REPLIES] {
        check_replies(stream, cuts, limits);
    }
}

fn take_apart(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return (&[], &[]);
    };
    rest.split_at(usize::from(count % 16).min(rest.len()))
}

fn check_requests(stream: &[u8], cuts: &[u8], limits: RespLimits) {
    let whole = read_requests(&[stream], limits);
    let cut = read_requests(&pieces(stream, cuts), limits);
    assert_eq!(whole, cut, "requests depend on how the stream was cut");
    for argv in &whole.items {
        assert!(!argv.is_empty(), "a request without a command");
        assert!(argv.len() <= limits.arguments_max as usize, "too many arguments");
        let longest = limits.bulk_bytes_max.max(limits.inline_bytes_max) as usize;
        assert!(argv.iter().all(|argument| argument.len() <= longest), "too long an argument");
        check_request_survives(argv);
    }
}

fn check_request_survives(argv: &Argv) {
    let mut wire = Vec::new();
    encode_request(argv, &mut wire);
    let again = read_requests(&[&wire], RespLimits::default());
    assert_eq!(again.items, std::slice::from_ref(argv), "a request changed on the wire");
}

fn check_replies(stream: &[u8], cuts: &[u8], limits: ReplyLimits) {
    let whole = read_replies(&[stream], limits);
    let cut = read_replies(&pieces(stream, cuts), limits);
    assert_eq!(whole, cut, "replies depend on how the stream was cut");
    for reply in &whole.items {
        check_reply_survives(reply);
    }
}

/// Compares what is written, not the reply: RESP2 has fewer words than replies
/// have kinds, so the second reading may differ, but the second writing may not.
fn check_reply_survives(reply: &Reply) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let wire = written(reply, protocol);
        let limits = ReplyLimits { line_bytes_max: u32::MAX, ..ReplyLimits::default() };
        let again = read_replies(&[&wire], limits);
        assert_eq!((again.items.len(), again.left), (1, 0), "not exactly one reply");
        assert_eq!(written(&again.items[0], protocol), wire, "a reply changed on the wire");
    }
}

fn written(reply: &Reply, protocol: Protocol) -> Vec<u8> {
    let mut wire = Vec::new();
    encode(reply, protocol, &mut wire);
    wire
}

/// All that came out of a stream.
#[derive(Debug, PartialEq)]
struct Outcome<T, E> {
    items: Vec<T>,
    error: Option<E>,
    /// Bytes of an unfinished item; zero after an error.
    left: usize,
}

fn read_requests(pieces: &[&[u8]], limits: RespLimits) -> Outcome<Argv, ProtocolError> {
    let mut decoder = RequestDecoder::new(limits);
    read(pieces, |buffer| decoder.decode(buffer))
}

fn read_replies(pieces: &[&[u8]], limits: ReplyLimits) -> Outcome<Reply, ReplyError> {
    let mut decoder = ReplyDecoder::new(limits);
    read(pieces, |buffer| decoder.decode(buffer))
}

fn read<T, E>(
    pieces: &[&[u8]],
    mut decode: impl FnMut(&mut BytesMut) -> Result<Option<T>, E>,
) -> Outcome<T, E> {
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return Outcome { items, error: Some(error), left: 0 },
            }
        }
    }
    Outcome { items, error: None, left: buffer.len() }
}

fn pieces<'a>(mut stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let lengths: &[u8] = if cuts.is_empty() { &[0] } else { cuts };
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(|| {
        let length = lengths.next().map_or(1, |length| usize::from(*length) + 1);
        let (piece, rest) = stream.split_at(length.min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
    .collect()
}

/// Small enough that short inputs reach every limit.
const TIGHT_REQUESTS: RespLimits =
    RespLimits { bulk_bytes_max: 9, arguments_max: 4, inline_bytes_max: 12, request_bytes_max: 40 };

/// Small enough that short inputs reach every limit.
const TIGHT_REPLIES: ReplyLimits =
    ReplyLimits { bulk_bytes_max: 9, line_bytes_max: 12, values_max: 6, depth_max: 3 };

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_laws_hold_on_any_bytes(data in vec(any::<u8>(), 0..300)) {
            run(&data);
        }

        #[test]
        fn the_laws_hold_on_what_looks_like_the_protocol(
            cuts in vec(any::<u8>(), 15),
            words in vec(token(), 0..40),
        ) {
            run(&[&[15], &cuts[..], &words.concat()].concat());
        }

        #[test]
        fn requests_come_out_as_they_went_in_however_cut(
            requests in vec(vec(vec(any::<u8>(), 0..40), 1..8), 0..8),
            cuts in vec(any::<u8>(), 0..15),
        ) {
            let mut wire = Vec::new();
            requests.iter().for_each(|argv| encode_request(argv, &mut wire));
            let outcome = read_requests(&pieces(&wire, &cuts), RespLimits::default());
            prop_assert_eq!((outcome.error, outcome.left), (None, 0));
            let read: Vec<Vec<Vec<u8>>> =
                outcome.items.iter().map(|argv| argv.iter().map(|a| a.to_vec()).collect()).collect();
            prop_assert_eq!(read, requests);
        }

        #[test]
        fn resp3_loses_nothing_of_a_reply(reply in reply(), cuts in vec(any::<u8>(), 0..15)) {
            let wire = written(&reply, Protocol::Resp3);
            let outcome = read_replies(&pieces(&wire, &cuts), ReplyLimits::default());
            prop_assert_eq!(outcome, Outcome { items: vec![reply], error: None, left: 0 });
        }

        #[test]
        fn resp2_writes_exactly_one_reply(reply in reply()) {
            check_reply_survives(&reply);
        }

        #[test]
        fn a_quoted_word_is_read_as_it_was_meant(word in vec(any::<u8>(), 0..40)) {
            let mut line = vec![b'"'];
            word.iter().for_each(|byte| line.extend(format!("\\x{byte:02x}").bytes()));
            line.extend(b"\"\r\n");
            let outcome = read_requests(&[&line], RespLimits::default());
            prop_assert_eq!(outcome.items, [Argv::from_iter([Bytes::from(word)])]);
        }
    }

    /// Pieces that random bytes would take ages to find.
    fn token() -> impl Strategy<Value = Vec<u8>> {
        let fixed = [
            "*",
            "$",
            "\r\n",
            "\n",
            "\r",
            "0",
            "1",
            "2",
            "3",
            "9",
            "12",
            "-1",
            "-",
            "PING\r\n",
            " ",
            "\"",
            "'",
            "\\x41",
            "*1\r\n",
            "*2\r\n",
            "$1\r\nx\r\n",
            "$3\r\nGET\r\n",
            "$0\r\n\r\n",
            "%1\r\n",
            "|1\r\n",
            "~2\r\n",
            ">1\r\n",
            "_\r\n",
            "#t\r\n",
            ",1.5\r\n",
            "(12\r\n",
            "=5\r\ntxt:x\r\n",
            "!3\r\nERR\r\n",
            "+OK\r\n",
            "-ERR\r\n",
            ":7\r\n",
            "$-1\r\n",
        ];
        prop_oneof![
            9 => prop::sample::select(fixed.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 1..4),
        ]
    }

    /// Replies as RESP3 can say them: one kind of status and of nothing.
    fn reply() -> impl Strategy<Value = Reply> {
        let bytes = || vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        let leaf = prop_oneof![
            "[ -~]{0,20}".prop_map(|text| Reply::Simple(text.into())),
            "[ -~]{0,20}".prop_map(|text| Reply::Error(text.into())),
            any::<i64>().prop_map(Reply::Integer),
            bytes().prop_map(Reply::Bulk),
            Just(Reply::Null),
            any::<bool>().prop_map(Reply::Boolean),
            any::<f64>().prop_map(|value| Reply::Double(value.to_string().into())),
            "-?[0-9]{1,30}".prop_map(|text| Reply::BigNumber(text.into())),
            bytes().prop_map(|text| Reply::Verbatim(*b"txt", text)),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Reply::Array),
                vec(inner.clone(), 0..5).prop_map(Reply::Set),
                vec(inner.clone(), 0..5).prop_map(Reply::Push),
                vec((inner.clone(), inner), 0..3).prop_map(Reply::Map),
            ]
        })
    }
}
