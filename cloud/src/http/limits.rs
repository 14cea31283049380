//! What keeps one client from taking the server away from the others.
//!
//! * So many requests at once ([`Gate`]): more get 503 at once instead of a place in a queue that grows.
//! * A body may pause only so long, and take only so long in all ([`timed`]); the head is limited by the listener.
//! * Failed sign-ins are counted by address ([`SignInGuard`]): guessing passwords stops after a few.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::http::HeaderMap;
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits requests as long as there are not too many.
pub(crate) struct Gate {
    places: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))) }
    }

    /// A place until it is dropped; none when all are taken.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

/// A body that fails when it pauses too long, or takes too long in all.
pub(crate) fn timed(body: Body, pause: Duration, whole: Option<Duration>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let end = whole.map(|whole| Instant::now() + whole);
    let pieces = futures::stream::unfold(Some(body.into_data_stream()), move |pieces| async move {
        let mut pieces = pieces?;
        let left = end.map_or(pause, |end| pause.min(end.saturating_duration_since(Instant::now())));
        match tokio::time::timeout(left, pieces.next()).await {
            Ok(piece) => piece.map(|piece| (piece.map_err(std::io::Error::other), Some(pieces))),
            Err(_) => Some((Err(std::io::ErrorKind::TimedOut.into()), None)),
        }
    });
    Body::from_stream(pieces)
}

/// The address that a request comes from: the peer's, or what a trusted proxy says of it. The last entries of
/// `X-Forwarded-For` are the ones that proxies wrote; what the client wrote itself stands before them.
pub(crate) fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer.ip().to_canonical();
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for entry in forwarded.into_iter().rev() {
        if !trusted.contains(&address) {
            break;
        }
        let Ok(next) = entry.trim().parse::<IpAddr>() else { break };
        address = next.to_canonical();
    }
    address
}

/// Counts failed sign-ins by address.
pub(crate) struct SignInGuard {
    /// Failures that are allowed at once, and again in every minute.
    allowed: f64,
    counts: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    left: f64,
    at: Instant,
}

impl SignInGuard {
    /// Addresses that are remembered; an attacker with more of them is not stopped by this guard anyway.
    const REMEMBERED: usize = 50_000;

    pub(crate) fn new(allowed: u32) -> Self {
        Self { allowed: f64::from(allowed.max(1)), counts: Mutex::default() }
    }

    /// Takes an attempt, or says after how many seconds there will be one. Attempts at the same time count
    /// before their outcome is known.
    pub(crate) fn take(&self, address: IpAddr) -> Result<(), u64> {
        let now = Instant::now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= Self::REMEMBERED {
            counts.retain(|_, count| self.refilled(*count, now) < self.allowed);
            if counts.len() >= Self::REMEMBERED {
                counts.clear();
            }
        }
        let count = match counts.entry(network(address)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Count { left: self.allowed, at: now }),
        };
        *count = Count { left: self.refilled(*count, now), at: now };
        if count.left < 1.0 {
            let seconds = (1.0 - count.left) * 60.0 / self.allowed;
            return Err(Duration::from_secs_f64(seconds).as_secs() + 1);
        }
        count.left -= 1.0;
        Ok(())
    }

    /// Gives an attempt back that did not fail.
    pub(crate) fn give_back(&self, address: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network(address)) {
            count.left = (count.left + 1.0).min(self.allowed);
        }
    }

    fn refilled(&self, count: Count, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(count.at).as_secs_f64();
        (count.left + passed * self.allowed / 60.0).min(self.allowed)
    }
}

/// Whoever has one IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    #[test]
    fn failures_are_counted_by_address_and_successes_are_not() {
        let guard = SignInGuard::new(3);
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..10 {
            guard.take(one).unwrap();
            guard.give_back(one);
        }
        for _ in 0..3 {
            guard.take(one).unwrap();
        }
        let wait = guard.take(one).unwrap_err();
        assert!((1..=21).contains(&wait), "{wait}");
        guard.take(other).unwrap();
        let (near, far): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        for last in 1..=3_u16 {
            guard.take(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])).unwrap();
        }
        assert!(guard.take(near).is_err());
        guard.take(far).unwrap();
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let peer = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1, 2.2.2.2".parse().unwrap());
        let trusted: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap(), "10.0.0.9".parse().unwrap()];
        let of = |from: &str, headers: &HeaderMap| client_address(peer(from), headers, &trusted).to_string();
        assert_eq!(of("9.9.9.9", &headers), "9.9.9.9");
        assert_eq!(of("127.0.0.1", &headers), "2.2.2.2", "what the client wrote itself is not believed");
        assert_eq!(of("::ffff:127.0.0.1", &headers), "2.2.2.2");
        headers.append("x-forwarded-for", "10.0.0.9".parse().unwrap());
        assert_eq!(of("127.0.0.1", &headers), "2.2.2.2");
        assert_eq!(of("127.0.0.1", &HeaderMap::new()), "127.0.0.1");
    }

    #[tokio::test]
    async fn a_body_that_stops_is_cut_off() {
        let start = futures::stream::iter([Ok::<_, std::io::Error>("a")]);
        let body = Body::from_stream(start.chain(futures::stream::pending()));
        let cut = timed(body, Duration::from_millis(20), None);
        assert!(axum::body::to_bytes(cut, 100).await.is_err());
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, std::io::Error>("a"), ()))
        });
        let cut = timed(Body::from_stream(drip), Duration::from_mins(1), Some(Duration::from_millis(50)));
        assert!(axum::body::to_bytes(cut, usize::MAX).await.is_err());
        let whole = timed(Body::from("abc"), Duration::from_mins(1), Some(Duration::from_mins(1)));
        assert_eq!(axum::body::to_bytes(whole, 100).await.unwrap(), "abc");
    }

    #[test]
    fn there_are_as_many_places_as_were_given() {
        let gate = Gate::new(2);
        let first = gate.enter();
        let second = gate.enter();
        assert!(first.is_some() && second.is_some() && gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
    }
}
