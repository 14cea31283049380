//! JSON with the escapes of Go's encoder: `<`, `>` and `&` as `\u003c`, `\u003e`, `\u0026`, and the line separators
//! U+2028 and U+2029 as escapes.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        let mut written = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let (escape, length) = match byte {
                b'<' => ("\\u003c", 1),
                b'>' => ("\\u003e", 1),
                b'&' => ("\\u0026", 1),
                // U+2028 and U+2029 are E2 80 A8 and E2 80 A9 in UTF-8.
                0xe2 => match bytes.get(at..at + 3) {
                    Some([0xe2, 0x80, 0xa8]) => ("\\u2028", 3),
                    Some([0xe2, 0x80, 0xa9]) => ("\\u2029", 3),
                    _ => continue,
                },
                _ => continue,
            };
            writer.write_all(bytes.get(written..at).unwrap_or_default())?;
            writer.write_all(escape.as_bytes())?;
            written = at + length;
        }
        writer.write_all(bytes.get(written..).unwrap_or_default())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        CompactFormatter.write_f32(writer, value)
    }
}

/// Appends a record to a buffer.
pub fn append(buffer: &mut Vec<u8>, record: &impl Serialize) -> serde_json::Result<()> {
    record.serialize(&mut serde_json::Serializer::with_formatter(buffer, GoFormatter))
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn the_escapes_are_those_of_go() {
        let mut buffer = Vec::new();
        assert!(append(&mut buffer, &"a<b>&\"\n\u{2028}é\u{2029}\u{2030}").is_ok());
        assert_eq!(
            String::from_utf8_lossy(&buffer),
            "\"a\\u003cb\\u003e\\u0026\\\"\\n\\u2028é\\u2029\u{2030}\""
        );
    }
}
