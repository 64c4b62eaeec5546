//! Replies as a person reads them, in the way of `redis-cli`.
//!
//! In [`Style::Quoted`], control characters never reach the terminal, but for line
//! breaks and tabs of a text that is meant to be shown.

use crate::resp::Reply;

/// How strings and types are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Strings in quotes, with escapes; every type can be told from the others.
    Quoted,
    /// The bare bytes; arrays one item a line.
    Raw,
}

/// Appends one reply and a newline.
pub fn show(reply: &Reply, style: Style, out: &mut Vec<u8>) {
    match style {
        Style::Quoted => quoted(reply, "", out),
        Style::Raw => {
            raw(reply, out);
            out.push(b'\n');
        }
    }
}

fn quoted(reply: &Reply, indent: &str, out: &mut Vec<u8>) {
    match reply {
        Reply::Status(text) => put_text(text.as_bytes(), out),
        Reply::Simple(text) | Reply::BigNumber(text) | Reply::Verbatim(_, text) => {
            put_text(text, out);
        }
        Reply::Error(text) => put_marked("(error) ", text, out),
        Reply::Double(text) => put_marked("(double) ", text, out),
        Reply::Integer(value) => out.extend_from_slice(format!("(integer) {value}").as_bytes()),
        Reply::Bulk(text) => put_repr(text, out),
        Reply::Null | Reply::NullArray => out.extend_from_slice(b"(nil)"),
        Reply::Boolean(value) => out.extend_from_slice(format!("({value})").as_bytes()),
        Reply::Array(items) => return put_items(items, ("array", ')'), indent, out),
        Reply::Set(items) => return put_items(items, ("set", '~'), indent, out),
        Reply::Push(items) => return put_items(items, ("push", '>'), indent, out),
        Reply::Map(pairs) => return put_pairs(pairs, indent, out),
    }
    out.push(b'\n');
}

/// One item a line, numbered; what is inside of an item is indented below it.
fn put_items(items: &[Reply], (name, mark): (&str, char), indent: &str, out: &mut Vec<u8>) {
    if items.is_empty() {
        out.extend_from_slice(format!("(empty {name})\n").as_bytes());
    }
    let width = digits(items.len());
    let inner = format!("{indent}{:1$}", "", width + 2);
    for (nth, item) in (1..).zip(items) {
        // Whoever wrote the number that this array stands behind has indented the first line.
        let indent = if nth == 1 { "" } else { indent };
        out.extend_from_slice(format!("{indent}{nth:width$}{mark} ").as_bytes());
        quoted(item, &inner, out);
    }
}

fn put_pairs(pairs: &[(Reply, Reply)], indent: &str, out: &mut Vec<u8>) {
    if pairs.is_empty() {
        out.extend_from_slice(b"(empty hash)\n");
    }
    let width = digits(pairs.len());
    let inner = format!("{indent}{:1$}", "", width + 2);
    for (nth, (key, value)) in (1..).zip(pairs) {
        let indent = if nth == 1 { "" } else { indent };
        out.extend_from_slice(format!("{indent}{nth:width$}# ").as_bytes());
        quoted(key, &inner, out);
        out.pop_if(|last| *last == b'\n');
        out.extend_from_slice(b" => ");
        quoted(value, &inner, out);
    }
}

fn digits(count: usize) -> usize {
    count.to_string().len()
}

fn put_marked(mark: &str, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(mark.as_bytes());
    put_text(text, out);
}

/// Text for people, perhaps in UTF-8: only what could steer a terminal is escaped.
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\n' | b'\t' => out.push(*byte),
            _ if byte.is_ascii_control() => out.extend(byte.escape_ascii()),
            _ => out.push(*byte),
        }
    }
}

/// A string in double quotes, as the inline syntax would read it back.
fn put_repr(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'\'' => out.push(b'\''),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            _ => out.extend(byte.escape_ascii()),
        }
    }
    out.push(b'"');
}

fn raw(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Status(text) => out.extend_from_slice(text.as_bytes()),
        Reply::Simple(text)
        | Reply::Error(text)
        | Reply::Bulk(text)
        | Reply::Double(text)
        | Reply::BigNumber(text)
        | Reply::Verbatim(_, text) => out.extend_from_slice(text),
        Reply::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Reply::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Reply::Null | Reply::NullArray => {}
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            raw_lines(items.iter(), out);
        }
        Reply::Map(pairs) => raw_lines(pairs.iter().flat_map(|(key, value)| [key, value]), out),
    }
}

fn raw_lines<'a>(items: impl Iterator<Item = &'a Reply>, out: &mut Vec<u8>) {
    for (nth, item) in items.enumerate() {
        if nth > 0 {
            out.push(b'\n');
        }
        raw(item, out);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::resp::split_words;

    #[test]
    fn replies_look_as_in_redis_cli() {
        for (reply, text) in [
            (Reply::OK, "OK"),
            (Reply::error("ERR no"), "(error) ERR no"),
            (Reply::Integer(-1), "(integer) -1"),
            (Reply::bulk("it's \"so\"\n\x07\0"), r#""it's \"so\"\n\a\x00""#),
            (Reply::bulk("é"), r#""\xc3\xa9""#),
            (Reply::Null, "(nil)"),
            (Reply::NullArray, "(nil)"),
            (Reply::Boolean(true), "(true)"),
            (Reply::Double("1.5".into()), "(double) 1.5"),
            (Reply::Verbatim(*b"txt", "a\nb".into()), "a\nb"),
            (Reply::Array(vec![]), "(empty array)"),
            (Reply::Set(vec![]), "(empty set)"),
            (Reply::Map(vec![]), "(empty hash)"),
            (Reply::Set(vec![Reply::Integer(1)]), "1~ (integer) 1"),
        ] {
            assert_eq!(shown(&reply, Style::Quoted), format!("{text}\n"));
        }
    }

    #[test]
    fn arrays_are_numbered_and_indented() {
        let inner = Reply::Array(vec![Reply::Integer(1), Reply::Null]);
        let mut items = vec![inner, Reply::bulk("x")];
        let two = "1) 1) (integer) 1\n   2) (nil)\n2) \"x\"\n";
        assert_eq!(shown(&Reply::Array(items.clone()), Style::Quoted), two);

        items.extend(vec![Reply::Null; 8]);
        let ten = " 1) 1) (integer) 1\n    2) (nil)\n 2) \"x\"\n 3) (nil)\n";
        assert!(shown(&Reply::Array(items), Style::Quoted).starts_with(ten));
    }

    #[test]
    fn maps_show_what_belongs_together() {
        let map = Reply::Map(vec![
            (Reply::bulk("a"), Reply::Integer(1)),
            (Reply::bulk("b"), Reply::Array(vec![Reply::OK, Reply::OK])),
        ]);
        assert_eq!(
            shown(&map, Style::Quoted),
            "1# \"a\" => (integer) 1\n2# \"b\" => 1) OK\n   2) OK\n"
        );
    }

    #[test]
    fn raw_replies_are_bare_bytes() {
        for (reply, text) in [
            (Reply::bulk("a\0b"), "a\0b\n"),
            (Reply::Null, "\n"),
            (Reply::error("ERR no"), "ERR no\n"),
            (Reply::Array(vec![Reply::Integer(1), Reply::bulk("x")]), "1\nx\n"),
            (Reply::Map(vec![(Reply::bulk("k"), Reply::bulk("v"))]), "k\nv\n"),
        ] {
            assert_eq!(shown(&reply, Style::Raw), text);
        }
    }

    #[test]
    fn no_text_can_steer_the_terminal() {
        assert_eq!(shown(&Reply::error("\x1b[2J"), Style::Quoted), "(error) \\x1b[2J\n");
    }

    #[test]
    fn a_shown_string_can_be_typed_back() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        show(&Reply::bulk(every_byte.clone()), Style::Quoted, &mut out);
        assert_eq!(split_words(&Bytes::from(out)).expect("balanced")[..], [every_byte]);
    }

    fn shown(reply: &Reply, style: Style) -> String {
        let mut out = Vec::new();
        show(reply, style, &mut out);
        String::from_utf8(out).expect("text")
    }
}
