//! What one gateway of a cluster may give of a token bucket that all share.
//!
//! The common bucket lies in the cluster's memory and is only reached by an
//! exchange, which no decision waits for. So a gateway spends from a lease: whole
//! tokens that the common bucket has debited already. The size of a lease follows
//! guided self-scheduling (Polychronopoulos and Kuck, 1987): what is free, divided
//! by the number of gateways, so leases are large while the bucket is full and
//! single tokens near its end. A lease that is not used goes back, half of it every
//! half second, all of it when nothing was taken in that time. What is leased counts
//! as if it were in the bucket: both together never come to more than the burst.
//!
//! Two things are given without having been leased, so that nobody is refused only
//! because an exchange is under way:
//!
//! - **The share of an unknown bucket.** A bucket that nobody has used is full, and
//!   each gateway may spend the burst divided by the number of gateways at once. The
//!   common bucket holds these shares back (its *reserve*) until every gateway has
//!   said that it knows of the bucket; only then one gateway is leased all of it. A
//!   share that was handed out without such a reserve would let a client that goes
//!   from gateway to gateway have almost twice the burst.
//! - **One take on credit** for each exchange, where the common bucket must have
//!   gained enough since the last news. It is debited afterwards, if need be below
//!   zero, so it is paid back by what the bucket gains next.
//!
//! So in any time T no more than burst + rate × T + (G − 1) takes are let through by
//! G gateways: the last term is what others may have taken on credit meanwhile, and
//! the rounding up of a share to one token where there are more gateways than tokens.
//! A gateway that cannot reach the others (*apart*) goes on with rate / G and
//! burst / G of the G that it knew last; those who are not apart know nothing of it,
//! so to each gateway that is apart alone its share comes on top.

use std::time::Duration;

use gatewright_model::shared::{Ask, Granted};

use crate::contract::imports::store::Taken;

/// News of a bucket that are so old are no reason not to ask: others may have given
/// something back.
const STALE: Duration = Duration::from_millis(250);

/// A bucket's terms, as a plugin gives them with each take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// Tokens that it gains; finite and not negative.
    pub(crate) per_second: f64,
    /// The most that it holds.
    pub(crate) burst: f64,
}

impl Rate {
    /// Of what a plugin asks for, where it makes sense.
    pub(crate) fn of(per_second: f64, burst: u32) -> Self {
        Self {
            per_second: match per_second.is_finite() {
                true => per_second.max(0.0),
                false => 0.0,
            },
            burst: burst.into(),
        }
    }

    /// What a bucket holds some time after it held `tokens`.
    pub(crate) fn after(self, tokens: f64, elapsed: Duration) -> f64 {
        (tokens + self.per_second * elapsed.as_secs_f64()).min(self.burst)
    }

    /// Milliseconds until a bucket has gained so much: 1 at least, the largest if
    /// never.
    pub(crate) fn wait_ms(self, tokens: f64) -> u32 {
        if self.per_second == 0.0 && tokens > 0.0 {
            return u32::MAX;
        }
        // A float that is too large for the integer becomes the largest.
        ((tokens / self.per_second * 1000.0).ceil() as u32).max(1)
    }

    /// What each of so many gateways may spend of a bucket that nobody knows.
    fn share(self, gateways: u32) -> f64 {
        let share = (self.burst / f64::from(gateways)).floor();
        share.max(1.0).min(self.burst)
    }
}

/// The gateways of a cluster, as one of them knows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gateways {
    /// How many there are, this one included.
    pub(crate) count: u32,
    /// Whether the others cannot be reached.
    pub(crate) is_apart: bool,
    /// The version of what they share up to which all others have read.
    pub(crate) have_read: u64,
}

/// What a gateway has of a common bucket, and what it last heard of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lease {
    /// Tokens in hand.
    held: f64,
    /// Tokens, spent or in hand, that the common bucket does not know to be gone.
    owed: f64,
    /// Spent since the last exchange, and since the last review.
    used: f64,
    used_in_review: f64,
    /// The largest take that was refused since the last exchange.
    lacked: f64,
    /// What the common bucket held, the most that it could then, and when.
    level: f64,
    room: f64,
    at: Duration,
    /// The version by which the bucket became known.
    born: u64,
    /// With less in hand than this, it is time to ask for more.
    low: f64,
    /// Whether an exchange will tell or is to be told of it.
    is_noted: bool,
}

impl Lease {
    /// Of a bucket that nobody has been heard to use.
    pub(crate) fn unknown(rate: Rate, gateways: Gateways, now: Duration) -> Self {
        let share = rate.share(gateways.count);
        Self {
            held: share,
            owed: share,
            low: share,
            ..Self::known(rate.burst - share, u64::MAX, now)
        }
    }

    /// Of a bucket that others are heard to use.
    pub(crate) fn known(level: f64, born: u64, now: Duration) -> Self {
        Self {
            held: 0.0,
            owed: 0.0,
            used: 0.0,
            used_in_review: 0.0,
            lacked: 0.0,
            level,
            room: f64::INFINITY,
            at: now,
            born,
            low: 0.0,
            is_noted: false,
        }
    }

    /// Take tokens. Whether the exchange is to be told is noted: see
    /// [`Self::is_to_be_noted`].
    pub(crate) fn take(
        &mut self,
        count: f64,
        rate: Rate,
        gateways: Gateways,
        now: Duration,
    ) -> Taken {
        if gateways.is_apart {
            self.gain(rate, gateways, now);
        }
        let level = self.level(rate, now);
        let mut free = match gateways.is_apart {
            true => 0.0,
            false => level - rate.reserve(self.born, gateways),
        };
        let lacking = (count - self.held).max(0.0);
        let on_credit = lacking > 0.0 && lacking <= free && !self.is_noted;
        let is_taken = count <= rate.burst && (lacking == 0.0 || on_credit);
        if is_taken {
            self.held -= count - lacking;
            self.owed += lacking;
            self.level -= lacking;
            free -= lacking;
            self.used += count;
            self.used_in_review += count;
        } else if count <= rate.burst {
            self.lacked = self.lacked.max(count);
        }
        let left = (self.held + free.max(0.0)).min(rate.burst) as u32;
        let wait_ms = match is_taken {
            true => 0,
            false if count > rate.burst => u32::MAX,
            false if gateways.is_apart => rate.split(gateways.count).wait_ms(lacking),
            // What is held back for others now is free soon.
            false => rate.wait_ms((lacking - level).max(0.0)),
        };
        Taken { wait_ms, left }
    }

    /// Whether the exchange should hear of it now: something is owed; or there is
    /// too little in hand, and more is free; or the bucket is full, and would gain
    /// nothing as long as it takes for leased what was spent. After that it is noted.
    pub(crate) fn is_to_be_noted(&mut self, rate: Rate, now: Duration) -> bool {
        let level = self.level(rate, now);
        let is_short = self.held < self.low.max(self.lacked).max(1.0);
        let is_full = self.used > 0.0 && level >= self.room;
        let may_be_free = level >= 1.0 || now.saturating_sub(self.at) >= STALE;
        let is_due = self.owed > 0.0 || is_full || (is_short && may_be_free);
        is_due && !std::mem::replace(&mut self.is_noted, true)
    }

    /// What the common bucket has gained to, as far as known.
    fn level(&self, rate: Rate, now: Duration) -> f64 {
        let level = rate.after(self.level, now.saturating_sub(self.at));
        level.min(self.room)
    }

    /// Twice a second: give back what is hardly used. Returns whether the exchange
    /// is to be told of it.
    pub(crate) fn review(&mut self) -> bool {
        let used = std::mem::take(&mut self.used_in_review);
        let back = match used {
            0.0 => self.held,
            _ if used < self.held / 2.0 => (self.held / 2.0).floor(),
            _ => return false,
        };
        self.held -= back;
        self.owed -= back;
        self.low = (self.held / 2.0).floor();
        back > 0.0 && !std::mem::replace(&mut self.is_noted, true)
    }

    /// What the exchange tells.
    pub(crate) fn ask(&mut self, rate: Rate) -> Ask {
        Ask {
            per_second: rate.per_second,
            burst: rate.burst,
            // What was spent while apart was spent of this gateway's own share.
            debit: std::mem::take(&mut self.owed).min(rate.burst),
            lacked: std::mem::take(&mut self.lacked),
            used: std::mem::take(&mut self.used),
            held: self.held,
        }
    }

    /// Hear what the common bucket has answered.
    pub(crate) fn hear(&mut self, granted: Granted, now: Duration) {
        self.held += granted.tokens;
        self.level = granted.level;
        self.room = granted.room;
        self.born = granted.born;
        self.at = now;
        self.low = (self.held / 2.0).floor();
        self.is_noted = false;
    }

    /// The version by which the bucket became known; none before the first answer.
    pub(crate) fn born(&self) -> Option<u64> {
        (self.born != u64::MAX).then_some(self.born)
    }

    /// Tokens in hand.
    pub(crate) fn held(&self) -> f64 {
        self.held
    }

    /// While apart, the gateway has a bucket of its own: its share of the common one.
    fn gain(&mut self, rate: Rate, gateways: Gateways, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        let own = Rate {
            burst: rate.share(gateways.count).max(self.held),
            ..rate.split(gateways.count)
        };
        let gained = own.after(self.held, elapsed) - self.held;
        self.held += gained;
        self.owed += gained;
        self.at = now;
    }
}

impl Rate {
    /// What is held back for gateways that do not know of the bucket yet.
    fn reserve(self, born: u64, gateways: Gateways) -> f64 {
        match born > gateways.have_read {
            true => f64::from(gateways.count - 1) * self.share(gateways.count),
            false => 0.0,
        }
    }

    /// The part of one of so many gateways in what the bucket gains.
    fn split(self, gateways: u32) -> Self {
        Self {
            per_second: self.per_second / f64::from(gateways),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
