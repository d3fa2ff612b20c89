//! Who a client has proved to be by its certificate, as servers and plugins read
//! it: the header `X-Forwarded-Client-Cert` in the form in which Envoy writes
//! it, `Hash=…;Subject="…";URI=…;DNS=…`.
//!
//! Nothing in a certificate can be taken for another part of the header: what
//! has a meaning there stands escaped, or is left out.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use gatewright_wire::names;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::ToDer as _;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

use crate::connection::Client;

/// The header's name.
static HEADER: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The names under which proxies say who their clients have proved to be: this
/// one, and those of RFC 9440.
const CLAIMS: [&str; 3] = [
    "x-forwarded-client-cert",
    "client-cert",
    "client-cert-chain",
];

/// How long the header may get: names of a certificate beyond that are left out,
/// so that servers with small limits still take the request.
const LONGEST: usize = 4096;

/// Say in a request's head who the client has proved to be, in the place of what
/// it says itself, if it `has_claims`; a trusted peer's word is continued. Returns
/// the header's name if it is the gateway's word.
pub(crate) fn introduce(
    client: &Client,
    headers: &mut HeaderMap,
    has_claims: bool,
) -> Option<HeaderName> {
    if has_claims && !client.is_trusted() {
        // Plugins read it too, also where TLS ends in a trusted proxy in front.
        names::remove_all(headers, |name| is_claim(name.as_str()));
    }
    let identity = client.identity()?;
    headers.append(HEADER.clone(), identity.clone());
    Some(HEADER.clone())
}

/// Whether a request's head says who the client has proved to be.
pub(crate) fn is_told(headers: &HeaderMap) -> bool {
    CLAIMS.iter().any(|claim| headers.contains_key(*claim))
}

/// Whether a header says who a client has proved to be, in whatever spelling.
pub(crate) fn is_claim(name: &str) -> bool {
    CLAIMS.iter().any(|claim| names::is_same(claim, name))
}

/// The header's value for a certificate in DER.
pub(crate) fn of(certificate: &[u8]) -> Option<HeaderValue> {
    let mut text = String::from("Hash=");
    HEXLOWER.encode_append(&Sha256::digest(certificate), &mut text);
    if let Ok((_, certificate)) = X509Certificate::from_der(certificate) {
        put(&mut text, "Subject", &quoted(&name(certificate.subject())));
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.map_or(&[][..], |names| &names.value.general_names);
        for (key, name) in names.iter().filter_map(plain) {
            put(&mut text, key, &name);
        }
    }
    HeaderValue::try_from(text).ok()
}

/// Adds a part, unless that makes it too long.
fn put(text: &mut String, key: &str, value: &str) {
    if text.len() + key.len() + value.len() + 2 <= LONGEST {
        let _ = write!(text, ";{key}={value}");
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A name that servers know clients by, in quotes where it has to be; none for
/// other kinds, and for what cannot stand in quotes.
fn plain(name: &GeneralName<'_>) -> Option<(&'static str, String)> {
    let (key, name) = match name {
        GeneralName::URI(name) => ("URI", name),
        GeneralName::DNSName(name) => ("DNS", name),
        _ => return None,
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    if !name.bytes().all(is_plain) {
        return None;
    }
    let needs_quotes = name.contains([',', ';', '=']);
    Some((
        key,
        if needs_quotes {
            quoted(name)
        } else {
            name.to_string()
        },
    ))
}

/// A distinguished name (RFC 4514): the last part first.
fn name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let parts = parts.iter().rev().map(|part| {
        let attributes: Vec<_> = part.iter().map(attribute).collect();
        attributes.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

/// One attribute: its short name, or its number, and its value.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let mut text = match oid2abbrev(kind, oid_registry()) {
        Ok(short) => short.to_owned(),
        Err(_) => kind.to_id_string(),
    };
    text.push('=');
    match attribute.as_str() {
        Ok(value) => put_escaped(&mut text, value),
        Err(_) => {
            text.push('#');
            let value = attribute.attr_value().to_der_vec().unwrap_or_default();
            HEXLOWER.encode_append(&value, &mut text);
        }
    }
    text
}

/// A value in which all that has a meaning stands as two hexadecimal digits
/// (RFC 4514 §2.4), and so does all that is not ASCII.
fn put_escaped(text: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let is_plain = match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => false,
            b' ' => at > 0 && at < last,
            b'#' => at > 0,
            other => other.is_ascii_graphic(),
        };
        match is_plain {
            true => text.push(char::from(byte)),
            false => {
                let _ = write!(text, "\\{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn identity(set: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        set(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let value = of(certificate.der()).unwrap();
        let (hash, rest) = value.to_str().unwrap().split_once(';').unwrap();
        assert_eq!(hash.len(), "Hash=".len() + 64);
        rest.to_owned()
    }

    #[test]
    fn subject_and_alternative_names_are_told() {
        let told = identity(|params| {
            params
                .distinguished_name
                .push(DnType::OrganizationName, "Shop");
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.subject_alt_names = vec![
                SanType::URI("spiffe://shop/alice".try_into().unwrap()),
                SanType::DnsName("alice.internal".try_into().unwrap()),
                SanType::IpAddress([10, 0, 0, 1].into()),
            ];
        });
        let subject = r#"Subject="CN=alice,O=Shop""#;
        assert_eq!(
            told,
            format!("{subject};URI=spiffe://shop/alice;DNS=alice.internal")
        );
    }

    #[test]
    fn nothing_breaks_out_of_its_part() {
        let told = identity(|params| {
            let evil = r#" a",O=Shop;Hash=0\ü "#;
            params.distinguished_name.push(DnType::CommonName, evil);
            params.subject_alt_names = vec![
                SanType::URI("x:a;DNS=admin,Hash=0".try_into().unwrap()),
                SanType::URI("x:\"".try_into().unwrap()),
            ];
        });
        let subject = r#"Subject="CN=\20a\22\2CO=Shop\3BHash=0\5C\C3\BC\20""#;
        assert_eq!(told, format!(r#"{subject};URI="x:a;DNS=admin,Hash=0""#));
    }

    #[test]
    fn what_would_make_it_too_long_is_left_out() {
        let told = identity(|params| {
            let long = format!("x:{}", "y".repeat(LONGEST));
            params.subject_alt_names = vec![
                SanType::URI(long.try_into().unwrap()),
                SanType::DnsName("short".try_into().unwrap()),
            ];
        });
        assert_eq!(told, r#"Subject="";DNS=short"#);
    }
}
