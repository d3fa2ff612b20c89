//! Servers that the shoppers' tests need: a forgetful one, one with cookies,
//! one with a self-signed certificate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Response};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A server that closes the connection after every response without saying
/// so, as one does whose idle connections have just timed out.
pub(super) async fn forgetful_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
                // The next request is read, and left unanswered.
                let _ = stream.read(&mut [0; 4096]).await;
            });
        }
    });
    address
}

/// A server that gives a cookie to whom has none, and counts requests without
/// and with one.
pub(super) async fn server_with_cookies() -> (SocketAddr, Arc<[AtomicU64; 2]>) {
    let counts = Arc::new([const { AtomicU64::new(0) }; 2]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let shared = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counts = Arc::clone(&shared);
            let service = service_fn(move |request: http::Request<_>| {
                let known = request.headers().get(COOKIE).is_some();
                counts[usize::from(known)].fetch_add(1, Ordering::Relaxed);
                let mut response = Response::new(Empty::<Bytes>::new());
                let cookie = HeaderValue::from_static("gw_session=1; Path=/; HttpOnly");
                if !known {
                    response.headers_mut().insert(SET_COOKIE, cookie);
                }
                std::future::ready(Ok::<_, Infallible>(response))
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, counts)
}

/// A server with a certificate that it signed itself, for `127.0.0.1`, which
/// speaks what is asked of it; and the certificate in PEM.
pub(super) async fn self_signed_server() -> (SocketAddr, String) {
    let signed =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .expect("they fit");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_tls(acceptor.clone(), stream));
        }
    });
    (address, signed.cert.pem())
}

async fn serve_tls(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request: http::Request<_>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        let version = format!("{:?}", request.version());
        let version = HeaderValue::try_from(version).expect("plain text");
        response.headers_mut().insert("x-backend", version);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    // The shopper closes when it has seen enough.
    let _ = match http2 {
        true => {
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            http.serve_connection(stream, service).await
        }
        false => {
            let http = hyper::server::conn::http1::Builder::new();
            http.serve_connection(stream, service).await
        }
    };
}
