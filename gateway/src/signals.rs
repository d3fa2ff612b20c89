//! What the system tells a running gateway: to end, to read its configuration
//! again, to open its logs anew, or to let a new process take over.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// The signals that are listened to, from the moment this is made: none is
/// missed between two calls.
pub(crate) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
    user1: unix::Signal,
    user2: unix::Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGINT, which is Ctrl-C, or SIGTERM.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Reopen,
    /// SIGUSR2.
    Upgrade,
}

impl Signals {
    /// Listen from now on.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        // A file that may not grow any more is an error of whoever writes it, as
        // on a full disk, and no end of the gateway.
        drop(unix::signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
            user1: unix::signal(SignalKind::user_defined1())?,
            user2: unix::signal(SignalKind::user_defined2())?,
        })
    }

    /// Wait for the next one.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.terminate.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
            _ = self.user1.recv() => Request::Reopen,
            _ = self.user2.recv() => Request::Upgrade,
        }
    }

    /// Wait until asked to end. Whatever else is asked for meanwhile is what
    /// [`Self::next`] says afterwards.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
