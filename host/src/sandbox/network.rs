//! The gate before the network.
//!
//! A name is looked up only if a grant names it, and its forbidden addresses are dropped. What is left is remembered
//! for [`MEMORY`]: a socket reaches an address only if a granted name resolved to it, or if the address itself is
//! granted, and then only on the granted port. Whatever is refused is kept as a [`Denial`], and fails the step.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::config::sandbox::{AddressClass, HostPattern, NetworkGrant, canonical, classify, forbidden_ip};

/// How long an answer of the name look-up opens its addresses.
const MEMORY: Duration = Duration::from_mins(10);

/// Something that a connector asked for and was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What was asked for: `db.example.com`, `10.0.0.1:5432`.
    pub asked: String,
    /// Why it was refused.
    pub reason: DenialReason,
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// No grant names it.
    NotGranted {
        /// The line for the `network` list of the `sandbox` block; none if no grant could open it.
        grant: Option<String>,
    },
    /// A granted name led to an address of a class that the grant does not open.
    Address {
        /// The address.
        address: IpAddr,
        /// Its class.
        class: AddressClass,
    },
    /// The operation itself is never allowed: listening, UDP.
    Never,
}

/// The gate of one instance.
pub struct NetworkGate {
    grants: Vec<NetworkGrant>,
    resolved: Mutex<HashMap<IpAddr, Vec<Resolved>>>,
    denials: Mutex<Vec<Denial>>,
    denied: Notify,
}

struct Resolved {
    host: String,
    until: Instant,
}

impl NetworkGate {
    /// Denials kept; a connector that goes on after the first only fills memory.
    const DENIALS: usize = 16;

    pub(crate) fn new(grants: Vec<NetworkGrant>) -> Self {
        NetworkGate { grants, resolved: Mutex::default(), denials: Mutex::default(), denied: Notify::new() }
    }

    /// Ends when something was refused.
    pub(super) async fn denied(&self) {
        self.denied.notified().await;
    }

    /// What was refused so far.
    pub fn denials(&self) -> Vec<Denial> {
        lock(&self.denials).clone()
    }

    /// The canonical form of a host that may be looked up: a name that a grant names on whatever port, or an
    /// address, which says nothing that the connector did not know. A socket that goes there is judged with its
    /// port.
    pub(super) fn granted_host(&self, host: &str) -> Option<HostPattern> {
        if let Some(canonical) = canonical(host)
            && (matches!(canonical, HostPattern::Ip(_))
                || self.grants.iter().any(|grant| grant.matches(host, grant.port)))
        {
            return Some(canonical);
        }
        self.deny(host, DenialReason::NotGranted { grant: grant_line(host, None) });
        None
    }

    /// The canonical form of a host that a grant names on this port.
    pub(super) fn granted(&self, host: &str, port: u16) -> Option<HostPattern> {
        if let Some(canonical) = canonical(host)
            && self.grants.iter().any(|grant| grant.matches(host, port))
        {
            return Some(canonical);
        }
        self.deny(
            &format!("{host}:{port}"),
            DenialReason::NotGranted { grant: grant_line(host, Some(port)) },
        );
        None
    }

    /// Looks a granted host up and remembers its addresses. The outer `None` says that all of them are denied.
    pub(super) async fn resolve(&self, host: &HostPattern) -> std::io::Result<Option<Vec<IpAddr>>> {
        let name = match host {
            HostPattern::Ip(address) => return Ok(Some(vec![*address])),
            HostPattern::Exact(name) | HostPattern::Wildcard(name) => name,
        };
        let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
        let addresses = found.map(|address| address.ip().to_canonical());
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in addresses {
            let classes = self
                .grants
                .iter()
                .filter(|grant| grant.matches(name, grant.port))
                .map(|grant| forbidden_ip(address, grant));
            match classes.min() {
                Some(None) if !allowed.contains(&address) => allowed.push(address),
                Some(Some(class)) => refused = Some(DenialReason::Address { address, class }),
                _ => {}
            }
        }
        if allowed.is_empty()
            && let Some(reason) = refused
        {
            self.deny(name, reason);
            return Ok(None);
        }
        let now = Instant::now();
        let until = now + MEMORY;
        let mut resolved = lock(&self.resolved);
        for address in &allowed {
            let known = resolved.entry(*address).or_default();
            known.retain(|known| known.host != *name && known.until > now);
            known.push(Resolved { host: name.clone(), until });
        }
        Ok(Some(allowed))
    }

    /// Whether a socket may do this.
    pub(super) fn allows(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        match purpose {
            // Comes before every connect; a socket that is only bound reaches nothing and cannot be reached.
            SocketAddrUse::TcpBind if address.ip().is_unspecified() && address.port() == 0 => true,
            SocketAddrUse::TcpConnect => self.allows_connect(address),
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                self.deny("listening for connections", DenialReason::Never);
                false
            }
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                self.deny("a UDP socket", DenialReason::Never);
                false
            }
        }
    }

    fn allows_connect(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let now = Instant::now();
        let names: Vec<String> = lock(&self.resolved)
            .get(&ip)
            .into_iter()
            .flatten()
            .filter(|resolved| resolved.until > now)
            .map(|resolved| resolved.host.clone())
            .collect();
        let opens = |host: &str| {
            self.grants.iter().any(|grant| grant.matches(host, port) && forbidden_ip(ip, grant).is_none())
        };
        if opens(&ip.to_string()) || names.iter().any(|name| opens(name)) {
            return true;
        }
        let host = names.into_iter().next().unwrap_or_else(|| ip.to_string());
        let class = classify(ip);
        let reason = if class.is_never_allowed() {
            DenialReason::Address { address: ip, class }
        } else {
            DenialReason::NotGranted { grant: grant_line(&host, Some(port)) }
        };
        let asked = if host == ip.to_string() { address.to_string() } else { format!("{host}:{port}") };
        self.deny(&asked, reason);
        false
    }

    pub(super) fn deny(&self, asked: &str, reason: DenialReason) {
        let denial = Denial { asked: asked.chars().take(300).collect(), reason };
        tracing::debug!(?denial, "denied");
        let mut denials = lock(&self.denials);
        if denials.len() < Self::DENIALS && !denials.contains(&denial) {
            denials.push(denial);
        }
        self.denied.notify_one();
    }
}

/// The line that an operator would add. Without a port the connector has only looked a name up so far.
fn grant_line(host: &str, port: Option<u16>) -> Option<String> {
    let host = match canonical(host)? {
        HostPattern::Ip(IpAddr::V6(address)) => format!("[{address}]"),
        HostPattern::Ip(address) => address.to_string(),
        HostPattern::Exact(name) | HostPattern::Wildcard(name) => name,
    };
    Some(match port {
        Some(port) => format!("{host}:{port}"),
        None => format!("{host}:PORT"),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::net::SocketAddr;

    use wasmtime_wasi::sockets::SocketAddrUse;

    use super::{DenialReason, NetworkGate};
    use crate::config::sandbox::NetworkGrant;

    fn gate(grants: &[&str]) -> NetworkGate {
        NetworkGate::new(grants.iter().map(|grant| NetworkGrant::parse(grant).unwrap()).collect())
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_opens_only_after_its_name_was_looked_up_and_only_on_the_port() {
        let gate = gate(&["localhost:5432"]);
        assert!(!gate.allows(address("127.0.0.1:5432"), SocketAddrUse::TcpConnect));
        let host = gate.granted_host("LOCALHOST.").unwrap();
        assert!(gate.resolve(&host).await.unwrap().is_some());
        assert!(gate.allows(address("127.0.0.1:5432"), SocketAddrUse::TcpConnect));
        assert!(!gate.allows(address("127.0.0.1:5433"), SocketAddrUse::TcpConnect));
        let denials = gate.denials();
        assert_eq!(denials.len(), 2);
        assert_eq!(denials[1].asked, "localhost:5433");
        assert_eq!(denials[1].reason, DenialReason::NotGranted { grant: Some("localhost:5433".into()) });
    }

    #[tokio::test]
    async fn a_granted_address_needs_no_look_up() {
        let gate = gate(&["127.0.0.1:5432"]);
        assert!(gate.allows(address("127.0.0.1:5432"), SocketAddrUse::TcpConnect));
        assert!(gate.allows(address("[::ffff:127.0.0.1]:5432"), SocketAddrUse::TcpConnect));
        assert!(!gate.allows(address("127.0.0.2:5432"), SocketAddrUse::TcpConnect));
    }

    #[tokio::test]
    async fn an_address_may_be_looked_up_however_it_is_spelled_and_opens_nothing_by_that() {
        let gate = gate(&["example.com:443"]);
        for spelling in ["127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let host = gate.granted_host(spelling).unwrap();
            assert_eq!(gate.resolve(&host).await.unwrap().unwrap(), [address("127.0.0.1:1").ip()]);
        }
        assert!(gate.denials().is_empty());
        assert!(!gate.allows(address("127.0.0.1:443"), SocketAddrUse::TcpConnect));
        assert_eq!(gate.denials()[0].asked, "127.0.0.1:443");
    }

    #[test]
    fn no_grant_is_proposed_for_an_address_that_none_can_open() {
        let gate = gate(&["127.0.0.1:5432"]);
        assert!(!gate.allows(address("169.254.169.254:80"), SocketAddrUse::TcpConnect));
        assert!(matches!(gate.denials()[0].reason, DenialReason::Address { .. }));
    }

    #[test]
    fn listening_and_udp_are_never_allowed() {
        let gate = gate(&["127.0.0.1:5432"]);
        assert!(gate.allows(address("0.0.0.0:0"), SocketAddrUse::TcpBind));
        assert!(!gate.allows(address("0.0.0.0:8080"), SocketAddrUse::TcpBind));
        assert!(!gate.allows(address("127.0.0.1:5432"), SocketAddrUse::TcpListen));
        assert!(!gate.allows(address("127.0.0.1:5432"), SocketAddrUse::UdpSend));
        assert!(gate.denials().iter().all(|denial| denial.reason == DenialReason::Never));
    }

    #[test]
    fn a_name_that_is_not_granted_is_not_looked_up() {
        let gate = gate(&["*.example.com:443"]);
        assert!(gate.granted_host("example.com").is_none());
        assert!(gate.granted("a.example.com", 80).is_none());
        assert!(gate.granted("a.example.com", 443).is_some());
        assert_eq!(
            gate.denials()[0].reason,
            DenialReason::NotGranted { grant: Some("example.com:PORT".into()) }
        );
    }
}
