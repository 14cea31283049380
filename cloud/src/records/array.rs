//! Reads a JSON array element by element, with bounded memory.
//!
//! The file is read in pieces; as many whole elements as a piece holds are parsed from the slice, the rest is
//! kept and completed by the next piece. The array may lack its final `]`, but not end within an element:
//! such a file was cut and must not be imported, since what is missing would be removed.

use std::io::Read;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::nul;
use crate::files::StoredFile;

const PIECE: usize = 256 * 1024;
/// The largest element: an access control with very many items has some megabytes.
const LARGEST_ELEMENT: usize = 512 * 1024 * 1024;
/// So many that their values fit into one statement.
const BATCH: usize = 256;
const BATCHES_AHEAD: usize = 4;

/// Why a file could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrayError {
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    #[error("the file is not a JSON array")]
    NoArray,
    #[error("element {index} is malformed")]
    Element {
        /// From 0.
        index: u64,
        source: serde_json::Error,
    },
    #[error("the file ends within element {index}")]
    Cut {
        /// From 0.
        index: u64,
    },
    #[error("element {index} is larger than 512 MiB")]
    TooLarge {
        /// From 0.
        index: u64,
    },
}

/// Parses a file on a thread of its own and hands the elements out in batches.
pub(crate) fn read<T: DeserializeOwned + Send + 'static>(
    file: StoredFile,
) -> mpsc::Receiver<Result<Vec<T>, ArrayError>> {
    read_with(file, |batch| batch)
}

/// Like [`read`], with more work on each batch done on that thread, beside the work of the receiver.
pub(crate) fn read_with<T, B>(
    mut file: StoredFile,
    mut prepare: impl FnMut(Vec<T>) -> B + Send + 'static,
) -> mpsc::Receiver<Result<B, ArrayError>>
where
    T: DeserializeOwned + Send + 'static,
    B: Send + 'static,
{
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        // A closed channel means that the import was given up: there is nobody to tell.
        let outcome = for_each(&mut file, |element| {
            batch.push(element);
            batch.len() < BATCH || {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                sender.blocking_send(Ok(prepare(full))).is_ok()
            }
        });
        // What was handed out counts only if the file was the right one, to its last byte.
        let outcome = outcome.and_then(|()| Ok(file.finish()?));
        let _ = sender.blocking_send(outcome.map(|()| prepare(batch)));
    });
    receiver
}

/// Calls `each` with every element until it returns false. Null elements are skipped.
fn for_each<T: DeserializeOwned>(
    mut file: impl Read,
    mut each: impl FnMut(T) -> bool,
) -> Result<(), ArrayError> {
    let mut buffer = vec![0; PIECE];
    let (mut start, mut end) = (0, 0);
    let mut at_end = false;
    let mut opened = false;
    let mut index = 0;
    // Up to where the buffer was searched for NUL characters, and whether there was one.
    let (mut checked, mut told) = (0, false);
    loop {
        // Between elements: skip white space, separators and the opening bracket.
        while start < end {
            match buffer[start] {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b',' if opened => {}
                b'[' if !opened => opened = true,
                b']' if opened => return Ok(()),
                _ if !opened => return Err(ArrayError::NoArray),
                _ => break,
            }
            start += 1;
        }
        if start < end {
            // Up to the end of what is here: an escape that is cut belongs to an element that is not complete either.
            if nul::replace_escapes(&mut buffer[..end], checked.max(start)) && !told {
                told = true;
                tracing::warn!(
                    element = index,
                    "NUL characters in the texts of an uploaded file are replaced"
                );
            }
            checked = end.saturating_sub(nul::ESCAPE.len());
            let mut elements =
                serde_json::Deserializer::from_slice(&buffer[start..end]).into_iter::<Option<T>>();
            match elements.next() {
                Some(Ok(element)) => {
                    start += elements.byte_offset();
                    index += 1;
                    if element.is_some_and(|element| !each(element)) {
                        return Ok(());
                    }
                    continue;
                }
                Some(Err(error)) if error.is_eof() && at_end => return Err(ArrayError::Cut { index }),
                Some(Err(error)) if error.is_eof() => {}
                Some(Err(source)) => return Err(ArrayError::Element { index, source }),
                None => {}
            }
        } else if at_end {
            return if opened { Ok(()) } else { Err(ArrayError::NoArray) };
        }
        // Make room and read on.
        buffer.copy_within(start..end, 0);
        checked = checked.saturating_sub(start);
        end -= start;
        start = 0;
        if end == buffer.len() {
            if buffer.len() >= LARGEST_ELEMENT {
                return Err(ArrayError::TooLarge { index });
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = file.read(&mut buffer[end..])?;
        at_end = read == 0;
        end += read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time, so that every element crosses a border.
    struct Dripping<'t>(&'t [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    struct Item {
        a: String,
    }

    fn all(text: &str) -> Result<Vec<String>, ArrayError> {
        let mut found = Vec::new();
        for_each(Dripping(text.as_bytes()), |item: Item| {
            found.push(item.a);
            true
        })?;
        Ok(found)
    }

    #[test]
    fn whole_and_unclosed_arrays_are_read() -> Result<(), ArrayError> {
        assert_eq!(all("[\n]")?, Vec::<String>::new());
        assert_eq!(all("[")?, Vec::<String>::new());
        assert_eq!(all("[\n\n{\"a\":\"1\"},\n\n{\"a\":\"]\",\"b\":[{}]}\n]")?, ["1", "]"]);
        assert_eq!(all("[{\"a\":\"1\"}, null,{\"a\":\"2\"}\n")?, ["1", "2"]);
        assert_eq!(
            all(r#"[{"a":"\u0000x\\u0000\u0000"},{"a":"\u0000"}]"#)?,
            ["\u{fffd}x\\u0000\u{fffd}", "\u{fffd}"]
        );
        Ok(())
    }

    #[test]
    fn a_file_cut_within_an_element_is_refused() {
        for text in ["[{\"a\":\"1\"},{\"a\":\"", "[{\"a\":\"1\"},{", "[{\"a\":\"1\",\"b\":["] {
            assert!(matches!(all(text), Err(ArrayError::Cut { .. })), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(matches!(all(""), Err(ArrayError::NoArray)));
        assert!(matches!(all("{\"a\":\"1\"}"), Err(ArrayError::NoArray)));
        assert!(matches!(all("[{\"a\":\"1\"}, 5]"), Err(ArrayError::Element { index: 1, .. })));
    }

    #[test]
    fn an_element_may_be_larger_than_a_piece() -> Result<(), ArrayError> {
        let long = "x".repeat(3 * PIECE);
        let mut found = 0;
        for_each(format!("[{{\"a\":\"{long}\"}}]").as_bytes(), |item: Item| {
            found = item.a.len();
            true
        })?;
        assert_eq!(found, long.len());
        Ok(())
    }
}
