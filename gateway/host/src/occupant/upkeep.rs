//! What keeps a seat's instance informed, and the seat from staying vacant.

use std::sync::Arc;
use std::time::Duration;

use super::Occupant;
use crate::fault::Fault;
use crate::instance::{Assignment, Budget, Failure, Instance};
use crate::preparer::{Mailbox, Order};

/// How often an instance is told of health and outcomes at most.
const TELL_EVERY_MS: u64 = 10;

/// Instances that take no longer than this are made between two requests.
const QUICK: Duration = Duration::from_millis(1);

/// Whether an instance that heard of outcomes at one time may hear of more.
const fn may_hear(observed_ms: u64, now_ms: u64) -> bool {
    now_ms >= observed_ms + TELL_EVERY_MS
}

impl Occupant {
    /// Whether the instance has to be told something before it decides: a few
    /// comparisons.
    pub(super) fn has_news(&self) -> bool {
        let (Some(pool), Some(instance)) = (&self.pool, &self.instance) else {
            return false;
        };
        instance.table_version != pool.table_version
            || instance.eligibility_version != pool.state.eligibility_version()
            || (!self.outcomes.is_empty() && self.is_time_to_hear())
    }

    /// Whether it is long enough ago that the instance heard of outcomes.
    fn is_time_to_hear(&self) -> bool {
        let now_ms = self.binding.shared.ticker.ticker().coarse_ms();
        may_hear(self.observed_ms, now_ms)
    }

    #[cold]
    pub(super) fn tell(&mut self) -> Result<(), Fault> {
        let now_ms = self.binding.shared.ticker.ticker().coarse_ms();
        let told = self.tell_at(now_ms);
        told.map_err(|failure| self.failed(failure))
    }

    fn tell_at(&mut self, now_ms: u64) -> Result<(), Failure> {
        let (Some(pool), Some(instance)) = (&self.pool, &mut self.instance) else {
            return Ok(());
        };
        let table = instance.table_version != pool.table_version;
        if table {
            // Before a slot may have become another endpoint's.
            if !self.outcomes.is_empty() {
                let heard = instance.observe(self.outcomes.make_contiguous(), self.budget);
                self.outcomes.clear();
                heard?;
            }
            instance.update(pool, Budget::ON_WORKER)?;
        }
        let eligibility = instance.eligibility_version != pool.state.eligibility_version();
        let due = now_ms >= instance.told_ms + TELL_EVERY_MS;
        if table || (eligibility && due) {
            instance.eligible(pool, Budget::ON_WORKER)?;
        }
        if !self.outcomes.is_empty() && may_hear(self.observed_ms, now_ms) {
            self.observed_ms = now_ms;
            let heard = instance.observe(self.outcomes.make_contiguous(), self.budget);
            self.outcomes.clear();
            heard?;
        }
        Ok(())
    }

    /// See to it that there is an instance: at once if that is quick, else from
    /// the preparer.
    #[cold]
    pub(super) fn revive(&mut self) -> Result<(), Fault> {
        if let Some(mailbox) = &self.mailbox {
            let Some(mut instance) = mailbox.take() else {
                return Err(self.vacant());
            };
            instance.show(&self.snapshot, self.pool.as_ref());
            self.mailbox = None;
            self.instance = Some(instance);
            return Ok(());
        }
        if self
            .binding
            .preparation()
            .is_none_or(|duration| duration > QUICK)
        {
            self.mailbox = Some(self.ordered(Mailbox::default()));
            return Err(self.vacant());
        }
        let instance = Instance::prepare(&self.assignment(), Budget::ON_WORKER);
        let instance = instance.map_err(|refusal| self.failed_to_begin(refusal.into()))?;
        self.counters().restarts.add(1);
        self.instance = Some(instance);
        Ok(())
    }

    /// Have an instance made aside, and put into this mailbox.
    pub(super) fn ordered(&self, mailbox: Mailbox) -> Arc<Mailbox> {
        let mailbox = Arc::new(mailbox);
        self.binding.shared.order(Order {
            assignment: self.assignment(),
            mailbox: Arc::downgrade(&mailbox),
        });
        mailbox
    }

    fn assignment(&self) -> Assignment {
        Assignment {
            binding: Arc::clone(&self.binding),
            worker: self.worker,
            snapshot: Arc::clone(&self.snapshot),
            pool: self.pool.clone(),
            recording: self.recording.clone(),
        }
    }
}
