//! What outlives a restart beside the configuration file: overrides, what is
//! known of plugins' versions and of what was active before, access tokens, keys
//! of the gateway's own and the audit log, in one embedded database in the data
//! folder.
//!
//! A write is on the disk when it returns, whole or not at all, whatever
//! happens to the process. One gateway has the file at a time. A file that
//! cannot be trusted is refused with what to do, and is never emptied or
//! replaced.

mod audit;
mod contents;
mod error;
mod histories;
mod overrides;
mod records;
mod replica;
mod secrets;
mod tokens;
mod versions;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend as _, TableDefinition,
    WriteTransaction,
};

pub use audit::{Entry, Numbered};
pub(crate) use contents::Contents;
pub use error::StoreError;
pub(crate) use histories::{Histories, Restore, Step};
pub(crate) use overrides::Edited;
pub(crate) use records::Record;
pub(crate) use replica::{Replica, versions as versions_of};
pub use tokens::{Removal, Spare, TokenRecord};
pub(crate) use versions::{About, VersionRecord, VersionSource, Versions};

use crate::events::Events;

/// The file's name in the data folder.
const FILE_NAME: &str = "gatewright.redb";

/// What is stored and how; counted up when that changes.
const SCHEMA: u64 = 1;

/// Bytes of the file that are kept in memory too. The library's own bound is
/// 1 GiB: the whole audit log would stay, and grow with it.
const CACHE: usize = 512 << 10;

/// Write permission for anybody but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Facts about the store itself.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The key of the schema's number.
const SCHEMA_KEY: &str = "schema";

/// How long to wait for a process to let go of the file: one that was killed
/// may have left it to a child that was about to become another program.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Who has the database.
#[derive(Debug)]
enum Held {
    /// This store.
    Open(Database),
    /// Nobody, since the disk failed; it is opened again before the next use.
    Failed,
    /// Another process, or this one if it is in memory and cannot be handed over.
    HandedOver(Option<Database>),
}

/// The open store. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Store {
    held: Arc<RwLock<Held>>,
    /// The file, or what stands for it.
    path: PathBuf,
    is_file: bool,
    /// Where every entry of the audit log is told of, once it is written.
    told: Option<Arc<Events>>,
}

impl Store {
    /// Open the store of a data folder; both are made when they are not there.
    ///
    /// # Errors
    ///
    /// When another process has it, when it is damaged or of a newer version,
    /// when others than this user may write it, and when the folder cannot be
    /// had.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let unusable = |error| StoreError::unusable(&path, &error);
        make_folder(folder).map_err(unusable)?;
        refuse_foreign(folder, &fs::metadata(folder).map_err(unusable)?)?;
        if !path.try_exists().map_err(unusable)? {
            Self::make(&path)?;
        }
        // An empty file would pass for a new store.
        if fs::metadata(&path).map_err(unusable)?.len() == 0 {
            return Err(StoreError::damaged(&path, "it is empty"));
        }
        let mut file = lock(&path)?;
        check_copy(&mut file, &path)?;
        let database = open_file(file, &path)?;
        Ok(Self {
            held: held(database),
            is_file: true,
            path,
            told: None,
        })
    }

    /// Read everything once.
    fn check(&self) -> Result<(), StoreError> {
        self.check_schema()?;
        self.overlay()?;
        self.versions()?;
        self.histories()?;
        self.tokens()?;
        self.kept_session_key()?;
        self.replica()?;
        self.audit(usize::MAX)?;
        Ok(())
    }

    /// A store that is gone with the process.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from("(memory)");
        let made = builder().create_with_backend(InMemoryBackend::new());
        let database = made.map_err(|error| StoreError::opening(&path, error))?;
        let store = Self {
            held: held(database),
            is_file: false,
            path,
            told: None,
        };
        store.write(prepare)?;
        Ok(store)
    }

    /// Make a new file. It gets its name once it is a whole store, so that no
    /// start finds half of one.
    fn make(path: &Path) -> Result<(), StoreError> {
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let unusable = |error| StoreError::unusable(path, &error);
        // What is left of one that was killed, or what somebody put there to be
        // written through; what comes after it is not followed.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = options.mode(0o600).open(&draft).map_err(unusable)?;
        let database = open_file(file, &draft)?;
        let store = Self {
            held: held(database),
            is_file: true,
            path: draft.clone(),
            told: None,
        };
        store.write(prepare)?;
        drop(store);
        // A link, unlike a rename, never replaces what came to be meanwhile.
        let named = match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            named => named,
        };
        fs::remove_file(&draft).and(named).map_err(unusable)?;
        sync_folder(path).map_err(unusable)
    }

    fn check_schema(&self) -> Result<(), StoreError> {
        let found = self.read(|reading| {
            let meta = reading.open_table(META)?;
            Ok(meta.get(SCHEMA_KEY)?.map(|found| found.value()))
        })?;
        match found {
            Some(SCHEMA) => Ok(()),
            Some(found) => Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known: SCHEMA,
            }),
            None => Err(StoreError::damaged(&self.path, "its version is missing")),
        }
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let found = self.with(|database| read(&database.begin_read()?))?;
        found.map_err(|error| StoreError::reading(&self.path, error))
    }

    /// Write all of it or nothing; it is on the disk afterwards.
    fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let written = self.with(|database| {
            let writing = database.begin_write()?;
            let written = write(&writing)?;
            writing.commit()?;
            Ok(written)
        })?;
        written.map_err(|error| StoreError::writing(&self.path, &error))
    }

    /// Use the database. After the disk failed, as when it is full, the library
    /// refuses everything until the file is opened again: that is done before
    /// the next use.
    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<Result<T, redb::Error>, StoreError> {
        let mut held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if matches!(*held, Held::Failed) {
            drop(held);
            self.open_again()?;
            held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        }
        let database = match &*held {
            Held::Open(database) => database,
            Held::Failed => return Ok(Err(redb::Error::PreviousIo)),
            Held::HandedOver(_) => return Err(StoreError::HandedOver),
        };
        let result = act(database);
        drop(held);
        if matches!(result, Err(redb::Error::Io(_) | redb::Error::PreviousIo)) {
            let mut held = self.held_alone();
            if matches!(*held, Held::Open(_)) {
                *held = Held::Failed;
            }
        }
        Ok(result)
    }

    fn open_again(&self) -> Result<(), StoreError> {
        let mut held = self.held_alone();
        if matches!(*held, Held::Failed) {
            *held = Held::Open(open_file(lock(&self.path)?, &self.path)?);
        }
        Ok(())
    }

    /// Let another process have the file. What is under way is finished first; from
    /// then on everything is refused.
    pub(crate) fn hand_over(&self) {
        let mut held = self.held_alone();
        let kept = match std::mem::replace(&mut *held, Held::Failed) {
            // Its lock goes with it.
            Held::Open(database) if self.is_file => {
                drop(database);
                None
            }
            Held::Open(database) => Some(database),
            Held::Failed => None,
            Held::HandedOver(kept) => kept,
        };
        *held = Held::HandedOver(kept);
    }

    /// Have the file again, since no other process has it any more. If it cannot be
    /// opened, the next use tries that again.
    pub(crate) fn take_back(&self) -> Result<(), StoreError> {
        {
            let mut held = self.held_alone();
            *held = match std::mem::replace(&mut *held, Held::Failed) {
                Held::HandedOver(Some(database)) => Held::Open(database),
                Held::HandedOver(None) => Held::Failed,
                other => other,
            };
        }
        self.open_again()
    }

    /// Whether another process may have the file.
    pub(crate) fn is_handed_over(&self) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        matches!(*held, Held::HandedOver(_))
    }

    fn held_alone(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread that used it has ended too early.
    pub(crate) fn lost(&self, error: &impl std::fmt::Display) -> StoreError {
        StoreError::unusable(&self.path, error)
    }

    /// The system gave no random numbers: nothing can be made that is secret.
    pub(crate) fn no_randomness(&self, error: &impl std::fmt::Display) -> StoreError {
        StoreError::unusable(&self.path, error)
    }

    /// What was stored as JSON.
    fn parse<T: serde::de::DeserializeOwned>(&self, json: &str) -> Result<T, StoreError> {
        let parsed = serde_json::from_str(json);
        parsed.map_err(|error| StoreError::damaged(&self.path, error))
    }
}

fn held(database: Database) -> Arc<RwLock<Held>> {
    Arc::new(RwLock::new(Held::Open(database)))
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

fn open_file(file: File, path: &Path) -> Result<Database, StoreError> {
    let backend = FileBackend::new(file);
    let opened = backend.and_then(|file| builder().create_with_backend(file));
    opened.map_err(|error| StoreError::opening(path, error))
}

/// Take the file for this process alone.
fn lock(path: &Path) -> Result<File, StoreError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let unusable = |error| StoreError::unusable(path, &error);
    let file = opened.map_err(unusable)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    refuse_foreign(path, &file.metadata().map_err(unusable)?)?;
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK_EVERY),
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(StoreError::Locked { path });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
    }
}

/// Check a copy of the file, in memory: the library repairs what it opens, as
/// it must after a process was killed, and what is damaged is not to be changed.
fn check_copy(file: &mut File, path: &Path) -> Result<(), StoreError> {
    let mut content = Vec::new();
    let read = file.read_to_end(&mut content);
    read.map_err(|error| StoreError::unusable(path, &error))?;
    let check = || {
        let copy = InMemoryBackend::new();
        let copied = copy.set_len(content.len() as u64);
        let copied = copied.and_then(|()| copy.write(0, &content));
        copied.map_err(|error| StoreError::unusable(path, &error))?;
        let opened = builder().create_with_backend(copy);
        let mut database = opened.map_err(|error| StoreError::opening(path, error))?;
        match database.check_integrity() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::damaged(path, "checksums do not match")),
            Err(error) => return Err(StoreError::opening(path, error)),
        }
        let store = Store {
            held: held(database),
            is_file: false,
            path: path.to_owned(),
            told: None,
        };
        store.check()
    };
    // The library gives up in a panic on some damage.
    let checked = panic::catch_unwind(panic::AssertUnwindSafe(check));
    checked.unwrap_or_else(|_| Err(StoreError::damaged(path, "its parts do not fit together")))
}

/// Make every table of a new store.
fn prepare(writing: &WriteTransaction) -> Result<(), redb::Error> {
    writing.open_table(META)?.insert(SCHEMA_KEY, SCHEMA)?;
    writing.open_table(overrides::OVERRIDES)?;
    writing.open_table(tokens::TOKENS)?;
    writing.open_table(audit::AUDIT)?;
    Ok(())
}

/// Nobody else may look into the folder: it holds compiled code, and who may
/// operate the gateway.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Refuse what others could have written: who may write the store makes
/// themselves a token, and who may write the folder brings another store.
fn refuse_foreign(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    let owner = rustix::process::geteuid().as_raw();
    let path = path.to_owned();
    if metadata.uid() != owner {
        let owner = metadata.uid();
        return Err(StoreError::Foreign { path, owner });
    }
    match metadata.mode() & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(StoreError::Exposed { path }),
    }
}

/// Make a new name in a folder outlive a power failure.
fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// As JSON, which every record can be.
fn json<T: serde::Serialize>(record: &T) -> Result<String, redb::Error> {
    serde_json::to_string(record).map_err(|error| redb::Error::Io(error.into()))
}

#[cfg(test)]
mod tests;
