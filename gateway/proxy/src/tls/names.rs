//! Which certificate answers which name. Names are taken out of the certificates
//! once, when a configuration is prepared: a handshake only looks one up.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Certificates for the same name, such as one with an ECDSA and one with an RSA
/// key, in the order of the configuration.
type Same = Vec<Arc<CertifiedKey>>;

/// A listener's certificates by the names that they are for, in lower case.
pub(super) struct CertificateChoice {
    /// For who asks for no name, or for one that no certificate is for; none:
    /// such clients are refused.
    otherwise: Option<Arc<CertifiedKey>>,
    exact: HashMap<String, Same>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Same>,
    /// Names whose certificate is ordered and not there yet: another one would
    /// be a wrong one, so who asks for them is refused.
    awaited: HashSet<Arc<str>>,
}

impl CertificateChoice {
    /// Index them. If `is_strict`, a client has to ask for a name that one of
    /// them is for. `awaited` are names, in lower case, whose certificate is
    /// still to come.
    pub(super) fn new(
        certificates: &[Arc<CertifiedKey>],
        is_strict: bool,
        awaited: &[Arc<str>],
    ) -> Self {
        let mut made = Self {
            otherwise: certificates.first().filter(|_| !is_strict).cloned(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            awaited: awaited.iter().cloned().collect(),
        };
        for certificate in certificates {
            for name in names_of(certificate) {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut made.wildcard, parent.to_owned()),
                    None => (&mut made.exact, name),
                };
                names.entry(name).or_default().push(Arc::clone(certificate));
            }
        }
        made
    }

    /// The certificates for a name: those for exactly that name, else those with
    /// a wildcard in the place of its first label (RFC 6125 §6.4.3).
    fn named(&self, name: &str) -> Option<&Same> {
        let wildcard = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(wildcard)
    }
}

impl ResolvesServerCert for CertificateChoice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        match name.and_then(|name| self.named(name)) {
            Some(same) => best(same, hello.signature_schemes()),
            None if name.is_some_and(|name| self.awaited.contains(name)) => None,
            None => self.otherwise.as_ref(),
        }
        .cloned()
    }
}

impl fmt::Debug for CertificateChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.exact.keys().chain(self.wildcard.keys());
        f.debug_set().entries(names).finish()
    }
}

/// The first whose signature the client can check; the first of all when there
/// is none, so that the handshake fails for the right reason.
fn best<'a>(same: &'a Same, schemes: &[SignatureScheme]) -> Option<&'a Arc<CertifiedKey>> {
    let mut fitting = same.iter();
    fitting
        .find(|certificate| certificate.key.choose_scheme(schemes).is_some())
        .or(same.first())
}

/// The host names that a certificate is for, in lower case. Its common name is
/// none of them, as clients agree (RFC 9525 §2).
pub(super) fn names_of(certificate: &CertifiedKey) -> Vec<String> {
    let leaf = certificate.cert.first();
    let parsed = leaf.and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let Some((_, parsed)) = parsed else {
        return Vec::new();
    };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
    use rustls_pki_types::PrivateKeyDer;

    use super::*;
    use crate::tls::pem;

    fn certified(names: &[&str], key: &KeyPair) -> Arc<CertifiedKey> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.self_signed(key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        pem::certified_key(vec![certificate.der().clone()], &key).unwrap()
    }

    fn place(choice: &CertificateChoice, of: &[Arc<CertifiedKey>], name: &str) -> Option<usize> {
        let found = choice.named(name)?.first()?;
        of.iter().position(|one| Arc::ptr_eq(one, found))
    }

    #[test]
    fn an_exact_name_comes_before_a_wildcard_whatever_their_order() {
        let key = KeyPair::generate().unwrap();
        let all = [
            certified(&["*.a.example"], &key),
            certified(&["www.a.example", "B.Example"], &key),
            certified(&["www.a.example"], &key),
        ];
        let choice = CertificateChoice::new(&all, false, &[]);
        for (name, expected) in [
            ("www.a.example", Some(1)),
            ("other.a.example", Some(0)),
            ("b.example", Some(1)),
            ("a.example", None),
            ("x.www.a.example", None),
            ("example", None),
        ] {
            assert_eq!(place(&choice, &all, name), expected, "{name}");
        }
    }

    #[test]
    fn of_two_for_one_name_the_first_is_shown_that_the_client_can_check() {
        let keys = [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256];
        let all = keys.map(|kind| {
            let key = KeyPair::generate_for(kind).unwrap();
            certified(&["a.example"], &key)
        });
        let choice = CertificateChoice::new(&all, false, &[]);
        let same = choice.named("a.example").unwrap();
        let chosen = |schemes: &[SignatureScheme]| {
            let chosen = best(same, schemes).unwrap();
            all.iter().position(|one| Arc::ptr_eq(one, chosen))
        };
        let (ed25519, ecdsa) = (
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        );
        assert_eq!(chosen(&[ecdsa, ed25519]), Some(0));
        assert_eq!(chosen(&[ecdsa]), Some(1));
        assert_eq!(chosen(&[SignatureScheme::RSA_PSS_SHA256]), Some(0));
    }
}
