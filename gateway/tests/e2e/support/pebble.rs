//! A real authority: Debian's `pebble`, on ports that the system chose, in a
//! folder of its own. `cargo xtask test` installs it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::eventually::eventually;
use super::gateway::Gateway;
use super::run::{Log, collect};
use super::tls::Authority;

/// The name that leads to this machine, here as everywhere.
pub(crate) const NAME: &str = "localhost";

/// What pebble listens on: for orders, and for who runs it.
const LISTENERS: usize = 2;

/// A running authority. It is killed when it is dropped.
pub(crate) struct Pebble {
    process: Child,
    log: Log,
    /// Who has signed its own certificate.
    authority: Authority,
    orders: SocketAddr,
    management: SocketAddr,
    _folder: TempDir,
}

/// An authority to be.
pub(crate) struct Plan {
    config: Value,
    variables: Vec<(&'static str, String)>,
}

impl Pebble {
    /// An authority that finds names at a gateway's listeners: it does not wait
    /// before it looks, has every name proved for each order, and takes every
    /// nonce.
    pub(crate) fn before(gateway: &Gateway) -> Plan {
        let config = json!({
            "listenAddress": "127.0.0.1:0",
            "managementListenAddress": "127.0.0.1:0",
            "certificate": "cert.pem",
            "privateKey": "key.pem",
            "httpPort": gateway.address().port(),
            "tlsPort": gateway.tls_address().port(),
        });
        let plan = Plan {
            config,
            variables: Vec::new(),
        };
        plan.with("PEBBLE_VA_NOSLEEP", 1)
            .with("PEBBLE_AUTHZREUSE", 0)
            .with("PEBBLE_WFE_NONCEREJECT", 0)
    }

    /// Who has signed its certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        self.authority.certificate()
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.orders
    }

    /// Where its directory is.
    pub(crate) fn directory(&self) -> String {
        format!("https://{}/dir", self.orders)
    }

    /// The root of the certificates that it gives, in PEM.
    pub(crate) async fn root(&self) -> String {
        let mut client = Client::https(self.management, &["http/1.1"]).await;
        let answer = client.get("/roots/0").await;
        String::from_utf8(answer.body().to_vec()).expect("PEM")
    }

    /// How many orders it was given.
    pub(crate) fn orders(&self) -> usize {
        let log = self.log.lock().expect("no panic");
        log.matches(" orders in the db").count()
    }
}

impl Plan {
    /// A key of its configuration.
    pub(crate) fn key(mut self, key: &str, value: Value) -> Self {
        self.config[key] = value;
        self
    }

    /// A variable of its environment.
    pub(crate) fn with(mut self, name: &'static str, value: u32) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// Start it and wait until it listens.
    pub(crate) async fn start(self) -> Pebble {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let certified = authority.sign("127.0.0.1");
        let config = json!({ "pebble": self.config }).to_string();
        let files = [
            ("cert.pem", &certified.certificate),
            ("key.pem", &certified.key),
            ("pebble.json", &config),
        ];
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file");
        }
        let mut command = Command::new("pebble");
        command.args(["-config", "pebble.json"]);
        command.current_dir(folder.path()).envs(self.variables);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .expect("pebble, which `cargo xtask test` or `apt-get install pebble` brings");
        let log: Log = Arc::new(Mutex::default());
        collect(process.stdout.take().expect("it is piped"), &log);
        collect(process.stderr.take().expect("it is piped"), &log);
        let mut listening = Vec::new();
        eventually("pebble listens", async || {
            listening = listeners(process.id());
            listening.len() == LISTENERS
        })
        .await;
        let [management, orders] = told_apart(&listening).await;
        Pebble {
            process,
            log,
            authority,
            orders,
            management,
            _folder: folder,
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("pebble's log:\n{}", self.log.lock().expect("no panic"));
        }
    }
}

/// For who runs it, and for orders: the first alone gives its root away.
async fn told_apart(listening: &[SocketAddr]) -> [SocketAddr; 2] {
    let mut client = Client::https(listening[0], &["http/1.1"]).await;
    let is_management = client.get("/roots/0").await.status() == 200;
    match is_management {
        true => [listening[0], listening[1]],
        false => [listening[1], listening[0]],
    }
}

/// Where a process of ours listens. Its log does not name ports that the system
/// chose.
fn listeners(process: u32) -> Vec<SocketAddr> {
    let sockets = sockets(process);
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp"));
    let table = table.unwrap_or_default();
    let listening = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [local, state, inode] = [1, 3, 9].map(|place| columns.get(place).copied());
        let is_its = sockets.iter().any(|socket| Some(&**socket) == inode);
        // 0A is LISTEN.
        if state != Some("0A") || !is_its {
            return None;
        }
        let (_, port) = local?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    });
    listening.collect()
}

/// The numbers of a process's sockets.
fn sockets(process: u32) -> Vec<String> {
    let folder = format!("/proc/{process}/fd");
    let Ok(entries) = fs::read_dir(Path::new(&folder)) else {
        return Vec::new();
    };
    let links = entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    let number = |link: std::path::PathBuf| {
        let link = link.to_string_lossy().into_owned();
        let number = link.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(number.to_owned())
    };
    links.filter_map(number).collect()
}
