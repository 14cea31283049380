//! The characters of an access file, read in blocks.
//!
//! UTF-8, with or without a byte-order mark. The reader says when it has taken a value ([`Allowance::renew`]); a file
//! in which no value ends within [`LONGEST_VALUE`] bytes is refused, because a parser has to hold what it has not
//! finished.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use granit_parser::{ErrorKind, InputIoError};

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;
/// Bytes of a single key or text, with the white space and the comments around it.
const LONGEST_VALUE: usize = 16 << 20;

/// How much may still be read before a value has to end.
#[derive(Clone)]
pub(super) struct Allowance(Rc<Cell<usize>>);

impl Allowance {
    pub(super) fn new() -> Self {
        Allowance(Rc::new(Cell::new(LONGEST_VALUE)))
    }

    /// A value has ended.
    pub(super) fn renew(&self) {
        self.0.set(LONGEST_VALUE);
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }
}

/// The characters of a file.
pub(super) struct Characters<R> {
    input: R,
    allowance: Allowance,
    /// Decoded text and how much of it was given out.
    text: String,
    at: usize,
    /// The beginning of a character whose end is not read yet.
    partial: Vec<u8>,
    started: bool,
    ended: bool,
}

impl<R: Read> Characters<R> {
    pub(super) fn new(input: R, allowance: Allowance) -> Self {
        Characters {
            input,
            allowance,
            text: String::new(),
            at: 0,
            partial: Vec::new(),
            started: false,
            ended: false,
        }
    }

    /// Reads the next block; false at the end.
    fn refill(&mut self) -> Result<bool, ErrorKind> {
        let mut bytes = std::mem::take(&mut self.partial);
        let read = (&mut self.input)
            .take(BLOCK as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| ErrorKind::InputIo { error: InputIoError::from(error) })?;
        if !self.started {
            self.started = true;
            if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
                return Err(not_utf8("it is UTF-16"));
            }
            if bytes.starts_with("\u{feff}".as_bytes()) {
                bytes.drain(..3);
            }
        }
        if !self.allowance.take(read) {
            let limit = LONGEST_VALUE >> 20;
            return Err(ErrorKind::Custom(format!("no key or text may be longer than {limit} MiB")));
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        self.at = 0;
        if let Err(fault) = std::str::from_utf8(&bytes) {
            let cut = fault.error_len().is_none();
            if fault.valid_up_to() == 0 && (!cut || read == 0) {
                let why =
                    if cut { "it ends within a character" } else { "it holds bytes that are no character" };
                return Err(not_utf8(why));
            }
            // What stands before is given out first, so that an error has its place.
            self.partial = bytes.split_off(fault.valid_up_to());
        }
        self.text = String::from_utf8(bytes).map_err(|_| not_utf8("it cannot be decoded"))?;
        Ok(true)
    }
}

fn not_utf8(why: &str) -> ErrorKind {
    ErrorKind::InputDecoding { message: why.to_owned() }
}

impl<R: Read> Iterator for Characters<R> {
    type Item = Result<char, ErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(character) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
                self.at += character.len_utf8();
                return Some(Ok(character));
            }
            if self.ended {
                return None;
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.text.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::{Allowance, BLOCK, Characters, LONGEST_VALUE};

    fn read(bytes: &[u8]) -> Result<String, String> {
        Characters::new(bytes, Allowance::new()).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn characters_may_lie_across_blocks() {
        let text = format!("\u{feff}{}é€😀{}", "x".repeat(BLOCK - 4), "é".repeat(BLOCK));
        assert_eq!(read(text.as_bytes()).as_deref(), Ok(text.trim_start_matches('\u{feff}')));
    }

    #[test]
    fn other_encodings_are_refused() {
        for (bytes, reason) in
            [(&b"\xff\xfea\0"[..], "UTF-16"), (b"ab\xff", "no character"), (b"ab\xe2\x82", "ends within")]
        {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_value_has_to_end_at_some_time() {
        let bytes = vec![b'x'; LONGEST_VALUE + BLOCK];
        assert!(read(&bytes).unwrap_err().contains("16 MiB"));
        let allowance = Allowance::new();
        let mut characters = Characters::new(&bytes[..], allowance.clone());
        assert_eq!(characters.by_ref().inspect(|_| allowance.renew()).count(), bytes.len());
    }
}
