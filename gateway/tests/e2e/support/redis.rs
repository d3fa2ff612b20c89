//! A real Redis: Debian's `redis-server`, in a folder of its own, behind a Unix
//! socket there and, if it is asked to, on a port. `cargo xtask test` installs it.
//! Tests themselves ask it by the socket.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::eventually::eventually;
use super::tls::Authority;

/// A Redis server. It is killed when it is dropped.
pub(crate) struct Redis {
    process: Mutex<Child>,
    arguments: Vec<String>,
    folder: TempDir,
    /// Where gateways reach it, if that is not the socket.
    port: Option<u16>,
}

impl Redis {
    /// One that keeps nothing, with more of its settings as a command line says
    /// them.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("redis.sock");
        let socket = socket.to_string_lossy();
        let plain = ["--save", "", "--appendonly", "no", "--unixsocket", &socket];
        let port = ["--port", "0"]
            .iter()
            .filter(|_| !settings.contains(&"--port"));
        let arguments = plain.iter().chain(port).chain(settings);
        let arguments: Vec<String> = arguments.map(|&argument| argument.to_owned()).collect();
        let process = Mutex::new(spawn(&arguments, &folder));
        let redis = Self {
            process,
            arguments,
            folder,
            port: None,
        };
        redis.serves().await;
        // It has been empty ever since, so that the first gateway begins a cluster at once.
        redis.ask(&["SET", "gatewright:empty", "0"]);
        redis
    }

    /// [`Self::start`], of one that gateways reach by a port.
    pub(crate) async fn on_a_port(settings: &[&str]) -> Self {
        let port = free_port();
        let written = port.to_string();
        let settings = [settings, &["--bind", "127.0.0.1", "--port", &written]].concat();
        let mut redis = Self::start(&settings).await;
        redis.port = Some(port);
        redis
    }

    /// One that speaks TLS on a port, with a certificate for `localhost`, and asks
    /// for a password and for clients' certificates; its port.
    pub(crate) async fn with_tls(authority: &Authority, password: &str) -> (Self, u16) {
        let files = tempfile::tempdir().expect("a folder");
        let certified = authority.sign("localhost");
        let path = |name: &str| files.path().join(name).to_string_lossy().into_owned();
        let put = |name: &str, text: &str| std::fs::write(path(name), text).expect("a file");
        put("ca.pem", authority.certificate());
        put("cert.pem", &certified.certificate);
        put("key.pem", &certified.key);
        let port = free_port();
        let (ca, cert, key) = (path("ca.pem"), path("cert.pem"), path("key.pem"));
        let settings = [
            ("--tls-port", &*port.to_string()),
            ("--tls-ca-cert-file", &*ca),
            ("--tls-cert-file", &*cert),
            ("--tls-key-file", &*key),
            ("--requirepass", password),
        ];
        let settings: Vec<&str> = settings
            .iter()
            .flat_map(|(key, value)| [*key, *value])
            .collect();
        (Self::start(&settings).await, port)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        match self.port {
            Some(port) => format!("redis://127.0.0.1:{port}/0"),
            None => format!("redis+unix://{}", self.socket().display()),
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// End it at once; it forgets everything.
    pub(crate) fn kill(&self) {
        let mut process = self.process.lock().expect("no panic");
        process.kill().expect("it is our child");
        process.wait().expect("it is our child");
    }

    /// Start it again.
    pub(crate) async fn restart(&self) {
        *self.process.lock().expect("no panic") = spawn(&self.arguments, &self.folder);
        self.serves().await;
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.lock().expect("no panic").id()
    }

    /// What it answers to a command.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let mut asking = Command::new("redis-cli");
        asking.arg("-s").arg(self.socket()).args(command);
        let answer = asking.output().expect("redis-cli runs");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// Make it a replica of one that is on a port, and wait until it has what that has.
    pub(crate) async fn follow(&self, primary: &Self) {
        let port = primary.port.expect("a port").to_string();
        assert_eq!(self.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
        eventually("the replica has what the primary has", async || {
            let told = self.ask(&["INFO", "replication"]);
            told.contains("role:slave") && told.contains("master_link_status:up")
        })
        .await;
    }

    /// Make a replica a primary.
    pub(crate) fn lead(&self) {
        assert_eq!(self.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    }

    async fn serves(&self) {
        eventually("the server answers", async || {
            let answer = self.ask(&["PING"]);
            answer == "PONG" || answer.contains("NOAUTH")
        })
        .await;
    }
}

/// A port that is given back just before a server takes it.
fn free_port() -> u16 {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    taken.local_addr().expect("its address").port()
}

fn spawn(arguments: &[String], folder: &TempDir) -> Child {
    let log = std::fs::File::create(folder.path().join("log")).expect("a file");
    Command::new("redis-server")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a descriptor"))
        .stderr(log)
        .spawn()
        .expect("redis-server runs; cargo xtask test installs it")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let mut process = self.process.lock().expect("no panic");
        let _ = process.kill();
        let _ = process.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            eprintln!("redis-server logged:\n{}", log.unwrap_or_default());
        }
    }
}
