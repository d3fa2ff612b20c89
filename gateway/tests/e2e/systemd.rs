//! Under a service manager: sockets that it has made, and what it is told.

use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use tempfile::TempDir;
use tokio::net::{UnixDatagram, UnixStream};

use crate::support::{
    BINARY, Builder, Gateway, Installed, Pipe, Pool, Upstream, Wire, eventually, get,
    run_until_exit_as, soon,
};

const FILE: &str = "gatewright.toml";

/// A folder with a configuration.
fn folder(builder: &Builder) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    builder.write(&folder.path().join(FILE));
    folder
}

/// A command that becomes the binary with these sockets, as a service manager
/// starts it, and the binary's arguments.
fn activated(sockets: Vec<OwnedFd>, names: &str) -> (Command, [&'static str; 6]) {
    let mut command = Command::new("sh");
    command
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names);
    // SAFETY: `dup2` and `fcntl` may be called between fork and exec.
    unsafe {
        command.pre_exec(move || {
            for (socket, number) in sockets.iter().zip(3..) {
                let done = match socket.as_raw_fd() == number {
                    true => libc::fcntl(number, libc::F_SETFD, 0),
                    false => libc::dup2(socket.as_raw_fd(), number),
                };
                if done < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    let script = "LISTEN_PID=$$ exec \"$0\" \"$@\"";
    (command, ["-c", script, &BINARY, "run", "-c", FILE])
}

/// Sockets of TCP whose numbers are above those that they are handed over as.
fn sockets<const COUNT: usize>() -> [TcpListener; COUNT] {
    [(); COUNT].map(|()| {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        // SAFETY: the descriptor is open, and the new one is nobody's yet.
        unsafe {
            let number = libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 64);
            std::os::fd::FromRawFd::from_raw_fd(number)
        }
    })
}

#[tokio::test]
async fn systemd_socket_activate_hands_a_unix_socket_over() {
    let server = Upstream::named("a").await;
    let places = tempfile::tempdir().expect("a folder");
    let path = places.path().join("web.sock");
    let listener = format!(
        "[[listener]]\nname = \"local\"\nlisten = \"unix:{}\"",
        path.display()
    );
    let builder = Builder::new().with(&listener).pool(Pool::of(&[&server]));
    let socket = path.display().to_string();
    let arguments = ["-l", &socket, "--fdname=local", &BINARY, "run", "-c", FILE];
    let command = Command::new("systemd-socket-activate");
    let mut gateway = Gateway::spawn_as(command, &arguments, folder(&builder));
    // It starts the gateway when the first client has come.
    let mut first = None;
    eventually("it listens", async || {
        first = UnixStream::connect(&path).await.ok();
        first.is_some()
    })
    .await;
    gateway.serves().await;
    let mut first = Wire::new(first.expect("it is connected"));
    first.send(get("/")).await;
    assert_eq!(first.response().await.text(), "a");
    gateway.upgrade().await;
    let mut second = Wire::new(UnixStream::connect(&path).await.expect("it accepts"));
    second.send(get("/")).await;
    assert_eq!(second.response().await.text(), "a");
    let last = gateway.id();
    gateway.terminate();
    gateway.has_left(last).await;
    assert!(path.exists(), "the file is the service manager's");
}

#[tokio::test]
async fn a_socket_of_systemd_stays_its_listeners_through_an_upgrade_and_is_never_left_alone() {
    let server = Upstream::named("a").await;
    let places = tempfile::tempdir().expect("a folder");
    let [path, elsewhere] = ["web.sock", "other.sock"].map(|name| places.path().join(name));
    let [path, elsewhere] = [path, elsewhere].map(|path| path.display().to_string());
    let listener = format!("[[listener]]\nname = \"local\"\nlisten = \"unix:{path}\"");
    let builder = Builder::new().with(&listener).pool(Pool::of(&[&server]));
    let arguments = ["-l", &path, "--fdname=local", &BINARY, "run", "-c", FILE];
    let command = Command::new("systemd-socket-activate");
    let mut gateway = Gateway::spawn_as(command, &arguments, folder(&builder));
    eventually("it listens", async || {
        UnixStream::connect(&path).await.is_ok()
    })
    .await;
    gateway.serves().await;
    let is_served = async || {
        let stream = soon("it accepts", UnixStream::connect(&path)).await;
        let mut wire = Wire::new(stream.expect("it accepts"));
        wire.send(get("/")).await;
        assert_eq!(wire.response().await.text(), "a");
    };
    gateway.edit(|text| text.replace(&path, &elsewhere));
    for _ in 0..2 {
        let before = gateway.id();
        gateway.upgrade().await;
        gateway.has_left(before).await;
        is_served().await;
    }
    gateway.edit(|text| text.replace("\"local\"", "\"another\""));
    let reason = gateway.upgrade_fails().await;
    for word in [&*path, "\"local\""] {
        assert!(reason.contains(word), "no {word} in: {reason}");
    }
    is_served().await;
}

#[tokio::test]
async fn a_socket_belongs_to_the_listener_of_its_name_or_of_its_address() {
    let server = Upstream::named("a").await;
    let [named, placed, admin] = sockets();
    let addresses = [&named, &placed, &admin].map(|one| one.local_addr().expect("an address"));
    // By its name, wherever that listens; by its address, whatever it is called.
    let listener = format!(
        "[[listener]]\nname = \"other\"\nlisten = \"{}\"",
        addresses[1]
    );
    let builder = Builder::new().workers(3).with(&listener);
    let folder = folder(&builder.pool(Pool::of(&[&server])));
    let sockets = [named, placed, admin].map(OwnedFd::from).into();
    let (command, arguments) = activated(sockets, "plain:unknown:admin");
    let mut gateway = Gateway::start_as(command, &arguments, folder).await;
    assert_eq!(gateway.address(), addresses[0]);
    assert_eq!(gateway.tls_address(), addresses[1]);
    assert_eq!(gateway.admin_address(), addresses[2]);
    for _ in 0..2 {
        for address in &addresses[..2] {
            for _ in 0..10 {
                let stream = tokio::net::TcpStream::connect(address).await;
                let mut wire = Wire::new(stream.expect("it accepts"));
                wire.send(get("/")).await;
                assert_eq!(wire.response().await.text(), "a");
            }
        }
        gateway.upgrade().await;
    }
}

#[tokio::test]
async fn a_socket_that_no_listener_wants_is_an_error_that_names_the_remedy() {
    let server = Upstream::named("a").await;
    let [stray] = sockets();
    let address = stray.local_addr().expect("an address").to_string();
    let folder = folder(&Builder::new().pool(Pool::of(&[&server])));
    let (command, arguments) = activated(vec![stray.into()], "stray");
    let (code, words) = run_until_exit_as(command, &arguments, folder.path()).await;
    assert_eq!(code, 2, "{words}");
    for word in [&*address, "\"stray\"", "FileDescriptorName=plain"] {
        assert!(words.contains(word), "no {word} in: {words}");
    }
}

/// A service manager's ear.
struct Manager {
    socket: UnixDatagram,
    _folder: TempDir,
}

impl Manager {
    /// It, and what has the binary tell it.
    fn listening() -> (Self, Command) {
        Self::told_by(Command::new(&*BINARY))
    }

    /// It, and a command that is to tell it.
    fn told_by(mut command: Command) -> (Self, Command) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        command.env("NOTIFY_SOCKET", path);
        let manager = Self {
            socket,
            _folder: folder,
        };
        (manager, command)
    }

    /// What it is told next, line by line, but for signs of life.
    async fn told(&self) -> Vec<String> {
        loop {
            let told = self.hears().await;
            if told != ["WATCHDOG=1"] {
                return told;
            }
        }
    }

    async fn hears(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        // The first of all comes after a whole start.
        let mut receiving = Box::pin(self.socket.recv(&mut buffer));
        let received = match tokio::time::timeout(PATIENCE, &mut receiving).await {
            Ok(received) => received.expect("a message"),
            Err(_) => panic!("nothing was told"),
        };
        drop(receiving);
        let text = String::from_utf8_lossy(&buffer[..received]);
        text.lines().map(str::to_owned).collect()
    }
}

/// How long a start may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test]
async fn a_service_manager_is_told_of_start_reload_upgrade_and_end() {
    let server = Upstream::named("a").await;
    let folder = folder(&Builder::new().pool(Pool::of(&[&server])));
    let (manager, command) = Manager::listening();
    let mut gateway = Gateway::start_as(command, &["run", "-c", FILE], folder).await;
    assert_eq!(manager.told().await, ["READY=1"]);
    gateway.hang_up();
    let reloading = manager.told().await;
    assert_eq!(reloading[0], "RELOADING=1");
    let (key, value) = reloading[1].split_once('=').expect("a value");
    assert_eq!(key, "MONOTONIC_USEC");
    assert!(value.parse::<u64>().expect("a number") > 0);
    assert_eq!(manager.told().await, ["READY=1"]);
    let process = gateway.upgrade().await;
    assert_eq!(manager.told().await, [format!("MAINPID={process}")]);
    gateway.terminate();
    assert_eq!(manager.told().await, ["STOPPING=1"]);
    gateway.has_left(process).await;
}

#[tokio::test]
async fn a_gateway_that_reads_its_configuration_hears_that_it_is_to_stop() {
    let server = Upstream::named("a").await;
    let folder = folder(&Builder::new().pool(Pool::of(&[&server])));
    let (manager, command) = Manager::listening();
    let gateway = Gateway::start_as(command, &["run", "-c", FILE], folder).await;
    assert_eq!(manager.told().await, ["READY=1"]);
    let pipe = Pipe::at(&gateway.path(FILE));
    gateway.hang_up();
    assert_eq!(manager.told().await[0], "RELOADING=1");
    let _writer = pipe.is_read().await;
    gateway.terminate();
    assert_eq!(manager.told().await, ["STOPPING=1"]);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_service_manager_hears_of_the_new_process_from_the_one_it_knows() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let (manager, command) = Manager::told_by(installed.command());
    let folder = folder(&Builder::new().pool(Pool::of(&[&server])));
    let mut gateway = Gateway::start_as(command, &["run", "-c", FILE], folder).await;
    assert_eq!(manager.told().await, ["READY=1"]);
    installed.replace(&format!("unset NOTIFY_SOCKET\nexec {} \"$@\"", *BINARY));
    let process = gateway.upgrade().await;
    assert_eq!(manager.told().await, [format!("MAINPID={process}")]);
}

#[tokio::test]
async fn a_watchdog_hears_that_the_gateway_is_alive_before_and_after_an_upgrade() {
    let server = Upstream::named("a").await;
    let folder = folder(&Builder::new().pool(Pool::of(&[&server])));
    let (manager, mut command) = Manager::listening();
    command.env("WATCHDOG_USEC", "3000000");
    let mut gateway = Gateway::start_as(command, &["run", "-c", FILE], folder).await;
    let mut alive = 0;
    soon("signs of life", async {
        while alive < 2 {
            alive += usize::from(manager.hears().await == ["WATCHDOG=1"]);
        }
    })
    .await;
    let before = gateway.id();
    gateway.upgrade().await;
    gateway.has_left(before).await;
    while manager.hears().await[0] == "WATCHDOG=1" {}
    // The first may be the old one's last.
    for _ in 0..2 {
        let heard = soon("the new one's signs of life", manager.hears()).await;
        assert_eq!(heard, ["WATCHDOG=1"]);
    }
}
