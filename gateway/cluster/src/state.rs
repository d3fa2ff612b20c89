//! The desired state in the server: one hash of named fields, with a version that
//! every change counts up.
//!
//! A change is one script, done whole or not at all, and only if the state is still
//! the one that the change was made for. The version, who made it and which data it
//! belongs to are keys beside the hash:
//!
//! | key | is |
//! |---|---|
//! | `PREFIX:state` | the fields |
//! | `PREFIX:version` | how many changes there were, from 1 |
//! | `PREFIX:commit` | a name of the last one, which no other change has |
//! | `PREFIX:epoch` | the id of this state, drawn when it was begun |

use std::collections::BTreeMap;

use redis::{Script, ScriptInvocation};

use crate::connection::Connection;
use crate::failure::Failure;

/// The channel where each new version is told.
pub const CHANGES: &str = "changes";

/// What the state consists of, by name.
pub type Fields = BTreeMap<String, String>;

/// Fields that get a value, or go.
pub type Delta = BTreeMap<String, Option<String>>;

/// Which state it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The id of the data: that of another cluster is another.
    pub epoch: String,
    /// How many changes there were.
    pub version: u64,
    /// The last of them: what two gateways have changed without each other has the
    /// same version and another commit.
    pub commit: String,
}

impl Revision {
    /// The first of a new cluster, made by a gateway of this name.
    pub fn first(by: &str) -> Self {
        Self {
            epoch: random(),
            version: 1,
            commit: commit(by),
        }
    }

    /// The one after this, made by a gateway of this name.
    #[must_use]
    pub fn next(&self, by: &str) -> Self {
        Self {
            epoch: self.epoch.clone(),
            version: self.version + 1,
            commit: commit(by),
        }
    }

    /// The gateway that made it.
    pub fn author(&self) -> &str {
        let named = self.commit.rsplit_once('/');
        named.map_or("", |(author, _)| author)
    }
}

fn commit(by: &str) -> String {
    format!("{by}/{}", random())
}

fn random() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which one.
    pub revision: Revision,
    /// What is in it.
    pub fields: Fields,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is in the server.
    Done,
    /// Something else came before it: it is not.
    Moved,
}

/// What is to be done beside the fields, in the same step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Components {
    /// Keys that have come to stay, which were written to go by themselves.
    pub stay: Vec<String>,
    /// Keys that go.
    pub go: Vec<String>,
}

/// KEYS: epoch, version, commit, state, channel; then those of components that stay,
/// then those that go. ARGV: what the first three are to be before (empty for
/// nothing) and afterwards, `1` to begin with no fields, how many components stay,
/// how many fields are set; then those with their values, then fields that go.
const COMMIT: &str = r"
local function is(key, wanted)
  local found = redis.call('GET', key)
  return (found or '') == wanted
end
if not (is(KEYS[1], ARGV[1]) and is(KEYS[2], ARGV[2]) and is(KEYS[3], ARGV[3])) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[6])
if ARGV[7] == '1' then redis.call('DEL', KEYS[4]) end
local stay, set = tonumber(ARGV[8]), tonumber(ARGV[9])
local at = 10
for _ = 1, set do
  redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at <= #ARGV do
  redis.call('HDEL', KEYS[4], ARGV[at])
  at = at + 1
end
for key = 6, #KEYS do
  if key < 6 + stay then redis.call('PERSIST', KEYS[key])
  else redis.call('DEL', KEYS[key]) end
end
redis.call('PUBLISH', KEYS[5], ARGV[5])
return 1
";

/// The state in the server.
#[derive(Clone)]
pub struct Ledger {
    connection: Connection,
    commit: Script,
}

impl Ledger {
    /// That of a connection.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            commit: Script::new(COMMIT),
        }
    }

    /// Which state there is; none for none.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn revision(&self) -> Result<Option<Revision>, Failure> {
        let keys = ["epoch", "version", "commit"].map(|name| self.connection.key(name));
        let found = self
            .connection
            .query(redis::cmd("MGET").arg(&keys[..]))
            .await?;
        revision(found)
    }

    /// The whole state, all of it of one moment; none for none.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn read(&self) -> Result<Option<State>, Failure> {
        let mut reading = redis::pipe();
        let keys = ["epoch", "version", "commit"].map(|name| self.connection.key(name));
        reading.atomic().cmd("MGET").arg(&keys[..]);
        reading.cmd("HGETALL").arg(self.connection.key("state"));
        let (found, fields): (Found, Fields) = self.connection.pipeline(&reading).await?;
        Ok(revision(found)?.map(|revision| State { revision, fields }))
    }

    /// Change some fields of a state.
    ///
    /// # Errors
    ///
    /// When the server does not do it, or does not say that it did.
    pub async fn commit(
        &self,
        (base, next): (&Revision, &Revision),
        delta: &Delta,
        components: &Components,
    ) -> Result<Committed, Failure> {
        let set = delta.iter();
        let set = set.filter_map(|(field, value)| Some((field, value.as_ref()?)));
        let gone = delta.iter().filter(|(_, value)| value.is_none());
        let mut invocation = self.begin(Some(base), next, false, components);
        invocation.arg(set.clone().count());
        for (field, value) in set {
            invocation.arg(field).arg(value);
        }
        for (field, _) in gone {
            invocation.arg(field);
        }
        self.run(&invocation).await
    }

    /// Put a whole state in the place of what there is.
    ///
    /// # Errors
    ///
    /// When the server does not do it, or does not say that it did.
    pub async fn replace(
        &self,
        base: Option<&Revision>,
        state: &State,
        components: &Components,
    ) -> Result<Committed, Failure> {
        let mut invocation = self.begin(base, &state.revision, true, components);
        invocation.arg(state.fields.len());
        for (field, value) in &state.fields {
            invocation.arg(field).arg(value);
        }
        self.run(&invocation).await
    }

    fn begin(
        &self,
        base: Option<&Revision>,
        next: &Revision,
        is_whole: bool,
        components: &Components,
    ) -> ScriptInvocation<'_> {
        let mut invocation = self.commit.prepare_invoke();
        for name in ["epoch", "version", "commit", "state", CHANGES] {
            invocation.key(self.connection.key(name));
        }
        for key in components.stay.iter().chain(&components.go) {
            invocation.key(key);
        }
        let none = || (String::new(), String::new(), String::new());
        let texts = |one: &Revision| {
            let version = one.version.to_string();
            (one.epoch.clone(), version, one.commit.clone())
        };
        for (epoch, version, commit) in [base.map_or_else(none, texts), texts(next)] {
            invocation.arg(epoch).arg(version).arg(commit);
        }
        invocation
            .arg(u8::from(is_whole))
            .arg(components.stay.len());
        invocation
    }

    async fn run(&self, invocation: &ScriptInvocation<'_>) -> Result<Committed, Failure> {
        Ok(match self.connection.invoke(invocation).await? {
            1 => Committed::Done,
            _ => Committed::Moved,
        })
    }
}

type Found = (Option<String>, Option<String>, Option<String>);

fn revision(found: Found) -> Result<Option<Revision>, Failure> {
    let (Some(epoch), Some(version), Some(commit)) = found else {
        return Ok(None);
    };
    let version = version.parse().map_err(|_| {
        let message = format!(
            "the version {version:?} is no number; another program may write these keys: give \
             this cluster another cluster.prefix"
        );
        Failure::Refused(message)
    })?;
    Ok(Some(Revision {
        epoch,
        version,
        commit,
    }))
}
