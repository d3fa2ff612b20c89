//! Fetching components from OCI registries, as far as a plugin needs the
//! distribution protocol: a manifest by tag or digest, the token that it may
//! ask for, and the one layer that is the component.
//!
//! Who may deploy names the registry; what the registry names in turn is a
//! stranger's word. So everything that comes has its bound in bytes and time,
//! credentials go nowhere but to the registry and, by HTTPS, to where it says
//! that tokens are, and no registry of the outside leads into the inside. (The
//! client libraries that there are read manifests and tokens without bounds.)

mod address;
mod challenge;
mod connection;
mod credentials;
mod manifest;
mod reference;

use std::time::Duration;

use axum::http::header::{LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gatewright_model::config::Registries;
use gatewright_model::id::Digest;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use self::challenge::Challenge;
use self::connection::{Answer, Ask, Connector};
use self::credentials::Login;
use self::manifest::{ACCEPTED, Layer};
pub(crate) use self::reference::Reference;
use crate::uploads::COMPONENT_BYTES;

/// How long a component may take to come, all in all.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of a manifest: one of a component has a thousand.
const MANIFEST_BYTES: usize = 256 << 10;

/// Bytes of an answer with a token.
const TOKEN_BYTES: usize = 64 << 10;

/// Redirections of one request; registries send to their storage once.
const REDIRECTIONS: usize = 3;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The address leads where it may not.
    #[error("{0}")]
    Refused(String),
    /// The other side cannot be reached or breaks off.
    #[error("{host} cannot be asked: {reason}")]
    Unreachable { host: String, reason: String },
    /// The registry says no.
    #[error("{what}: {host} answered {status}{remedy}")]
    Status {
        what: &'static str,
        host: String,
        status: StatusCode,
        remedy: &'static str,
    },
    /// What came is not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// It took too long.
    #[error("it has not come within {} s", PATIENCE.as_secs())]
    Slow,
}

/// What came of a reference.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) component: Vec<u8>,
    /// What the file of its signature holds, where the layer says that.
    pub(crate) signature: Option<String>,
    /// The reference by the manifest's digest, which never means anything else.
    pub(crate) pinned: String,
}

/// Fetch a component.
///
/// # Errors
///
/// Why it did not come.
pub(crate) async fn fetch(
    reference: &Reference,
    registries: &Registries,
) -> Result<Fetched, FetchError> {
    let fetching = async {
        let mut session = Session::open(reference, registries).await?;
        session.fetch().await
    };
    let fetched = tokio::time::timeout(PATIENCE, fetching).await;
    fetched.unwrap_or(Err(FetchError::Slow))
}

/// One conversation with a registry.
struct Session<'r> {
    reference: &'r Reference,
    connector: Connector,
    login: Option<Login>,
    authorization: Option<HeaderValue>,
}

impl<'r> Session<'r> {
    async fn open(reference: &'r Reference, registries: &Registries) -> Result<Self, FetchError> {
        let login = credentials::find(reference.host(), registries).await?;
        Ok(Self {
            reference,
            connector: Connector::new(reference.host(), registries).await?,
            login,
            authorization: None,
        })
    }

    async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let path = format!("manifests/{}", self.reference.wanted());
        let manifest = self.get("the manifest", &path, MANIFEST_BYTES).await?;
        let digest = Digest(Sha256::digest(&manifest.body).into());
        if self.reference.digest().is_some_and(|named| named != digest) {
            let message = "the manifest that came is not the one of the digest".to_owned();
            return Err(FetchError::Wrong(message));
        }
        let layer = Layer::of(&manifest.body).map_err(FetchError::Wrong)?;
        if layer.size > COMPONENT_BYTES as u64 {
            let message = format!("the component is larger than {} MiB", COMPONENT_BYTES >> 20);
            return Err(FetchError::Wrong(message));
        }
        let path = format!("blobs/sha256:{}", layer.digest);
        let blob = self
            .get("the component", &path, layer.size as usize)
            .await?;
        if Digest(Sha256::digest(&blob.body).into()) != layer.digest {
            let message = "what came is not what the manifest says".to_owned();
            return Err(FetchError::Wrong(message));
        }
        Ok(Fetched {
            component: blob.body,
            signature: layer.signature,
            pinned: self.reference.pinned(digest),
        })
    }

    /// Get something of the repository, logging in when the registry asks for
    /// that.
    async fn get(
        &mut self,
        what: &'static str,
        path: &str,
        most: usize,
    ) -> Result<Answer, FetchError> {
        let uri = self
            .connector
            .uri(&format!("/v2/{}/{path}", self.reference.repository()))?;
        let mut answer = self.follow(&uri, most).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.log_in(&answer).await?;
            answer = self.follow(&uri, most).await?;
        }
        match answer.status {
            StatusCode::OK => Ok(answer),
            status => Err(FetchError::Status {
                what,
                host: self.reference.host().to_owned(),
                status,
                remedy: match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        "; log in by `docker login`, or name a file of logins as \
                         admin.registries.auth"
                    }
                    _ => "",
                },
            }),
        }
    }

    /// Ask, and go where the registry sends, without credentials.
    async fn follow(&self, uri: &Uri, most: usize) -> Result<Answer, FetchError> {
        let mut authorization = self.authorization.as_ref();
        let mut uri = uri.clone();
        for _ in 0..=REDIRECTIONS {
            let ask = Ask {
                uri: &uri,
                accept: ACCEPTED,
                authorization: authorization.take(),
                most,
            };
            let answer = self.connector.ask(ask).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let next = answer.headers.get(LOCATION);
            let next = next.and_then(|next| next.to_str().ok());
            let next = next.ok_or_else(|| {
                FetchError::Wrong("the registry sends elsewhere without saying where".to_owned())
            })?;
            uri = self.connector.elsewhere(&uri, next)?;
        }
        let message = format!("the registry sends elsewhere more than {REDIRECTIONS} times");
        Err(FetchError::Wrong(message))
    }

    /// Do what the registry asks for.
    async fn log_in(&mut self, refused: &Answer) -> Result<(), FetchError> {
        let asked = refused.headers.get_all(WWW_AUTHENTICATE).into_iter();
        let asked = asked.filter_map(|value| Challenge::parse(value.to_str().ok()?));
        let mut asked: Vec<_> = asked.collect();
        let bearer = asked.iter().position(|one| *one != Challenge::Basic);
        let asked = match bearer {
            Some(bearer) => Some(asked.swap_remove(bearer)),
            None => asked.pop(),
        };
        self.authorization = match (asked, self.login.clone()) {
            (Some(Challenge::Basic), Some(login)) => Some(login.basic()),
            (Some(Challenge::Bearer(bearer)), login) => {
                let scope = format!("repository:{}:pull", self.reference.repository());
                let uri = bearer.uri(&scope).map_err(FetchError::Wrong)?;
                let uri = self.connector.token_server(&uri)?;
                Some(self.token(&uri, login).await?)
            }
            _ => None,
        };
        Ok(())
    }

    async fn token(&self, uri: &Uri, login: Option<Login>) -> Result<HeaderValue, FetchError> {
        #[derive(Deserialize)]
        struct Tokens {
            token: Option<String>,
            access_token: Option<String>,
        }
        let basic = login.map(|login| login.basic());
        let ask = Ask {
            uri,
            accept: "application/json",
            authorization: basic.as_ref(),
            most: TOKEN_BYTES,
        };
        let answer = self.connector.ask(ask).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status {
                what: "a token",
                host: uri.host().unwrap_or_default().to_owned(),
                status: answer.status,
                remedy: "",
            });
        }
        let tokens: Option<Tokens> = serde_json::from_slice(&answer.body).ok();
        let token = tokens.and_then(|tokens| tokens.token.or(tokens.access_token));
        let bearer = token.and_then(|token| secret(&format!("Bearer {token}")));
        bearer.ok_or_else(|| FetchError::Wrong("the registry's token does not read".to_owned()))
    }
}

impl Login {
    fn basic(&self) -> HeaderValue {
        let encoded = BASE64_STANDARD.encode(format!("{}:{}", self.name, self.password));
        // Base64 has nothing that a header cannot hold.
        secret(&format!("Basic {encoded}")).unwrap_or(HeaderValue::from_static(""))
    }
}

/// A header that nothing logs.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;
