//! The header of the PROXY protocol, versions 1 and 2, which a proxy sends
//! before all else to say on whose behalf it connects.
//!
//! It is read without taking a byte of what follows, so that TLS or HTTP begins
//! with a connection that nobody has read from beyond it.

use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

/// What any header has at least: a line that says nothing.
const LEAST: usize = b"PROXY UNKNOWN\r\n".len();

/// The longest line of version 1, its end included (section 2.1).
const LONGEST_LINE: usize = 107;

/// How version 1 begins.
const PREFACE_V1: &[u8] = b"PROXY ";

/// How version 2 begins.
const PREFACE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part of version 2.
const FIXED_V2: usize = 16;

/// The version and the command LOCAL in one byte.
const LOCAL: u8 = 0x20;

/// What follows the beginning of version 2 for a client of which nothing is said:
/// the version and the command PROXY, the family UNSPEC, and no addresses.
const NOBODY: &[u8] = b"\x21\0\0\0";

/// The most that may follow it: addresses, and more about the connection than
/// any known proxy has to say.
const MOST_V2: usize = 2048;

/// Both ends of a client's connection to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What there is to do about a header of which some bytes have been read.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Read exactly so many more.
    Read(usize),
    /// Read on to the end of the line, so many bytes at most.
    ReadLine(usize),
    /// It is whole.
    Whole(Behalf),
}

/// On whose behalf a proxy connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behalf {
    /// A client's, whose connection to the proxy has these ends.
    Client(Ends),
    /// That of a client of which the proxy says nothing, or nothing that is an
    /// address: one of a Unix socket, or one that came by datagrams.
    Unknown,
    /// Its own, such as for a health check.
    Own,
}

/// What has come is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no header of the PROXY protocol")]
pub struct NoProxyHeader;

/// What comes next after these bytes, which are a header's first.
///
/// # Errors
///
/// When they are no header's first.
pub fn next(read: &[u8]) -> Result<Next, NoProxyHeader> {
    let begins = |preface: &[u8]| {
        let known = read.len().min(preface.len());
        read[..known] == preface[..known]
    };
    if !begins(PREFACE_V1) && !begins(PREFACE_V2) {
        return Err(NoProxyHeader);
    }
    if read.len() < LEAST {
        return Ok(Next::Read(LEAST - read.len()));
    }
    match begins(PREFACE_V1) {
        true => next_v1(read),
        false => next_v2(read),
    }
}

fn next_v1(read: &[u8]) -> Result<Next, NoProxyHeader> {
    match read.iter().position(|&byte| byte == b'\n') {
        Some(end) if end + 1 == read.len() => {}
        Some(_) => return Err(NoProxyHeader),
        None if read.len() < LONGEST_LINE => return Ok(Next::ReadLine(LONGEST_LINE - read.len())),
        None => return Err(NoProxyHeader),
    }
    // A sign would pass for a part of a number.
    match read.contains(&b'+') && !read.starts_with(b"PROXY UNKNOWN") {
        true => Err(NoProxyHeader),
        false => parsed(read),
    }
}

fn next_v2(read: &[u8]) -> Result<Next, NoProxyHeader> {
    let Some(&[high, low]) = read.get(FIXED_V2 - 2..FIXED_V2) else {
        return Ok(Next::Read(FIXED_V2 - read.len()));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST_V2 {
        return Err(NoProxyHeader);
    }
    match (FIXED_V2 + length).checked_sub(read.len()) {
        Some(missing @ 1..) => Ok(Next::Read(missing)),
        _ => parsed(read),
    }
}

/// What a header says that is whole, and followed by nothing.
fn parsed(read: &[u8]) -> Result<Next, NoProxyHeader> {
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };
    let (header, length) = ProxyHeader::parse(read, config).map_err(|_| NoProxyHeader)?;
    if length != read.len() {
        return Err(NoProxyHeader);
    }
    Ok(Next::Whole(match header.proxied_address() {
        // Who came by datagrams has no connection to be told of.
        Some(address) if address.protocol == Protocol::Stream => Behalf::Client(Ends {
            source: address.source,
            destination: address.destination,
        }),
        None if is_local(read) => Behalf::Own,
        _ => Behalf::Unknown,
    }))
}

/// Whether a header says that the proxy connects for itself. Version 1 cannot say
/// it: its `UNKNOWN` may be anybody.
fn is_local(header: &[u8]) -> bool {
    header.get(PREFACE_V2.len()) == Some(&LOCAL) && header.starts_with(PREFACE_V2)
}

/// Appends a header that says on whose behalf a connection is made. Version 1 has
/// one word for a client without an address and for the gateway itself.
pub fn encode(out: &mut Vec<u8>, version: ProxyVersion, behalf: Behalf) {
    let header = match (behalf, version) {
        (Behalf::Client(ends), _) => {
            let ends = in_one_family(ends);
            ProxyHeader::with_address(ProxiedAddress::stream(ends.source, ends.destination))
        }
        (Behalf::Unknown, ProxyVersion::V2) => {
            out.extend_from_slice(PREFACE_V2);
            out.extend_from_slice(NOBODY);
            return;
        }
        (Behalf::Unknown, ProxyVersion::V1) | (Behalf::Own, _) => ProxyHeader::with_local(),
    };
    let encoded = match version {
        ProxyVersion::V1 => header.encode_v1(out),
        ProxyVersion::V2 => header.encode_v2(out),
    };
    // It fails for two families and for extensions, of which there are none.
    debug_assert!(encoded.is_ok());
}

/// Both ends in one family, as a header has it: as IPv4 where they are, however
/// they are written, else as IPv6.
fn in_one_family(ends: Ends) -> Ends {
    let canonical = |end: SocketAddr| SocketAddr::from((end.ip().to_canonical(), end.port()));
    let ends = Ends {
        source: canonical(ends.source),
        destination: canonical(ends.destination),
    };
    if ends.source.is_ipv4() == ends.destination.is_ipv4() {
        return ends;
    }
    let wide = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => SocketAddr::from((ip.to_ipv6_mapped(), end.port())),
        IpAddr::V6(_) => end,
    };
    Ends {
        source: wide(ends.source),
        destination: wide(ends.destination),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads as one who never takes more than it is told to.
    fn read(bytes: &[u8]) -> (Result<Behalf, NoProxyHeader>, usize) {
        let mut at = 0;
        loop {
            let end = match next(&bytes[..at]) {
                Err(error) => return (Err(error), at),
                Ok(Next::Whole(told)) => return (Ok(told), at),
                Ok(Next::Read(count)) => at + count,
                Ok(Next::ReadLine(most)) => {
                    let ahead = &bytes[at..bytes.len().min(at + most)];
                    let end = ahead.iter().position(|&byte| byte == b'\n');
                    assert!(!ahead.is_empty(), "it asks for more than there is");
                    at + end.map_or(ahead.len(), |end| end + 1)
                }
            };
            assert!(end <= bytes.len(), "it asks for more than there is");
            at = end;
        }
    }

    fn ends(source: &str, destination: &str) -> Ends {
        Ends {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    #[test]
    fn a_line_is_read_and_nothing_after_it() {
        for (line, told) in [
            (
                "PROXY TCP4 1.2.3.4 5.6.7.8 1000 443\r\n",
                Behalf::Client(ends("1.2.3.4:1000", "5.6.7.8:443")),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 1000 443\r\n",
                Behalf::Client(ends("[2001:db8::1]:1000", "[::1]:443")),
            ),
            ("PROXY UNKNOWN\r\n", Behalf::Unknown),
            ("PROXY UNKNOWN ffff::1 and +more 1 2\r\n", Behalf::Unknown),
        ] {
            let bytes = format!("{line}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(read(bytes.as_bytes()), (Ok(told), line.len()), "{line}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_that_shows() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXY TCP4 1.2.3.4 5.6.7.8 +1000 443\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 65536\r\n",
            b"PROXY TCP4 ::1 ::1 1000 443\r\n",
            b"PROXY TCP5 1.2.3.4 5.6.7.8 1000 443\r\n",
            b"PROXYxTCP4 1.2.3.4 5.6.7.8 1000 443\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 443 \r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 443\n.......",
            b"PROXY UNKNOWN\n................",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0................",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02................",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff................",
        ] {
            let (told, taken) = read(bytes);
            assert_eq!(told, Err(NoProxyHeader), "{}", bytes.escape_ascii());
            assert!(taken <= LONGEST_LINE);
        }
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 1000]].concat();
        assert_eq!(read(&endless), (Err(NoProxyHeader), LONGEST_LINE));
    }

    #[test]
    fn extensions_are_passed_over_and_local_connections_tell_nobody() {
        let mut header = [PREFACE_V2, b"\x21\x11\0\x11"].concat();
        header.extend([
            1, 2, 3, 4, 5, 6, 7, 8, 0x03, 0xe8, 0x01, 0xbb, 4, 0, 2, 0, 0,
        ]);
        let told = Behalf::Client(ends("1.2.3.4:1000", "5.6.7.8:443"));
        let bytes = [&header[..], b"rest"].concat();
        assert_eq!(read(&bytes), (Ok(told), header.len()));
        header[12] = LOCAL;
        assert_eq!(read(&header), (Ok(Behalf::Own), header.len()));
    }

    #[test]
    fn who_has_no_address_is_not_taken_for_the_proxy_itself() {
        let nobody = [PREFACE_V2, b"\x21\0\0\0"].concat();
        let unix = [PREFACE_V2, b"\x21\x31\0\xd8", &[b'/'; 216]].concat();
        let datagram = [PREFACE_V2, b"\x21\x12\0\x0c", &[1; 12]].concat();
        for header in [nobody, unix, datagram] {
            let told = (Ok(Behalf::Unknown), header.len());
            assert_eq!(read(&header), told, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn an_ipv4_address_is_told_as_one_however_it_is_written() {
        let mut line = Vec::new();
        let mapped = ends("[::ffff:192.0.2.1]:1000", "[::ffff:192.0.2.2]:80");
        encode(&mut line, ProxyVersion::V1, Behalf::Client(mapped));
        assert_eq!(line, b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
        line.clear();
        let mixed = ends("[::ffff:192.0.2.1]:1000", "[2001:db8::1]:80");
        encode(&mut line, ProxyVersion::V1, Behalf::Client(mixed));
        assert!(line.starts_with(b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 "));
    }

    fn end() -> impl Strategy<Value = SocketAddr> {
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
        ];
        (ip, any::<u16>()).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            source in end(), destination in end(), who in 0..3, binary: bool, rest: Vec<u8>,
        ) {
            let client = Behalf::Client(Ends { source, destination });
            let told = [client, Behalf::Unknown, Behalf::Own][who as usize];
            let version = if binary { ProxyVersion::V2 } else { ProxyVersion::V1 };
            let mut bytes = Vec::new();
            encode(&mut bytes, version, told);
            let length = bytes.len();
            bytes.extend(rest);
            let (read, taken) = read(&bytes);
            let plain = |ends: Ends| {
                let plain = |end: SocketAddr| (end.ip().to_canonical(), end.port());
                (plain(ends.source), plain(ends.destination))
            };
            match (version, told, read.unwrap()) {
                (_, Behalf::Client(told), Behalf::Client(read)) => {
                    prop_assert_eq!(plain(read), plain(told));
                }
                (ProxyVersion::V1, Behalf::Own, Behalf::Unknown) => {}
                (_, told, read) => prop_assert_eq!(read, told),
            }
            prop_assert_eq!(taken, length);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, which in 0..3) {
            let preface: &[u8] = [PREFACE_V1, PREFACE_V2, b""][which as usize];
            let bytes = [preface, &bytes].concat();
            for end in 0..=bytes.len() {
                let _ = next(&bytes[..end]);
            }
        }
    }
}
