//! What a component is called in a registry: `HOST/REPOSITORY:TAG`, or
//! `HOST/REPOSITORY@sha256:DIGEST`.

use std::fmt;
use std::str::FromStr;

use gatewright_model::id::{Digest, is_name};

/// What a reference may begin with, for those who write it as an address.
const SCHEME: &str = "oci://";

/// Characters of a repository's name.
const REPOSITORY: usize = 255;

/// Characters of a tag.
const TAG: usize = 128;

/// The name of a component in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry: a name or an address, and a port where it is not the usual
    /// one.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What its manifest is asked for by: the digest, which is exact, or the
    /// tag.
    pub(super) fn wanted(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// The same by its manifest's digest.
    pub(super) fn pinned(&self, digest: Digest) -> String {
        format!("{}/{}@sha256:{digest}", self.host, self.repository)
    }

    /// The end of the repository's name, where a plugin can have it as its own.
    pub(crate) fn plugin(&self) -> Option<&str> {
        let name = self.repository.rsplit('/').next()?;
        is_name(name).then_some(name)
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} names nothing in a registry; write \"HOST/REPOSITORY:TAG\" or \
                 \"HOST/REPOSITORY@sha256:DIGEST\""
            )
        };
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest
                    .strip_prefix("sha256:")
                    .and_then(|it| it.parse().ok());
                (rest, Some(digest.ok_or_else(wrong)?))
            }
            None => (rest, None),
        };
        let (host, rest) = rest.split_once('/').ok_or_else(wrong)?;
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let is_good = is_host(host) && is_repository(repository) && tag.is_none_or(is_tag);
        is_good
            .then(|| Self {
                host: host.to_owned(),
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
                digest,
            })
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

/// A name with a dot, a port, or `localhost`; or an address. Nobody's registry
/// is meant where none is written.
fn is_host(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    let names_one = text.contains(['.', ':']) || text == "localhost";
    let authority = text.parse::<axum::http::uri::Authority>().ok();
    let port = text.rsplit_once(':').map(|(_, port)| port);
    let has_port = authority.as_ref().is_some_and(|it| it.port_u16().is_some());
    let is_address = port.is_some_and(|port| port.ends_with(']'));
    let is_whole = authority.is_some() && (port.is_none() || has_port || is_address);
    names_one && text.bytes().all(is_plain) && is_whole
}

/// Parts of small letters, digits and separators within them.
fn is_repository(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let is_part = |part: &str| {
        let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        ends(bytes.first()) && ends(bytes.last()) && part.bytes().all(is_plain)
    };
    text.len() <= REPOSITORY && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let begins = !text.starts_with(['-', '.']);
    !text.is_empty() && begins && text.len() <= TAG && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn each_part_is_found() {
        let by_tag: Reference = "oci://registry.example:5000/shop/near:1.2".parse().unwrap();
        assert_eq!(by_tag.host(), "registry.example:5000");
        assert_eq!(by_tag.repository(), "shop/near");
        assert_eq!(by_tag.wanted(), "1.2");
        assert_eq!(by_tag.plugin(), Some("near"));
        assert_eq!(by_tag.to_string(), "registry.example:5000/shop/near:1.2");
        let text = format!("localhost/near:1@sha256:{DIGEST}");
        let by_digest: Reference = text.parse().unwrap();
        assert_eq!(by_digest.wanted(), format!("sha256:{DIGEST}"));
        assert_eq!(by_digest.to_string(), text);
        let latest: Reference = "[::1]:5000/near".parse().unwrap();
        assert_eq!(latest.wanted(), "latest");
    }

    #[test]
    fn what_names_nothing_is_told_how() {
        for text in [
            "",
            "near",
            "shop/near:1",
            "a.example/",
            "a.example/Near",
            "a.example/../near",
            "a.example//near",
            "a.example/near:",
            "a.example/near:.1",
            "a.example/near@sha256:12",
            "a.example/near?x=1",
            "user@a.example/near",
            "https://a.example/near",
            "a.example:port/near",
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.contains("HOST/REPOSITORY:TAG"), "{text}: {error}");
        }
    }
}
