//! JSON lists that are read one element at a time.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, SeqAccess, Visitor};

/// Reads a file that is a list; each element goes to `each`, whose refusal ends the reading.
///
/// # Errors
/// The file cannot be read, or is no such list; or what `each` says.
pub fn read<T: DeserializeOwned>(path: &Path, each: impl FnMut(T) -> io::Result<()>) -> io::Result<()> {
    let mut json =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, File::open(path)?));
    let mut refusal = None;
    let outcome = Elements::new(each, &mut refusal).deserialize(&mut json).and_then(|()| json.end());
    refusal.map_or(Ok(()), Err)?;
    outcome.map_err(io::Error::from)
}

/// A list within a document.
pub struct Elements<'a, T, F> {
    each: F,
    refusal: &'a mut Option<io::Error>,
    element: PhantomData<T>,
}

impl<'a, T, F: FnMut(T) -> io::Result<()>> Elements<'a, T, F> {
    /// `refusal` gets what `each` refused with; the error of the reading is then a copy of its text.
    pub fn new(each: F, refusal: &'a mut Option<io::Error>) -> Self {
        Elements { each, refusal, element: PhantomData }
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> io::Result<()>> DeserializeSeed<'de> for Elements<'_, T, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> io::Result<()>> Visitor<'de> for Elements<'_, T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            if let Err(error) = (self.each)(element) {
                let text = error.to_string();
                *self.refusal = Some(error);
                return Err(A::Error::custom(text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::io::Error;

    fn read(text: &str, most: usize) -> std::io::Result<Vec<u32>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut numbers = Vec::new();
        super::read(file.path(), |number| {
            if numbers.len() == most {
                return Err(Error::other("too many"));
            }
            numbers.push(number);
            Ok(())
        })?;
        Ok(numbers)
    }

    #[test]
    fn elements_come_one_by_one_until_one_is_refused() {
        assert_eq!(read("[1, 2\n,3]", 3).unwrap(), [1, 2, 3]);
        assert_eq!(read("[1, 2, 3]", 2).unwrap_err().to_string(), "too many");
        assert!(read("[1, 2", 9).is_err() && read("[] []", 9).is_err() && read("{}", 9).is_err());
    }
}
