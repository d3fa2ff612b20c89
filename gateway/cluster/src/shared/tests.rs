//! The exchanges of several gateways with a real server.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gatewright_model::config::{self, Environment};
use gatewright_model::shared::{Ask, Content, Deed};
use tempfile::TempDir;

use super::*;

/// A redis-server, which ends with this.
pub(crate) struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        // Another process might take the port before the server does; it would say so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--bind", "127.0.0.1"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    async fn gateway(&self) -> Exchange {
        Exchange::new(self.connection().await)
    }

    /// One of another gateway.
    pub(crate) async fn connection(&self) -> Connection {
        let text = format!(
            "pools.web.servers = [\"192.0.2.1:1\"]\n[cluster]\nurl = \"redis://127.0.0.1:{}\"",
            self.port
        );
        let config = config::parse(&text, Path::new("."), &Environment::empty()).unwrap();
        let connection = Connection::new(config.cluster.as_ref().unwrap(), 9000).unwrap();
        let mut tries = 0;
        while let Err(error) = connection.connect().await {
            tries += 1;
            assert!(tries < 500, "{error}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        connection
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn written(field: &str, stamp: u64, content: Content) -> Change {
    let (field, expires) = (field.to_owned(), Some(u64::MAX >> 12));
    let record = Record {
        stamp,
        expires,
        content,
    };
    Change {
        field,
        deed: Deed::Write(record),
    }
}

fn bytes(text: &[u8]) -> Content {
    Content::Bytes(text.to_vec().into())
}

fn added(delta: i64) -> Change {
    let field = "n".to_owned();
    let (stamp, expires) = (1, None);
    Change {
        field,
        deed: Deed::Add {
            stamp,
            expires,
            delta,
        },
    }
}

fn contents(news: &News) -> Vec<(&str, &Content)> {
    let records = news.records.iter();
    records
        .map(|(field, record)| (field.as_str(), &record.content))
        .collect()
}

#[tokio::test]
async fn the_latest_write_wins_whoever_comes_first() {
    let server = Server::start();
    let (mut one, mut other) = (server.gateway().await, server.gateway().await);
    let first = one
        .run(vec![written("k", 5, bytes(b"\0 late\n"))], true)
        .await
        .unwrap();
    assert!(first.is_new && first.met.gateways == 1);
    let news = other
        .run(vec![written("k", 4, bytes(b"early"))], true)
        .await
        .unwrap();
    assert_eq!(contents(&news), [("k", &bytes(b"\0 late\n"))]);
    assert_eq!(news.met.gateways, 2);
    let news = other
        .run(vec![written("k", 6, Content::Removed)], true)
        .await
        .unwrap();
    assert_eq!(contents(&news), [("k", &Content::Removed)]);
    let news = one.run(Vec::new(), true).await.unwrap();
    assert_eq!(contents(&news), [("k", &Content::Removed)]);
    assert!(one.run(Vec::new(), true).await.unwrap().records.is_empty());
}

#[tokio::test]
async fn sums_come_together_and_a_batch_that_is_sent_again_counts_once() {
    let server = Server::start();
    let (mut one, mut other) = (server.gateway().await, server.gateway().await);
    one.run(vec![added(3)], true).await.unwrap();
    let news = other.run(vec![added(-1)], true).await.unwrap();
    assert_eq!(contents(&news), [("n", &Content::Number(2))]);
    // The answer was lost: the same batch once more.
    let unanswered = Sent {
        changes: vec![added(-1)],
        is_all: true,
    };
    other.unanswered = Some(unanswered);
    other.run(Vec::new(), true).await.unwrap();
    let news = one.run(Vec::new(), true).await.unwrap();
    assert_eq!(contents(&news), [("n", &Content::Number(2))]);
}

/// Write what no gateway would have written.
async fn put(gateway: &Exchange, key: &str, field: &str, content: &str) {
    let mut damage = redis::cmd("HSET");
    damage.arg(gateway.connection.key(&format!("shared:{key}")));
    damage.arg(field).arg(content);
    gateway.connection.query::<()>(&damage).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_absent_and_holds_nothing_up() {
    let server = Server::start();
    let (mut one, mut other) = (server.gateway().await, server.gateway().await);
    let batch = || {
        let mut batch = vec![written("k", 5, bytes(b"x")), added(3)];
        batch.append(&mut lease(0.0, 1.0, 0.0, 0.0));
        batch
    };
    let first = one.run(batch(), true).await.unwrap();
    assert_eq!(first.unreadable, 0);
    for (field, content) in [("k", "damaged"), ("n", "9 B"), ("bucket", "5 0 L damaged")] {
        put(&one, "items", field, content).await;
    }
    put(&one, "gateways", "17", "damaged").await;
    let news = other.run(Vec::new(), true).await.unwrap();
    assert_eq!((news.unreadable, news.records.len()), (4, 0));
    // Whoever changes them puts something in their place, with all else of the batch.
    let news = one.run(batch(), true).await.unwrap();
    assert_eq!(news.unreadable, 3);
    assert!(news.leased[0].1.granted.tokens > 0.0);
    let read = other.run(Vec::new(), true).await.unwrap();
    assert_eq!(read.unreadable, 0);
    let read = contents(&read);
    assert_eq!(read[..2], [("k", &bytes(b"x")), ("n", &Content::Number(3))]);
    assert_eq!((read[2].0, read.len()), ("bucket", 3));
}

#[tokio::test]
async fn a_batch_that_fails_half_way_is_done_once() {
    let server = Server::start();
    let mut gateway = server.gateway().await;
    gateway.run(Vec::new(), true).await.unwrap();
    // A sum is written, and then noted here, where nobody can note anything.
    let expiry = gateway.connection.key("shared:expiry");
    let mut block = redis::cmd("SET");
    block.arg(&expiry).arg("x");
    gateway.connection.query::<()>(&block).await.unwrap();
    gateway.run(vec![added(3)], true).await.unwrap_err();
    gateway.run(Vec::new(), true).await.unwrap_err();
    assert!(gateway.is_unanswered());
    let mut unblock = redis::cmd("DEL");
    unblock.arg(&expiry);
    gateway.connection.query::<()>(&unblock).await.unwrap();
    let news = gateway.run(Vec::new(), true).await.unwrap();
    assert_eq!(contents(&news), [("n", &Content::Number(3))]);
    // Who ends now has to tell what was noted meanwhile.
    assert!(news.is_behind);
    // The next one is another.
    let news = gateway.run(vec![added(4)], true).await.unwrap();
    assert_eq!(contents(&news), [("n", &Content::Number(7))]);
    assert!(!news.is_behind);
    let news = gateway.run(vec![added(1)], false).await.unwrap();
    assert!(news.is_behind);
}

#[tokio::test]
async fn keys_that_something_else_has_written_are_named() {
    let server = Server::start();
    let mut gateway = server.gateway().await;
    gateway.run(vec![added(1)], true).await.unwrap();
    assert!(gateway.misused().await.unwrap().is_empty());
    let items = gateway.connection.key("shared:items");
    let mut write = redis::cmd("SET");
    write.arg(&items).arg("x");
    gateway.connection.query::<()>(&write).await.unwrap();
    gateway.run(vec![added(1)], true).await.unwrap_err();
    assert_eq!(gateway.misused().await.unwrap(), [items]);
}

#[tokio::test]
async fn what_nobody_can_tell_the_version_of_begins_anew() {
    let server = Server::start();
    let mut gateway = server.gateway().await;
    let write = || vec![written("k", 5, bytes(b"x"))];
    gateway.run(write(), true).await.unwrap();
    put(&gateway, "meta", "version", "damaged").await;
    let news = gateway.run(Vec::new(), true).await.unwrap();
    assert!(news.is_new && news.records.is_empty());
    let news = gateway.run(write(), true).await.unwrap();
    assert!(!news.is_new && news.records.len() == 1);
}

#[tokio::test]
async fn a_server_that_has_lost_everything_is_noticed() {
    let server = Server::start();
    let mut gateway = server.gateway().await;
    for _ in 0..3 {
        gateway
            .run(vec![written("k", 5, bytes(b"x"))], true)
            .await
            .unwrap();
    }
    assert!(!gateway.run(Vec::new(), true).await.unwrap().is_new);
    let flush = redis::cmd("FLUSHALL");
    gateway.connection.query::<()>(&flush).await.unwrap();
    let news = gateway.run(Vec::new(), true).await.unwrap();
    assert!(news.is_new && news.records.is_empty());
    let news = gateway
        .run(vec![written("k", 5, bytes(b"x"))], true)
        .await
        .unwrap();
    assert!(!news.is_new && news.records.len() == 1);
}

#[tokio::test]
async fn everybody_notices_a_server_that_came_back_older() {
    let server = Server::start();
    let (mut one, mut other) = (server.gateway().await, server.gateway().await);
    let write = || vec![written("k", 5, bytes(b"x"))];
    one.run(write(), true).await.unwrap();
    other.run(Vec::new(), true).await.unwrap();
    for _ in 0..3 {
        one.run(write(), true).await.unwrap();
    }
    // The other has not read what is lost.
    let mut older = redis::cmd("HSET");
    older.arg(one.connection.key("shared:meta"));
    older.arg("version").arg(2);
    one.connection.query::<()>(&older).await.unwrap();
    for is_new in [true, false] {
        for gateway in [&mut one, &mut other] {
            let news = gateway.run(Vec::new(), true).await.unwrap();
            assert_eq!(news.is_new, is_new);
        }
    }
}

#[tokio::test]
async fn all_of_it_is_read_page_by_page_and_nothing_stays_for_ever() {
    let server = Server::start();
    let (mut one, mut other) = (server.gateway().await, server.gateway().await);
    // Nothing is there to be given an end yet.
    one.run(Vec::new(), true).await.unwrap();
    for start in 0..3 {
        let name = |n: u32| written(&format!("k{}", start * 900 + n), 5, bytes(b"x"));
        one.run((0..900).map(name).collect(), true).await.unwrap();
    }
    let mut read = 0;
    loop {
        let news = other.run(Vec::new(), true).await.unwrap();
        read += news.records.len();
        if !news.has_more {
            break;
        }
    }
    assert_eq!(read, 2700);
    for (key, _) in KEYS {
        let mut ttl = redis::cmd("TTL");
        ttl.arg(one.key(key));
        let left: i64 = one.connection.query(&ttl).await.unwrap();
        assert!((1..=86_400).contains(&left), "{key} stays for {left} s");
    }
    let over = Change {
        field: "over".to_owned(),
        deed: Deed::Write(Record {
            stamp: 5,
            expires: Some(6),
            content: bytes(b"x"),
        }),
    };
    one.run(vec![over], true).await.unwrap();
    one.run(vec![added(1)], true).await.unwrap();
    let mut length = redis::cmd("HEXISTS");
    length.arg(one.connection.key("shared:items")).arg("over");
    assert!(!one.connection.query::<bool>(&length).await.unwrap());
}

fn lease(debit: f64, lacked: f64, used: f64, held: f64) -> Vec<Change> {
    let ask = Ask {
        per_second: 0.0,
        burst: 30.0,
        debit,
        lacked,
        used,
        held,
    };
    let field = "bucket".to_owned();
    vec![Change {
        field,
        deed: Deed::Lease(ask),
    }]
}

#[tokio::test]
async fn a_bucket_that_is_used_stays_though_it_is_always_full() {
    let server = Server::start();
    let mut gateway = server.gateway().await;
    let used = || {
        let mut used = lease(1.0, 0.0, 1.0, 0.0);
        if let Deed::Lease(ask) = &mut used[0].deed {
            ask.per_second = 1000.0;
        }
        used
    };
    let first = gateway.run(used(), true).await.unwrap();
    let born = first.leased[0].1.granted.born;
    // Its end is near.
    let near = first.met.clock_ms + 2000;
    let mut read = redis::cmd("HGET");
    read.arg(gateway.connection.key("shared:items"));
    let record: String = gateway.connection.query(read.arg("bucket")).await.unwrap();
    let end = first.leased[0].1.expires.to_string();
    put(
        &gateway,
        "items",
        "bucket",
        &record.replacen(&end, &near.to_string(), 1),
    )
    .await;
    let news = gateway.run(used(), true).await.unwrap();
    assert_eq!(news.leased[0].1.granted.born, born);
    // All are told, who would forget it by then.
    assert_eq!(news.records.len(), 1);
    assert!(news.records[0].1.expires > Some(near + 2000));
}

#[tokio::test]
async fn a_bucket_keeps_the_shares_back_of_those_who_do_not_know_of_it() {
    let server = Server::start();
    let mut gateways = Vec::new();
    for _ in 0..3 {
        let mut gateway = server.gateway().await;
        gateway.run(Vec::new(), true).await.unwrap();
        gateways.push(gateway);
    }
    // Its share was spent, and more is wanted.
    let news = gateways[0]
        .run(lease(10.0, 1.0, 10.0, 0.0), true)
        .await
        .unwrap();
    let granted = news.leased[0].1.granted;
    assert_eq!(
        (granted.tokens, granted.level, granted.room),
        (0.0, 20.0, 30.0)
    );
    assert!(news.met.have_read < granted.born);
    for _ in 0..2 {
        for gateway in &mut gateways[1..] {
            let news = gateway.run(Vec::new(), true).await.unwrap();
            assert!(news.records.iter().all(|(field, _)| field == "bucket"));
        }
    }
    let news = gateways[0]
        .run(lease(0.0, 1.0, 0.0, 0.0), true)
        .await
        .unwrap();
    let granted = news.leased[0].1.granted;
    assert_eq!(
        (granted.tokens, granted.level, granted.room),
        (7.0, 13.0, 23.0)
    );
    assert!(news.met.have_read >= granted.born);
    // Had the answer been lost, what was granted would be free again.
    gateways[0].unanswered = Some(Sent {
        changes: lease(0.0, 1.0, 0.0, 0.0),
        is_all: true,
    });
    let news = gateways[0].run(Vec::new(), true).await.unwrap();
    let granted = news.leased[0].1.granted;
    assert_eq!(
        (granted.tokens, granted.level, granted.room),
        (0.0, 20.0, 30.0)
    );
    let news = gateways[0].run(lease(0.0, 1.0, 0.0, 0.0), true).await;
    assert_eq!(news.unwrap().leased[0].1.granted.tokens, 7.0);
    // All of it goes back: it is full but for what was spent.
    let news = gateways[0]
        .run(lease(-7.0, 0.0, 0.0, 0.0), true)
        .await
        .unwrap();
    let granted = news.leased[0].1.granted;
    assert_eq!(
        (granted.tokens, granted.level, granted.room),
        (0.0, 20.0, 30.0)
    );
}
