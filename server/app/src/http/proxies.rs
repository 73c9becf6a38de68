//! Where a request comes from when a proxy brings it: what the proxy says, if it is one of those this installation names.
//! What anybody else says of themselves counts nowhere.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::app::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, or a network such as `10.0.0.0/8`, as it is set.
///
/// # Errors
/// What is wrong with it.
pub fn parse_proxy(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = |text: &str| text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
    let found = address(text).or_else(|_| text.parse::<IpNet>());
    found.map_err(|_| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
}

/// From here on a request comes from its client, and not from the proxy that brings it.
pub(super) async fn tell_client(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let told = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if let Some(client) =
        told.map(|ConnectInfo(peer)| (client(&app.trusted_proxies, peer.ip(), headers), peer.port()))
    {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(client)));
    }
    next.run(request).await
}

/// The address a request comes from. Each proxy adds whom it was asked by on the right, so what stands left of the first
/// address that is no proxy of ours may be invented. A list that cannot be read, or has nobody but proxies, says nothing.
fn client(proxies: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    let is_proxy = |ip: &IpAddr| proxies.iter().any(|net| net.contains(ip));
    if !is_proxy(&peer) {
        return peer;
    }
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        let Ok(line) = line.to_str() else { return peer };
        for entry in line.rsplit(',') {
            match address(entry.trim()) {
                Some(ip) if is_proxy(&ip) => {}
                Some(ip) => return ip,
                None => return peer,
            }
        }
    }
    peer
}

/// As proxies write it: `203.0.113.9`, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PROXIES: [&str; 3] = ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"];

    fn told(peer: &str, lines: &[&str]) -> String {
        let proxies: Vec<IpNet> = PROXIES.iter().map(|text| parse_proxy(text).expect("good")).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a header"));
        }
        client(&proxies, peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn a_proxy_of_ours_says_whom_it_was_asked_by() {
        assert_eq!(told("10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(told("10.1.2.3", &["203.0.113.9:40312"]), "203.0.113.9");
        assert_eq!(told("192.0.2.7", &["[2a00::5]:443"]), "2a00::5");
        assert_eq!(told("2001:db8::1", &["[2a00::5]"]), "2a00::5");
        assert_eq!(told("::ffff:10.1.2.3", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_a_client_invents_stands_left_of_itself() {
        assert_eq!(told("10.1.2.3", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(told("10.1.2.3", &["198.51.100.1, 203.0.113.9, 192.0.2.7"]), "203.0.113.9", "two proxies");
        assert_eq!(told("10.1.2.3", &["198.51.100.1", "203.0.113.9,10.1.0.9"]), "203.0.113.9", "two lines");
        assert_eq!(told("10.1.2.3", &["nonsense, 203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn whoever_is_no_proxy_of_ours_is_who_they_are() {
        assert_eq!(told("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(told("192.0.2.8", &["198.51.100.1"]), "192.0.2.8");
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for lines in [
            &["203.0.113.9, nonsense"][..],
            &[""],
            &["unknown"],
            &["203.0.113.9,"],
            &["10.1.0.9"],
            &["203.0.113.9", "\u{fc}"],
            &[],
        ] {
            assert_eq!(told("10.1.2.3", lines), "10.1.2.3", "{lines:?}");
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        assert!(parse_proxy(" 10.0.0.1 ").is_ok_and(|net| net.to_string() == "10.0.0.1/32"));
        for bad in ["", "10.0.0.0/33", "proxy.example", "10.0.0.1:80", "*"] {
            let refused = parse_proxy(bad).expect_err(bad);
            assert!(refused.contains(bad) && refused.contains("network such as"), "{refused}");
        }
    }
}
