//! Which addresses a connector may reach once a name it was granted has resolved to them.
//!
//! A name in somebody else's hands may resolve to anything, so a grant of a name is no grant of what only
//! this machine or its own network should reach:
//!
//! | class | examples | reached |
//! |---|---|---|
//! | unspecified, broadcast, multicast, reserved | `0.0.0.0/8`, `255.255.255.255`, `224.0.0.0/4`, `240.0.0.0/4`, `ff00::/8` | never |
//! | link-local | `169.254.0.0/16`, `fe80::/10` | never |
//! | cloud metadata | `169.254.169.254`, `fd00:ec2::254`, `100.100.100.200`, `168.63.129.16` | never |
//! | loopback | `127.0.0.0/8`, `::1` | granted as literal, as `localhost`, or with `private: true` |
//! | private | `10.0.0.0/8`, `192.168.0.0/16`, `100.64.0.0/10`, `fc00::/7`, documentation and test networks | granted as literal or with `private: true` |
//! | public | the rest | yes |
//!
//! An IPv6 address that carries an IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo) has
//! the strictest class of everything it carries and of itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grant::{HostPattern, NetworkGrant};

/// What an address is for, in order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Reachable from anywhere.
    Public,
    /// Of a private or otherwise not globally routed network.
    Private,
    /// This machine.
    Loopback,
    /// Reserved for the future.
    Reserved,
    /// No address at all.
    Unspecified,
    /// Everybody on the network.
    Broadcast,
    /// A group.
    Multicast,
    /// Of this link only.
    LinkLocal,
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Private => "a private address",
            Self::Loopback => "a loopback address",
            Self::Reserved => "a reserved address",
            Self::Unspecified => "an unspecified address",
            Self::Broadcast => "the broadcast address",
            Self::Multicast => "a multicast address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud metadata service",
        })
    }
}

impl AddressClass {
    /// Whether no grant whatever opens this class.
    pub fn is_never_allowed(self) -> bool {
        !matches!(self, Self::Public | Self::Private | Self::Loopback)
    }
}

/// The class of an address, after everything it carries was unwrapped.
pub fn classify(ip: IpAddr) -> AddressClass {
    match ip {
        IpAddr::V4(ip) => classify_v4(ip),
        IpAddr::V6(ip) => carried(ip).into_iter().map(classify_v4).fold(classify_v6(ip), Ord::max),
    }
}

/// Why the address must not be reached under this grant; nothing if it may.
///
/// The caller has checked that the grant matches the name and port. A grant of an address literal opens
/// that address alone.
pub fn forbidden_ip(ip: IpAddr, grant: &NetworkGrant) -> Option<AddressClass> {
    let class = classify(ip);
    let allowed = match (class, &grant.host) {
        (class, _) if class.is_never_allowed() => false,
        (_, HostPattern::Ip(literal)) => literal.to_canonical() == ip.to_canonical(),
        (AddressClass::Public, _) => true,
        (AddressClass::Loopback, HostPattern::Exact(name)) if name == "localhost" => true,
        _ => grant.private,
    };
    (!allowed).then_some(class)
}

fn classify_v4(ip: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        // Azure and Oracle; Alibaba's is in the shared range below.
        _ if [[168, 63, 129, 16], [192, 0, 0, 192], [100, 100, 100, 200], [169, 254, 169, 254]]
            .contains(&ip.octets()) =>
        {
            AddressClass::Metadata
        }
        (0, ..) => AddressClass::Unspecified,
        (127, ..) => AddressClass::Loopback,
        (169, 254, _) => AddressClass::LinkLocal,
        (224..=239, ..) => AddressClass::Multicast,
        _ if ip.is_broadcast() => AddressClass::Broadcast,
        (240.., ..) => AddressClass::Reserved,
        (10, ..)
        | (172, 16..=31, _)
        | (192, 168, _)
        // Shared by carriers.
        | (100, 64..=127, _)
        // Protocol assignments, documentation, benchmarks.
        | (192, 0, 0 | 2)
        | (198, 18..=19, _)
        | (198, 51, 100)
        | (203, 0, 113) => AddressClass::Private,
        _ => AddressClass::Public,
    }
}

fn classify_v6(ip: Ipv6Addr) -> AddressClass {
    // Amazon, Google, Scaleway.
    const METADATA: [Ipv6Addr; 3] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    ];
    let segments = ip.segments();
    match segments {
        _ if METADATA.contains(&ip) => AddressClass::Metadata,
        _ if ip.is_unspecified() => AddressClass::Unspecified,
        _ if ip.is_loopback() => AddressClass::Loopback,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        // Unique local, site-local, discard, documentation, benchmarks.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..]
        | [0x2001, 2, 0, ..] => AddressClass::Private,
        _ => AddressClass::Public,
    }
}

/// The IPv4 addresses that an IPv6 address carries, in every reading.
fn carried(ip: Ipv6Addr) -> Vec<Ipv4Addr> {
    let octets = ip.octets();
    let at = |positions: [usize; 4]| Ipv4Addr::from(positions.map(|position| octets[position]));
    let last = at([12, 13, 14, 15]);
    match ip.segments() {
        // `::` and `::1` are themselves, not the compatible forms of 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // Compatible, mapped, translated, and NAT64's well-known prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            vec![last]
        }
        // NAT64's local prefix: a site may use it with 48, 56, 64 or 96 bits, which nobody outside knows.
        // A reading that begins with 0 is a misreading, unless all of them do.
        [0x64, 0xff9b, 1, ..] => {
            let readings = [at([6, 7, 9, 10]), at([7, 9, 10, 11]), at([9, 10, 11, 12]), last];
            let likely: Vec<_> = readings.into_iter().filter(|ip| ip.octets()[0] != 0).collect();
            if likely.is_empty() { vec![last] } else { likely }
        }
        // 6to4.
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // Teredo: the server, and the client with all bits flipped.
        [0x2001, 0, ..] => vec![at([4, 5, 6, 7]), Ipv4Addr::from(last.octets().map(|byte| !byte))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn grant(text: &str, private: bool) -> NetworkGrant {
        NetworkGrant { private, ..NetworkGrant::parse(text).unwrap() }
    }

    #[test]
    fn classes() {
        use AddressClass::{
            Broadcast, LinkLocal, Loopback, Metadata, Multicast, Private, Public, Reserved, Unspecified,
        };
        for (text, class) in [
            ("8.8.8.8", Public),
            ("172.15.0.1", Public),
            ("172.16.0.1", Private),
            ("100.64.0.1", Private),
            ("100.128.0.1", Public),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("169.254.169.254", Metadata),
            ("169.254.1.1", LinkLocal),
            ("127.8.9.1", Loopback),
            ("0.1.2.3", Unspecified),
            ("239.1.1.1", Multicast),
            ("250.1.1.1", Reserved),
            ("255.255.255.255", Broadcast),
            ("2606:4700::1", Public),
            ("::1", Loopback),
            ("::", Unspecified),
            ("fe80::1", LinkLocal),
            ("fd00:ec2::254", Metadata),
            ("fd12::1", Private),
            ("ff02::1", Multicast),
            ("::ffff:127.0.0.1", Loopback),
            ("::127.0.0.1", Loopback),
            ("::ffff:0:10.0.0.1", Private),
            ("64:ff9b::169.254.169.254", Metadata),
            ("64:ff9b::8.8.8.8", Public),
            ("64:ff9b:1:7f00:0:100::", Loopback),
            ("64:ff9b:1::10.1.2.3", Private),
            ("64:ff9b:1::8.8.8.8", Public),
            ("64:ff9b:1::", Unspecified),
            ("2002:7f00:1::", Loopback),
            ("2002:a9fe:a9fe::1", Metadata),
            ("2001:0:808:808::f5ff:fffe", Private),
        ] {
            assert_eq!(classify(ip(text)), class, "{text}");
        }
    }

    #[test]
    fn what_a_grant_opens() {
        let named = grant("db.example.com:5432", false);
        let private = grant("db.internal:5432", true);
        let local = grant("localhost:5432", false);
        let literal = grant("10.0.0.5:5432", false);
        let six = grant("[::1]:5432", false);
        for (address, grant, allowed) in [
            ("93.184.216.34", &named, true),
            ("10.0.0.5", &named, false),
            ("127.0.0.1", &named, false),
            ("169.254.169.254", &named, false),
            ("10.0.0.5", &private, true),
            ("127.0.0.1", &private, true),
            ("169.254.169.254", &private, false),
            ("::ffff:169.254.169.254", &private, false),
            ("127.0.0.1", &local, true),
            ("::1", &local, true),
            ("10.0.0.5", &local, false),
            ("10.0.0.5", &literal, true),
            ("::ffff:10.0.0.5", &literal, true),
            ("10.0.0.6", &literal, false),
            ("::1", &six, true),
            ("127.0.0.1", &six, false),
        ] {
            let verdict = forbidden_ip(ip(address), grant);
            assert_eq!(verdict.is_none(), allowed, "{address} under {grant}: {verdict:?}");
        }
    }

    proptest! {
        #[test]
        fn carrying_an_address_never_makes_it_milder(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let [a, b, c, d] = plain.octets();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let class = classify(IpAddr::V4(plain));
            prop_assume!(a != 0);
            for carrier in [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, high, u16::from(c), u16::from(d) << 8, 0, 0),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, 0, 0),
                Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
            ] {
                prop_assert!(classify(IpAddr::V6(carrier)) >= class, "{carrier}");
            }
        }

        #[test]
        fn no_grant_opens_what_is_never_allowed(bits: u128, private: bool) {
            let address = IpAddr::V6(Ipv6Addr::from(bits));
            if classify(address).is_never_allowed() {
                prop_assert!(forbidden_ip(address, &grant("example.com:1", private)).is_some());
            }
        }
    }
}
