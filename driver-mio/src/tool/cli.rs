//! Talks to a server: one command from the command line, or those that are
//! typed or piped in.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use bytes::Bytes;

use super::show::{Style, show};
use super::{Connection, ToolError};
use crate::args::{CliOptions, Server};
use crate::resp::{Argv, Reply, split_words};

/// Carries out the commands; returns whether all of them were answered without
/// an error. A person at a prompt has seen what went wrong, so there it is no failure.
///
/// # Errors
/// For a single command, whatever keeps it from being answered. In a
/// conversation a lost server is only a line of output, and is looked for again
/// at the next command; only a broken terminal ends it.
pub fn run(options: &CliOptions) -> Result<bool, ToolError> {
    let style = if options.raw { Style::Raw } else { Style::Quoted };
    let mut out = io::stdout().lock();
    if options.command.is_empty() {
        let stdin = io::stdin();
        let prompt = stdin.is_terminal();
        let conversation = Conversation::new(&options.server, style, prompt);
        return Ok(conversation.run(stdin.lock(), &mut out)? || prompt);
    }
    let argv: Argv = options
        .command
        .iter()
        .map(|word| Bytes::copy_from_slice(word.as_encoded_bytes()))
        .collect();
    let mut connection = Connection::open(&options.server)?;
    converse(&mut connection, &argv, style, &mut out)
}

/// Sends one command and shows what comes back; returns whether it is no error.
fn converse(
    connection: &mut Connection,
    argv: &Argv,
    style: Style,
    out: &mut impl Write,
) -> Result<bool, ToolError> {
    connection.send(argv)?;
    loop {
        let reply = connection.receive()?;
        let mut text = Vec::new();
        show(&reply, style, &mut text);
        put(out, &text)?;
        match reply {
            Reply::Push(_) => {}
            reply => return Ok(!matches!(reply, Reply::Error(_))),
        }
    }
}

/// Commands line by line, over as many connections as it takes.
struct Conversation<'a> {
    server: &'a Server,
    style: Style,
    prompt: bool,
    /// Nothing until the first command, and after a loss.
    connection: Option<Connection>,
    /// Whether every command so far was answered without an error.
    fine: bool,
}

impl<'a> Conversation<'a> {
    fn new(server: &'a Server, style: Style, prompt: bool) -> Self {
        Self { server, style, prompt, connection: None, fine: true }
    }

    fn run(mut self, mut input: impl BufRead, out: &mut impl Write) -> Result<bool, ToolError> {
        if self.prompt {
            self.connection = Connection::open(self.server).ok();
        }
        loop {
            self.show_prompt(out)?;
            let Some(line) = read_line(&mut input)? else { return Ok(self.fine) };
            match split_words(&line) {
                Err(_) => {
                    self.fine = false;
                    put(out, b"Invalid argument(s)\n")?;
                }
                Ok(argv) if argv.is_empty() => {}
                Ok(argv) if is_goodbye(&argv) => return Ok(self.fine),
                Ok(argv) => self.on_command(&argv, out)?,
            }
        }
    }

    fn show_prompt(&self, out: &mut impl Write) -> Result<(), ToolError> {
        match &self.connection {
            _ if !self.prompt => Ok(()),
            Some(_) => put(out, format!("{}> ", self.server).as_bytes()),
            None => put(out, b"not connected> "),
        }
    }

    fn on_command(&mut self, argv: &Argv, out: &mut impl Write) -> Result<(), ToolError> {
        match self.ask(argv, out) {
            Ok(fine) => self.fine &= fine,
            Err(error @ ToolError::Terminal(_)) => return Err(error),
            Err(error) => {
                self.fine = false;
                put(out, format!("Error: {error}\n").as_bytes())?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, argv: &Argv, out: &mut impl Write) -> Result<bool, ToolError> {
        // A command goes out once: after a loss nobody knows whether it was
        // carried out, and only the person who typed it may say it again.
        let mut connection = match self.connection.take() {
            None => Connection::open(self.server)?,
            Some(connection) if connection.has_ended() => {
                let connection = Connection::open(self.server)?;
                put(out, CONNECTED_ANEW)?;
                connection
            }
            Some(connection) => connection,
        };
        let fine = converse(&mut connection, argv, self.style, out)?;
        self.connection = Some(connection);
        Ok(fine)
    }
}

/// Reads one line, its newline taken off; nothing at the end of the input.
fn read_line(input: &mut impl BufRead) -> Result<Option<Bytes>, ToolError> {
    let mut line = Vec::new();
    let count =
        input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(ToolError::Terminal)?;
    match line.pop_if(|last| *last == b'\n') {
        None if count == 0 => Ok(None),
        None if count as u64 == LINE_BYTES_MAX => Err(ToolError::LongLine),
        _ => Ok(Some(line.into())),
    }
}

fn is_goodbye(argv: &Argv) -> bool {
    argv.len() == 1
        && ["quit", "exit"].iter().any(|word| argv[0].eq_ignore_ascii_case(word.as_bytes()))
}

fn put(out: &mut impl Write, text: &[u8]) -> Result<(), ToolError> {
    out.write_all(text).and_then(|()| out.flush()).map_err(ToolError::Terminal)
}

/// Said because half a transaction on a new connection is no transaction.
const CONNECTED_ANEW: &[u8] =
    b"The server hung up; connected anew, without HELLO, MULTI or WATCH\n";
/// The longest line that is read, in bytes with its newline.
const LINE_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use bytes::BytesMut;

    use super::*;
    use crate::resp::{Protocol, RequestDecoder, RespLimits, encode};

    #[test]
    fn a_conversation_ends_with_quit_or_with_the_input() {
        for input in ["echo hi\n\nQUIT\necho no\n", "echo hi"] {
            let (fine, said) = talk(input, false);
            assert_eq!((fine, &said[..]), (true, "\"hi\"\n"));
        }
    }

    #[test]
    fn errors_are_shown_and_remembered() {
        let (fine, said) = talk("fail\necho \"a b\"\n", false);
        assert_eq!((fine, &said[..]), (false, "(error) ERR no\n\"a b\"\n"));
    }

    #[test]
    fn unbalanced_quotes_are_not_sent() {
        let (fine, said) = talk("echo 'x\necho y\n", false);
        assert_eq!((fine, &said[..]), (false, "Invalid argument(s)\n\"y\"\n"));
    }

    #[test]
    fn a_server_that_hung_up_is_called_again() {
        let server = start_server(1);
        let mut conversation = Conversation::new(&server, Style::Quoted, false);
        let mut out = Vec::new();
        for _ in 0..3 {
            let echo = split_words(&"echo a".into()).expect("balanced");
            conversation.on_command(&echo, &mut out).expect("memory does not break");
            let connection = conversation.connection.as_ref().expect("it was answered");
            connection.wait_for_hangup();
        }
        assert!(conversation.fine);
        let again = [CONNECTED_ANEW, b"\"a\"\n"].concat();
        assert_eq!(out, [b"\"a\"\n", &again[..], &again[..]].concat());
    }

    #[test]
    fn a_lost_command_is_not_said_twice() {
        let (fine, said) = talk("die\necho a\n", false);
        assert!(!fine);
        assert!(said.starts_with("Error: connection lost before the answer came"), "{said}");
        assert!(said.ends_with("outcome unknown\n\"a\"\n"), "{said}");
    }

    #[test]
    fn a_prompt_says_whom_one_talks_to() {
        let (_, said) = talk("echo a\n", true);
        assert!(said.starts_with("127.0.0.1:") && said.contains("> \"a\"\n127.0.0.1:"), "{said}");
    }

    #[test]
    fn nobody_there_is_an_error_of_the_command_only() {
        // Port 1 is never given out, and no one listens there.
        let server = Server { host: "127.0.0.1".into(), port: 1, silence_max: None };
        let mut out = Vec::new();
        let fine = Conversation::new(&server, Style::Quoted, true).run(&b"ping\n"[..], &mut out);
        let said = String::from_utf8(out).expect("text");
        assert!(matches!(fine, Ok(false)));
        assert!(said.starts_with("not connected> Error: cannot connect to 127.0.0.1:"), "{said}");
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(matches!(read_line(&mut endless), Err(ToolError::LongLine)));
    }

    fn talk(input: &str, prompt: bool) -> (bool, String) {
        let server = start_server(usize::MAX);
        let mut out = Vec::new();
        let fine = Conversation::new(&server, Style::Quoted, prompt)
            .run(input.as_bytes(), &mut out)
            .expect("memory does not break");
        (fine, String::from_utf8(out).expect("text"))
    }

    /// A server that hangs up after so many answers, each time. It ends with
    /// the test process, at the latest.
    fn start_server(answers: usize) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = server_at(&listener);
        thread::spawn(move || listener.incoming().flatten().for_each(|s| serve(s, answers)));
        server
    }

    fn server_at(listener: &TcpListener) -> Server {
        let port = listener.local_addr().expect("bound").port();
        Server { host: "127.0.0.1".into(), port, silence_max: None }
    }

    /// Knows `echo x`, `fail`, and `die`, which it does not answer.
    fn serve(mut stream: std::net::TcpStream, answers: usize) {
        let mut decoder = RequestDecoder::new(RespLimits::default());
        let mut buffer = BytesMut::new();
        for _ in 0..answers {
            let argv = loop {
                if let Some(argv) = decoder.decode(&mut buffer).expect("a request") {
                    break argv;
                }
                let mut scratch = [0; 512];
                match stream.read(&mut scratch) {
                    Ok(count @ 1..) => buffer.extend_from_slice(&scratch[..count]),
                    _ => return,
                }
            };
            let reply = match &argv[0][..] {
                b"echo" => Reply::Bulk(argv[1].clone()),
                b"fail" => Reply::error("ERR no"),
                _ => return,
            };
            let mut wire = Vec::new();
            encode(&reply, Protocol::Resp2, &mut wire);
            stream.write_all(&wire).expect("the client waits");
        }
    }
}
