//! What the host keeps beside a running instance: the data of its store, which
//! every import works on.

use std::sync::Arc;

use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::UpdateDeadline;

use crate::binding::Binding;
use crate::cookies::Cookies;
use crate::direct::crossing::Border;
use crate::imports::edits::Names;
use crate::journal::Level;
use crate::limits::Limits;
use crate::patience::Patience;
use crate::recording::Tape;
use crate::view::{Edit, ExchangeView, Lent};

/// Edits that one exchange may gather; more are dropped with a log entry.
const MAX_EDITS: usize = 64;

/// The data of an instance's store.
pub(crate) struct Guest {
    /// The exchange, while a decision about it is being made.
    pub(crate) exchange: Lent,
    /// How many edits it had before the first of this decision; none while the
    /// decision has made none.
    pub(crate) edits_before: Option<usize>,
    /// The binding that the instance serves.
    pub(crate) binding: Arc<Binding>,
    /// Which worker it serves.
    pub(crate) worker: usize,
    /// The pools as the worker sees them now.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The binding's pool as the worker sees it now.
    pub(crate) pool: Option<Arc<Pool>>,
    /// What it may have of the machine.
    pub(crate) limits: Limits,
    /// What it may still have of the time, in the call that it is making.
    pub(crate) patience: Patience,
    /// The way into its memory, in the direct lane, while it may call out.
    pub(crate) border: Option<Box<Border>>,
    /// Cookies that it gave out, in the direct lane.
    pub(crate) cookies: Cookies,
    /// Headers that it edits.
    pub(crate) names: Names,
    /// Its randomness.
    pub(crate) random: fastrand::Rng,
    /// What it asks is written there, or answered from there.
    pub(crate) tape: Option<Box<Tape>>,
}

impl Guest {
    /// The exchange that is being decided about, if one is.
    pub(crate) fn view(&self) -> Option<&dyn ExchangeView> {
        self.exchange.as_deref()
    }

    /// What the plugin hears that asked a function for something: the host's own
    /// answer, unless a recording has another.
    pub(crate) fn heard<Q, A>(&mut self, function: &'static str, of: &Q, own: A) -> A
    where
        Q: Serialize + ?Sized,
        A: Serialize + DeserializeOwned,
    {
        match &mut self.tape {
            None => own,
            Some(tape) => tape.heard(function, of, own),
        }
    }

    /// Write to the plugin's log what the host has to say to its author.
    pub(crate) fn warn(&self, message: String) {
        self.binding.write_log(Level::Warn, message);
    }

    /// The call that is being made has passed its deadline by the clock.
    pub(crate) fn passed_deadline(&mut self) -> UpdateDeadline {
        let update = self.patience.passed_now();
        if let UpdateDeadline::Continue(ticks) = &update {
            // The ticker was told of a call that would be over by now.
            self.binding.shared.ticker.begin(*ticks);
        }
        update
    }

    /// Ask for a change to the exchange; ignored outside of a decision.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let edits = &mut exchange.effects().edits;
        if self.edits_before.is_none() {
            self.edits_before = Some(edits.len());
        }
        if edits.len() < MAX_EDITS {
            edits.push(edit);
        } else {
            self.warn(format!(
                "more than {MAX_EDITS} edits in an exchange: one is ignored"
            ));
        }
    }
}
