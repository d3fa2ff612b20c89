//! What a gateway finds when it starts: sockets that listen already, from the
//! gateway before it or from a service manager (the protocol of `sd_listen_fds`).

use std::env;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, ensure};
use command_fds::inherited::{init_inherited_fds, take_fd_ownership};
use gatewright_proxy::{Inheritance, Inherited, InheritedDatagrams, ResetKey};

use super::letter::{Answer, CHANNEL, Datagrams, FORM, Letter, Parcel, VARIABLE};

/// The variable by which a service manager says that it hands sockets over.
const MANAGED: &str = "LISTEN_FDS";

/// The gateway before this one, which waits for an answer.
pub(crate) struct Predecessor {
    channel: UnixStream,
}

impl Predecessor {
    /// Say that this gateway serves: the one before it ends.
    pub(crate) fn ready(self) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.answer(&Answer::Ready { version });
    }

    /// Say why this gateway does not serve: the one before it goes on.
    pub(crate) fn failed(self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        self.answer(&Answer::Failed { reason });
    }

    fn answer(mut self, answer: &Answer) {
        let line = serde_json::to_string(answer).unwrap_or_default() + "\n";
        if let Err(error) = self.channel.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the gateway before this one cannot be told");
        }
    }
}

/// Take hold of descriptors that were handed over, before anything else opens one.
///
/// # Errors
///
/// When the system does not tell which there are.
pub(crate) fn claim() -> anyhow::Result<()> {
    if env::var_os(VARIABLE).is_none() && env::var_os(MANAGED).is_none() {
        return Ok(());
    }
    // SAFETY: this is called first of all by `main`, so that every descriptor that is
    // open beyond the standard ones was inherited and is nobody's yet.
    let claimed = unsafe { init_inherited_fds() };
    claimed.context("cannot look for inherited sockets")
}

/// What listens already, and who waits for this gateway, if somebody does.
///
/// # Errors
///
/// When what was handed over cannot be understood.
pub(crate) fn inherit() -> anyhow::Result<(Inheritance, Option<Predecessor>)> {
    match letter()? {
        Some(letter) => {
            let (inheritance, predecessor) = open(letter)?;
            Ok((inheritance, Some(predecessor)))
        }
        None => Ok((of_manager()?, None)),
    }
}

/// The letter to this process.
fn letter() -> anyhow::Result<Option<Letter>> {
    let Ok(text) = env::var(VARIABLE) else {
        return Ok(None);
    };
    let letter: Letter =
        serde_json::from_str(&text).with_context(|| format!("{VARIABLE} cannot be understood"))?;
    let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    let is_ours = parent.is_some_and(|parent| u32::try_from(parent.get()) == Ok(letter.from));
    Ok(is_ours.then_some(letter))
}

fn open(letter: Letter) -> anyhow::Result<(Inheritance, Predecessor)> {
    ensure!(
        letter.form == FORM,
        "the running gateway hands over in another form ({}; this one knows {FORM}): restart \
         instead of upgrading",
        letter.form
    );
    let mut descriptors = CHANNEL..;
    let mut next = || -> anyhow::Result<OwnedFd> {
        let number = descriptors
            .next()
            .context("there are too many descriptors")?;
        take_fd_ownership(number).with_context(|| format!("{VARIABLE} is wrong"))
    };
    let channel = UnixStream::from(next()?);
    let unpack = |parcel: Parcel| {
        let sockets = (0..parcel.count).map(|_| next());
        Ok(Inherited {
            name: parcel.name,
            address: parcel.address,
            is_of_manager: parcel.is_of_manager,
            is_shared: parcel.is_shared,
            has_file: parcel.has_file,
            sockets: sockets.collect::<anyhow::Result<_>>()?,
            datagrams: match parcel.datagrams {
                Some(datagrams) => Some(unpack_datagrams(datagrams, &mut next)?),
                None => None,
            },
        })
    };
    let sockets = letter.sockets.into_iter().map(unpack);
    let sockets = sockets.collect::<anyhow::Result<_>>()?;
    Ok((Inheritance::of(sockets), Predecessor { channel }))
}

fn unpack_datagrams(
    datagrams: Datagrams,
    mut next: impl FnMut() -> anyhow::Result<OwnedFd>,
) -> anyhow::Result<InheritedDatagrams> {
    let mut several = |count| (0..count).map(|_| next()).collect::<anyhow::Result<_>>();
    let sockets = several(datagrams.count)?;
    let relays = datagrams.relays.into_iter();
    let relays = relays.map(|(generation, count)| Ok((generation, several(count)?)));
    Ok(InheritedDatagrams {
        generation: datagrams.generation,
        reset_key: ResetKey(datagrams.reset_key),
        sockets,
        relays: relays.collect::<anyhow::Result<_>>()?,
    })
}

/// What a service manager has made for this process.
fn of_manager() -> anyhow::Result<Inheritance> {
    let handed = sd_notify::listen_fds_with_names();
    let handed = handed.context("what the service manager hands over cannot be understood")?;
    let take = |(number, name): (_, String)| {
        let socket = take_fd_ownership(number);
        let socket = socket.with_context(|| format!("{MANAGED} is wrong"))?;
        let inherited = Inherited::of_manager(name.clone(), socket);
        inherited.with_context(|| {
            format!("the service manager's socket {name:?} cannot be used; write ListenStream=")
        })
    };
    let sockets = handed.map(take).collect::<anyhow::Result<_>>()?;
    Ok(Inheritance::of(sockets))
}
