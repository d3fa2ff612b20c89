//! What plugins have the gateway remember, in a file of the data folder: written
//! now and then and at the end, read at the start.
//!
//! It is apart from the store: it may be large, it is written over and over, and
//! what is lost with it is a few seconds of sessions. So whatever is wrong with it
//! is told and is no reason not to start. It belongs to whoever has the store, also
//! while one gateway takes over from another.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright_host::{Remembered, Written};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::control::Control;
use crate::files;

/// The file's name in the data folder.
const FILE_NAME: &str = "remembered.jsonl";

/// How often it is written, if there is anything new: what a killed process loses.
const EVERY: Duration = Duration::from_secs(10);

/// The pause is at least so many times as long as the last turn took: so gathering
/// and writing take a twentieth of a core at most, however much there is.
const PAUSE_BY_TURN: u32 = 20;

/// Bytes of it at most.
const MOST: usize = 64 << 20;

/// The file, and what is in it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// None where nothing is kept.
    path: Option<PathBuf>,
    /// Who holds it writes.
    written: Mutex<Last>,
}

/// What was written last.
#[derive(Debug, Default)]
struct Last {
    /// What tells its content from others.
    digest: Option<u64>,
    /// Whether it was told that there is no room for all: once is enough.
    has_warned: bool,
    /// Whether the last write failed.
    fails: bool,
    /// Whether what is there could not be read and may well be good: nothing is
    /// written over it.
    is_barred: bool,
}

impl Last {
    /// Note how a write went; whether that is otherwise than before, and to be told.
    fn turns(&mut self, fails: bool) -> bool {
        std::mem::replace(&mut self.fails, fails) != fails
    }
}

impl Memory {
    /// That of a data folder; none for a gateway that keeps nothing.
    pub(crate) fn of(data: Option<&Path>) -> Self {
        Self {
            path: data.map(|data| data.join(FILE_NAME)),
            written: Mutex::default(),
        }
    }

    /// What the process before this one has left.
    pub(crate) async fn read(&self) -> Option<Remembered> {
        let path = self.path.clone()?;
        let reading = tokio::task::spawn_blocking({
            let path = path.clone();
            move || read(&path)
        });
        match reading
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(remembered) => {
                if let Some(remembered) = &remembered {
                    let (sessions, values) = (remembered.sessions(), remembered.values());
                    tracing::info!(sessions, values, "sessions and values of before are back");
                }
                remembered
            }
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                self.written.lock().await.is_barred = true;
                tracing::error!(file = %path.display(), %error,
                    "sessions and values of before cannot be read; the gateway starts without, \
                     leaves the file as it is and keeps none: make it readable for the gateway's \
                     user, or remove it, and start the gateway again");
                None
            }
            Err(error) => {
                tracing::error!(file = %path.display(), %error,
                    "sessions and values of before cannot be read; the gateway starts without");
                if let Err(error) = files::set_aside(path).await {
                    tracing::error!(%error, "it cannot be set aside");
                }
                None
            }
        }
    }
}

/// What makes no sense is invalid data; any other error is about the way to it.
fn read(path: &Path) -> io::Result<Option<Remembered>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    // Room for the header, and for a byte too many.
    file.take(MOST as u64 + 4096).read_to_string(&mut text)?;
    let remembered = Remembered::read(&text);
    let remembered =
        remembered.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some(remembered))
}

impl Control {
    /// Write all that is remembered, for the last time, if it is this gateway's to
    /// write.
    pub(crate) async fn write_memory(&self) {
        let mut written = self.memory.written.lock().await;
        if !self.store.is_handed_over() {
            written.digest = None;
            self.write_in_turn(&mut written, true).await;
        }
    }

    /// Write what is remembered, if enough of it is new and it is this gateway's to
    /// write.
    async fn write_new_memory(&self) {
        let mut written = self.memory.written.lock().await;
        if !self.store.is_handed_over() {
            self.write_in_turn(&mut written, false).await;
        }
    }

    /// Write what is remembered, and have `close` give away the right to.
    pub(crate) async fn write_memory_and(&self, close: impl Future<Output = ()>) {
        let mut written = self.memory.written.lock().await;
        written.digest = None;
        self.write_in_turn(&mut written, true).await;
        // What the next gateway writes is not what was written here.
        written.digest = None;
        close.await;
    }

    async fn write_in_turn(&self, written: &mut Last, is_the_last: bool) {
        let Some(path) = self.memory.path.as_ref().filter(|_| !written.is_barred) else {
            return;
        };
        let (plan, now) = (self.publisher.plan(), self.publisher.host().now());
        let gathering = tokio::task::spawn_blocking(move || Written::of(&plan, now, MOST));
        let Ok(new) = gathering.await else {
            return;
        };
        if written.digest == Some(new.digest) {
            return;
        }
        if new.left_out > 0 && !written.has_warned {
            written.has_warned = true;
            let left_out = new.left_out;
            tracing::warn!(
                left_out,
                "some sessions or values have no room in 64 MiB and are not kept; this is told once"
            );
        }
        let put = files::put(path.clone(), Arc::from(new.text.into_bytes())).await;
        let turns = written.turns(put.is_err());
        let file = path.display();
        match put {
            Ok(()) => {
                written.digest = Some(new.digest);
                if turns {
                    tracing::info!(%file, "sessions and values are kept again");
                }
            }
            // What was told when it began may be long ago, and this is what is lost.
            Err(error) if is_the_last => {
                tracing::error!(%file, %error,
                    "sessions and values cannot be kept; whoever reads the file next has those \
                     that were written before");
            }
            Err(error) if turns => {
                tracing::error!(%file, %error,
                    "sessions and values cannot be kept; it is told when they are again");
            }
            Err(_) => {}
        }
    }
}

/// Write it now and then, for ever.
pub(crate) async fn keep(control: Arc<Control>) {
    loop {
        let began = Instant::now();
        control.write_new_memory().await;
        let pause = began.elapsed().saturating_mul(PAUSE_BY_TURN);
        sleep(pause.max(EVERY)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_read_is_left_and_what_makes_no_sense_is_set_aside() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(FILE_NAME);
        // A folder in its place can be opened and not be read, whoever runs this.
        fs::create_dir(&path).unwrap();
        let memory = Memory::of(Some(data.path()));
        assert!(memory.read().await.is_none());
        assert!(path.is_dir());
        assert!(memory.written.lock().await.is_barred);

        fs::remove_dir(&path).unwrap();
        for damaged in [b"no sense\n".as_slice(), b"\xff\xff"] {
            fs::write(&path, damaged).unwrap();
            let memory = Memory::of(Some(data.path()));
            assert!(memory.read().await.is_none());
            assert!(!memory.written.lock().await.is_barred);
            let aside = fs::read(path.with_extension("unreadable")).unwrap();
            assert_eq!(aside, damaged);
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_goes_wrong_again_and_again_is_told_when_it_begins_and_when_it_ends() {
        let mut last = Last::default();
        let told = [false, true, true, false, false].map(|fails| last.turns(fails));
        assert_eq!(told, [false, true, false, true, false]);
    }
}
