//! A demo server over real connections: its pages, its manners, its end.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn on_a_free_port() -> BackendOptions {
    BackendOptions {
        port: 0,
        ..BackendOptions::default()
    }
}

/// The whole answer to a request, sent as it is; the server closes.
async fn exchange(backend: &Backend, request: &str) -> String {
    let mut stream = TcpStream::connect(backend.address())
        .await
        .expect("it listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    answer
}

async fn get(backend: &Backend, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    exchange(backend, &request).await
}

#[tokio::test]
async fn every_page_answers_with_the_servers_name() {
    let options = BackendOptions {
        name: Some("cobalt".to_owned()),
        ..on_a_free_port()
    };
    let backend = Backend::start(options).await.expect("a free port");
    for path in [
        "/",
        "/health",
        "/api/health",
        "/api/test",
        "/products",
        "/products/1",
        "/cart",
        "/checkout",
        "/api/products",
        "/api/products/12",
        "/api/cart",
        "/api/checkout",
        "/slow?ms=1",
    ] {
        let answer = get(&backend, path).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n"),
            "{path}: {answer}"
        );
        assert!(
            answer.contains("\r\nx-backend: cobalt\r\n"),
            "{path}: {answer}"
        );
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(body.contains("cobalt"), "{path}: {answer}");
    }
    assert_eq!(backend.requests(), 13);
}

#[tokio::test]
async fn an_unhealthy_server_fails_its_health_checks_alone() {
    let options = BackendOptions {
        unhealthy: true,
        ..on_a_free_port()
    };
    let backend = Backend::start(options).await.expect("a free port");
    assert!(get(&backend, "/health").await.starts_with("HTTP/1.1 503 "));
    assert!(get(&backend, "/cart").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_the_right_status() {
    let backend = Backend::start(on_a_free_port()).await.expect("a free port");
    for (line, status) in [
        ("GET /products/13", "404"),
        ("GET /nowhere", "404"),
        ("GET /slow?ms=60001", "400"),
        ("GET /bytes?n=many", "400"),
        ("DELETE /products", "405"),
        ("DELETE /cart", "405"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = exchange(&backend, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_echo_returns_the_body_and_a_head_has_none() {
    let backend = Backend::start(on_a_free_port()).await.expect("a free port");
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                content-type: text/x\r\ncontent-length: 5\r\n\r\nhello";
    let answer = exchange(&backend, post).await;
    assert!(answer.contains("content-type: text/x\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    let head = "HEAD /bytes?n=70000 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = exchange(&backend, head).await;
    assert!(answer.contains("content-length: 70000\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = Backend::start(on_a_free_port()).await.expect("a free port");
    let port = first.address().port();
    let options = BackendOptions {
        port,
        ..BackendOptions::default()
    };
    let error = Backend::start(options).await.err().expect("it is taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&format!("port {port}")));
}

#[tokio::test]
async fn a_stopped_server_finishes_its_request_and_frees_its_port() {
    let backend = Backend::start(on_a_free_port()).await.expect("a free port");
    let address = backend.address();
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = "GET /slow?ms=50 HTTP/1.1\r\nhost: a\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    while backend.requests() == 0 {
        tokio::task::yield_now().await;
    }
    backend.stop().await;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_breaks_its_connections_off() {
    let backend = Backend::start(on_a_free_port()).await.expect("a free port");
    let mut stream = TcpStream::connect(backend.address())
        .await
        .expect("it listens");
    let request = "GET /slow?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    while backend.requests() == 0 {
        tokio::task::yield_now().await;
    }
    drop(backend);
    let mut answer = Vec::new();
    // Closed or reset, but at once and without an answer.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}
