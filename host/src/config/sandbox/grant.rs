//! One network grant: a host and a port that a connector may talk to.
//!
//! | written | grants |
//! |---|---|
//! | `db.example.com:5432` | this name, this port |
//! | `*.example.com:443` | every name below `example.com`, at any depth, but not `example.com` itself |
//! | `10.0.0.5:5432` | this address, public or not |
//! | `[2001:db8::1]:443` | likewise; IPv6 needs the brackets |
//! | `localhost:5432` | this machine |
//! | `{ host: "db.internal:5432", private: true }` | this name, also where it resolves to a private address |
//!
//! There is no grant for all hosts or all ports. Names are compared in one form: lower case, no dot at the
//! end, international names in ASCII (`xn--…`). Addresses are compared as numbers, however they are spelled
//! (`0x7f.1`, `::ffff:127.0.0.1`). An address that no grant opens, such as a cloud's metadata service, is
//! refused here already (see [`super::address`]).

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use url::Host;

use super::address::{AddressClass, classify};

/// The host part of a grant, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// One name.
    Exact(String),
    /// All names below this one.
    Wildcard(String),
    /// One address.
    Ip(IpAddr),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A host and a port that a connector may talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// The host or hosts.
    pub host: HostPattern,
    /// The port, never 0.
    pub port: u16,
    /// Whether the name may resolve to a private or loopback address.
    pub private: bool,
    /// The line of the configuration file it stands in.
    pub line: Option<usize>,
}

/// Why a text is no grant.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantError {
    /// `https://…`
    #[error("`{text}` must be a host and a port, not an address with a scheme or path")]
    Url {
        /// The text.
        text: String,
    },
    /// There is no port.
    #[error("`{text}` has no port")]
    NoPort {
        /// The text.
        text: String,
    },
    /// The port is no number from 1 to 65535.
    #[error("`{text}` has no valid port: `{port}` is not a number from 1 to 65535")]
    Port {
        /// The text.
        text: String,
        /// The part after the last colon.
        port: String,
    },
    /// All hosts.
    #[error("`{text}` would grant every host")]
    Everything {
        /// The text.
        text: String,
    },
    /// A star in the wrong place.
    #[error("`{text}` has a `*` that is not its whole first label")]
    Wildcard {
        /// The text.
        text: String,
    },
    /// Not a name, not an address.
    #[error("`{text}` has no valid host")]
    Host {
        /// The text.
        text: String,
    },
    /// An address that is never reached.
    #[error("`{text}` is {class}, which no connector may reach")]
    Forbidden {
        /// The text.
        text: String,
        /// What it is.
        class: AddressClass,
    },
}

impl GrantError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Url { .. } => {
                "write only what stands between `//` and the next `/`, with the port: example.com:443"
            }
            Self::NoPort { .. } => {
                "add the port, for instance :443; an IPv6 address needs brackets: [::1]:443"
            }
            Self::Port { .. } => "name one port; a grant for several ports is several lines",
            Self::Everything { .. } => "name the hosts, or a domain with a star: *.example.com:443",
            Self::Wildcard { .. } => "a star stands for whole labels in front: *.example.com:443",
            Self::Host { .. } => "write a name, an IPv4 address or an IPv6 address in brackets",
            Self::Forbidden { .. } => return None,
        })
    }
}

impl NetworkGrant {
    /// Reads `HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        let owned = || text.to_owned();
        let trimmed = text.trim();
        if trimmed.contains(['/', '@', '?', '#']) {
            return Err(GrantError::Url { text: owned() });
        }
        if trimmed == "*" {
            return Err(GrantError::Everything { text: owned() });
        }
        let no_port = || GrantError::NoPort { text: owned() };
        let (host, port) = match trimmed.rsplit_once(':') {
            Some((host, _)) if host.contains(':') && !host.ends_with(']') => return Err(no_port()),
            Some((_, port)) if port.ends_with(']') => return Err(no_port()),
            Some(pair) => pair,
            None => return Err(no_port()),
        };
        let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok());
        let port = number
            .flatten()
            .filter(|number| *number != 0)
            .ok_or_else(|| GrantError::Port { text: owned(), port: port.to_owned() })?;
        let host = match host.strip_prefix("*.") {
            _ if host == "*" => return Err(GrantError::Everything { text: owned() }),
            Some(suffix) if !suffix.contains('*') => match canonical(suffix) {
                Some(HostPattern::Exact(suffix)) => HostPattern::Wildcard(suffix),
                _ => return Err(GrantError::Host { text: owned() }),
            },
            _ if host.contains('*') => return Err(GrantError::Wildcard { text: owned() }),
            _ => canonical(host).ok_or_else(|| GrantError::Host { text: owned() })?,
        };
        if let HostPattern::Ip(ip) = host {
            let class = classify(ip);
            if class.is_never_allowed() {
                return Err(GrantError::Forbidden { text: owned(), class });
            }
        }
        Ok(Self { host, port, private: false, line: None })
    }

    /// Whether this host and port are granted. The host may be spelled in any way; what it resolves to
    /// is for [`super::forbidden_ip`] to judge.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        if port != self.port {
            return false;
        }
        let Some(host) = canonical(host) else { return false };
        match (&self.host, &host) {
            (HostPattern::Wildcard(suffix), HostPattern::Exact(name)) => name
                .strip_suffix(suffix.as_str())
                .is_some_and(|prefix| prefix.len() > 1 && prefix.ends_with('.')),
            (granted, asked) => granted == asked,
        }
    }
}

/// As it is written in a file.
impl fmt::Display for NetworkGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The one form in which hosts are compared and should be resolved; never a wildcard. Nothing if the text
/// is no host.
pub fn canonical(host: &str) -> Option<HostPattern> {
    // The parser would decode percent escapes, which a resolver does not.
    if host.contains('%') || host.contains('*') {
        return None;
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(HostPattern::Ip(ip.to_canonical()));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    match Host::parse(host).ok()? {
        Host::Ipv4(ip) => Some(HostPattern::Ip(ip.into())),
        Host::Ipv6(ip) => Some(HostPattern::Ip(IpAddr::from(ip).to_canonical())),
        Host::Domain(name) => {
            let label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
                    })
            };
            (name.len() <= 253 && name.split('.').all(label)).then_some(HostPattern::Exact(name))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn granted(grant: &str, host: &str, port: u16) -> bool {
        NetworkGrant::parse(grant).unwrap().matches(host, port)
    }

    #[test]
    fn names_are_compared_canonically() {
        for (grant, host, expected) in [
            ("db.example.com:1", "db.example.com", true),
            ("db.example.com:1", "DB.Example.COM.", true),
            ("DB.Example.com.:1", "db.example.com", true),
            ("db.example.com:1", "db.example.com..", false),
            ("db.example.com:1", "example.com", false),
            ("db.example.com:1", "db.example.com.evil.org", false),
            ("db.example.com:1", "db%2eexample.com", false),
            ("*.example.com:1", "a.example.com", true),
            ("*.example.com:1", "a.b.Example.com", true),
            ("*.example.com:1", "example.com", false),
            ("*.example.com:1", ".example.com", false),
            ("*.example.com:1", "badexample.com", false),
            ("*.example.com:1", "example.com.evil.org", false),
            ("*.example.com:1", "*.example.com", false),
            ("bücher.example:1", "xn--bcher-kva.example", true),
            ("xn--bcher-kva.example:1", "BÜCHER.example", true),
            ("127.0.0.1:1", "0x7f.1", true),
            ("127.0.0.1:1", "2130706433", true),
            ("127.0.0.1:1", "0177.0.0.1", true),
            ("127.0.0.1:1", "::ffff:127.0.0.1", true),
            ("127.0.0.1:1", "[::ffff:7f00:1]", true),
            ("127.0.0.1:1", "localhost", false),
            ("localhost:1", "127.0.0.1", false),
            ("[::1]:1", "::1", true),
            ("[::1]:1", "[0:0:0:0:0:0:0:1]", true),
        ] {
            assert_eq!(granted(grant, host, 1), expected, "{grant} for {host}");
        }
        assert!(!granted("db.example.com:1", "db.example.com", 2), "another port");
    }

    #[test]
    fn impossible_grants_are_refused() {
        for (text, part) in [
            ("*", "every host"),
            ("*:443", "every host"),
            ("example.com", "no port"),
            ("::1", "no port"),
            ("[::1]", "no port"),
            ("example.com:", "no valid port"),
            ("example.com:0", "no valid port"),
            ("example.com:65536", "no valid port"),
            ("example.com:+1", "no valid port"),
            ("example.com:*", "no valid port"),
            ("a.*.example.com:1", "first label"),
            ("a*.example.com:1", "first label"),
            ("*.*.example.com:1", "first label"),
            ("*.10.0.0.1:1", "no valid host"),
            ("*.:1", "no valid host"),
            (":1", "no valid host"),
            ("a b:1", "no valid host"),
            ("a..b:1", "no valid host"),
            ("{{HOST}}:1", "no valid host"),
            ("1.2.3.4.5:1", "no valid host"),
            ("https://example.com:443", "scheme"),
            ("example.com/x:443", "scheme"),
            ("169.254.169.254:80", "metadata"),
            ("[::ffff:169.254.169.254]:80", "metadata"),
            ("0.0.0.0:80", "unspecified"),
            ("224.0.0.1:80", "multicast"),
        ] {
            let error = NetworkGrant::parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn display_is_what_one_writes() {
        for text in ["*.example.com:443", "db.example.com:5432", "[2606:4700::1]:1", "10.0.0.5:5432"] {
            assert_eq!(NetworkGrant::parse(text).unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(grant in ".{0,40}", host in ".{0,40}", port: u16) {
            if let Ok(grant) = NetworkGrant::parse(&grant) {
                let _ = grant.matches(&host, port);
            }
        }

        #[test]
        fn a_wildcard_covers_exactly_what_is_below(label in "[a-z][a-z0-9]{0,9}", sub in "[a-z]{1,9}") {
            let grant = NetworkGrant::parse("*.example.com:443").unwrap();
            let below = format!("{sub}.{label}.example.com");
            prop_assert!(grant.matches(&below, 443));
            let beside = format!("{label}example.com");
            prop_assert!(!grant.matches(&beside, 443));
            let beyond = format!("{label}.example.com.{sub}");
            prop_assert!(!grant.matches(&beyond, 443));
        }

        #[test]
        fn every_spelling_of_an_address_is_the_address(bits: u32) {
            let ip = std::net::Ipv4Addr::from(bits);
            let canonical_ip = canonical(&ip.to_string());
            for spelling in [format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}"), format!("::ffff:{ip}")] {
                prop_assert_eq!(canonical(&spelling), canonical_ip.clone(), "{}", spelling);
            }
        }
    }
}
