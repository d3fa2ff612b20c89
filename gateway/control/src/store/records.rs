//! What is written together with a change of the overlay.

use gatewright_model::id::{Digest, PluginName};
use redb::WriteTransaction;

use super::histories::{self, Step};
use super::tokens::{self, TokenRecord};
use super::versions::{self, VersionRecord};

/// A record that takes the place of the one before.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A plugin's version; none when it is there no more.
    Version(PluginName, Digest, Option<Box<VersionRecord>>),
    /// What was bound in a seat before, the latest last; empty for nothing.
    History(String, Vec<Step>),
    /// An access token by its id; none when it counts no more.
    Token(String, Option<Box<TokenRecord>>),
}

pub(super) fn write(writing: &WriteTransaction, records: &[Record]) -> Result<(), redb::Error> {
    for record in records {
        match record {
            Record::Version(plugin, digest, version) => {
                versions::write(writing, plugin, *digest, version.as_deref())?;
            }
            Record::History(seat, steps) => histories::write(writing, seat, steps)?,
            Record::Token(id, token) => tokens::write(writing, id, token.as_deref())?,
        }
    }
    Ok(())
}
