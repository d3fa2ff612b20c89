//! Which gateways there are: each says so every few seconds, and is gone from the
//! list ten seconds after the last time.

use std::time::Duration;

use redis::Script;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::failure::Failure;

/// How often a gateway says that it is there.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(2);

/// How long that counts.
const COUNTS: Duration = Duration::from_secs(10);

/// What a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// What it is called: no two may be called the same.
    pub name: String,
    /// What tells this run of it from others.
    pub instance: String,
    /// Its program's version.
    pub program: String,
    /// Its admin listener.
    pub admin: String,
    /// When it started, in milliseconds since 1970.
    pub started: u64,
    /// Servers that are well.
    pub healthy: u64,
    /// Servers that are not.
    pub unhealthy: u64,
    /// The version of the desired state that it has.
    pub version: u64,
    /// The number of its snapshot in force.
    pub generation: u64,
}

/// KEYS: the list, this gateway. ARGV: its name, what it says, milliseconds that
/// count, what the keys of gateways begin with. Gives what all have said before, this
/// one among them.
const ANNOUNCE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local all = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local said = redis.call('GET', ARGV[4] .. name)
  if said then all[#all + 1] = said end
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return all
";

/// Takes this gateway off the list, unless another run has its place by now. ARGV:
/// its name, its instance.
const LEAVE: &str = r"
local said = redis.call('GET', KEYS[2])
if said and cjson.decode(said).instance == ARGV[2] then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
";

/// Who is there.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The gateways, by name, this one among them.
    pub all: Vec<Member>,
    /// What another run has said last in this one's name: the run before, or another
    /// gateway that is called the same.
    pub namesake: Option<Member>,
}

/// The gateways of a cluster.
#[derive(Clone)]
pub struct Members {
    connection: Connection,
    announce: Script,
    leave: Script,
}

impl Members {
    /// Those of a connection's cluster.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            announce: Script::new(ANNOUNCE),
            leave: Script::new(LEAVE),
        }
    }

    /// Say that a gateway is there, and hear which are.
    ///
    /// # Errors
    ///
    /// When the server does not do it.
    pub async fn announce(&self, member: &Member) -> Result<Heard, Failure> {
        let said = serde_json::to_string(member);
        let said = said.map_err(|error| Failure::Refused(error.to_string()))?;
        let mut invocation = self.announce.prepare_invoke();
        self.keys(&mut invocation, &member.name);
        invocation.arg(&member.name).arg(said);
        let counts = COUNTS.as_millis() as u64;
        invocation.arg(counts).arg(self.connection.key("gateway:"));
        let all: Vec<String> = self.connection.invoke(&invocation).await?;
        // What a newer program says otherwise is passed over.
        let all = all
            .iter()
            .filter_map(|said| serde_json::from_str::<Member>(said).ok());
        let (own, mut all): (Vec<Member>, Vec<Member>) =
            all.partition(|one: &Member| one.name == member.name);
        all.push(member.clone());
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut own = own.into_iter();
        Ok(Heard {
            all,
            namesake: own.find(|before| before.instance != member.instance),
        })
    }

    /// Say that a gateway is there no more.
    ///
    /// # Errors
    ///
    /// When the server does not do it; then it is off the list in ten seconds.
    pub async fn leave(&self, member: &Member) -> Result<(), Failure> {
        let mut invocation = self.leave.prepare_invoke();
        self.keys(&mut invocation, &member.name);
        invocation.arg(&member.name).arg(&member.instance);
        self.connection.invoke(&invocation).await
    }

    fn keys(&self, invocation: &mut redis::ScriptInvocation<'_>, name: &str) {
        invocation.key(self.connection.key("gateways"));
        invocation.key(self.connection.key(&format!("gateway:{name}")));
    }
}
