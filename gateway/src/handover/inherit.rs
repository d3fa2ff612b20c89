//! What a gateway finds when it starts: sockets that listen already, from the
//! gateway before it or from a service manager (the protocol of `sd_listen_fds`).

use std::env;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, ensure};
use command_fds::inherited::{init_inherited_fds, take_fd_ownership};
use gatewright_proxy::{Inheritance, Inherited, InheritedDatagrams, ResetKey};

use super::letter::{Answer, CHANNEL, Call, Datagrams, FORM, Letter, MOST, Parcel, VARIABLE};

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
    let Ok(text) = env::var(VARIABLE) else {
        return Ok((of_manager()?, None));
    };
    let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    let parent = parent.and_then(|parent| u32::try_from(parent.get()).ok());
    let Some(call) = call(&text, parent)? else {
        return Ok((of_manager()?, None));
    };
    let channel = take_fd_ownership(CHANNEL).with_context(|| format!("{VARIABLE} is wrong"))?;
    let predecessor = Predecessor {
        channel: UnixStream::from(channel),
    };
    match letter(&call, &predecessor.channel).and_then(open) {
        Ok(inheritance) => Ok((inheritance, Some(predecessor))),
        Err(error) => {
            predecessor.failed(&error);
            Err(error)
        }
    }
}

/// The call to this process, if it is its parent's.
fn call(text: &str, parent: Option<u32>) -> anyhow::Result<Option<Call>> {
    let call: Call =
        serde_json::from_str(text).with_context(|| format!("{VARIABLE} cannot be understood"))?;
    Ok(Some(call).filter(|call| parent == Some(call.from)))
}

/// The letter that goes with a call.
fn letter(call: &Call, channel: impl Read) -> anyhow::Result<Letter> {
    ensure!(
        call.form == FORM,
        "the running gateway hands over in another form ({}; this one knows {FORM}): restart \
         instead of upgrading",
        call.form
    );
    let mut line = String::new();
    let mut channel = BufReader::new(channel.take(MOST));
    let read = channel.read_line(&mut line);
    read.context("the running gateway cannot be heard")?;
    serde_json::from_str(&line).context("what the running gateway says cannot be understood")
}

fn open(letter: Letter) -> anyhow::Result<Inheritance> {
    // The channel comes before them.
    let mut descriptors = CHANNEL + 1..;
    let mut next = || -> anyhow::Result<OwnedFd> {
        let number = descriptors
            .next()
            .context("there are too many descriptors")?;
        take_fd_ownership(number).with_context(|| format!("descriptor {number} was not left"))
    };
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
    Ok(Inheritance::of(sockets))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_in_another_form_is_told_by_it_alone() {
        let text = r#"{"form":3,"from":7,"sockets":[{"name":"web","unknown":true}]}"#;
        let call = call(text, Some(7)).unwrap().expect("it is to us");
        let error = letter(&call, &b"{}\n"[..]).unwrap_err().to_string();
        assert!(error.contains("another form (3"), "{error}");
        assert!(error.ends_with("restart instead of upgrading"), "{error}");
    }

    #[test]
    fn a_call_is_heard_from_the_parent_alone_and_its_letter_to_the_end_of_the_line() {
        let text = format!(r#"{{"form":{FORM},"from":7}}"#);
        assert!(call(&text, Some(8)).unwrap().is_none());
        assert!(call(&text, None).unwrap().is_none());
        let call = call(&text, Some(7)).unwrap().expect("it is to us");
        let heard = letter(&call, &b"{\"sockets\":[]}\nmore"[..]).unwrap();
        assert!(heard.sockets.is_empty());
        assert!(letter(&call, &b""[..]).is_err());
    }
}
