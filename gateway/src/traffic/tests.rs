//! Shoppers against real servers: the demo shop, one that sets cookies, one
//! with a self-signed certificate, and ones that go away.

mod servers;

use std::sync::atomic::Ordering;

use clap::{Args as _, FromArgMatches as _};
use tokio::net::TcpListener;

use servers::{forgetful_server, self_signed_server, server_with_cookies};

use super::*;
use crate::backend::{Backend, BackendOptions};

fn parse(arguments: &[&str]) -> Result<TrafficOptions, clap::Error> {
    let command = TrafficOptions::augment_args(clap::Command::new("traffic"));
    let matches = command.try_get_matches_from([&["traffic"], arguments].concat())?;
    TrafficOptions::from_arg_matches(&matches)
}

fn to(target: &str) -> TrafficOptions {
    TrafficOptions {
        pause: Duration::ZERO,
        ..TrafficOptions::to(target.parse().expect("a good target"))
    }
}

async fn backend(port: u16) -> Backend {
    let options = BackendOptions {
        port,
        name: Some("cobalt".to_owned()),
        ..BackendOptions::default()
    };
    Backend::start(options).await.expect("the port is free")
}

/// Wait until the figures are so.
async fn until(traffic: &Traffic, so: impl Fn(&Summary) -> bool) {
    let wait = async {
        while !so(&traffic.snapshot()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .is_err()
    {
        panic!("it never came to be: {}", traffic.snapshot());
    }
}

#[test]
fn without_arguments_the_options_are_those_of_a_target_alone() {
    let expected = TrafficOptions::to("http://127.0.0.1:8080".parse().expect("a target"));
    assert_eq!(parse(&[]).expect("no argument is required"), expected);
}

#[test]
fn every_option_is_understood() {
    let options = parse(&[
        "--target=https://[::1]:8443",
        "--shoppers=3",
        "--duration=1m 5s",
        "--rate=12.5",
        "--timeout=2s",
        "--path=/a",
        "--path=/b",
        "--keep-cookies",
        "--http2",
        "--insecure",
        "--json",
    ])
    .expect("good arguments");
    let expected = TrafficOptions {
        shoppers: 3,
        duration: Duration::from_secs(65),
        pause: Duration::from_millis(20),
        rate: Some(12.5),
        timeout: Duration::from_secs(2),
        paths: vec!["/a".to_owned(), "/b".to_owned()],
        keep_cookies: true,
        http2: true,
        insecure: true,
        json: true,
        ..to("https://[::1]:8443")
    };
    assert_eq!(options, expected);
}

#[test]
fn impossible_values_are_refused() {
    for arguments in [
        &["--target=127.0.0.1:8080"][..],
        &["--shoppers=0"],
        &["--duration=30"],
        &["--rate=0"],
        &["--rate=NaN"],
        &["--rate=5", "--pause=1s"],
        &["--insecure", "--ca=x.pem"],
        &["--path=cart"],
    ] {
        assert!(parse(arguments).is_err(), "{arguments:?} was accepted");
    }
}

#[tokio::test]
async fn every_page_that_shoppers_ask_for_is_in_the_shop() {
    let backend = backend(0).await;
    let traffic = Traffic::start(&to(&format!("http://{}", backend.address()))).expect("no TLS");
    until(&traffic, |summary| summary.requests >= 2000).await;
    let summary = traffic.stop().await;
    assert_eq!(summary.failed, 0, "{summary}");
    assert_eq!(summary.connections, 8, "{summary}");
    assert_eq!(summary.statuses, [(200, summary.requests)].into());
    assert_eq!(
        summary.backends,
        [("cobalt".to_owned(), summary.requests)].into()
    );
    assert_eq!(backend.requests(), summary.requests);
    assert!(summary.p50_ms > 0.0 && summary.p50_ms <= summary.max_ms);
}

#[tokio::test]
async fn shopping_ends_after_its_time_with_the_figures() {
    let backend = backend(0).await;
    let options = TrafficOptions {
        duration: Duration::from_millis(200),
        json: true,
        ..to(&format!("http://{}", backend.address()))
    };
    let summary = shop(&options).await.expect("it is reachable");
    assert!(summary.requests > 0 && summary.failed == 0, "{summary}");
    assert!(summary.seconds >= 0.2);
}

#[tokio::test]
async fn a_rate_is_not_exceeded() {
    let backend = backend(0).await;
    let options = TrafficOptions {
        rate: Some(200.0),
        ..to(&format!("http://{}", backend.address()))
    };
    let traffic = Traffic::start(&options).expect("no TLS");
    until(&traffic, |summary| summary.requests >= 40).await;
    let summary = traffic.stop().await;
    // A first request each may come early by a tick of the clock.
    assert!(summary.requests_per_second < 220.0, "{summary}");
}

#[tokio::test]
async fn errors_of_the_server_are_failures_with_their_status() {
    let options = BackendOptions {
        port: 0,
        error_rate: 1.0,
        ..BackendOptions::default()
    };
    let backend = Backend::start(options).await.expect("a free port");
    let traffic = Traffic::start(&to(&format!("http://{}", backend.address()))).expect("no TLS");
    until(&traffic, |summary| summary.failed > 0).await;
    let summary = traffic.stop().await;
    assert_eq!(summary.failed, summary.requests);
    let reason = "status 500 Internal Server Error".to_owned();
    assert_eq!(summary.failures, [(reason, summary.failed)].into());
}

#[tokio::test]
async fn shoppers_notice_a_server_that_is_gone_and_come_back_with_it() {
    let first = backend(0).await;
    let address = first.address();
    let traffic = Traffic::start(&to(&format!("http://{address}"))).expect("no TLS");
    until(&traffic, |summary| summary.requests >= 100).await;
    drop(first);
    let refused = |reason: &String| reason.contains("refused");
    until(&traffic, |summary| summary.failures.keys().any(refused)).await;
    let _second = backend(address.port()).await;
    let answered = traffic.snapshot().statuses[&200];
    until(&traffic, |summary| summary.statuses[&200] >= answered + 100).await;
    assert!(traffic.stop().await.failed > 0);
}

#[tokio::test]
async fn a_request_on_a_closed_connection_is_sent_once_more_and_counted() {
    let address = forgetful_server().await;
    let traffic = Traffic::start(&to(&format!("http://{address}"))).expect("no TLS");
    until(&traffic, |summary| summary.retried >= 20).await;
    let summary = traffic.stop().await;
    assert_eq!(summary.failed, 0, "{summary}");
    assert!(summary.connections > summary.retried);
}

#[tokio::test]
async fn a_visit_is_one_session_and_a_returning_customer_keeps_it() {
    for (keep_cookies, sessions) in [(false, 25), (true, 1)] {
        let (address, counts) = server_with_cookies().await;
        let options = TrafficOptions {
            shoppers: 1,
            paths: ["/1", "/2", "/3", "/4"].map(str::to_owned).to_vec(),
            keep_cookies,
            ..to(&format!("http://{address}"))
        };
        let traffic = Traffic::start(&options).expect("no TLS");
        until(&traffic, |summary| summary.requests >= 100).await;
        let summary = traffic.stop().await;
        let [without, with] = [0, 1].map(|index: usize| counts[index].load(Ordering::Relaxed));
        assert_eq!(without + with, summary.requests);
        // Four requests a visit, and the last visit may be under way.
        let expected = if keep_cookies {
            1
        } else {
            summary.requests.div_ceil(4)
        };
        assert_eq!(without, expected);
        assert!(without >= sessions);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_with_the_remedy() {
    let (address, _) = self_signed_server().await;
    let error = shop(&to(&format!("https://{address}")))
        .await
        .expect_err("not trusted");
    let text = error.to_string();
    assert!(text.contains("the certificate is not trusted"), "{text}");
    assert!(
        text.contains("--insecure") && text.contains("--ca"),
        "{text}"
    );
}

#[tokio::test]
async fn both_http_versions_go_through_tls_when_the_certificate_is_accepted() {
    let (address, pem) = self_signed_server().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), pem).expect("it can be written");
    let target = to(&format!("https://{address}"));
    for (http2, version) in [(false, "HTTP/1.1"), (true, "HTTP/2.0")] {
        for insecure in [true, false] {
            let options = TrafficOptions {
                http2,
                insecure,
                ca: (!insecure).then(|| file.path().to_owned()),
                ..target.clone()
            };
            let traffic = Traffic::start(&options).expect("a good file");
            until(&traffic, |summary| summary.requests >= 50).await;
            let summary = traffic.stop().await;
            assert_eq!(summary.failed, 0, "{summary}");
            assert_eq!(
                summary.backends,
                [(version.to_owned(), summary.requests)].into()
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("it listens");
    drop(free);
    let error = shop(&to(&format!("http://{address}")))
        .await
        .expect_err("nobody is there");
    let text = error.to_string();
    assert!(
        text.contains("refused") && text.contains("--target"),
        "{text}"
    );
}

#[tokio::test]
async fn https_to_a_plain_server_says_so() {
    let backend = backend(0).await;
    let target = format!("https://{}", backend.address());
    let error = shop(&to(&target)).await.expect_err("it speaks no TLS");
    let text = error.to_string();
    assert!(text.contains("http://"), "{text}");
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let options = TrafficOptions {
        ca: Some(file.path().to_owned()),
        ..to("https://127.0.0.1:1")
    };
    let error = Traffic::start(&options).err().expect("it is empty");
    assert!(error.to_string().contains("there is no certificate"));
}

#[tokio::test]
async fn a_response_that_takes_too_long_is_a_failure() {
    let backend = backend(0).await;
    let options = TrafficOptions {
        paths: vec!["/slow?ms=60000".to_owned()],
        timeout: Duration::from_millis(20),
        ..to(&format!("http://{}", backend.address()))
    };
    let traffic = Traffic::start(&options).expect("no TLS");
    until(&traffic, |summary| summary.failed >= 8).await;
    let summary = traffic.stop().await;
    let reasons: Vec<_> = summary.failures.keys().collect();
    assert_eq!(reasons, ["the response did not end in time"]);
}
