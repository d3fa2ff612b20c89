//! A gateway under test: the real binary, in a folder of its own, on ports that
//! the system chose and its log names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use super::config::Builder;
use super::eventually::{eventually, within};
use super::message::Message;
use super::run::{self, Log};
use super::wire::Wire;

/// The name of the configuration in its folder.
const FILE: &str = "gatewright.toml";

/// How long a start may take: the first of all compiles plugins, on a machine
/// that may be busy.
pub(super) const STARTING: Duration = Duration::from_secs(60);

/// The segments of a connection that has room for little, in bytes.
const SEGMENT: u32 = 536;

/// What it logs once it serves.
const READY: &str = " ready workers=";

/// A running gateway. It is killed when it is dropped, with all that it has started.
pub(crate) struct Gateway {
    child: Mutex<Child>,
    /// The process that has taken over, if one has.
    successor: Option<u32>,
    log: Log,
    folder: TempDir,
    /// Where it listens, in the order of the configuration.
    listeners: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Gateway {
    /// A gateway to be.
    pub(crate) fn builder() -> Builder {
        Builder::new()
    }

    /// A gateway in front of one pool.
    pub(crate) async fn before(pool: super::Pool) -> Self {
        Self::builder().pool(pool).start().await
    }

    pub(super) async fn start(builder: &Builder) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        builder.write(&folder.path().join(FILE));
        Self::start_in(folder).await
    }

    /// A gateway in a folder with a configuration.
    pub(crate) async fn start_in(folder: TempDir) -> Self {
        Self::start_as(Command::new(&*run::BINARY), &["run", "-c", FILE], folder).await
    }

    /// A gateway that a command becomes, in a folder with a configuration.
    pub(crate) async fn start_as(command: Command, arguments: &[&str], folder: TempDir) -> Self {
        let mut gateway = Self::spawn_as(command, arguments, folder);
        gateway.serves().await;
        gateway
    }

    /// [`Self::start_as`], which may not serve yet.
    pub(crate) fn spawn_as(command: Command, arguments: &[&str], folder: TempDir) -> Self {
        let (child, log) = run::spawn_command(command, arguments, folder.path());
        Self {
            child: Mutex::new(child),
            successor: None,
            log,
            folder,
            listeners: Vec::new(),
            admin: None,
        }
    }

    /// Kill it and start it again in the same folder.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.successor = None;
        let (child, log) = run::spawn(&["run", "-c", FILE], self.folder.path());
        self.child = Mutex::new(child);
        self.log = log;
        self.serves().await;
    }

    /// End it at once, as a power failure does, with all that it has started.
    pub(crate) fn kill(&self) {
        assert!(run::end_all_in(self.folder.path()), "it cannot be killed");
        let mut child = self.child.lock().expect("no panic");
        child.wait().expect("it is our child");
    }

    /// Let no file of it grow beyond this size: a full disk. None lifts that.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let process = self.child.lock().expect("no panic").id();
        run::limit_files(process, bytes.unwrap_or(libc::RLIM_INFINITY));
    }

    /// Wait until it serves.
    pub(crate) async fn serves(&mut self) {
        within(
            STARTING,
            "the gateway serves, or has given up",
            async || self.log().contains(READY) || self.has_ended().is_some(),
        )
        .await;
        assert_eq!(self.has_ended(), None, "it does not start:\n{}", self.log());
        self.listeners = addresses(&self.log(), " listening address=");
        self.admin = addresses(&self.log(), " admin listening address=").pop();
    }

    /// Another process is the gateway from now on.
    pub(crate) fn succeeded_by(&mut self, process: u32) {
        self.successor = Some(process);
    }

    /// Where it serves plain HTTP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// Where it serves HTTPS.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.listeners[1]
    }

    /// Where it is administered.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin.expect("an admin listener")
    }

    /// A connection for bytes as a test writes them.
    pub(crate) async fn connect(&self) -> Wire {
        let stream = TcpStream::connect(self.address())
            .await
            .expect("it accepts");
        stream.set_nodelay(true).expect("a socket's option");
        Wire::new(stream)
    }

    /// A connection whose client's side has room for little that is not read.
    pub(crate) async fn connect_narrow(&self, room: u32) -> Wire {
        narrow(self.address(), room).await
    }

    /// [`Self::connect_narrow`] to the admin listener.
    pub(crate) async fn connect_admin_narrow(&self, room: u32) -> Wire {
        narrow(self.admin_address(), room).await
    }

    /// Send bytes on a connection of their own and read one response.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> Message {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.response().await
    }

    /// GET a path on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Message {
        self.exchange(get(path)).await
    }

    /// GET a path of the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> Message {
        let stream = TcpStream::connect(self.admin_address())
            .await
            .expect("it accepts");
        ask(stream, path).await.expect("an answer")
    }

    /// What its API says at a path.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let mut answer = self.admin(path).await.json();
        assert_eq!(answer["success"], true, "{answer}");
        answer["data"].take()
    }

    /// What it says of its servers.
    pub(crate) async fn servers(&self) -> Vec<Value> {
        self.api("/api/servers")
            .await
            .as_array()
            .expect("servers")
            .clone()
    }

    /// How many of its servers are in this state.
    pub(crate) async fn count(&self, status: &str) -> usize {
        let servers = self.servers().await;
        servers
            .iter()
            .filter(|server| server["status"] == status)
            .count()
    }

    /// How many requests it has in flight on its servers.
    pub(crate) async fn active(&self) -> u64 {
        let servers = self.servers().await;
        servers
            .iter()
            .map(|server| server["activeConnections"].as_u64().expect("a count"))
            .sum()
    }

    /// Wait until nothing is in flight, neither by its servers nor its clients.
    pub(crate) async fn settles(&self) {
        eventually("nothing is in flight", async || {
            self.active().await == 0 && self.metric("gatewright_requests_in_flight").await == 0.0
        })
        .await;
    }

    /// A figure of `/metrics`: the sum of all lines that begin with `name`,
    /// followed by labels or by the value.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").await;
        let values = text.text().lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_whole_name = rest.starts_with([' ', '{', ',']);
            is_whole_name.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        values.sum()
    }

    /// A file beside the configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Change the configuration as an editor would.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.path(FILE)).expect("the configuration");
        self.put(FILE, change(text));
    }

    /// Put a file in place at once, as a careful copy does.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let draft = self.path("draft");
        std::fs::write(&draft, content).expect("a file");
        std::fs::rename(&draft, self.path(name)).expect("a file");
    }

    /// Wait for a word in its log.
    pub(crate) async fn says(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), async || {
            self.log().contains(text)
        })
        .await;
    }

    /// How often a word is in its log.
    pub(crate) fn says_how_often(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        let path = format!("/proc/{}/statm", self.id());
        let pages = std::fs::read_to_string(path).expect("it runs");
        let resident = pages.split(' ').nth(1).expect("a second number");
        resident.parse::<usize>().expect("a number") * 4096
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.id());
        std::fs::read_dir(path).expect("it runs").count()
    }

    /// How many sockets each of its sets of watched ones has, by the set's descriptor.
    pub(crate) fn watched_sockets(&self) -> BTreeMap<OsString, usize> {
        let folder = format!("/proc/{}/fdinfo", self.id());
        let descriptors = std::fs::read_dir(folder).expect("it runs");
        let watched = descriptors.filter_map(Result::ok).map(|descriptor| {
            // It may have been closed since.
            let told = std::fs::read_to_string(descriptor.path()).unwrap_or_default();
            let watched = told.lines().filter(|line| line.starts_with("tfd:"));
            (descriptor.file_name(), watched.count())
        });
        watched.filter(|(_, watched)| *watched > 0).collect()
    }

    /// How many descriptors it may have open, and the most that it may ask for.
    pub(crate) fn descriptor_limits(&self) -> [String; 2] {
        let path = format!("/proc/{}/limits", self.id());
        let limits = std::fs::read_to_string(path).expect("it runs");
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let mut words = line.expect("a line").split_whitespace().map(str::to_owned);
        [(); 2].map(|()| words.next().expect("a limit"))
    }

    /// The processes that it has started.
    pub(crate) fn children(&self) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id()));
        let threads = threads.expect("it runs").filter_map(Result::ok);
        let children = threads.map(|thread| {
            // A thread may have ended since.
            std::fs::read_to_string(thread.path().join("children")).unwrap_or_default()
        });
        let children: Vec<_> = children.collect();
        let children = children.iter().flat_map(|list| list.split_whitespace());
        children.filter_map(|id| id.parse().ok()).collect()
    }

    /// The process that serves.
    pub(crate) fn id(&self) -> u32 {
        let first = || self.child.lock().expect("no panic").id();
        self.successor.unwrap_or_else(first)
    }

    /// Ask it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        run::signal(self.id(), libc::SIGTERM);
    }

    /// Ask it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        run::signal(self.id(), libc::SIGHUP);
    }

    /// Whether it accepts connections.
    pub(crate) async fn accepts(&self) -> bool {
        TcpStream::connect(self.address()).await.is_ok()
    }

    /// Wait for its end.
    pub(crate) async fn exit_code(&self) -> i32 {
        eventually("the gateway ends", async || self.has_ended().is_some()).await;
        self.has_ended()
            .and_then(|status| status.code())
            .expect("it was not killed")
    }

    fn has_ended(&self) -> Option<ExitStatus> {
        self.child
            .lock()
            .expect("no panic")
            .try_wait()
            .expect("it is our child")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let all_ended = run::end_all_in(self.folder.path());
        if all_ended && let Ok(child) = self.child.get_mut() {
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

async fn narrow(address: SocketAddr, room: u32) -> Wire {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(room).expect("an option");
    // With small segments the other side's buffer is small too.
    let option = SockRef::from(&socket).set_tcp_mss(SEGMENT);
    option.expect("an option");
    Wire::new(socket.connect(address).await.expect("it accepts"))
}

/// A GET request.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

async fn ask(stream: TcpStream, path: &str) -> Option<Message> {
    let mut wire = Wire::new(stream);
    wire.try_send(get(path)).await.ok()?;
    wire.try_response().await
}

/// The IP addresses that the log names after these words.
fn addresses(log: &str, words: &str) -> Vec<SocketAddr> {
    let named = log.lines().filter_map(|line| line.split_once(words));
    let plain = named.filter(|(before, _)| !before.ends_with(" admin"));
    plain
        .map(|(_, address)| address.trim())
        .filter(|address| !address.starts_with("unix:"))
        .map(|address| address.parse().expect("an address"))
        .collect()
}
