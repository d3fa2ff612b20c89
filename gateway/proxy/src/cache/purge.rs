//! Which answers are to be kept no more: URLs as operators write them, brought into the
//! form of those that answers are kept for.
//!
//! Answers for a port that goes without saying are kept apart from those for the same
//! port written out, since servers see it. Who ends them means both.

use gatewright_model::id::PoolName;
use gatewright_wire::path;

use super::stored::Key;
use crate::facts::is_host;

/// Which answers are kept no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// All.
    All,
    /// Those of a pool.
    Pool(PoolName),
    /// Those for URLs, as clients ask for them.
    Urls(Urls),
}

impl Purge {
    pub(super) fn is_of(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Pool(pool) => key.pool == *pool,
            Self::Urls(urls) => urls.has(&key.url),
        }
    }
}

/// A URL, or all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// With the port, even if it goes without saying.
    text: String,
    is_whole: bool,
}

/// Why a text is neither a URL that answers are kept for nor the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUrl {
    /// It begins otherwise.
    #[error("it does not begin with \"http://\" or \"https://\"")]
    Scheme,
    /// What follows is not what a client may ask for.
    #[error("what follows \"://\" is no host, with or without a port")]
    Host,
    /// Requests with such a path are refused.
    #[error(transparent)]
    Path(#[from] path::PathError),
    /// No URL of a request has it.
    #[error("it has a \"#\", or a character that is a control")]
    Character,
}

impl Urls {
    /// This URL.
    ///
    /// # Errors
    ///
    /// No request can be for it.
    pub fn one(text: &str) -> Result<Self, NoUrl> {
        Self::read(text, true)
    }

    /// Those that begin so, which may end anywhere behind the scheme.
    ///
    /// # Errors
    ///
    /// No request can be for such a one.
    pub fn beginning(text: &str) -> Result<Self, NoUrl> {
        Self::read(text, false)
    }

    fn read(text: &str, is_whole: bool) -> Result<Self, NoUrl> {
        let (scheme, authority, rest) = parts(text).ok_or(NoUrl::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(&*scheme, "http" | "https") {
            return Err(NoUrl::Scheme);
        }
        if text
            .bytes()
            .any(|byte| byte.is_ascii_control() || byte == b'#')
        {
            return Err(NoUrl::Character);
        }
        let authority = authority.to_ascii_lowercase();
        if !is_host(&authority) {
            return Err(NoUrl::Host);
        }
        if !is_whole && rest.is_empty() {
            // More of the host or the port may follow.
            let text = format!("{scheme}://{authority}");
            return Ok(Self { text, is_whole });
        }
        if authority.contains('[') != authority.contains(']') {
            return Err(NoUrl::Host);
        }
        let (host, port) = host_and_port(&scheme, &authority);
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        // More of the last segment may follow.
        let end = match is_whole || !query.is_empty() {
            true => path.len(),
            false => path.rfind('/').map_or(0, |slash| slash + 1),
        };
        let (path, begun) = path.split_at(end);
        let path = path::normalise(path)?;
        let begun = segment(begun);
        Ok(Self {
            text: format!("{scheme}://{host}:{port}{path}{begun}{query}"),
            is_whole,
        })
    }

    /// Whether a URL that answers are kept for is among them.
    fn has(&self, url: &str) -> bool {
        let Some((scheme, authority, rest)) = parts(url) else {
            return false;
        };
        let (host, port) = host_and_port(scheme, authority);
        let mut left = &*self.text;
        for piece in [scheme, "://", host, ":", port, rest] {
            match left.strip_prefix(piece) {
                Some(more) => left = more,
                None => return !self.is_whole && piece.starts_with(left),
            }
        }
        left.is_empty()
    }
}

/// The scheme of a URL, its authority, and what follows.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Some((scheme, authority, rest))
}

/// An authority's host, and its port, even if that goes without saying.
fn host_and_port<'a>(scheme: &str, authority: &'a str) -> (&'a str, &'a str) {
    let usual = match scheme {
        "https" => "443",
        _ => "80",
    };
    match authority.rsplit_once(':') {
        // The colon is within an IPv6 address.
        Some((_, end)) if end.ends_with(']') => (authority, usual),
        Some((host, "")) => (host, usual),
        Some(both) => both,
        None => (authority, usual),
    }
}

/// The beginning of a path's segment in the form that a whole one has, unless it breaks
/// off within a code or may yet be a dot segment.
fn segment(begun: &str) -> String {
    let normal = path::normalise(&format!("/{begun}")).map(std::borrow::Cow::into_owned);
    match normal.as_deref().map(|normal| normal.strip_prefix('/')) {
        Ok(Some(normal)) if !normal.is_empty() => normal.to_owned(),
        _ => begun.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_means_what_it_is_kept_for_in_every_writing() {
        for (written, kept, is_meant) in [
            ("https://a.example/b", "https://a.example/b", true),
            ("HTTPS://A.Example:443/b", "https://a.example/b", true),
            ("https://a.example/b", "https://a.example:443/b", true),
            ("https://a.example:/b", "https://a.example/b", true),
            ("https://a.example:80/b", "https://a.example/b", false),
            ("http://a.example/b", "https://a.example/b", false),
            ("http://a.example", "http://a.example/", true),
            ("http://a.example?b", "http://a.example/?b", true),
            ("http://a.example/B?C", "http://a.example/B?C", true),
            ("http://a.example/b", "http://a.example/B", false),
            ("http://a.example/b", "http://a.example/b?c", false),
            ("http://a.example/b", "http://a.example/bc", false),
            ("http://a.example/bc", "http://a.example/b", false),
            ("http://a.example/x/../%7eb", "http://a.example/~b", true),
            ("http://[::1]/", "http://[::1]:80/", true),
            ("http://[::1]:8080/", "http://[::1]:8080/", true),
            ("http:///b", "http:///b", true),
        ] {
            let urls = Urls::one(written).unwrap();
            assert_eq!(urls.has(kept), is_meant, "{written} {kept}");
        }
    }

    #[test]
    fn a_beginning_may_end_anywhere_behind_the_scheme() {
        for (written, kept, is_meant) in [
            ("https://", "https://a.example/b", true),
            ("https://", "http://a.example/b", false),
            ("HTTPS://A.Ex", "https://a.example/b", true),
            ("https://[::", "https://[::1]/b", true),
            ("https://a.example:4", "https://a.example:443/b", true),
            ("https://a.example:443", "https://a.example/b", true),
            ("https://a.example:443/", "https://a.example/b", true),
            ("https://a.example/", "https://a.example:443/b", true),
            ("https://a.example/", "https://a.example:8443/b", false),
            ("https://a.example/", "https://a.example.net/b", false),
            ("https://a.example/b", "https://a.example/bc?d", true),
            ("https://a.example/b/", "https://a.example/b", false),
            ("https://a.example//b/./c", "https://a.example/b/cd", true),
            ("https://a.example/.", "https://a.example/.b", true),
            ("https://a.example/.", "https://a.example/b", false),
            ("https://a.example/%7eb", "https://a.example/~bc", true),
            ("https://a.example/%C", "https://a.example/%C3%A4", true),
            ("https://a.example/b?c", "https://a.example/b?cd", true),
        ] {
            let urls = Urls::beginning(written).unwrap();
            assert_eq!(urls.has(kept), is_meant, "{written} {kept}");
        }
    }

    #[test]
    fn what_no_request_is_for_is_refused() {
        for (written, why) in [
            ("", NoUrl::Scheme),
            ("\0", NoUrl::Scheme),
            ("/b", NoUrl::Scheme),
            ("a.example/b", NoUrl::Scheme),
            ("ftp://a.example/", NoUrl::Scheme),
            ("http://a b/", NoUrl::Host),
            ("http://user@a.example/", NoUrl::Host),
            ("http://[::1/", NoUrl::Host),
            ("http://a.example/b\n", NoUrl::Character),
            ("http://a.example/b#c", NoUrl::Character),
            ("http://a.example/../", path::PathError::AboveRoot.into()),
            ("http://a.example/%00/", path::PathError::EncodedNul.into()),
        ] {
            assert_eq!(Urls::one(written), Err(why), "{written:?}");
            assert_eq!(Urls::beginning(written), Err(why), "{written:?}");
        }
        assert_eq!(Urls::one("http://[::1"), Err(NoUrl::Host));
    }
}
