//! The configuration of a gateway under test, as a user would write it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::door::Door;
use super::gateway::Gateway;
use super::upstream::Upstream;

/// Where all gateways keep compiled plugins, so that one compiles for all: each
/// has a data folder of its own, but for this.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/data/cache");

/// A gateway to be.
#[derive(Clone, Default)]
pub(crate) struct Builder {
    top: String,
    workers: usize,
    admin: String,
    admin_keys: String,
    listen: String,
    listener: String,
    tls: Option<String>,
    tls_listener: String,
    pools: Vec<Pool>,
    rest: String,
    files: Vec<(String, Vec<u8>)>,
}

/// A pool to be. Without health checks, unless its keys ask for them: a server
/// that was never checked takes requests.
#[derive(Clone)]
pub(crate) struct Pool {
    name: &'static str,
    servers: Vec<String>,
    keys: String,
}

impl Pool {
    /// A pool of these servers.
    pub(crate) fn of(servers: &[&Upstream]) -> Self {
        Self::at(
            &servers
                .iter()
                .map(|server| server.address())
                .collect::<Vec<_>>(),
        )
    }

    /// A pool of servers at these addresses.
    pub(crate) fn at(servers: &[SocketAddr]) -> Self {
        Self::written(servers.iter().map(ToString::to_string).collect())
    }

    /// A pool of servers behind these Unix sockets.
    pub(crate) fn behind(doors: &[&Door]) -> Self {
        Self::written(doors.iter().map(|door| door.address()).collect())
    }

    fn written(servers: Vec<String>) -> Self {
        Self {
            name: "web",
            servers,
            keys: "health = false\n".to_owned(),
        }
    }

    /// Another name than `web`.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// A key and its value, as written.
    pub(crate) fn with(mut self, key: &str, value: impl AsRef<str>) -> Self {
        let _ = writeln!(self.keys, "{key} = {}", value.as_ref());
        self
    }

    /// Health checks so frequent that tests need not wait for them.
    pub(crate) fn checked(self) -> Self {
        self.health("{ interval = \"50ms\", timeout = \"1s\", rise = 1, fall = 1 }")
    }

    /// These health checks.
    pub(crate) fn health(mut self, plan: &str) -> Self {
        self.keys = self
            .keys
            .replace("health = false", &format!("health = {plan}"));
        self
    }

    fn text(&self) -> String {
        let servers = self.servers.iter().map(|server| format!("\"{server}\""));
        let servers = servers.collect::<Vec<_>>().join(", ");
        format!(
            "[pools.{}]\nservers = [{servers}]\n{}",
            self.name, self.keys
        )
    }
}

impl Builder {
    /// A gateway with one worker, one plain listener and no pool yet.
    pub(crate) fn new() -> Self {
        Self {
            workers: 1,
            admin: "127.0.0.1:0".to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            ..Self::default()
        }
    }

    /// So many workers instead of one.
    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// One more pool.
    pub(crate) fn pool(mut self, pool: Pool) -> Self {
        self.pools.push(pool);
        self
    }

    /// Keys that stand before all tables.
    pub(crate) fn top(mut self, text: &str) -> Self {
        self.top += text;
        self.top += "\n";
        self
    }

    /// Tables, as written.
    pub(crate) fn with(mut self, text: &str) -> Self {
        self.rest += text;
        self.rest += "\n";
        self
    }

    /// More keys of the first listener, as written.
    pub(crate) fn listener(mut self, keys: &str) -> Self {
        self.listener += keys;
        self.listener += "\n";
        self
    }

    /// A second listener that speaks TLS, such as `self_signed = true`.
    pub(crate) fn tls(mut self, keys: &str) -> Self {
        self.tls = Some(keys.to_owned());
        self
    }

    /// More keys of the second listener, as written.
    pub(crate) fn tls_listener(mut self, keys: &str) -> Self {
        self.tls_listener += keys;
        self.tls_listener += "\n";
        self
    }

    /// Another address for the first listener.
    pub(crate) fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// Another address for the admin listener.
    pub(crate) fn admin(mut self, address: &str) -> Self {
        self.admin = address.to_owned();
        self
    }

    /// More keys of the admin listener, as written.
    pub(crate) fn admin_with(mut self, keys: &str) -> Self {
        self.admin_keys += keys;
        self.admin_keys += "\n";
        self
    }

    /// A file beside the configuration.
    pub(crate) fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// A plugin `name` from a file beside the configuration, `name.wasm`.
    pub(crate) fn plugin(self, name: &str, component: impl Into<Vec<u8>>) -> Self {
        self.plugin_granted(name, "[]", component)
    }

    /// [`Self::plugin`], with grants as written.
    pub(crate) fn plugin_granted(
        self,
        name: &str,
        grants: &str,
        component: impl Into<Vec<u8>>,
    ) -> Self {
        let table = format!("[plugins.{name}]\nfile = \"{name}.wasm\"\ngrants = {grants}");
        self.with(&table).file(&format!("{name}.wasm"), component)
    }

    /// Start it and wait until it is ready.
    pub(crate) async fn start(self) -> Gateway {
        Gateway::start(&self).await
    }

    /// Write the configuration to a file, and the others beside it.
    pub(crate) fn write(&self, path: &Path) {
        for (name, content) in &self.files {
            std::fs::write(path.with_file_name(name), content).expect("a file");
        }
        std::fs::write(path, self.text()).expect("a file");
        let data = path.with_file_name("data");
        for folder in [Path::new(CACHE), &data] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        std::os::unix::fs::symlink(CACHE, data.join("cache")).expect("a link");
    }

    /// The configuration's text. The system chooses the ports.
    fn text(&self) -> String {
        let mut text = format!(
            "{}[admin]\nlisten = \"{}\"\ndata = \"data\"\n{}[workers]\ncount = {}\n\
             [[listener]]\nname = \"plain\"\nlisten = \"{}\"\n{}",
            self.top, self.admin, self.admin_keys, self.workers, self.listen, self.listener,
        );
        if let Some(tls) = &self.tls {
            let listener = "[[listener]]\nname = \"tls\"\nlisten = \"127.0.0.1:0\"";
            let _ = writeln!(text, "{listener}\n{}tls = {{ {tls} }}", self.tls_listener);
        }
        text += &self.rest;
        for pool in &self.pools {
            text += &pool.text();
        }
        text
    }
}
