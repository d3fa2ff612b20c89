//! Ordering certificates: `[acme]`, and the names that listeners ask for.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::address::server_host;
use super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Acme, AcmeChallenge, Admin, ExternalAccount, Ordered};
use crate::config::written;

/// The folder of what is kept, in the data folder.
const FOLDER: &str = "acme";

/// How much of a name stands in the name of a file, whose length is limited.
const SHOWN_OF_NAME: usize = 100;

/// From whom certificates are ordered, where that is written.
pub(super) fn acme(
    written: &written::Config,
    admin: Option<&Admin>,
    report: &mut Report<'_>,
) -> Option<Acme> {
    let path = KeyPath::default().key("acme");
    let keys = written.acme.as_ref()?;
    if !keys.agree_to_terms {
        let message = "the authority gives certificates to those alone who agree to its terms of \
                       service; read them, then write agree_to_terms = true";
        report.fail(&path.key("agree_to_terms"), message);
    }
    if keys.challenge == AcmeChallenge::Http01 {
        refuse_unreachable(&written.listeners, &path.key("challenge"), report);
    }
    let directory = report.value(&path.key("directory"), directory(&keys.directory));
    let email = keys.email.as_ref();
    let email = email.and_then(|text| report.value(&path.key("email"), self::email(text)));
    let ca = keys.ca_file.as_ref();
    let account = keys.external_account.as_ref();
    let account =
        account.and_then(|keys| external_account(keys, &path.key("external_account"), report));
    let data = admin.map(|admin| &*admin.data).unwrap_or(Path::new(""));
    Some(Acme {
        // What is wrong has been noted.
        directory: directory.unwrap_or_else(|| Arc::from("")),
        email,
        authorities: ca.map(|file| report.pem(&path.key("ca_file"), file)),
        challenge: keys.challenge,
        external_account: account,
        folder: data.join(FOLDER),
    })
}

/// Notes an error when names are asked for and nobody could be asked over plain
/// HTTP whether they lead here.
fn refuse_unreachable(listeners: &[written::Listener], path: &KeyPath, report: &mut Report<'_>) {
    let is_asked_for = |one: &written::Listener| {
        let tls = one.tls.as_ref();
        tls.is_some_and(|tls| !tls.acme.is_empty())
    };
    let is_plain = |one: &written::Listener| one.tls.is_none() && one.passthrough.is_empty();
    if listeners.iter().any(is_asked_for) && !listeners.iter().any(is_plain) {
        let message = "the authority asks by plain HTTP, which no listener speaks; add one for \
                       port 80, such as with redirect = \"https\", or write challenge = \
                       \"tls-alpn-01\"";
        report.fail(path, message);
    }
}

fn directory(text: &str) -> Result<Arc<str>, String> {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    match !host.is_empty() && text.bytes().all(is_plain) {
        true => Ok(Arc::from(text)),
        false => Err(format!(
            "{text:?} is no address of a directory; write one that begins with \"https://\", as \
             the authority names it"
        )),
    }
}

fn email(text: &str) -> Result<Arc<str>, String> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b',');
    match text.split_once('@') {
        Some((name, host)) if is_plain && !name.is_empty() && !host.is_empty() => {
            Ok(Arc::from(text))
        }
        _ => Err(format!(
            "{text:?} is no address that can be written to; write one such as \"ops@example.com\""
        )),
    }
}

fn external_account(
    written: &written::ExternalAccount,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<ExternalAccount> {
    let text = written.hmac_key.trim();
    let key = URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text));
    // The key itself is not told.
    let key = key.ok().filter(|key| !key.is_empty());
    let key = key.ok_or("this is no key in base64url; write it as the authority gave it to you");
    Some(ExternalAccount {
        key_id: Arc::from(&*written.key_id),
        hmac_key: report
            .value(&path.key("hmac_key"), key.map_err(str::to_owned))?
            .into(),
    })
}

/// The certificate that a listener orders, where it names any hosts.
pub(super) fn ordered(
    written: &[String],
    acme: Option<&Acme>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Ordered> {
    if written.is_empty() {
        return None;
    }
    if written.len() > defaults::ACME_NAMES {
        let most = defaults::ACME_NAMES;
        report.fail(
            path,
            format!("a certificate is for {most} names at most; write fewer"),
        );
    }
    let mut names: Vec<Arc<str>> = Vec::with_capacity(written.len());
    let mut places = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let path = path.index(index);
        let Some(name) = report.value(&path, host(text)) else {
            continue;
        };
        if let Some(first) = names.iter().position(|other| **other == *name) {
            let first: usize = places[first];
            let message = format!("{name:?} is acme[{first}] already; write it once");
            report.fail(&path, message);
        }
        names.push(name.into());
        places.push(index);
    }
    let Some(acme) = acme else {
        let message = "nobody says from whom certificates are ordered; write [acme] with \
                       agree_to_terms = true too";
        report.fail(path, message);
        return None;
    };
    let file = acme.folder.join(file_name(acme, &names));
    let kept = Report::kept(file);
    Some(Ordered { names, kept })
}

/// A name that an authority can be shown to lead here, in lower case.
fn host(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err(format!(
            "{text:?} is a wildcard, which an authority gives to those alone who may write its \
             DNS zone (dns-01); write the names themselves, or bring a certificate in a file"
        ));
    }
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    match server_host(text) {
        Ok(name) if !is_address(&name) && !name.ends_with('.') => Ok(name),
        _ => Err(format!(
            "{text:?} is no name that a certificate can be ordered for; write one such as \
             \"www.example.com\""
        )),
    }
}

/// The file of a certificate, which is another one for other names and for
/// another authority.
fn file_name(acme: &Acme, names: &[Arc<str>]) -> PathBuf {
    let mut sorted: Vec<_> = names.iter().map(|name| &**name).collect();
    sorted.sort_unstable();
    let first = sorted.first().copied().unwrap_or_default();
    let mut digest = Sha256::new();
    for text in [&*acme.directory].into_iter().chain(sorted) {
        digest.update(text);
        // No name has one in it.
        digest.update([0]);
    }
    let digest = digest.finalize();
    let digest = HEXLOWER.encode(&digest[..8]);
    let first = &first[..first.len().min(SHOWN_OF_NAME)];
    PathBuf::from(format!("{first}-{digest}.pem"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme_of(directory: &str) -> Acme {
        Acme {
            directory: Arc::from(directory),
            email: None,
            authorities: None,
            challenge: AcmeChallenge::Http01,
            external_account: None,
            folder: PathBuf::new(),
        }
    }

    fn file(directory: &str, names: &[&str]) -> PathBuf {
        let names: Vec<_> = names.iter().map(|name| Arc::from(*name)).collect();
        file_name(&acme_of(directory), &names)
    }

    #[test]
    fn a_file_is_of_one_authority_and_of_some_names_in_whatever_order() {
        let one = file("https://a/dir", &["a.example", "b.example"]);
        let text = one.to_str().unwrap();
        assert!(text.starts_with("a.example-") && text.ends_with(".pem"));
        let again = file("https://a/dir", &["b.example", "a.example"]);
        assert_eq!(one, again);
        for other in [
            file("https://b/dir", &["a.example", "b.example"]),
            file("https://a/dir", &["a.example"]),
            file("https://a/dir", &["a.exampleb.example"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_longest_name_makes_a_file_that_can_be_written() {
        let longest = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        assert_eq!(host(&longest), Ok(longest.clone()));
        assert!(file("https://a/dir", &[&longest]).as_os_str().len() < 200);
    }

    #[test]
    fn what_no_authority_can_check_is_refused() {
        assert_eq!(host("Shop.Example"), Ok("shop.example".to_owned()));
        for text in [
            "",
            "*.example",
            "127.0.0.1",
            "::1",
            "[::1]",
            "a b",
            "a.example.",
            ".a",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
        for text in [
            "",
            "http://a/dir",
            "https://",
            "https:///dir",
            "a",
            "https://a b",
        ] {
            assert!(directory(text).is_err(), "{text}");
        }
        for text in ["", "ops", "@a", "a@", "a@b, c@d", "a b@c"] {
            assert!(email(text).is_err(), "{text}");
        }
        assert!(email("ops@example.com").is_ok());
    }
}
