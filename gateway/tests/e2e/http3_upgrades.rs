//! HTTP/3 over upgrades: what is under way stays with the process that has it,
//! whichever socket its datagrams come to.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::support::http3::{Stream, answer, get};
use crate::support::{
    Builder, Gateway, Http3, Pool, Upstream, eventually, plain, runs, signal, soon,
};

/// A server whose answers to one path, and to no other, wait for the gate.
async fn behind(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::scripted(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            while let Some(request) = peer.request().await {
                if request.target() == "/slow" {
                    let _pass = gate.acquire().await;
                }
                peer.send(plain("a")).await;
            }
        }
    })
    .await
}

async fn before(server: &Upstream, workers: usize) -> Gateway {
    let builder = Builder::new()
        .workers(workers)
        .tls("self_signed = true")
        .tls_listener("http3 = true");
    builder.pool(Pool::of(&[server])).start().await
}

/// So many clients, each with a request under way.
async fn waiting(gateway: &Gateway, count: usize) -> Vec<(Http3, Stream)> {
    let mut waiting = Vec::new();
    for _ in 0..count {
        let mut client = Http3::to(gateway).await;
        let mut stream = client.begin(get("/slow")).await.expect("a stream");
        stream.finish().await.expect("it ends");
        waiting.push((client, stream));
    }
    eventually("all are in flight", async || {
        gateway.active().await == count as u64
    })
    .await;
    waiting
}

/// Have another process take over, and wait until this one drains, so that it gets
/// nobody new: this one's id.
async fn upgrade(gateway: &mut Gateway) -> u32 {
    let at_rest = Http3::to(gateway).await;
    let process = gateway.id();
    gateway.upgrade().await;
    at_rest.closed().await;
    process
}

/// Let the answers come, to clients whose addresses change meanwhile.
async fn all_are_answered(waiting: Vec<(Http3, Stream)>, gate: &Semaphore) {
    for (client, _) in &waiting {
        client.move_on();
    }
    gate.add_permits(waiting.len());
    for (client, mut stream) in waiting {
        assert_eq!(answer(&mut stream).await.expect("an answer").body(), "a");
        let end = client.closed().await;
        assert!(end.is_h3_no_error(), "{end:?}");
    }
}

#[tokio::test]
async fn requests_outlive_an_upgrade_to_another_number_of_workers() {
    for (first, then) in [(1, 4), (4, 1)] {
        let gate = Arc::new(Semaphore::new(0));
        let server = behind(&gate).await;
        let mut gateway = before(&server, first).await;
        let waiting = waiting(&gateway, 6).await;
        let count = |workers| format!("count = {workers}\n");
        gateway.edit(|text| text.replace(&count(first), &count(then)));
        let process = upgrade(&mut gateway).await;
        assert_eq!(gateway.metric("gatewright_workers").await as usize, then);
        assert!(runs(process), "it has requests to finish");
        // New clients are the new process's, on the same port, whichever of its
        // sockets they come to.
        for _ in 0..6 {
            let mut client = Http3::to(&gateway).await;
            client.move_on();
            assert_eq!(client.get("/").await.body(), "a");
        }
        all_are_answered(waiting, &gate).await;
        gateway.has_left(process).await;
    }
}

#[tokio::test]
async fn requests_outlive_two_upgrades_that_follow_each_other() {
    let gate = Arc::new(Semaphore::new(0));
    let server = behind(&gate).await;
    let mut gateway = before(&server, 2).await;
    let mut all = Vec::new();
    let mut processes = Vec::new();
    for _ in 0..2 {
        all.extend(waiting(&gateway, 2).await);
        processes.push(upgrade(&mut gateway).await);
    }
    assert!(processes.iter().all(|process| runs(*process)));
    all_are_answered(all, &gate).await;
    for process in processes {
        gateway.has_left(process).await;
    }
}

#[tokio::test]
async fn requests_outlive_an_upgrade_that_ends_http3() {
    let gate = Arc::new(Semaphore::new(0));
    let server = behind(&gate).await;
    let mut gateway = before(&server, 2).await;
    let waiting = waiting(&gateway, 2).await;
    gateway.edit(|text| text.replace("http3 = true\n", ""));
    let process = upgrade(&mut gateway).await;
    all_are_answered(waiting, &gate).await;
    gateway.has_left(process).await;
}

#[tokio::test]
async fn a_client_of_a_process_that_died_is_told_that_nobody_knows_it() {
    let gate = Arc::new(Semaphore::new(0));
    let server = behind(&gate).await;
    let mut gateway = before(&server, 2).await;
    let mut waiting = waiting(&gateway, 1).await;
    let (client, _stream) = waiting.pop().expect("a client");
    let process = upgrade(&mut gateway).await;
    signal(process, libc::SIGKILL);
    gateway.has_left(process).await;
    // Without an answer to that it would wait for half a minute.
    let (mut sending, _receiving) = client.quic.open_bi().await.expect("a stream");
    sending.write_all(&[0; 100]).await.expect("it goes");
    let end = soon("the end", client.quic.closed()).await;
    assert_eq!(end, quinn::ConnectionError::Reset);
}
