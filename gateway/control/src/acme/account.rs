//! The account with an authority. It is made once, and kept: an authority knows
//! by it who has proved what.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use gatewright_model::config::Acme;
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::connection::Connection;
use super::problem::Problem;
use crate::files;

/// How an authority says that it knows the account no more.
const FORGOTTEN: &str = "accountDoesNotExist";

/// What is kept of an account.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Whom the authority writes to, as it was last told.
    email: Option<String>,
    /// What the account's requests are signed with, and its address.
    credentials: AccountCredentials,
}

/// The account that is kept, or a new one.
pub(super) async fn account(acme: &Acme, connection: &Connection) -> Result<Account, Problem> {
    let kept = files::get(file(acme)).await.map_err(Problem::Folder)?;
    let Some(kept) = kept else {
        return make(acme, connection).await;
    };
    let Ok(kept) = serde_json::from_slice::<Kept>(&kept) else {
        let aside = files::set_aside(file(acme)).await;
        aside.map_err(Problem::Folder)?;
        return make(acme, connection).await;
    };
    let restoring = builder(connection).from_credentials(kept.credentials).await;
    let account = restoring?;
    if kept.email.as_deref() != acme.email.as_deref() {
        return tell_email(acme, connection, account).await;
    }
    Ok(account)
}

/// Whether an authority knows the account no more, as when it has lost its
/// memory; then it is not kept any longer.
pub(super) async fn is_forgotten(acme: &Acme, problem: &Problem) -> Result<bool, Problem> {
    if !problem.is(FORGOTTEN) {
        return Ok(false);
    }
    tracing::warn!("the authority knows the account no more; a new one is made");
    let removing = files::remove(file(acme)).await;
    removing.map_err(Problem::Folder)?;
    Ok(true)
}

async fn make(acme: &Acme, connection: &Connection) -> Result<Account, Problem> {
    let contact = contact(acme);
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let bound = acme.external_account.as_ref();
    let bound =
        bound.map(|bound| ExternalAccountKey::new(bound.key_id.to_string(), &bound.hmac_key));
    let directory = acme.directory.to_string();
    let making = builder(connection).create(&wanted, directory, bound.as_ref());
    let (account, credentials) = making.await?;
    keep(acme, credentials).await?;
    tracing::info!(directory = %acme.directory, "an account with the authority is made");
    Ok(account)
}

/// Tell the authority of another address to write to.
async fn tell_email(
    acme: &Acme,
    connection: &Connection,
    account: Account,
) -> Result<Account, Problem> {
    let contact = contact(acme);
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    account.update_contacts(&contact).await?;
    let kept = files::get(file(acme)).await.map_err(Problem::Folder)?;
    let kept: Kept = serde_json::from_slice(&kept.unwrap_or_default())
        .map_err(|error| Problem::Folder(error.into()))?;
    keep(acme, kept.credentials).await?;
    drop(account);
    Box::pin(self::account(acme, connection)).await
}

async fn keep(acme: &Acme, credentials: AccountCredentials) -> Result<(), Problem> {
    let email = acme.email.as_deref().map(str::to_owned);
    let kept = Kept { email, credentials };
    let json = serde_json::to_vec(&kept);
    let json = json.map_err(|error| Problem::Folder(error.into()))?;
    let putting = files::put(file(acme), json.into()).await;
    putting.map_err(Problem::Folder)
}

fn builder(connection: &Connection) -> instant_acme::AccountBuilder {
    Account::builder_with_http(Box::new(connection.clone()))
}

fn contact(acme: &Acme) -> Vec<String> {
    let email = acme.email.iter();
    email.map(|email| format!("mailto:{email}")).collect()
}

/// Another authority, or another account that this one is bound to, makes it
/// another file.
fn file(acme: &Acme) -> PathBuf {
    let bound = acme.external_account.as_ref();
    let bound = bound.map_or("", |bound| &bound.key_id);
    let digest = Sha256::digest(format!("{}\0{bound}", acme.directory));
    let digest = HEXLOWER.encode(&digest[..8]);
    acme.folder.join(format!("account-{digest}.json"))
}
