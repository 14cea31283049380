//! Whether two files hold the same records, told without keeping either: how many there are, and the sum of the hashes
//! of their ids. The key of the hashes is random for each process, so that no connector can make two sums agree.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    count: u64,
    sum: u128,
}

impl Tally {
    /// Counts a record.
    pub(super) fn add(&mut self, id: &str) {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let key = KEY.get_or_init(RandomState::new);
        let half = |salt: u8| u128::from(key.hash_one((salt, id)));
        self.count += 1;
        self.sum = self.sum.wrapping_add(half(0) << 64 | half(1));
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let tally = |ids: &[&str]| {
            let mut tally = Tally::default();
            for id in ids {
                tally.add(id);
            }
            tally
        };
        assert_eq!(tally(&["a", "b", "c"]), tally(&["c", "a", "b"]));
        for other in [&["a", "b"][..], &["a", "b", "b"], &["a", "b", "d"], &["a", "b", "c", "c"]] {
            assert_ne!(tally(&["a", "b", "c"]), tally(other), "{other:?}");
        }
    }
}
