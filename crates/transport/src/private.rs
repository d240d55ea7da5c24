//! Which addresses are not of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` lies in a range that the internet does not route: this machine, its networks, a cloud's metadata, and ranges
/// kept for special use (IANA's special-purpose registries, RFC 6890); also inside an IPv6 address that carries an IPv4 one.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!(
        (a, b, c),
        // "This network", with 0.0.0.0, which reaches this machine.
        (0, ..)
            // RFC 1918
            | (10, ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            // Carrier-grade NAT, RFC 6598; some clouds have their metadata there.
            | (100, 64..=127, _)
            | (127, ..)
            // Link-local, with the metadata address 169.254.169.254.
            | (169, 254, _)
            // IETF protocols, documentation, 6to4 relays, benchmarks.
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            // Multicast, reserved, broadcast.
            | (224.., ..)
    )
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let carried = |high: u16, low: u16| {
        let [x, y] = high.to_be_bytes();
        let [z, w] = low.to_be_bytes();
        is_private_v4(Ipv4Addr::new(x, y, z, w))
    };
    match (a, b, c, d, e, f) {
        // Unspecified, loopback, and the obsolete IPv4-compatible form.
        (0, 0, 0, 0, 0, 0) => true,
        // IPv4-mapped.
        (0, 0, 0, 0, 0, 0xffff) => carried(g, h),
        // NAT64, RFC 6052: how networks without IPv4 reach the public part of it.
        (0x64, 0xff9b, 0, 0, 0, 0) => carried(g, h),
        // NAT64 inside a network, RFC 8215.
        (0x64, 0xff9b, 1, ..) => true,
        // 6to4, given up by RFC 7526: what still answers there is a relay on the way in.
        (0x2002, ..) => true,
        // Only 2000::/3 is routed, and of it not Teredo and the other protocol ranges, ORCHID, benchmarks, documentation.
        (0x2001, 0..=0x1ff, ..) | (0x2001, 0xdb8, ..) | (0x3fff, 0..=0xfff, ..) => true,
        _ => a & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(text: &str) -> bool {
        is_private(text.parse().unwrap())
    }

    #[test]
    fn what_the_internet_does_not_route_is_private() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b:1:ffff:ffff:ffff:808:808",
            "100::1",
            "::ffff:0:10.0.0.1",
            "2001::1",
            "2001:0:ffff:ffff::",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(private(address), "{address}");
        }
    }

    #[test]
    fn what_it_routes_is_not() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "3ffe::1",
        ] {
            assert!(!private(address), "{address}");
        }
    }
}
