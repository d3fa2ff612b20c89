//! Why the store cannot be had: the file, the reason, and what to do.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

/// Why the store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "{} is in use by another gateway; stop that one, or give this one a data folder of its own \
         (admin.data, or --data)", path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The gateway after this one has it, or is about to.
    #[error("a new gateway is taking over from this one; ask again in a moment")]
    HandedOver,
    /// It was written by a later version of the gateway.
    #[error(
        "{} was written by a newer gateway (version {found} of its contents; this one knows \
         {known}); run that gateway, or move the file away to start without what was changed \
         through the API", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its contents.
        found: u64,
        /// The latest that is known here.
        known: u64,
    },
    /// Its contents cannot be trusted.
    #[error(
        "{} is damaged: {reason}; put a copy of it back, or move it away to start without what \
         was changed through the API", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Somebody else owns the file or its folder.
    #[error(
        "{} belongs to another user (the user id {owner}), who could have written anything to it; \
         run as that user, or give it to this one with chown", path.display()
    )]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others may write to the file or its folder.
    #[error(
        "others than its owner may write to {path}, and could have made themselves a token; take \
         that from them (chmod go-w {path}), and look at who has one (gatewright token list)",
        path = path.display()
    )]
    Exposed {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file or its folder cannot be had.
    #[error("{} cannot be used: {reason}; correct the path (admin.data, or --data), its permissions or the disk", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl StoreError {
    pub(super) fn damaged(path: &Path, reason: impl Display) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn unusable(path: &Path, error: &impl Display) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(super) fn opening(path: &Path, error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Locked {
                path: path.to_owned(),
            },
            // What is too short or begins otherwise is told by these.
            DatabaseError::Storage(StorageError::Io(error))
                if !matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::unusable(path, &error)
            }
            error => Self::damaged(path, error),
        }
    }

    pub(super) fn reading(path: &Path, error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::unusable(path, &error),
            error => Self::damaged(path, error),
        }
    }

    pub(super) fn writing(path: &Path, error: &redb::Error) -> Self {
        Self::unusable(path, error)
    }
}
