//! Ids and secrets.
//!
//! An id is 21 characters of the URL-safe Base64 alphabet. The first eight are the time in milliseconds, in
//! an alphabet that sorts as the numbers do, the other thirteen are random (78 bits). Ids made later are
//! therefore greater: new rows go to the end of every index, listing by id is listing by age, and the id
//! can serve as the cursor of a page.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng;
use sha2::{Digest, Sha256};

/// The 64 URL-safe characters in ascending byte order.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

const TIME_CHARACTERS: usize = 8;
const RANDOM_CHARACTERS: usize = 13;
const SECRET_CHARACTERS: usize = 43;

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// A new id.
pub(crate) fn new_id() -> String {
    let mut id = String::with_capacity(TIME_CHARACTERS + RANDOM_CHARACTERS);
    let time = now().cast_unsigned();
    for digit in (0..TIME_CHARACTERS).rev() {
        id.push(character(time >> (6 * digit)));
    }
    push_random(&mut id, RANDOM_CHARACTERS);
    id
}

/// When an id was made, in milliseconds since 1970.
pub(crate) fn made_at(id: &str) -> i64 {
    id.bytes().take(TIME_CHARACTERS).fold(0, |time, character| {
        let digit = ALPHABET.iter().position(|known| *known == character).unwrap_or_default();
        (time << 6) | i64::try_from(digit).unwrap_or_default()
    })
}

/// Makes ids for many rows at once. The first is an ordinary new id, each further one follows the one before, so
/// that an index of ids grows at its end only, and the order of the ids is the order in which they were made.
pub(crate) struct Ids {
    digits: [u8; TIME_CHARACTERS + RANDOM_CHARACTERS],
}

impl Ids {
    /// Starts at a new id.
    pub(crate) fn new() -> Self {
        let mut digits = [0; TIME_CHARACTERS + RANDOM_CHARACTERS];
        for (digit, character) in digits.iter_mut().zip(new_id().bytes()) {
            let value = ALPHABET.iter().position(|known| *known == character).unwrap_or_default();
            *digit = u8::try_from(value).unwrap_or_default();
        }
        Self { digits }
    }

    /// The next id.
    pub(crate) fn next(&mut self) -> String {
        for digit in self.digits.iter_mut().rev() {
            *digit = (*digit + 1) & 63;
            if *digit != 0 {
                break;
            }
        }
        self.digits.iter().map(|digit| character(u64::from(*digit))).collect()
    }
}

/// A new secret of 258 bits: tokens, generated passwords, addresses that must not be guessed.
pub(crate) fn new_secret() -> String {
    let mut secret = String::with_capacity(SECRET_CHARACTERS);
    push_random(&mut secret, SECRET_CHARACTERS);
    secret
}

/// What is stored of a secret: its SHA-256 in hexadecimal. Secrets have full entropy, so no slow hash is needed.
pub(crate) fn fingerprint(secret: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(secret.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn push_random(text: &mut String, characters: usize) {
    let mut random = rand::rng();
    let mut left = characters;
    while left > 0 {
        // Ten characters of six bits out of each 64.
        let bits = random.next_u64();
        let take = left.min(10);
        for position in 0..take {
            text.push(character(bits >> (6 * position)));
        }
        left -= take;
    }
}

fn character(bits: u64) -> char {
    let index = usize::try_from(bits & 63).unwrap_or_default();
    char::from(ALPHABET[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_21_url_safe_characters_that_grow_with_time() {
        let first = new_id();
        std::thread::sleep(std::time::Duration::from_millis(3));
        let second = new_id();
        assert_eq!(first.len(), 21);
        assert!(first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert!(first < second);
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let before = now();
        let made = made_at(&new_id());
        assert!((before..=now()).contains(&made), "{made}");
    }

    #[test]
    fn ids_made_together_ascend() {
        let before = new_id();
        std::thread::sleep(std::time::Duration::from_millis(3));
        let mut ids = Ids::new();
        let made: Vec<String> = (0..5000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b) && made.first().is_some_and(|first| *first > before));
        assert!(made.iter().all(|id| id.len() == 21));
    }

    #[test]
    fn secrets_differ_and_fingerprints_do_not_show_them() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert_eq!(fingerprint(&one).len(), 64);
        assert!(!fingerprint(&one).contains(&one));
    }
}
