//! Clients and servers at IPv6 addresses, and listeners for both families.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpStream;

use crate::support::{Builder, Pool, Upstream, Wire, eventually, get};

#[tokio::test]
async fn ipv6_is_spoken_with_clients_and_servers() {
    let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let server = Upstream::named_at("a", loopback).await;
    let builder = Builder::new().listen(loopback);
    let pool = Pool::of(&[&server]).checked();
    let gateway = builder.pool(pool).start().await;
    eventually("it is healthy", async || {
        gateway.count("healthy").await == 1
    })
    .await;
    assert!(gateway.address().is_ipv6());
    assert_eq!(gateway.get("/asked").await.text(), "a");
    let requests = server.requests();
    let asked = requests.iter().find(|request| request.target() == "/asked");
    let asked = asked.expect("the request");
    assert_eq!(asked.header("x-forwarded-for"), Some("::1"));
}

#[tokio::test]
async fn every_address_is_served_in_both_families() {
    let server = Upstream::named("a").await;
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let builder = Builder::new().listen(every).pool(Pool::of(&[&server]));
    let gateway = builder.start().await;
    let port = gateway.address().port();
    for (address, client) in [
        (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "127.0.0.1"),
        (SocketAddr::from((Ipv6Addr::LOCALHOST, port)), "::1"),
    ] {
        let stream = TcpStream::connect(address).await.expect("it accepts");
        let mut wire = Wire::new(stream);
        wire.send(get("/")).await;
        assert_eq!(wire.response().await.text(), "a");
        let last = server.requests().pop().expect("a request");
        assert_eq!(last.header("x-forwarded-for"), Some(client));
    }
}
