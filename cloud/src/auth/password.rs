//! Passwords, hashed with Argon2id (19 MiB, two passes: the parameters that OWASP recommends and the
//! crate's default), stored as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::CloudError;

/// The form that is stored.
pub(crate) async fn hash(password: String) -> Result<String, CloudError> {
    run(move || {
        let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| CloudError::Password { reason: error.to_string() })
    })
    .await
    .unwrap_or_else(|| Err(CloudError::Password { reason: "the computation was interrupted".to_owned() }))
}

/// Whether the password belongs to the stored form. Without a stored form the same work is done and the
/// answer is no, so that the time taken does not tell whether a user exists.
pub(crate) async fn verify(password: String, stored: Option<String>) -> bool {
    run(move || {
        if let Some(stored) = stored {
            return Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok();
        }
        let _wasted: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
        false
    })
    .await
    .unwrap_or(false)
}

/// Hashing takes memory and time on purpose: so many at once, whoever asks, and no more.
static PLACES: Semaphore = Semaphore::const_new(4);

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _place = PLACES.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

/// The rule for passwords that people choose.
pub(crate) fn strong_enough(password: &str) -> bool {
    password.chars().count() >= 8
        && password.chars().any(char::is_lowercase)
        && password.chars().any(char::is_uppercase)
        && password.chars().any(char::is_numeric)
        && password.chars().any(|character| !character.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits() -> Result<(), CloudError> {
        let stored = hash("Right-1-word".to_owned()).await?;
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("Right-1-word".to_owned(), Some(stored.clone())).await);
        assert!(!verify("Wrong-1-word".to_owned(), Some(stored)).await);
        assert!(!verify("Right-1-word".to_owned(), None).await);
        Ok(())
    }

    #[test]
    fn weak_passwords_are_told_apart() {
        assert!(strong_enough("Abcdef1!"));
        for weak in ["Abcde1!", "abcdef1!", "ABCDEF1!", "Abcdefg!", "Abcdefg1"] {
            assert!(!strong_enough(weak), "{weak}");
        }
    }
}
