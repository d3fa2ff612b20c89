//! The binary as a process.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use super::eventually::{eventually, within};
use super::gateway::{Gateway, STARTING};

/// How long processes that are killed may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

/// All that a process has written so far, to either stream.
pub(crate) type Log = Arc<Mutex<String>>;

/// The program under test: cargo's, or another build of it that `GATEWRIGHT`
/// names, such as a release.
pub(crate) static BINARY: LazyLock<String> = LazyLock::new(|| {
    let named = std::env::var("GATEWRIGHT");
    named.unwrap_or_else(|_| env!("CARGO_BIN_EXE_gatewright").to_owned())
});

/// Run the binary in a folder, apart from the environment's settings.
pub(crate) fn spawn(arguments: &[&str], folder: &Path) -> (Child, Log) {
    spawn_command(Command::new(&*BINARY), arguments, folder)
}

/// Run a command that becomes the binary in its own way.
pub(crate) fn spawn_command(
    mut command: Command,
    arguments: &[&str],
    folder: &Path,
) -> (Child, Log) {
    // SAFETY: it is made for between fork and exec.
    unsafe {
        command.pre_exec(begin_with_few_descriptors);
    }
    let mut child = command
        .args(arguments)
        .current_dir(folder)
        .env_remove("PORT")
        .env_remove("WORKER_COUNT")
        .env_remove("HEALTH_CHECK_INTERVAL")
        .env_remove("REDIS_URL")
        .env("GATEWRIGHT_LOG", "info")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let log = Log::default();
    collect(child.stdout.take().expect("it is piped"), &log);
    collect(child.stderr.take().expect("it is piped"), &log);
    (child, log)
}

/// Let this process have as many descriptors open as it may: how many that is.
pub(crate) fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both are called with a limit of our own, which outlives them.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert_eq!(done, 0, "the limit cannot be raised");
    limit.rlim_max
}

/// What shells and service managers start programs with.
fn begin_with_few_descriptors() -> std::io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both are called with a limit of our own, which outlives them.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max.min(256);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    match done {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Read in a thread, so that a full pipe never holds the process up.
pub(super) fn collect(mut stream: impl Read + Send + 'static, log: &Log) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            let text = String::from_utf8_lossy(&chunk[..read]);
            log.lock().expect("no panic").push_str(&text);
        }
    });
}

/// End every process that runs in a folder, whoever has started it and whether or not
/// anybody knows of it, and wait until none is left: whether that came to be.
pub(super) fn end_all_in(folder: &Path) -> bool {
    let folder = folder.canonicalize().expect("a folder");
    let began = Instant::now();
    loop {
        let processes = all_in(&folder);
        if processes.is_empty() {
            return true;
        }
        if began.elapsed() > ENDING {
            eprintln!("these cannot be killed: {processes:?}");
            return false;
        }
        for process in processes {
            // SAFETY: `kill` touches no memory. It may have ended meanwhile.
            unsafe { libc::kill(process, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The processes that run in a folder. One that has ended runs nowhere.
fn all_in(folder: &Path) -> Vec<libc::pid_t> {
    let processes = std::fs::read_dir("/proc").expect("it is mounted");
    let processes = processes.filter_map(|entry| {
        let process = entry.ok()?.path();
        let is_there = std::fs::read_link(process.join("cwd")).ok()? == folder;
        is_there.then(|| process.file_name()?.to_str()?.parse().ok())?
    });
    processes.collect()
}

/// Send a signal to a process that we have started.
pub(crate) fn signal(process: u32, signal: i32) {
    let process = i32::try_from(process).expect("a process id");
    // SAFETY: `kill` touches no memory; the process is our child, not yet waited for.
    let sent = unsafe { libc::kill(process, signal) };
    assert_eq!(sent, 0, "the gateway has ended already");
}

/// Limit the size to which files of a process that we have started may grow.
pub(crate) fn limit_files(process: u32, bytes: u64) {
    let process = i32::try_from(process).expect("a process id");
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    let before = std::ptr::null_mut();
    // SAFETY: it reads `limit`, and writes nothing since `before` is null.
    let set = unsafe { libc::prlimit(process, libc::RLIMIT_FSIZE, &raw const limit, before) };
    assert_eq!(set, 0, "the limit cannot be set");
}

/// Whether a process runs; one that has ended and is not waited for does not.
pub(crate) fn runs(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let status = status.unwrap_or_default();
    let state = status.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// A process that does not outlive who has it.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Run the binary until it ends by itself: its exit code and what it wrote.
pub(crate) async fn run_until_exit(arguments: &[&str], folder: &Path) -> (i32, String) {
    run_until_exit_as(Command::new(&*BINARY), arguments, folder).await
}

/// [`run_until_exit`], of a command that becomes the binary in its own way.
pub(crate) async fn run_until_exit_as(
    command: Command,
    arguments: &[&str],
    folder: &Path,
) -> (i32, String) {
    let (child, log) = spawn_command(command, arguments, folder);
    let (mut child, mut status) = (Ours(child), None);
    within(STARTING, "it ends by itself", async || {
        status = child.0.try_wait().expect("it is our child");
        status.is_some()
    })
    .await;
    let code = status
        .and_then(|status| status.code())
        .expect("it was not killed");
    // The pipes may be read a moment later than the process ends.
    eventually("its last words are read", async || {
        Arc::strong_count(&log) == 1
    })
    .await;
    let log = log.lock().expect("no panic").clone();
    (code, log)
}

/// What a command to a gateway prints that has to end with this code.
pub(crate) async fn ends(gateway: &Gateway, code: i32, arguments: &[&str]) -> String {
    let admin = format!("http://{}", gateway.admin_address());
    let arguments = [arguments, &["--admin", &admin]].concat();
    let (ended, words) = run_until_exit(&arguments, &gateway.path("")).await;
    assert_eq!(ended, code, "{arguments:?}: {words}");
    words
}
