//! Changes of the configuration, asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatewright_control::{Happened, ReloadError, Reloaded};

use crate::support::{Folder, Server, generation, pool, visit};

#[tokio::test]
async fn a_good_change_is_in_force_when_reload_returns() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    folder.configure(&pool(&[&one], ""));
    let gateway = folder.start(false).await;
    assert_eq!(visit(&gateway).await, "one");
    folder.configure(&pool(&[&two], ""));
    let Reloaded::Published {
        generation,
        workers,
        of,
    } = gateway.reload().await.unwrap()
    else {
        panic!("nothing was published");
    };
    assert_eq!((generation.0, workers, of), (2, 2, 2));
    assert_eq!(visit(&gateway).await, "two");
}

#[tokio::test]
async fn what_did_not_change_is_not_published() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    folder.configure(&format!("# A remark.\n{}", pool(&[&server], "")));
    let reloaded = gateway.reload().await.unwrap();
    assert!(matches!(reloaded, Reloaded::Unchanged { .. }), "{reloaded}");
    assert_eq!(generation(&gateway), 1);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_where_it_is_wrong() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    folder.configure(&pool(&[&server], "balancer = \"no-such\""));
    let error = gateway.reload().await.unwrap_err();
    assert!(matches!(error, ReloadError::Config(_)));
    assert!(error.to_string().contains("pools.web.balancer"), "{error}");
    assert_eq!(generation(&gateway), 1);
    assert_eq!(visit(&gateway).await, "one");
    let events = gateway.events();
    let refused = |event: &gatewright_control::Event| matches!(&event.happened, Happened::Refused(reason) if reason.contains("no-such"));
    assert!(events.iter().any(refused), "{events:?}");
}

#[tokio::test]
async fn a_plugin_that_is_refused_changes_nothing() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    folder.write("mine.wasm", b"\0asm\x01\0\0\0");
    let plugin = "[plugins.mine]\nfile = \"mine.wasm\"\n";
    folder.configure(&format!(
        "{}{plugin}",
        pool(&[&server], "balancer = \"mine\"")
    ));
    let error = gateway.reload().await.unwrap_err().to_string();
    assert!(
        error.contains("pools.web.balancer") && error.contains("core module"),
        "{error}"
    );
    assert_eq!(generation(&gateway), 1);
    assert_eq!(visit(&gateway).await, "one");
}

#[tokio::test]
async fn what_needs_a_restart_is_named() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    let good = std::fs::read_to_string(folder.path("gatewright.toml")).unwrap();
    for (before, after, key) in [
        ("count = 2", "count = 3", "workers.count"),
        ("name = \"web\"", "name = \"other\"", "listener"),
        (
            "[admin]\nlisten = \"127.0.0.1:0\"",
            "[admin]\nlisten = \"127.0.0.2:0\"",
            "admin.listen",
        ),
        ("data = \"", "data = \"/elsewhere", "admin.data"),
    ] {
        assert!(good.contains(before), "{good}");
        folder.write("gatewright.toml", good.replacen(before, after, 1));
        let error = gateway.reload().await.unwrap_err();
        assert!(
            matches!(error, ReloadError::NeedsRestart(_)),
            "{key}: {error}"
        );
        let error = error.to_string();
        assert!(error.contains(&format!(": {key}: ")), "{error}");
    }
    assert_eq!(generation(&gateway), 1);
    assert_eq!(visit(&gateway).await, "one");
}

#[tokio::test]
async fn no_request_fails_while_the_configuration_changes() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    folder.configure(&pool(&[&one, &two], ""));
    let gateway = Arc::new(folder.start(false).await);
    let over = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn({
        let (gateway, over) = (Arc::clone(&gateway), Arc::clone(&over));
        async move {
            let mut visits = 0;
            while !over.load(Ordering::Relaxed) {
                visit(&gateway).await;
                visits += 1;
            }
            visits
        }
    });
    for round in 0..10 {
        let (servers, balancer): (&[&Server], _) = match round % 3 {
            0 => (&[&two], "balancer = \"round-robin\""),
            1 => (&[&one, &two], "affinity = \"sticky-cookie\""),
            _ => (&[&one], ""),
        };
        folder.configure(&pool(servers, balancer));
        let reloaded = gateway.reload().await.unwrap();
        assert!(matches!(reloaded, Reloaded::Published { .. }), "{reloaded}");
    }
    over.store(true, Ordering::Relaxed);
    assert!(traffic.await.unwrap() > 0);
}
