//! A connection of the bench's own load generator: in the clear, or over TLS by a
//! client that does as little as the protocol allows. It looks at no certificate and
//! checks no signature, so that it is the proxy that shaking hands keeps busy.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::Result;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme,
};

use super::suite::CipherSuite;

/// Where to connect to, and how.
pub(in crate::bench) struct Way {
    pub(super) address: SocketAddr,
    tls: Option<ClientConfig>,
    resumes: bool,
}

impl Way {
    /// In the clear, to a port of the loopback address.
    pub(in crate::bench) fn plain(port: u16) -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            tls: None,
            resumes: false,
        }
    }

    /// Over TLS, offering these suites.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub(super) fn tls(port: u16, suites: &[CipherSuite]) -> Result<Self> {
        let provider = CryptoProvider {
            cipher_suites: suites.iter().map(|suite| suite.own()).collect(),
            // None that takes more than OpenSSL's clients offer.
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
            ..aws_lc_rs::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self {
            tls: Some(config),
            ..Self::plain(port)
        })
    }

    /// The same, resuming sessions.
    pub(super) fn resuming(self) -> Self {
        Self {
            resumes: true,
            ..self
        }
    }

    /// A client that goes this way, and resumes what it was given itself.
    pub(super) fn client(&self) -> Client {
        let own = |config: &ClientConfig| {
            let mut config = config.clone();
            if self.resumes {
                config.resumption = Resumption::in_memory_sessions(1);
            }
            Arc::new(config)
        };
        Client {
            address: self.address,
            tls: self.tls.as_ref().map(own),
            resumes: self.resumes,
        }
    }
}

/// Who connects, once or again and again.
pub(super) struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    /// Whether every connection but its first is to resume a session.
    pub(super) resumes: bool,
}

impl Client {
    /// Connect. On the loopback address that is done when the kernel returns.
    pub(super) fn connect(&self) -> Result<Line> {
        let socket = TcpStream::connect(self.address)?;
        let tls = match &self.tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                Some(Box::new(ClientConnection::new(Arc::clone(config), name)?))
            }
        };
        Ok(Line { socket, tls })
    }
}

/// A connection.
pub(super) struct Line {
    pub(super) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    /// Write something that is far smaller than what the kernel takes; over TLS it
    /// goes out once hands are shaken.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                send(tls, &mut self.socket)
            }
        }
    }

    /// Read what is there. The socket is read once, so that one that waits need not
    /// wait where the kernel has said that something is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(buffer);
        };
        tls.read_tls(&mut self.socket)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        send(tls, &mut self.socket)?;
        let mut read = 0;
        while read < buffer.len() {
            match tls.reader().read(&mut buffer[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(_) if read > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Whether a session was resumed.
    pub(super) fn is_resumed(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.handshake_kind() == Some(HandshakeKind::Resumed))
    }
}

/// Send all that TLS has to say.
fn send(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

/// Believes everybody: a client's work is not what is measured.
#[derive(Debug)]
struct Whoever;

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// That of the bench's certificate.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
