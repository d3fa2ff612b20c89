//! Whoever writes the access log: a thread of its own, since writing may wait for
//! a disk or for whoever reads a pipe. Workers never wait for it.
//!
//! What cannot be written, on a full disk say, is kept up to one buffer, so that no
//! line is torn; what comes meanwhile is dropped and counted. It is told once, and
//! so is that it goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use gatewright_model::config::LogTarget;
use gatewright_proxy::{Lines, Telemetry, TelemetryCounts, ToLog};
use tokio::sync::{Mutex, mpsc};

/// How long the gateway's end waits for what is left to be written.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The running writer.
pub(crate) struct AccessLog {
    orders: mpsc::Sender<ToLog>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Start it.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(
        telemetry: &Telemetry,
        mut orders: mpsc::Receiver<ToLog>,
    ) -> io::Result<Self> {
        let mut writer = Writer::new(Arc::clone(&telemetry.counts));
        let thread = std::thread::Builder::new().name("access-log".into());
        let thread = thread.spawn(move || {
            while let Some(order) = orders.blocking_recv() {
                match order {
                    ToLog::Lines(lines) => writer.write(lines),
                    ToLog::Reopen => writer.close(),
                    ToLog::End => break,
                }
            }
            writer.end();
        })?;
        Ok(Self {
            orders: telemetry.log.clone(),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Open the file anew for what comes next.
    pub(crate) fn reopen(&self) {
        // A writer that is behind looks by itself, before it writes, whether the
        // file is still the one of that name.
        let _ = self.orders.try_send(ToLog::Reopen);
    }

    /// Write what is left, and end; what nobody takes in time is lost.
    pub(crate) async fn end(&self) {
        let Some(thread) = self.thread.lock().await.take() else {
            return;
        };
        let ending = async {
            // A writer that is gone has ended.
            let _ = self.orders.send(ToLog::End).await;
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        };
        if tokio::time::timeout(LAST_WAIT, ending).await.is_err() {
            tracing::warn!("the access log's last lines are lost: nobody takes them");
        }
    }
}

/// What lines are written with.
struct Writer {
    counts: Arc<TelemetryCounts>,
    target: Option<LogTarget>,
    open: Option<Output>,
    /// What could not be written, without what was.
    rest: Vec<u8>,
    /// How many lines end in it.
    rest_lines: u64,
    is_failing: bool,
}

/// Where lines go.
enum Output {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
}

impl Output {
    fn open(target: &LogTarget) -> io::Result<Self> {
        match target {
            LogTarget::Stdout => Ok(Self::Stdout(io::stdout())),
            LogTarget::Stderr => Ok(Self::Stderr(io::stderr())),
            LogTarget::File(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map(Self::File),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(out) => out,
            Self::Stderr(out) => out,
            Self::File(out) => out,
        }
    }

    /// Whether it is still what is found under the target's name.
    fn is_still(&self, target: &LogTarget) -> bool {
        match (self, target) {
            (Self::File(file), LogTarget::File(path)) => is_same(file, path).unwrap_or(false),
            _ => true,
        }
    }
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let (open, named) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

impl Writer {
    fn new(counts: Arc<TelemetryCounts>) -> Self {
        Self {
            counts,
            target: None,
            open: None,
            rest: Vec::new(),
            rest_lines: 0,
            is_failing: false,
        }
    }

    /// Write lines, after what is left of earlier ones.
    fn write(&mut self, lines: Lines) {
        let Lines {
            target,
            bytes,
            count,
        } = lines;
        if self.target.as_ref() != Some(&target) {
            self.finish_target();
            self.target = Some(target);
        }
        if self.rest.is_empty() || self.flush() {
            (self.rest, self.rest_lines) = (bytes, count);
            self.flush();
        } else {
            self.drop_lines(count);
        }
    }

    /// Open anew for what comes next.
    fn close(&mut self) {
        self.open = None;
    }

    /// Nothing more comes.
    fn end(&mut self) {
        self.finish_target();
    }

    /// What the target has not taken it will not get any more.
    fn finish_target(&mut self) {
        if !self.rest.is_empty() && !self.flush() {
            self.drop_lines(self.rest_lines);
            self.rest.clear();
            self.rest_lines = 0;
        }
        self.open = None;
        self.is_failing = false;
    }

    fn drop_lines(&self, count: u64) {
        let dropped = &self.counts.lines_dropped;
        dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Write what is there: whether nothing is left.
    fn flush(&mut self) -> bool {
        let outcome = self.try_flush();
        let shown = self.target.as_ref().map(shown).unwrap_or_default();
        match outcome {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tracing::info!("the access log goes on in {shown}");
            }
            Ok(()) => {}
            Err(error) => {
                self.open = None;
                if !self.is_failing {
                    self.is_failing = true;
                    tracing::error!(
                        "the access log cannot be written to {shown}: {error}; lines are dropped, \
                         and counted, until it can"
                    );
                }
            }
        }
        self.rest.is_empty()
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        if self
            .open
            .as_ref()
            .is_some_and(|open| !open.is_still(target))
        {
            self.open = None;
        }
        let output = match &mut self.open {
            Some(open) => open,
            none => none.insert(Output::open(target)?),
        };
        while !self.rest.is_empty() {
            let written = match output.writer().write(&self.rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let ends = self.rest.drain(..written).filter(|byte| *byte == b'\n');
            let lines = ends.count() as u64;
            self.rest_lines -= lines.min(self.rest_lines);
            self.counts.lines.fetch_add(lines, Ordering::Relaxed);
        }
        output.writer().flush()
    }
}

fn shown(target: &LogTarget) -> String {
    match target {
        LogTarget::Stdout => "the standard output".to_owned(),
        LogTarget::Stderr => "the error output".to_owned(),
        LogTarget::File(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path, text: &str) -> Lines {
        Lines {
            target: LogTarget::File(Arc::from(path)),
            bytes: text.as_bytes().to_vec(),
            count: text.matches('\n').count() as u64,
        }
    }

    fn counts(writer: &Writer) -> (u64, u64) {
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        (
            count(&writer.counts.lines),
            count(&writer.counts.lines_dropped),
        )
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
        let mut writer = Writer::new(Arc::default());
        writer.write(lines(&path, "one\n"));
        std::fs::rename(&path, &old).unwrap();
        writer.write(lines(&path, "two\n"));
        std::fs::remove_file(&path).unwrap();
        writer.write(lines(&path, "three\n"));
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(counts(&writer), (3, 0));
    }

    #[test]
    fn what_cannot_be_written_is_kept_up_to_one_buffer_and_the_rest_counted() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("later");
        let path = inside.join("a.log");
        let mut writer = Writer::new(Arc::default());
        writer.write(lines(&path, "kept\nkept too\n"));
        writer.write(lines(&path, "dropped\n"));
        assert_eq!(counts(&writer), (0, 1));
        assert!(writer.is_failing);
        std::fs::create_dir(&inside).unwrap();
        writer.write(lines(&path, "written\n"));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "kept\nkept too\nwritten\n"
        );
        assert_eq!(counts(&writer), (3, 1));
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_end() {
        let mut writer = Writer::new(Arc::default());
        writer.write(lines(Path::new("/dev/full"), "lost\n"));
        assert!(writer.is_failing);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        writer.write(lines(&path, "written\n"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "written\n");
        assert_eq!(
            counts(&writer),
            (1, 1),
            "what another file was to get is lost"
        );
    }
}
