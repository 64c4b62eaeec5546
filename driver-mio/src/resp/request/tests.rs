//! Requests as clients send them, whole, in pieces and broken.

use super::*;

#[test]
fn requests_in_one_buffer_come_out_in_order() {
    let wire = "*1\r\n$4\r\nPING\r\nget k\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n";
    assert_eq!(read_all(wire), Ok(vec![argv(["PING"]), argv(["get", "k"]), argv(["GET", ""])]));
}

#[test]
fn arguments_are_slices_of_the_read_buffer() {
    let mut buffer = BytesMut::from("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
    let start = buffer.as_ptr() as usize;
    let argv = decoder().decode(&mut buffer).expect("valid").expect("whole");
    assert_eq!(argv[0].as_ptr() as usize, start + 8);
    assert_eq!(argv[1].as_ptr() as usize, start + 17);
}

#[test]
fn payloads_may_hold_any_byte() {
    assert_eq!(read_all("*1\r\n$6\r\n\r\n*1\0$\r\n"), Ok(vec![argv(["\r\n*1\0$"])]));
}

#[test]
fn empty_requests_are_skipped() {
    assert_eq!(read_all("*0\r\n\r\n\n*-1\r\n   \r\nPING\n"), Ok(vec![argv(["PING"])]));
}

#[test]
fn faults_are_named_as_redis_names_them() {
    for (wire, text) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*1\n$1\r\nx\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$8388609\r\n", "invalid bulk length"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*1\r\n\r\n", "expected '$', got '\\x0d'"),
        ("*1\r\n$1\r\nxyz", "expected CRLF after bulk"),
        ("set \"k\r\n", "unbalanced quotes in request"),
    ] {
        let error = read_all(wire).expect_err(wire);
        assert_eq!(error.to_string(), text, "{wire:?}");
    }
    let reply = ProtocolError::InvalidLength.reply();
    assert_eq!(reply, Reply::error("ERR Protocol error: invalid bulk length"));
}

#[test]
fn lines_without_an_end_are_refused_at_the_limit() {
    let max = RespLimits::default().inline_bytes_max as usize;
    let zeros = "0".repeat(max + 1);
    for (line, error) in [
        (zeros.clone(), ProtocolError::TooBigInline),
        (format!("*{zeros}"), ProtocolError::TooBigCount),
        (format!("*1\r\n${zeros}"), ProtocolError::TooBigLength),
    ] {
        assert_eq!(read_all(&line), Err(error));
    }
    assert_eq!(read_all(&zeros[1..]), Ok(vec![]));
    assert_eq!(read_all(&format!("{}\n", &zeros[1..])), Ok(vec![argv([&zeros[1..]])]));
}

#[test]
fn requests_are_refused_when_they_claim_too_much_in_all() {
    let wire = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    let decode = |request_bytes_max| {
        let limits = RespLimits { request_bytes_max, ..RespLimits::default() };
        RequestDecoder::new(limits).decode(&mut BytesMut::from(wire))
    };
    assert_eq!(decode(wire.len() as u32), Ok(Some(argv(["GET", "k"]))));
    assert_eq!(decode(wire.len() as u32 - 1), Err(ProtocolError::TooBigRequest));
}

#[test]
fn an_error_is_final() {
    let mut buffer = BytesMut::from("*1\r\n!\r\n");
    let mut decoder = decoder();
    let error = decoder.decode(&mut buffer).expect_err("no dollar");
    buffer.clear();
    buffer.extend_from_slice(b"PING\r\n");
    assert_eq!(decoder.decode(&mut buffer), Err(error));
}

#[test]
fn a_claim_allocates_nothing() {
    let mut buffer = BytesMut::from("*1048576\r\n$8388608\r\n");
    let capacity = buffer.capacity();
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert_eq!(buffer.capacity(), capacity);
    assert!(!decoder.arguments.spilled());
}

/// Quadratic work would be 10^13 steps here; this runs in well under a second.
#[test]
fn a_million_arguments_byte_by_byte_cost_linear_work() {
    let count = RespLimits::default().arguments_max;
    let mut wire = format!("*{count}\r\n").into_bytes();
    for _ in 0..count {
        wire.extend_from_slice(b"$1\r\nx\r\n");
    }
    let (last, most) = wire.split_last().expect("not empty");
    let mut buffer = BytesMut::new();
    let mut decoder = decoder();
    for byte in most {
        buffer.extend_from_slice(&[*byte]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
    }
    buffer.extend_from_slice(&[*last]);
    let argv = decoder.decode(&mut buffer).expect("valid").expect("whole");
    assert_eq!(argv.len(), count as usize);
    assert!(argv.iter().all(|argument| argument == "x"));
}

fn decoder() -> RequestDecoder {
    RequestDecoder::new(RespLimits::default())
}

fn argv<const N: usize>(words: [&str; N]) -> Argv {
    words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

fn read_all(wire: &str) -> Result<Vec<Argv>, ProtocolError> {
    let mut buffer = BytesMut::from(wire);
    let mut decoder = decoder();
    std::iter::from_fn(|| decoder.decode(&mut buffer).transpose()).collect()
}
