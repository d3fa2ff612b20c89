//! What is declared, in files and by DNS, read again and put in force.

use std::sync::Arc;

use gatewright_model::config::{Key, LeftOut};
use gatewright_model::id::PoolName;

use super::{Control, edited, entry_of_files};
use crate::cluster::{Attempts, ClusterError, Ticket};
use crate::desired::{Desired, Draft};
use crate::error::ReloadError;
use crate::events::Happened;
use crate::keeper::Kept;
use crate::publisher::{PublishError, Reloaded};
use crate::store::Entry;

impl Control {
    /// Read what is declared again and put it in force.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        let mut attempts = Attempts::at(self.keeper.cluster.as_ref());
        let mut outcome = Err(ClusterError::Moved.into());
        while attempts.another().await {
            let desired = self.desired();
            let reloading = self.reload_in_turn(&desired, attempts.ticket());
            outcome = reloading.await;
            if !self.was_overtaken(&outcome).await {
                break;
            }
        }
        self.note(&outcome);
        self.reloads.note(&outcome);
        if outcome.is_ok() {
            self.take_in_unbound_files().await;
        }
        outcome
    }

    async fn reload_in_turn(
        &self,
        desired: &Desired,
        ticket: Option<Ticket>,
    ) -> Result<Reloaded, ReloadError> {
        self.may_follow()?;
        let draft = desired.reread(&self.discovery).await?;
        let file = desired.origin.file();
        let file = file.map(|file| file.display().to_string());
        let entry = entry_of_files("reload", file.unwrap_or_default());
        self.carry_out_declared(desired, draft, entry, ticket).await
    }

    /// Put in force what DNS has found of a pool's servers. It is finished
    /// whether or not anybody waits for the answer.
    pub(crate) async fn take_in_found(
        self: &Arc<Self>,
        pool: &PoolName,
    ) -> Result<(), ReloadError> {
        let control = Arc::clone(self);
        let target = Key::pool(pool.as_str()).then("dns").to_string();
        let taking = tokio::spawn(async move {
            let _turn = control.turn.lock().await;
            let desired = control.desired();
            let outcome = control.found_in_turn(&desired, target).await;
            control.note(&outcome);
            outcome.map(drop)
        });
        taking.await.unwrap_or(Err(ReloadError::Stopping))
    }

    async fn found_in_turn(
        &self,
        desired: &Desired,
        target: String,
    ) -> Result<Reloaded, ReloadError> {
        self.may_follow()?;
        let draft = desired.found(&self.discovery).await?;
        let entry = Entry {
            who: "dns".to_owned(),
            ..entry_of_files("servers.found", target)
        };
        self.carry_out_declared(desired, draft, entry, None).await
    }

    /// Put in force what is declared otherwise than before, without overrides
    /// whose plugins cannot be had with it.
    async fn carry_out_declared(
        &self,
        desired: &Desired,
        mut draft: Draft,
        entry: Entry,
        ticket: Option<Ticket>,
    ) -> Result<Reloaded, ReloadError> {
        let origin = desired.origin.clone();
        loop {
            let outcome = self.publish(desired, &draft, Vec::new(), entry.clone(), ticket);
            match outcome.await {
                Err(PublishError::Plugin { key, errors }) => {
                    let without = origin.without(&draft, &key, &errors.to_string()).await?;
                    draft = without.ok_or(errors)?;
                }
                Err(PublishError::Other(error)) => return Err(error),
                Ok(reloaded) => {
                    self.accept(desired, draft, reloaded, ticket).await?;
                    self.keep_file_versions().await;
                    return Ok(reloaded);
                }
            }
        }
    }

    /// Take over a draft of what is declared; what gave way to the files is
    /// kept no more, even when that changes nothing else.
    async fn accept(
        &self,
        desired: &Desired,
        draft: Draft,
        reloaded: Reloaded,
        ticket: Option<Ticket>,
    ) -> Result<(), ReloadError> {
        if matches!(reloaded, Reloaded::Unchanged { .. }) && desired.overlay != draft.overlay {
            let entry = entry_of_files("overrides.yield", String::new());
            let edited = edited(desired, &draft, Vec::new(), entry);
            self.keeper
                .keep(Kept::Made(Box::new(edited), ticket))
                .await?;
        }
        for key in &draft.yielded {
            self.events.push(Happened::Yielded(key.clone()));
        }
        let is_new = |left: &&LeftOut| !desired.left_out.contains(left);
        for left in draft.left_out.iter().filter(is_new) {
            self.events.push(Happened::LeftOut(left.clone()));
        }
        self.put(Desired::of(desired.origin.clone(), draft));
        Ok(())
    }
}
