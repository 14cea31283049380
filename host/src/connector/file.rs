//! What kind of file somebody gave as a connector.

use std::fmt;

/// The largest component that is read.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A WebAssembly component.
    Component,
    /// A WebAssembly core module.
    CoreModule,
    /// WebAssembly of a version that does not exist yet.
    UnknownWebAssembly,
    /// Machine code: a program, or a component that somebody compiled ahead.
    MachineCode,
    /// Text.
    Text,
    /// Nothing at all.
    Empty,
    /// Something else.
    Other,
}

impl FileKind {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => FileKind::Empty,
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => FileKind::Component,
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => FileKind::CoreModule,
            [0, b'a', b's', b'm', ..] => FileKind::UnknownWebAssembly,
            [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => {
                FileKind::MachineCode
            }
            _ if std::str::from_utf8(bytes.get(..bytes.len().min(512)).unwrap_or_default()).is_ok() => {
                FileKind::Text
            }
            _ => FileKind::Other,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            FileKind::Component => "a WebAssembly component",
            FileKind::CoreModule => "a WebAssembly core module",
            FileKind::UnknownWebAssembly => "WebAssembly of an unknown version",
            FileKind::MachineCode => "machine code",
            FileKind::Text => "text",
            FileKind::Empty => "an empty file",
            FileKind::Other => "not WebAssembly",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FileKind;

    #[test]
    fn kinds_are_told_by_the_first_bytes() {
        for (bytes, kind) in [
            (&b"\0asm\x0d\0\x01\0rest"[..], FileKind::Component),
            (b"\0asm\x01\0\0\0", FileKind::CoreModule),
            (b"\0asm\x0d\0\x02\0", FileKind::UnknownWebAssembly),
            (b"\x7fELF\x02", FileKind::MachineCode),
            (b"(component)", FileKind::Text),
            (b"", FileKind::Empty),
            (b"\xff\xfe\x00", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(bytes), kind);
        }
    }
}
