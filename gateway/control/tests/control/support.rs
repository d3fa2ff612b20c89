//! What the tests share: servers, a gateway in front of them, and a client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use gatewright_control::{Gateway, Keep, Options, PluginFigures, Source, StartError};
use gatewright_host::Compiler;
use gatewright_model::config::Environment;
use gatewright_model::role::Role;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;

/// How long to wait for what has to come; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that answers with its name; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(name: &'static str) -> Self {
        let routes = Router::new().route("/health", get(|| async {}));
        Self::serve(routes.fallback(move || async move { name })).await
    }

    pub(crate) async fn serve(routes: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A folder with a configuration file.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The data folder. What it has of compiled plugins is shared by all tests:
    /// compiling the default set takes seconds.
    pub(crate) fn data(&self) -> PathBuf {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data/cache");
        let data = self.path("data");
        if !data.exists() {
            std::fs::create_dir_all(&cache).unwrap();
            std::fs::create_dir(&data).unwrap();
            std::os::unix::fs::symlink(cache, data.join("cache")).unwrap();
        }
        data
    }

    /// Write the configuration: two workers, any ports, and the rest as given.
    pub(crate) fn configure(&self, rest: &str) {
        self.data();
        let admin = "[admin]\nlisten = \"127.0.0.1:0\"\ndata = \"data\"\n";
        let listener =
            "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n";
        self.write("gatewright.toml", format!("{admin}{listener}{rest}"));
    }

    /// Start a gateway from the configuration.
    pub(crate) async fn try_start(&self, watch: bool) -> Result<Gateway, StartError> {
        let options = Options {
            environment: Environment::empty(),
            compiler: Compiler::InProcess,
            keep: Keep::InDataFolder,
            watch,
            inheritance: Default::default(),
            judge: None,
        };
        Gateway::start(Source::File(self.path("gatewright.toml")), options).await
    }

    /// Start a gateway from the configuration; it must be good.
    pub(crate) async fn start(&self, watch: bool) -> Gateway {
        let started = self.try_start(watch).await;
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The file of a plugin of the default set.
    pub(crate) fn default_plugin(name: &str) -> Vec<u8> {
        let plugins = gatewright_host::defaults().iter();
        let named = plugins.filter(|plugin| plugin.name == name);
        named
            .map(|plugin| plugin.component.to_vec())
            .next()
            .unwrap()
    }
}

/// A pool `web` of these servers, with more lines for it.
pub(crate) fn pool(servers: &[&Server], lines: &str) -> String {
    let quoted = servers
        .iter()
        .map(|server| format!("\"{}\"", server.address));
    let servers = quoted.collect::<Vec<_>>().join(", ");
    format!("[pools.web]\nservers = [{servers}]\n{lines}\n")
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// Ask with a connection of its own.
pub(crate) async fn ask(
    method: &str,
    address: SocketAddr,
    path: &str,
    host: Option<&str>,
) -> Answer {
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = request.body(Empty::new()).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Get a path.
pub(crate) async fn get_path(address: SocketAddr, path: &str) -> Answer {
    ask("GET", address, path, None).await
}

/// Ask the gateway's first listener, and insist on 200.
pub(crate) async fn visit(gateway: &Gateway) -> String {
    let answer = get_path(gateway.listeners()[0].ip().unwrap(), "/").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Wait for something that has to come.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "it never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The figures of the balancer in force.
pub(crate) fn balancer(gateway: &Gateway) -> PluginFigures {
    let plugins = gateway.overview().plugins.into_iter();
    let mut balancers = plugins.filter(|plugin| plugin.role == Role::Balancer);
    balancers.next().unwrap()
}

/// The number of the snapshot in force.
pub(crate) fn generation(gateway: &Gateway) -> u64 {
    gateway.overview().totals.generation.0
}
