//! The old gateway's side of a handover: starting the new process, and waiting
//! for what it says.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use gatewright_control::Upgraded;
use gatewright_proxy::Inherited;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::letter::{Answer, CHANNEL, Call, Datagrams, FORM, Letter, MOST, Parcel, VARIABLE};
use crate::program::{COMPILER, Program};

/// How long the new process may take until it serves. A new version compiles every
/// plugin that is bound.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process may take to end that has said its last word.
const ENDING: Duration = Duration::from_secs(1);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was said to this process alone: by a service manager, and of its compiler, which
/// may be of another version than the new process.
const OURS_ALONE: [&str; 5] = [
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "WATCHDOG_PID",
    COMPILER,
];

/// Start a program with these sockets and wait until it serves. If it does not, it
/// has ended when this returns, or soon after this is dropped.
pub(super) async fn start(program: &Program, sockets: Vec<Inherited>) -> Result<Upgraded, String> {
    let spawned = spawn(program, sockets);
    let (mut process, channel, letter) = spawned
        .map_err(|error| format!("{} cannot be started: {error}", program.file().display()))?;
    let answer = tokio::time::timeout(PATIENCE, answer(channel, &letter)).await;
    let reason = match answer {
        Ok(Ok(Some(Answer::Ready { version }))) => {
            return Ok(Upgraded {
                process: process.release(),
                version,
            });
        }
        Ok(Ok(Some(Answer::Failed { reason }))) => {
            process.end().await;
            reason
        }
        Ok(Ok(None)) => match process.end().await {
            Some(status) => format!("it ended before it served ({status})"),
            None => "it gave up the handover".to_owned(),
        },
        Ok(Err(error)) => {
            process.kill();
            format!("what it says cannot be understood: {error}")
        }
        Err(_) => {
            process.kill();
            format!("it did not serve within {PATIENCE:?}")
        }
    };
    Err(reason)
}

/// Start a program: its process, the channel to it, and the letter that is to go there.
fn spawn(program: &Program, sockets: Vec<Inherited>) -> io::Result<(Process, StdStream, String)> {
    let (ours, theirs) = StdStream::pair()?;
    let mut descriptors = vec![OwnedFd::from(theirs)];
    let mut parcels = Vec::with_capacity(sockets.len());
    for inherited in sockets {
        parcels.push(Parcel {
            name: inherited.name,
            address: inherited.address,
            is_of_manager: inherited.is_of_manager,
            is_shared: inherited.is_shared,
            has_file: inherited.has_file,
            count: inherited.sockets.len(),
            datagrams: inherited.datagrams.as_ref().map(|datagrams| Datagrams {
                generation: datagrams.generation,
                reset_key: datagrams.reset_key.0,
                count: datagrams.sockets.len(),
                relays: {
                    let relays = datagrams.relays.iter();
                    relays.map(|(of, relays)| (*of, relays.len())).collect()
                },
            }),
        });
        descriptors.extend(inherited.sockets);
        if let Some(datagrams) = inherited.datagrams {
            descriptors.extend(datagrams.sockets);
            let relays = datagrams.relays.into_iter();
            descriptors.extend(relays.flat_map(|(_, relays)| relays));
        }
    }
    let letter = serde_json::to_string(&Letter { sockets: parcels })? + "\n";
    let call = serde_json::to_string(&Call {
        form: FORM,
        from: std::process::id(),
    })?;
    let mappings = descriptors.into_iter().zip(CHANNEL..);
    let mappings = mappings.map(|(parent_fd, child_fd): (_, RawFd)| FdMapping {
        parent_fd,
        child_fd,
    });
    let mut command = Command::new(program.file());
    command.arg0(program.name()).args(program.arguments());
    for variable in OURS_ALONE {
        command.env_remove(variable);
    }
    command.env(VARIABLE, call);
    let command = command.fd_mappings(mappings.collect());
    let child = command.map_err(io::Error::other)?.spawn()?;
    Ok((Process(Some(child)), ours, letter))
}

/// What the new process says to a letter; none when it ends without a word.
async fn answer(channel: StdStream, letter: &str) -> io::Result<Option<Answer>> {
    channel.set_nonblocking(true)?;
    let mut channel = UnixStream::from_std(channel)?;
    // Who ends without having read it may have said why.
    let _ = channel.write_all(letter.as_bytes()).await;
    let mut line = String::new();
    let mut reader = BufReader::new(channel.take(MOST));
    match reader.read_line(&mut line).await {
        Ok(0) => Ok(None),
        // It had unread bytes when it ended.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        Ok(_) => Ok(Some(serde_json::from_str(&line)?)),
        Err(error) => Err(error),
    }
}

/// A process that ends with this, unless it is released.
struct Process(Option<Child>);

impl Process {
    /// Let it live on, by its own: its process id.
    fn release(&mut self) -> u32 {
        self.0.take().map_or(0, |child| child.id())
    }

    /// Wait for its end, and end it when that takes too long: how it ended by itself.
    async fn end(&mut self) -> Option<ExitStatus> {
        let until = tokio::time::Instant::now() + ENDING;
        while let Some(child) = &mut self.0 {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.0 = None;
                    return Some(status);
                }
                Ok(None) if tokio::time::Instant::now() < until => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(None) | Err(_) => self.kill(),
            }
        }
        None
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended already, and then there is only the wait.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
