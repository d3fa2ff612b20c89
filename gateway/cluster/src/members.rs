//! Which gateways there are: each says so every few seconds. One that ended without
//! a word is on the list for some minutes more, as silent.

use std::time::{Duration, Instant};

use redis::Script;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::failure::Failure;

/// How often a gateway says that it is there.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(2);

/// How long that counts: who says nothing for longer is silent.
const COUNTS: Duration = Duration::from_secs(10);

/// How long a silent gateway is told of, so that somebody sees which one is missing.
const TOLD: Duration = Duration::from_secs(600);

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

/// A gateway, and when it said last that it is there.
#[derive(Clone, Debug)]
pub struct Heard {
    /// What it said.
    pub member: Member,
    /// When, by this machine's clock.
    pub at: Instant,
}

impl Heard {
    /// What a gateway says now.
    pub fn now(member: Member) -> Self {
        let at = Instant::now();
        Self { member, at }
    }

    /// Whether that was too long ago: it ended without a word, or does not reach the
    /// server.
    pub fn is_silent(&self) -> bool {
        self.at.elapsed() > COUNTS
    }
}

/// KEYS: the list, this gateway. ARGV: its name, what it says, milliseconds that a
/// gateway is told of, what the keys of gateways begin with. Gives what each has said
/// before, this one too, and how many milliseconds ago it did.
const ANNOUNCE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local all = {}
local known = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #known, 2 do
  local said = redis.call('GET', ARGV[4] .. known[i])
  if said then
    all[#all + 1] = said
    all[#all + 1] = now - known[i + 1]
  end
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
pub struct Present {
    /// The gateways, by name, this one among them, and those that fell silent.
    pub all: Vec<Heard>,
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

    /// Say that a gateway is there, and hear which are or were until some minutes ago.
    ///
    /// # Errors
    ///
    /// When the server does not do it.
    pub async fn announce(&self, member: &Member) -> Result<Present, Failure> {
        let said = serde_json::to_string(member);
        let said = said.map_err(|error| Failure::Refused(error.to_string()))?;
        let mut invocation = self.announce.prepare_invoke();
        self.keys(&mut invocation, &member.name);
        invocation.arg(&member.name).arg(said);
        let told = TOLD.as_millis() as u64;
        invocation.arg(told).arg(self.connection.key("gateway:"));
        let all: Vec<(String, i64)> = self.connection.invoke(&invocation).await?;
        let now = Instant::now();
        // What a newer program says otherwise is passed over.
        let all = all.iter().filter_map(|(said, ago)| {
            let member = serde_json::from_str::<Member>(said).ok()?;
            // The server's clock may have been set back meanwhile.
            let ago = Duration::from_millis(u64::try_from(*ago).unwrap_or(0));
            let at = now.checked_sub(ago).unwrap_or(now);
            Some(Heard { member, at })
        });
        let (own, mut all): (Vec<Heard>, Vec<Heard>) =
            all.partition(|one| one.member.name == member.name);
        all.push(Heard::now(member.clone()));
        all.sort_unstable_by(|a, b| a.member.name.cmp(&b.member.name));
        let own = own.into_iter().filter(|before| !before.is_silent());
        let mut own = own.map(|before| before.member);
        Ok(Present {
            all,
            namesake: own.find(|before| before.instance != member.instance),
        })
    }

    /// Say that a gateway is there no more.
    ///
    /// # Errors
    ///
    /// When the server does not do it; then it is silent, until it is off the list.
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
