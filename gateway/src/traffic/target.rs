//! Where the shoppers go: a URL, taken apart.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};

/// An `http` or `https` URL without query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    secure: bool,
    authority: Authority,
    /// What goes before every path: empty, or a path without trailing slash.
    base: String,
}

impl Target {
    /// Whether it is reached by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host's name or address, an IPv6 address without brackets.
    pub(crate) fn host(&self) -> &str {
        self.authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
    }

    /// The port, the scheme's own unless one is written.
    pub(crate) fn port(&self) -> u16 {
        let usual = if self.secure { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    /// What a request says its host is.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.secure {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        }
    }

    /// A path of the shop as the target has it.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri = text
            .parse::<Uri>()
            .map_err(|error| format!("{error}: write a URL such as https://127.0.0.1:8443"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => {
                return Err(format!(
                    "begin with http:// or https://, as in http://{text}"
                ));
            }
        };
        let authority = uri.authority().ok_or("no host is named")?.clone();
        if authority.as_str().contains('@') {
            return Err("a user's name or password cannot be sent: leave it out".to_owned());
        }
        // `host:0` parses, and so does `host:` with no port at all.
        if authority.port_u16() == Some(0) {
            return Err("nothing can be reached at port 0".to_owned());
        }
        if uri.query().is_some() {
            return Err("give the path alone, without a query".to_owned());
        }
        Ok(Self {
            secure,
            authority,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}://{}{}",
            self.scheme(),
            self.authority,
            self.base
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Target {
        text.parse().expect("a good target")
    }

    #[test]
    fn a_port_that_is_not_written_is_the_schemes() {
        assert_eq!(parse("http://a").port(), 80);
        assert_eq!(parse("https://a").port(), 443);
        assert_eq!(parse("https://a:8443").port(), 8443);
    }

    #[test]
    fn an_ipv6_address_loses_its_brackets_as_a_host_only() {
        let target = parse("https://[::1]:8443");
        assert_eq!(target.host(), "::1");
        assert_eq!(target.authority().as_str(), "[::1]:8443");
    }

    #[test]
    fn a_path_goes_before_every_path() {
        assert_eq!(parse("http://a/shop/").path("/cart"), "/shop/cart");
        assert_eq!(parse("http://a/").path("/"), "/");
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for text in ["http://a", "https://[::1]:8443", "http://a:81/shop"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_gone_to_is_refused() {
        for text in [
            "",
            "localhost:8443",
            "127.0.0.1:8080",
            "ftp://a",
            "/cart",
            "http://user:word@a",
            "http://a?x=1",
            "http://a:0",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text} was accepted");
        }
    }
}
