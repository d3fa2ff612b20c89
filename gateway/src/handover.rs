//! One process after the other on the same sockets: a new gateway takes over from
//! one that runs, and no client notices.
//!
//! The old process starts the program again, as its file is by then. The new one
//! inherits every listening socket and one end of a socket pair, over which it
//! is told what they are, and says that it serves or why it does not. [`letter`] is
//! what the two have agreed on; [`successor`] is the old one's side, [`inherit`] the
//! new one's. What a service manager hands over comes in the same way.

mod inherit;
mod letter;
mod successor;

pub(crate) use inherit::{Predecessor, claim, inherit};

use gatewright_control::{Gateway, Upgraded};

use crate::program::Program;

/// The first process of a container. With its end the system ends every other one
/// there, a successor too.
const FIRST: u32 = 1;

/// Have the program, as its file is now, take over from a gateway. When that does
/// not come to serve, this one goes on as if nothing had been, but for why.
///
/// Given up in the middle, the new process is ended and the store stays closed:
/// that is for a gateway that is to stop.
pub(crate) async fn hand_over(gateway: &Gateway, program: &Program) -> Result<Upgraded, String> {
    if std::process::id() == FIRST {
        let reason = "it is process 1, the first of its container, and all others there end with \
                      it; restart the container instead";
        return Err(reason.to_owned());
    }
    let sockets = gateway.hand_over().await;
    let sockets = sockets.map_err(|error| error.to_string())?;
    let started = successor::start(program, sockets).await;
    if started.is_err() {
        gateway.take_back().await;
    }
    started
}
