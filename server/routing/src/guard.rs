//! Which addresses a webhook may reach. Whoever may edit a pair chooses the URL, so without this guard they could make
//! Muster, which sits close to everything, call the metadata service of its cloud or a neighbour's admin port.
//!
//! The check is made on the addresses that are then connected to, so a name that resolves differently the second time
//! gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names to public addresses only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // What is answered here is what is connected to; nobody asks again.
            Ok(Box::new(all_public(found)?.into_iter()) as Addrs)
        })
    }
}

/// All or nothing: a name with one private address is somebody's attempt, or somebody's mistake.
fn all_public(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
    match found.iter().find(|address| !is_public(address.ip())) {
        Some(private) => Err(NotPublic(private.ip())),
        None => Ok(found),
    }
}

/// An address that may not be called.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0} is not a public address; webhooks inside the network must be allowed in Muster's settings")]
pub(crate) struct NotPublic(pub(crate) IpAddr);

/// Whether an address is one of the internet's. What is not known to be public is not.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            // 2000::/3 is all that is given out; 2001:db8::/32 is for documentation, 2001::/23 and 3fff::/20 are special.
            None => {
                let [first, second, ..] = v6.segments();
                let given_out = first & 0xe000 == 0x2000;
                let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
                    || (first == 0x3fff && second < 0x1000);
                given_out && !special
            }
        },
    }
}

/// Where a cloud's machines ask their host about themselves, on an address that looks like one of the internet's.
const OF_AZURES_HOSTS: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    // 192.88.99.0/24 were relays of 6to4, which lead to wherever an IPv6 address says.
    let of_protocols = a == 192 && ((b == 0 && c == 0) || (b == 88 && c == 99));
    let special = a == 0
        || a >= 240
        || of_protocols
        || (a == 198 && (b == 18 || b == 19))
        || address == OF_AZURES_HOSTS;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || shared
        || special)
}

/// The IPv4 address inside mapped (`::ffff:…`), translated (`64:ff9b::…`) and 6to4 (`2002:…`) ones. Those inside others, such as
/// `::127.0.0.1`, Teredo's and those of a network's own translators (`64:ff9b:1::…`), are in none of the internet's.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, high, low, ..) => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::outbound::check_address;

    const PRIVATE: [&str; 44] = [
        // This machine, its network, nobody, everybody.
        "127.0.0.1",
        "127.255.255.254",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        // Metadata of clouds.
        "169.254.169.254",
        "169.254.170.2",
        "192.0.0.192",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        // Documentation, benchmarks, protocols.
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "198.18.0.1",
        "192.88.99.1",
        "2001:db8::1",
        "3fff::1",
        "2001:20::1",
        // IPv6 of this machine and its network.
        "::1",
        "::",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "ff02::1",
        // IPv4 in IPv6: mapped, compatible, NAT64 of everybody and of one network, 6to4, Teredo.
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
    ];
    const PUBLIC: [&str; 10] = [
        "1.1.1.1",
        "93.184.216.34",
        "100.128.0.1",
        "169.253.0.1",
        "172.32.0.1",
        "198.20.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ];

    #[test]
    fn only_the_internet_is_public() {
        for private in PRIVATE {
            assert!(!is_public(private.parse().expect(private)), "{private}");
        }
        for public in PUBLIC {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
    }

    #[test]
    fn an_address_written_out_is_judged_however_it_is_written() {
        let check = |url: &str| check_address(&Url::parse(url).expect(url), false);
        let host = |address: &str| match address.parse::<IpAddr>().expect(address) {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        for address in PRIVATE {
            for url in [
                format!("http://{}/", host(address)),
                format!("https://{}:8443/hook?to=1.1.1.1", host(address)),
                format!("https://hooks.example:secret@{}/", host(address)),
            ] {
                let refused = check(&url).expect_err(&url);
                assert!(refused.contains("not a public address") && !refused.contains("secret"), "{refused}");
            }
        }
        for url in [
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://127。0。0。1/",
            "http:169.254.169.254/latest",
            "http:\\\\169.254.169.254\\latest",
            "http://hooks.example@169.254.169.254/",
            "http://hooks.example\t@169.254.169.254/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:169.254.169.254]/",
        ] {
            check(url).expect_err(url);
        }
        for address in PUBLIC {
            assert_eq!(check(&format!("https://{}:8443/", host(address))), Ok(()), "{address}");
        }
        for other in ["ftp://1.1.1.1/", "file:///etc/passwd", "gopher://1.1.1.1/", "unix:/run/docker.sock"] {
            check(other).expect_err(other);
        }
        // A name is judged by what it resolves to, when it is connected to.
        assert_eq!(check("https://169.254.169.254.example/"), Ok(()));
    }

    #[test]
    fn a_name_with_one_private_address_is_not_connected_to_at_all() {
        let found = |addresses: &[&str]| -> Vec<SocketAddr> {
            addresses.iter().map(|text| SocketAddr::new(text.parse().expect(text), 0)).collect()
        };
        let public = found(&PUBLIC);
        assert_eq!(all_public(public.clone()).expect("all are"), public);
        for private in PRIVATE {
            for mixed in [[private, "1.1.1.1"], ["2606:4700::1111", private]] {
                let refused = all_public(found(&mixed)).expect_err(private);
                assert_eq!(refused.0, private.parse::<IpAddr>().expect(private));
            }
        }
    }
}
