//! Strangers at the admin listener who want to be in the way: they get in each
//! other's.

use tokio::net::TcpStream;

use crate::support::{Builder, Gateway, Pool, Upstream, Wire, eventually};

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// A client that begins a request and leaves it at that.
async fn dawdler(gateway: &Gateway) -> Wire {
    let stream = TcpStream::connect(gateway.admin_address()).await;
    let mut wire = Wire::new(stream.expect("it accepts"));
    let begun = "GET /livez HTTP/1.1\r\nhost: localhost\r\n";
    // One that had to leave already may not take it.
    let _ = wire.try_send(begun).await;
    wire
}

#[tokio::test]
async fn connections_without_end_stop_neither_traffic_nor_operators() {
    let (gateway, _server) = gateway().await;
    let before = gateway.descriptors();
    let mut dawdlers = Vec::new();
    for _ in 0..300 {
        dawdlers.push(dawdler(&gateway).await);
    }
    for path in ["/livez", "/api/servers"] {
        assert_eq!(gateway.admin(path).await.status(), 200, "{path}");
    }
    assert_eq!(gateway.get("/").await.status(), 200);
    eventually("most of them had to leave", async || {
        gateway.descriptors() < before + 100
    })
    .await;
    assert!(dawdlers[0].is_closed().await);
}

#[tokio::test]
async fn a_connection_that_has_shown_a_token_outlasts_those_that_have_not() {
    let (gateway, _server) = gateway().await;
    let stream = TcpStream::connect(gateway.admin_address()).await;
    let mut known = Wire::new(stream.expect("it accepts"));
    let ask = "GET /api/servers HTTP/1.1\r\nhost: localhost\r\n\r\n";
    known.send(ask).await;
    assert_eq!(known.response().await.status(), 200);
    let mut dawdlers = Vec::new();
    for _ in 0..100 {
        dawdlers.push(dawdler(&gateway).await);
    }
    assert!(dawdlers[0].is_closed().await);
    known.send(ask).await;
    assert_eq!(known.response().await.status(), 200);
}

#[tokio::test]
async fn it_takes_all_descriptors_that_the_system_grants() {
    let (gateway, _server) = gateway().await;
    let [current, most] = gateway.descriptor_limits();
    assert_eq!(current, most);
}
