//! What the gateway alone is to know: keys that it draws itself.

use redb::{TableDefinition, TableError};

use super::{Store, StoreError};

/// Keys by what they are for.
pub(super) const SECRETS: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("secrets");

/// The key that sessions are named with.
pub(super) const SESSIONS: &str = "sessions";

impl Store {
    /// The key that sessions are named with; drawn when it is asked for first.
    pub(crate) fn session_key(&self) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.kept_session_key()? {
            return Ok(key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| self.no_randomness(&error))?;
        self.write(|writing| {
            writing.open_table(SECRETS)?.insert(SESSIONS, key)?;
            Ok(())
        })?;
        Ok(key)
    }

    pub(super) fn kept_session_key(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.read(|reading| {
            let table = match reading.open_table(SECRETS) {
                // The first key that is drawn makes it.
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(SESSIONS)?.map(|key| key.value()))
        })
    }
}
