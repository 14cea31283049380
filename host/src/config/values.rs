//! The small grammars of single values.
//!
//! | value | grammar |
//! |---|---|
//! | truth | `1 t T TRUE true True 0 f F FALSE false False` |
//! | size | digits, optionally a fraction, optionally `b`, `k`, `kb`, `KiB`, … up to `t`; base 1024 always |
//! | duration | numbers with units: `90s`, `30m`, `1h 30m` |
//! | list | elements separated by commas, trimmed, empty ones dropped |
//! | domain | two or more of a-z, 0-9 and `-`; a letter first, no dash last; case does not matter |

use std::time::Duration;

/// Reads a truth word.
pub(crate) fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a size in bytes. Units are powers of 1024 in every spelling, as users of `512mb` expect here.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let unit = 1_u64 << shift;
    let mut bytes = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / u128::from(scale);
        bytes = bytes.checked_add(u64::try_from(part).ok()?)?;
    }
    Some(bytes)
}

/// Reads a duration that is not zero.
pub(super) fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok().filter(|duration| !duration.is_zero())
}

/// Splits a list.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether a text may be the domain of an organisation.
pub(crate) fn is_domain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    bytes.len() >= 2
        && bytes.iter().all(inner)
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last() != Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_base_1024() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512mb", Some(536_870_912)),
            ("256MiB", Some(268_435_456)),
            ("1.5 KB", Some(1536)),
            ("2g", Some(2 << 30)),
            ("", None),
            ("mb", None),
            ("-1", None),
            ("5 parsecs", None),
            ("99999999999t", None),
            (".5m", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn durations_are_positive() {
        assert_eq!(duration("30m"), Some(Duration::from_mins(30)));
        assert_eq!(duration("1h 30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("0s"), None);
        assert_eq!(duration("soon"), None);
    }

    #[test]
    fn domains() {
        for good in ["acme", "Acme-2", "a1", "a--b"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "a", "1a", "a-", "-a", "a.b", "a_b", "acmé"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
