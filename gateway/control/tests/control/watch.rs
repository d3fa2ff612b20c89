//! Changes that are noticed without being asked for.

use std::fs;

use gatewright_control::{Gateway, Happened};

use crate::support::{Folder, Server, eventually, generation, pool, visit};

async fn in_force(gateway: &Gateway, expected: u64) {
    eventually("a new generation", async || {
        (generation(gateway) == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_written_over_is_read_again() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    folder.configure(&pool(&[&one], ""));
    let gateway = folder.start(true).await;
    folder.configure(&pool(&[&two], ""));
    in_force(&gateway, 2).await;
    eventually("the new server", async || {
        (visit(&gateway).await == "two").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_again_every_time() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    folder.configure(&pool(&[&one], ""));
    let gateway = folder.start(true).await;
    let next = Folder::new();
    for round in 0..3 {
        let server = if round % 2 == 0 { &two } else { &one };
        next.configure(&pool(&[server], ""));
        folder.write(
            "gatewright.toml~",
            fs::read(next.path("gatewright.toml")).unwrap(),
        );
        fs::rename(
            folder.path("gatewright.toml~"),
            folder.path("gatewright.toml"),
        )
        .unwrap();
        in_force(&gateway, round + 2).await;
    }
}

#[tokio::test]
async fn a_file_that_joins_an_include_is_read() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    let shop = format!("[pools.shop]\nservers = [\"{}\"]\n", two.address);
    folder.write("parts/a.toml", pool(&[&one], ""));
    folder.configure("");
    let text = fs::read_to_string(folder.path("gatewright.toml")).unwrap();
    folder.write(
        "gatewright.toml",
        format!("include = [\"parts/*.toml\"]\ndefault_pool = \"web\"\n{text}"),
    );
    let gateway = folder.start(true).await;
    folder.write("parts/b.toml", shop);
    in_force(&gateway, 2).await;
    assert_eq!(gateway.overview().servers.len(), 2);
    fs::remove_file(folder.path("parts/b.toml")).unwrap();
    in_force(&gateway, 3).await;
    assert_eq!(gateway.overview().servers.len(), 1);
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_next_good_one_taken() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    folder.configure(&pool(&[&one], ""));
    let gateway = folder.start(true).await;
    folder.configure("[pools.web]\nservers = [");
    eventually("a refusal", async || {
        let events = gateway.events();
        let mut refused = events
            .iter()
            .filter(|event| matches!(event.happened, Happened::Refused(_)));
        refused.next().map(|_| ())
    })
    .await;
    assert_eq!(visit(&gateway).await, "one");
    folder.configure(&pool(&[&two], ""));
    in_force(&gateway, 2).await;
}
