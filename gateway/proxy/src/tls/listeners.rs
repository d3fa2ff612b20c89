//! TLS towards clients: what a listener's handshakes are done with, and a
//! self-signed certificate made on the spot for development.

use std::sync::Arc;

use gatewright_model::config::{Certificates, Offered, Tls, TlsVersion};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::PrivateKeyDer;

use super::clients::signed_by;
use super::names::CertificateChoice;
use super::{Shown, ShownFrom, TlsError, about, pem, suites};

/// The names that a self-signed certificate is for.
const SELF_SIGNED_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a listener's handshakes are done with, and what it shows in them.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    pub(super) config: Arc<ServerConfig>,
    /// The same over QUIC, where HTTP/3 is spoken.
    pub(super) quic: Option<quinn::ServerConfig>,
    pub(super) shown: Arc<[Shown]>,
}

/// What a listener's handshakes are done with. Sessions that were begun with
/// `before`, the listener's last one, can be resumed.
pub(super) fn spoken(
    tls: &Tls,
    has_http3: bool,
    before: Option<&Spoken>,
) -> Result<Spoken, TlsError> {
    let (certificates, awaited) = certificates(tls)?;
    let shown = certificates
        .iter()
        .map(|(from, one)| Shown::of(from.clone(), one));
    let shown = shown.collect();
    let certificates: Vec<_> = certificates.into_iter().map(|(_, one)| one).collect();
    let choice = CertificateChoice::new(&certificates, tls.strict_sni, awaited);
    let config = server_config(tls, choice, before.map(|before| &*before.config))?;
    let known = before.and_then(|before| before.quic.as_ref());
    let quic = has_http3.then(|| quic_config(&config, known)).transpose()?;
    Ok(Spoken {
        config,
        quic,
        shown,
    })
}

/// The same handshakes over QUIC, without early data: what is sent with them can
/// be sent again by anyone (RFC 8470).
fn quic_config(
    config: &ServerConfig,
    before: Option<&quinn::ServerConfig>,
) -> Result<quinn::ServerConfig, TlsError> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h3".to_vec()];
    config.max_early_data_size = 0;
    let made = QuicServerConfig::try_from(config);
    let made = Arc::new(made.map_err(|error| rustls::Error::General(error.to_string()))?);
    Ok(match before {
        // Tokens that prove addresses stay good.
        Some(before) => {
            let mut config = before.clone();
            config.crypto = made;
            config
        }
        None => quinn::ServerConfig::with_crypto(made),
    })
}

/// A listener's certificates, and the names for which the one that is ordered
/// is still to come.
fn certificates(tls: &Tls) -> Result<(Vec<Sourced>, &[Arc<str>]), TlsError> {
    let mut certificates = Vec::new();
    match &tls.certificates {
        Certificates::SelfSigned => certificates.push((ShownFrom::SelfSigned, self_signed()?)),
        Certificates::Files(files) => {
            for files in files {
                let from = ShownFrom::File(files.certificate.path.clone());
                certificates.push((from, pem::certified(files)?));
            }
        }
    }
    let Some(ordered) = &tls.ordered else {
        return Ok((certificates, &[]));
    };
    match about::usable(&ordered.kept) {
        Some(one) => {
            certificates.push((ShownFrom::Order(ordered.kept.path.clone()), one));
            Ok((certificates, &[]))
        }
        // Whoever keeps it orders another one.
        None => Ok((certificates, &ordered.names)),
    }
}

/// A certificate and where it comes from.
type Sourced = (ShownFrom, Arc<CertifiedKey>);

fn server_config(
    tls: &Tls,
    choice: CertificateChoice,
    before: Option<&ServerConfig>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let clients = match &tls.client_auth {
        Some(auth) => signed_by(&auth.authorities, auth.is_required)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let versions = versions(tls.min_version);
    let mut config = suites::server_config(versions, clients, Arc::new(choice))?;
    let offered = tls.protocols.iter().map(|offered| match offered {
        Offered::Http2 => b"h2".to_vec(),
        Offered::Http1 => b"http/1.1".to_vec(),
    });
    config.alpn_protocols = offered.collect();
    match before {
        Some(before) => {
            config.ticketer = Arc::clone(&before.ticketer);
            config.session_storage = Arc::clone(&before.session_storage);
        }
        None => config.ticketer = aws_lc_rs::Ticketer::new()?,
    }
    Ok(Arc::new(config))
}

/// All versions, the newest first.
static VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// Those that are spoken.
fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match oldest {
        TlsVersion::V1_2 => &VERSIONS,
        TlsVersion::V1_3 => &VERSIONS[..1],
    }
}

fn self_signed() -> Result<Arc<CertifiedKey>, TlsError> {
    let names = SELF_SIGNED_NAMES.map(String::from).to_vec();
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|error| TlsError::SelfSigned(error.to_string()))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|error| TlsError::SelfSigned(error.into()))?;
    Ok(pem::certified_key(vec![made.cert.der().clone()], &key)?)
}

#[cfg(test)]
mod tests {
    use gatewright_model::config::{CertificateFiles, PemFile};
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm,
    };
    use rustls::crypto::aws_lc_rs::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedCipherSuite,
    };
    use rustls_pki_types::ServerName;

    use super::*;

    /// A certificate for localhost, with a key of this kind.
    fn localhost(kind: &'static SignatureAlgorithm) -> Arc<CertifiedKey> {
        let key = KeyPair::generate_for(kind).unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        pem::certified_key(vec![certificate.der().clone()], &key).unwrap()
    }

    /// A certificate for each kind of key, and the suites that go with it: by TLS 1.3
    /// and by TLS 1.2, each time the one that is chosen last first.
    fn kinds() -> [(Arc<CertifiedKey>, [[SupportedCipherSuite; 3]; 2]); 2] {
        let of_1_3 = [
            TLS13_CHACHA20_POLY1305_SHA256,
            TLS13_AES_256_GCM_SHA384,
            TLS13_AES_128_GCM_SHA256,
        ];
        let ecdsa = [
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ];
        let rsa = [
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ];
        [
            (localhost(&PKCS_ECDSA_P256_SHA256), [of_1_3, ecdsa]),
            (localhost(&PKCS_RSA_SHA256), [of_1_3, rsa]),
        ]
    }

    /// The suite agreed on with a client that offers these, in its order.
    fn agreed(shown: &Arc<CertifiedKey>, offered: &[SupportedCipherSuite]) -> SupportedCipherSuite {
        let mut roots = RootCertStore::empty();
        roots.add(shown.cert[0].clone()).unwrap();
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = offered.to_vec();
        let client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions(TlsVersion::V1_2))
            .unwrap_or_else(|error| panic!("{offered:?}: {error}"));
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();

        let tls = Tls {
            certificates: Certificates::SelfSigned,
            ordered: None,
            strict_sni: false,
            min_version: TlsVersion::V1_2,
            protocols: Vec::new(),
            client_auth: None,
            hsts: None,
        };
        let choice = CertificateChoice::new(&[Arc::clone(shown)], tls.strict_sni, &[]);
        let config = server_config(&tls, choice, None).unwrap();
        let mut server = ServerConnection::new(config).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        server.negotiated_cipher_suite().unwrap()
    }

    #[test]
    fn aes_128_is_chosen_first_and_chacha20_last_of_what_a_client_offers() {
        for (shown, versions) in kinds() {
            for backwards in versions {
                let [_, second, first] = backwards;
                assert_eq!(agreed(&shown, &backwards), first);
                assert_eq!(agreed(&shown, &backwards[..2]), second);
            }
        }
    }

    #[test]
    fn who_offers_one_suite_is_answered_with_it() {
        for (shown, versions) in kinds() {
            for suite in versions.into_iter().flatten() {
                assert_eq!(agreed(&shown, &[suite]), suite);
            }
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let nothing = |name: &str| PemFile {
            path: name.into(),
            contents: Arc::from([]),
        };
        let files = CertificateFiles {
            certificate: nothing("cert.pem"),
            key: nothing("key.pem"),
        };
        let tls = Tls {
            certificates: Certificates::Files(vec![files]),
            ordered: None,
            strict_sni: false,
            min_version: TlsVersion::V1_2,
            protocols: vec![Offered::Http1],
            client_auth: None,
            hsts: None,
        };
        let error = spoken(&tls, false, None).unwrap_err();
        assert!(error.to_string().starts_with("cert.pem: cannot read"));
    }
}
