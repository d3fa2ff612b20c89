//! What plugins keep, exchanged with the other gateways by way of the server.
//!
//! All that is shared lies in one hash, each thing under its name, and beside it a
//! sorted set that says by which version of the whole each was changed last. An
//! exchange is one script: it does what was changed here, and answers with what has a
//! later version than the one that was read last. So whoever joins, was away or finds
//! the server empty catches up in the same way as whoever is there all the time, and
//! what changes often is read once. Things have ends of their own, there are bounds on
//! their number and bytes beyond which the oldest go, and a day after the last gateway
//! nothing is left.
//!
//! A batch has a number, by which the server knows one that it has done already, and
//! which it notes before it does anything. So one that was not answered is sent again,
//! and nothing is added twice, even where the server failed in the middle of it.

mod words;

use gatewright_model::shared::{Change, Leased, Met, Record};
use redis::Script;

use crate::connection::Connection;
use crate::failure::Failure;
use words::Reply;

/// The keys, `PREFIX:shared:` and one of these, in the order in which the script takes
/// them, each with what the server calls its type.
const KEYS: [(&str, &str); 5] = [
    ("items", "hash"),
    ("log", "zset"),
    ("expiry", "zset"),
    ("meta", "hash"),
    ("gateways", "hash"),
];

/// The exchanges of one gateway, one after the other.
pub struct Exchange {
    connection: Connection,
    script: Script,
    /// What tells one life of the server's data from another.
    epoch: String,
    /// The version up to which all has been read, and up to which others may count on
    /// that all that was done before has been told.
    read: u64,
    told: u64,
    batch: u64,
    /// What has been sent and not been answered.
    unanswered: Option<Sent>,
}

struct Sent {
    changes: Vec<Change>,
    is_all: bool,
}

/// What an exchange brings.
#[derive(Debug)]
pub struct News {
    /// Who is there, and what time it is.
    pub met: Met,
    /// Whether the server's data are others than those that were read before: it may
    /// not have what is here.
    pub is_new: bool,
    /// Whether there is more to be read at once.
    pub has_more: bool,
    /// Whether there may be more to be told: it was not all, or told again in place of
    /// what has been noted since.
    pub is_behind: bool,
    /// What buckets have answered.
    pub leased: Vec<(String, Leased)>,
    /// What has changed since, the oldest change first.
    pub records: Vec<(String, Record)>,
    /// How many things there cannot be read. They count as absent, until they are
    /// written anew.
    pub unreadable: usize,
}

impl Exchange {
    /// Of a gateway that has read nothing yet.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            script: Script::new(include_str!("shared/exchange.lua")),
            epoch: String::new(),
            read: 0,
            told: 0,
            batch: 0,
            unanswered: None,
        }
    }

    /// Whether the last exchange was not answered: the next one tells the same again,
    /// and nothing else.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }

    /// Read all that is there again: there is something new that it may be for.
    pub fn read_anew(&mut self) {
        (self.read, self.told) = (0, 0);
    }

    /// Tell what was changed, and hear what others have. `is_all` says that nothing
    /// else is to be told by now. Where the exchange before was not answered, that is
    /// told again in place of `changes`, which must be empty.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or refuses. What was to be told is kept.
    pub async fn run(&mut self, changes: Vec<Change>, is_all: bool) -> Result<News, Failure> {
        let is_behind = self.is_unanswered() || !is_all;
        if self.unanswered.is_none() {
            self.batch += 1;
            self.unanswered = Some(Sent { changes, is_all });
        }
        let connection = &self.connection;
        let sent = self.unanswered.as_ref();
        let changes = sent.map_or(&[][..], |sent| &sent.changes);
        if sent.is_none_or(|sent| sent.is_all) {
            self.told = self.read;
        }
        let mut call = self.script.prepare_invoke();
        for (key, _) in KEYS {
            call.key(self.key(key));
        }
        call.arg(connection.instance()).arg(&self.epoch);
        call.arg(format!("{:016x}", fastrand::u64(..)));
        // An exchange that tells nothing needs no number: it may be done twice.
        let batch = match changes.is_empty() {
            true => 0,
            false => self.batch,
        };
        call.arg(batch).arg(self.read).arg(self.told);
        words::tell(changes, &mut call);
        let reply: Reply = connection.invoke(&call).await?;
        self.unanswered = None;
        let news = words::news(&reply, is_behind);
        self.epoch = reply.epoch;
        self.read = reply.upto;
        if news.is_new {
            self.told = 0;
        }
        Ok(news)
    }

    /// The keys that are of another type than gateways make them, so that no exchange gets
    /// past them: something else has written there.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or refuses.
    pub async fn misused(&self) -> Result<Vec<String>, Failure> {
        let mut asking = redis::pipe();
        for (key, _) in KEYS {
            asking.cmd("TYPE").arg(self.key(key));
        }
        let found: Vec<String> = self.connection.pipeline(&asking).await?;
        let found = KEYS.into_iter().zip(found);
        let misused = found.filter(|((_, wanted), found)| found != wanted && found != "none");
        Ok(misused.map(|((key, _), _)| self.key(key)).collect())
    }

    /// Say that this gateway is there no more, after its last exchange.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or refuses; others find out in some seconds.
    pub async fn leave(&self) -> Result<(), Failure> {
        let mut command = redis::cmd("HDEL");
        command.arg(self.key("gateways"));
        command.arg(self.connection.instance());
        self.connection.query(&command).await
    }

    /// One of the keys, in full.
    fn key(&self, key: &str) -> String {
        self.connection.key(&format!("shared:{key}"))
    }
}

#[cfg(test)]
pub(crate) mod tests;
