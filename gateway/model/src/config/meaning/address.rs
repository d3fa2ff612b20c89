//! Addresses: where to listen, which server, whom to trust.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;

use crate::address::{Address, UNIX};

/// The address that a listener's `listen` or a command line's `--listen` says:
/// `127.0.0.1:8080`, `[::]:8080`, or `:8080` for every address.
///
/// # Errors
/// What is wrong and what to write, in one sentence.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.strip_prefix(':') {
        // A port with a sign would pass for a number.
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port
            .parse()
            .ok()
            .map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        _ => text.parse().ok(),
    };
    address.ok_or_else(|| {
        format!(
            "{text:?} is no address to listen on; write an IP address and a port, such as \
             \"127.0.0.1:8080\" or \"[::]:8080\", or \":8080\" for every address"
        )
    })
}

/// The longest path of a Unix socket: what the system's address has room for,
/// without the zero at its end.
const LONGEST_PATH: usize = 107;

/// The address that a listener's `listen` says: as [`listen_address`] has it, or
/// `unix:` and the path of a socket.
///
/// # Errors
/// What is wrong and what to write, in one sentence.
pub fn listener_address(text: &str) -> Result<Address, String> {
    match text.strip_prefix(UNIX) {
        Some(path) => Ok(Address::Unix(Path::new(socket_path(path)?).into())),
        None => listen_address(text).map(Address::Ip),
    }
}

/// The path of a Unix socket in its one form: whole, and without anything that
/// has to be quoted where paths are shown.
fn socket_path(path: &str) -> Result<&str, String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+@/".contains(&b);
    let mut steps = path.split('/').skip(1);
    let is_whole = path.starts_with('/') && steps.all(|step| !matches!(step, "" | "." | ".."));
    match is_whole && path.len() <= LONGEST_PATH && path.bytes().all(is_plain) {
        true => Ok(path),
        false => Err(format!(
            "{path:?} is no path of a socket; write a whole one, such as \"unix:/run/app.sock\", \
             of at most {LONGEST_PATH} letters, digits and any of -_.+@/"
        )),
    }
}

/// Host and port of a server written as `host:port`, the host as
/// [`server_host`] gives it; or `unix:` and the path of a socket, whose port is 0.
pub(in crate::config) fn server_address(text: &str) -> Result<(String, u16), String> {
    if is_socket(text) {
        return Ok((host_or_socket(text)?, 0));
    }
    let wrong = || {
        format!(
            "{text:?} is no server; write \"host:port\", such as \"10.0.0.1:3000\" or \"[::1]:3000\""
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') && !is_bracketed {
        return Err(wrong());
    }
    // In its one form: without sign, leading zeros, or zero itself.
    let port = match port.parse::<u16>() {
        Ok(number) if number > 0 && number.to_string() == port => number,
        _ => return Err(wrong()),
    };
    let host = server_host(host).map_err(|_| wrong())?;
    Ok((host, port))
}

/// Whether a server's host says a Unix socket, which has no port.
pub fn is_socket(host: &str) -> bool {
    host.starts_with(UNIX)
}

/// A server's host as [`server_host`] gives it, or `unix:` and a socket's path.
///
/// # Errors
/// What is wrong and what to write, in one sentence.
pub fn host_or_socket(text: &str) -> Result<String, String> {
    match text.strip_prefix(UNIX) {
        Some(path) => socket_path(path).map(|_| text.to_owned()),
        None => server_host(text),
    }
}

/// A server's host in its one form: names in lower case, addresses as they are
/// usually written, so that the same server has one id.
///
/// # Errors
/// What is wrong and what to write, in one sentence.
pub fn server_host(text: &str) -> Result<String, String> {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bracketed.unwrap_or(text).parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_name = !text.is_empty() && text.len() <= 253 && text.bytes().all(is_letter);
    match is_name && !text.starts_with(['.', '-']) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!(
            "{text:?} is no host; write a name or an IP address alone, such as \"app.internal\" \
             or \"10.0.0.1\""
        )),
    }
}

/// `host:port` as a server's id says it; that of a Unix socket is its host.
pub fn server_id(host: &str, port: u16) -> String {
    if is_socket(host) {
        return host.to_owned();
    }
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// A network, or an address as the network of itself alone.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc()).ok_or_else(|| {
        format!(
            "{text:?} is no network; write an address or CIDR, such as \"10.0.0.0/8\" or \"::1\", \
             or \"unix\" for whoever connects to a Unix socket"
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_port_alone_listens_on_every_address() {
        assert_eq!(listen_address(":8080"), Ok("[::]:8080".parse().unwrap()));
        assert_eq!(
            listen_address("127.0.0.1:0"),
            Ok("127.0.0.1:0".parse().unwrap())
        );
        for text in [
            "",
            ":",
            ":+80",
            ":65536",
            "8080",
            "localhost:80",
            "[::]",
            "1.2.3.4",
        ] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_is_host_and_port() {
        let server = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(
            server_address("App.Internal:80"),
            server("app.internal", 80)
        );
        assert_eq!(server_address("[::0:1]:80"), server("::1", 80));
        for text in [
            "",
            "a",
            "a:",
            "a:0",
            "a:+80",
            "a:080",
            "a:65536",
            ":80",
            "::1:80",
            "[::1:80",
            "::1]:80",
            "http://a:80",
            "a b:80",
            "a/b:80",
            "[a]x:80",
            "-a:80",
        ] {
            assert!(server_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_unix_socket_is_a_whole_path_without_a_port() {
        let text = "unix:/run/app.sock";
        assert_eq!(server_address(text), Ok((text.to_owned(), 0)));
        assert_eq!(server_id(text, 0), text);
        assert_eq!(listener_address(text).unwrap().to_string(), text);
        let longest = format!("unix:/{}", "a".repeat(LONGEST_PATH - 1));
        assert!(server_address(&longest).is_ok());
        for text in [
            "unix:",
            "unix:/",
            "unix:app.sock",
            "unix:@app",
            "unix:/run//app.sock",
            "unix:/run/../app.sock",
            "unix:/run/app sock",
            "unix:/run/app.sock:80",
            "unix:/run/app.sock/",
            &format!("{longest}a"),
        ] {
            assert!(server_address(text).is_err(), "{text}");
            assert!(listener_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_its_own() {
        assert_eq!(network("10.0.0.1"), Ok("10.0.0.1/32".parse().unwrap()));
        assert_eq!(network("10.1.2.3/8"), Ok("10.0.0.0/8".parse().unwrap()));
        assert!(network("10.0.0.0/33").is_err());
    }

    proptest! {
        #[test]
        fn an_id_reads_back_as_the_server(v6: bool, bits: u128, port in 1..=u16::MAX) {
            let address = match v6 {
                true => IpAddr::from(bits.to_be_bytes()),
                false => IpAddr::from((bits as u32).to_be_bytes()),
            };
            let host = address.to_string();
            prop_assert_eq!(server_address(&server_id(&host, port)), Ok((host, port)));
        }
    }
}
