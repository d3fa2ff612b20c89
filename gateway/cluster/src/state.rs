//! The desired state in the server: one hash of named fields, `PREFIX:state`, with a
//! version that every change counts up.
//!
//! A change is one script, done whole or not at all, and only if the state is still
//! the one that the change was made for. Which one it is lies in the same hash, so
//! that a server that loses keys has the whole of it or nothing:
//!
//! | field | is |
//! |---|---|
//! | `epoch` | the id of this state, drawn when it was begun |
//! | `version` | how many changes there were, from 1 |
//! | `commit` | the id of the last one, which no other change has |
//! | `author` | the gateway that made it |
//! | `lineage` | the ids of the last 1,024, its own among them |
//!
//! All other names have a colon. Where one of the first three is gone, something else has
//! removed it: nobody can tell which state it is, and it counts as none, for those who ask
//! and for the script alike.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Script, ScriptInvocation};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::revision::{Head, Lineage, Revision};

/// The channel where each new version is told.
pub const CHANGES: &str = "changes";

/// Who was overtaken and has the next turn.
const LINE: &str = "line";

/// Since when there is no state.
const EMPTY: &str = "empty";

/// What the state consists of, by name.
pub type Fields = BTreeMap<String, String>;

/// Fields that get a value, or go.
pub type Delta = BTreeMap<String, Option<String>>;

/// The fields that say which state it is; the last one is asked for apart.
const REVISION: [&str; 4] = ["epoch", "version", "commit", "author"];
const LINEAGE: &str = "lineage";

/// A whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which one.
    pub head: Head,
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

/// How long somebody who was overtaken keeps a place in the line at most: far longer
/// than a change takes, and as long as others wait for one that is gone.
const PLACE_MS: u64 = 3000;

/// For how long it counts that there was no state: who waits to begin one asks more often,
/// and while the server is away nobody comes back to it.
const EMPTY_MS: u64 = 3000;

/// KEYS: state, channel, line, since when there is no state; then those of components that
/// stay, then those that go.
/// ARGV: the commit that is to be there before (empty for no state), the version that comes
/// of it, `1` to begin with no fields, who stands in line for it (empty for nobody, who
/// waits for nobody), how long a place is kept, how many components stay, how many
/// fields are set; then those with their values, then fields that go.
///
/// The line is fair by being one: who comes too late for the state that it was made for,
/// or before whose turn it is, gets a place by the time it came, and nobody with a
/// later one commits before it has, has left, or its place has ended. The first that is
/// written of a change takes memory, so that a server that has none refuses all of it.
const COMMIT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local line, ticket = KEYS[3], ARGV[4]
local first = redis.call('ZRANGEBYSCORE', line, '(' .. now, '+inf', 'LIMIT', 0, 1)[1]
local is_first = ticket == '' or not first or first == ticket
local there = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'commit')
local commit = there[1] and there[2] and there[3] or ''
if not is_first or commit ~= ARGV[1] then
  if ticket ~= '' then
    redis.call('ZADD', line, 'NX', now + ARGV[5], ticket)
    redis.call('ZREMRANGEBYSCORE', line, '-inf', now)
    redis.call('PEXPIRE', line, ARGV[5])
  end
  return 0
end
if ARGV[3] == '1' then redis.call('DEL', KEYS[1], KEYS[4]) end
local stay, set = tonumber(ARGV[6]), tonumber(ARGV[7])
local at = 8
for _ = 1, set do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  at = at + 2
end
redis.call('ZREM', line, ticket)
while at <= #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[at])
  at = at + 1
end
for key = 5, #KEYS do
  if key < 5 + stay then redis.call('PERSIST', KEYS[key])
  else redis.call('DEL', KEYS[key]) end
end
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
";

/// For how long there has been no state, in milliseconds, as those know who ask. The server
/// keeps it, so that it is gone with whatever the server loses; where its clock was set
/// back, the time begins anew. KEYS: since when. ARGV: how long it counts.
const EMPTY_FOR: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = math.min(tonumber(redis.call('GET', KEYS[1])) or now, now)
redis.call('SET', KEYS[1], since, 'PX', ARGV[1])
return now - since
";

/// KEYS: state; then those of components that are to stay. ARGV: the commit that names
/// them: once there is another, they go by themselves unless they are kept again.
const KEEP: &str = r"
if redis.call('HGET', KEYS[1], 'commit') ~= ARGV[1] then return 0 end
for key = 2, #KEYS do redis.call('PERSIST', KEYS[key]) end
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
        let mut asking = redis::cmd("HMGET");
        asking.arg(self.key()).arg(&REVISION[..]);
        let found: [Option<String>; 4] = self.connection.query(&asking).await?;
        revision(found)
    }

    /// Which state there is, and those that it came from; none for none.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn head(&self) -> Result<Option<Head>, Failure> {
        let mut asking = redis::cmd("HMGET");
        asking.arg(self.key()).arg(&REVISION[..]).arg(LINEAGE);
        let found: [Option<String>; 5] = self.connection.query(&asking).await?;
        let [epoch, version, commit, author, lineage] = found;
        head([epoch, version, commit, author], lineage)
    }

    /// The whole state, all of it of one moment; none for none.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn read(&self) -> Result<Option<State>, Failure> {
        let asking = redis::cmd("HGETALL").arg(self.key()).clone();
        let mut fields: Fields = self.connection.query(&asking).await?;
        let found = REVISION.map(|field| fields.remove(field));
        let lineage = fields.remove(LINEAGE);
        Ok(head(found, lineage)?.map(|head| State { head, fields }))
    }

    /// For how long there has been no state: to be asked again and again, by who has found
    /// none.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn empty_for(&self) -> Result<Duration, Failure> {
        let script = Script::new(EMPTY_FOR);
        let mut invocation = script.key(self.connection.key(EMPTY));
        invocation.arg(EMPTY_MS);
        let ms: u64 = self.connection.invoke(&invocation).await?;
        Ok(Duration::from_millis(ms))
    }

    /// Change some fields of a state. Who gives a ticket stands in line with it once
    /// others were quicker, until it commits or leaves; who gives none waits for nobody.
    ///
    /// # Errors
    ///
    /// When the server does not do it, or does not say that it did.
    pub async fn commit(
        &self,
        (base, next): (&Head, &Head),
        delta: &Delta,
        components: &Components,
        ticket: Option<&str>,
    ) -> Result<Committed, Failure> {
        let set = delta.iter();
        let set = set.filter_map(|(field, value)| Some((field, value.as_ref()?)));
        let gone = delta.iter().filter(|(_, value)| value.is_none());
        let is_whole = false;
        let mut invocation = self.begin(Some(base), next, (is_whole, ticket), components);
        set_all(&mut invocation, next, set);
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
        base: Option<&Head>,
        state: &State,
        components: &Components,
    ) -> Result<Committed, Failure> {
        let is_whole = true;
        let mut invocation = self.begin(base, &state.head, (is_whole, None), components);
        set_all(&mut invocation, &state.head, state.fields.iter());
        self.run(&invocation).await
    }

    fn begin(
        &self,
        base: Option<&Head>,
        next: &Head,
        (is_whole, ticket): (bool, Option<&str>),
        components: &Components,
    ) -> ScriptInvocation<'_> {
        let mut invocation = self.commit.prepare_invoke();
        invocation.key(self.key());
        invocation.key(self.connection.key(CHANGES));
        invocation.key(self.connection.key(LINE));
        invocation.key(self.connection.key(EMPTY));
        for key in components.stay.iter().chain(&components.go) {
            invocation.key(key);
        }
        invocation.arg(base.map_or("", |base| &base.revision.commit));
        invocation.arg(next.revision.version);
        invocation.arg(u8::from(is_whole));
        invocation.arg(ticket.unwrap_or_default()).arg(PLACE_MS);
        invocation.arg(components.stay.len());
        invocation
    }

    /// Stand in line no more.
    ///
    /// # Errors
    ///
    /// When the server does not do it; then the place ends by itself.
    pub async fn leave_line(&self, ticket: &str) -> Result<(), Failure> {
        let mut leaving = redis::cmd("ZREM");
        leaving.arg(self.connection.key(LINE)).arg(ticket);
        self.connection.query(&leaving).await
    }

    /// Have components stay that a state names, which were written to go by themselves.
    ///
    /// # Errors
    ///
    /// When the server does not do it.
    pub async fn keep(&self, state: &Revision, components: &[String]) -> Result<(), Failure> {
        let script = Script::new(KEEP);
        let mut invocation = script.key(self.key());
        for key in components {
            invocation.key(key);
        }
        invocation.arg(&state.commit);
        self.connection.invoke(&invocation).await
    }

    async fn run(&self, invocation: &ScriptInvocation<'_>) -> Result<Committed, Failure> {
        Ok(match self.connection.invoke(invocation).await? {
            1 => Committed::Done,
            _ => Committed::Moved,
        })
    }

    fn key(&self) -> String {
        self.connection.key("state")
    }
}

/// Set these fields, and those that say which state it is.
fn set_all<'f>(
    invocation: &mut ScriptInvocation<'_>,
    head: &Head,
    fields: impl Iterator<Item = (&'f String, &'f String)> + Clone,
) {
    let Revision {
        epoch,
        version,
        commit,
        author,
    } = &head.revision;
    let version = version.to_string();
    let said = REVISION.into_iter().zip([epoch, &version, commit, author]);
    invocation.arg(fields.clone().count() + REVISION.len() + 1);
    for (field, value) in said {
        invocation.arg(field).arg(value);
    }
    invocation.arg(LINEAGE).arg(head.lineage.as_str());
    for (field, value) in fields {
        invocation.arg(field).arg(value);
    }
}

fn head(found: [Option<String>; 4], lineage: Option<String>) -> Result<Option<Head>, Failure> {
    let head = |revision| match lineage {
        Some(lineage) => Head {
            revision,
            lineage: Lineage::parse(&lineage),
        },
        None => Head::of(revision),
    };
    Ok(revision(found)?.map(head))
}

/// What lacks a field counts as no state, as it does for [`COMMIT`].
fn revision(found: [Option<String>; 4]) -> Result<Option<Revision>, Failure> {
    let [Some(epoch), Some(version), Some(commit), author] = found else {
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
        author: author.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::tests::Server;

    #[tokio::test]
    async fn a_clock_that_was_set_back_begins_the_time_anew_and_does_not_stop_it() {
        let server = Server::start();
        let connection = server.connection().await;
        let ledger = Ledger::new(connection.clone());
        let mut setting = redis::cmd("SET");
        setting.arg(connection.key(EMPTY)).arg("9999999999999");
        connection.query::<()>(&setting).await.unwrap();
        assert_eq!(ledger.empty_for().await.unwrap(), Duration::ZERO);
        let mut is_empty_for = Duration::ZERO;
        for _ in 0..500 {
            is_empty_for = ledger.empty_for().await.unwrap();
            if !is_empty_for.is_zero() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(!is_empty_for.is_zero());
    }

    #[tokio::test]
    async fn a_state_that_lacks_a_field_counts_as_none_for_whoever_writes_too() {
        let server = Server::start();
        let connection = server.connection().await;
        let ledger = Ledger::new(connection.clone());
        let (none, nothing) = (Delta::new(), Components::default());
        let fields = Fields::from([("override:a".to_owned(), "1".to_owned())]);
        let head = Head::first("a");
        let next = head.next("a");
        let state = State { head, fields };
        let given = ledger.replace(None, &state, &nothing).await.unwrap();
        assert_eq!(given, Committed::Done);
        for field in ["epoch", "version", "commit"] {
            let mut removing = redis::cmd("HDEL");
            removing.arg(ledger.key()).arg(field);
            connection.query::<()>(&removing).await.unwrap();
            assert_eq!(ledger.revision().await.unwrap(), None, "{field}");
            let changing = ledger.commit((&state.head, &next), &none, &nothing, None);
            assert_eq!(changing.await.unwrap(), Committed::Moved, "{field}");
            let given = ledger.replace(None, &state, &nothing).await.unwrap();
            assert_eq!(given, Committed::Done, "{field}");
            assert_eq!(ledger.read().await.unwrap().as_ref(), Some(&state));
        }
        // One that is whole is not overwritten by who has found none.
        let given = ledger.replace(None, &state, &nothing).await.unwrap();
        assert_eq!(given, Committed::Moved);
    }
}
