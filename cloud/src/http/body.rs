//! Reads request bodies as tolerantly as the clients in use need it.

use serde::de::DeserializeOwned;

use crate::records::nul;

/// Reads the first JSON value and ignores what follows: some requests of the command line end with a stray
/// quotation mark after the closing brace. NUL characters are replaced.
pub(super) fn first_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let replaced = nul::without_escapes(body);
    let body = replaced.as_ref();
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<T>();
    values.next().unwrap_or_else(|| serde_json::from_slice(b""))
}

#[cfg(test)]
mod tests {
    use super::first_json;

    #[test]
    fn what_follows_the_first_value_is_ignored() -> Result<(), serde_json::Error> {
        for tail in ["", "\"", "\"\\n\t", "}", "\n"] {
            let value: serde_json::Value = first_json(format!("{{\"a\": 1}}{tail}").as_bytes())?;
            assert_eq!(value["a"], 1, "{tail:?}");
        }
        Ok(())
    }

    #[test]
    fn nul_characters_are_replaced() -> Result<(), serde_json::Error> {
        assert_eq!(first_json::<String>(br#""a\u0000b""#)?, "a\u{fffd}b");
        Ok(())
    }

    #[test]
    fn nothing_and_garbage_are_refused() {
        assert!(first_json::<serde_json::Value>(b"").is_err());
        assert!(first_json::<serde_json::Value>(b"query { x }").is_err());
    }
}
