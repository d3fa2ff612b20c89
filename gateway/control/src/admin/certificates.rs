//! `/api/certificates`: what listeners show to clients, until when, and when it
//! is renewed.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::config::Ordered;
use gatewright_proxy::{InForce, Shown, ShownFrom};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use crate::acme::{Standing, Standings};
use crate::control::Control;
use crate::timestamp::Timestamp;

/// A certificate that listeners show, or are going to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certificate {
    /// The host names that it is for.
    #[schema(example = json!(["example.com", "www.example.com"]))]
    names: Vec<String>,
    source: Source,
    /// The listeners that show it.
    listeners: Vec<String>,
    /// Where it is kept.
    file: Option<String>,
    /// Who has signed it; `null` as long as it is not there.
    #[schema(example = "C=US, O=Let's Encrypt, CN=E7")]
    issuer: Option<String>,
    /// When it began to hold.
    not_before: Option<Timestamp>,
    /// When it holds no more.
    not_after: Option<Timestamp>,
    /// When it is ordered next; `null` for what the gateway does not order.
    renewal: Option<Renewal>,
}

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Source {
    /// It was made at the start.
    SelfSigned,
    /// A file that the configuration names.
    File,
    /// It was ordered, or is about to be.
    Acme,
}

/// When a certificate is ordered next, and why not earlier.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Renewal {
    at: Timestamp,
    /// How many orders have failed since the last that did not.
    failures: u32,
    /// What became of the last order, where that is no certificate.
    reason: Option<String>,
}

/// List the certificates.
///
/// In the order of the listeners; one that several listeners show is listed
/// once. The admin listener's is not among them.
#[utoipa::path(
    get, path = "/api/certificates", operation_id = "listCertificates", tag = "certificates",
    responses((status = OK, description = "The certificates", body = Success<Vec<Certificate>>))
)]
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Success<Vec<Certificate>>> {
    let in_force = control.publisher.in_force();
    success(listed(&in_force, &control.standings))
}

fn listed(in_force: &InForce, standings: &Standings) -> Vec<Certificate> {
    let mut listed: Vec<(Option<&Path>, Certificate)> = Vec::new();
    for listener in &in_force.snapshot.config.listeners {
        let ordered = listener.tls.as_ref().and_then(|tls| tls.ordered.as_ref());
        let shown = in_force.tls.shown(&listener.name);
        let mut here: Vec<_> = shown
            .iter()
            .map(|shown| (shown.from.file(), Certificate::of(shown)))
            .collect();
        if let Some(ordered) = ordered {
            let file = Some(&*ordered.kept.path);
            if !here.iter().any(|(known, _)| *known == file) {
                here.push((file, Certificate::awaited(ordered)));
            }
        }
        for (file, mut certificate) in here {
            let name = listener.name.to_string();
            let known = listed
                .iter_mut()
                .find(|(known, _)| file.is_some() && *known == file);
            if let Some((_, known)) = known {
                known.listeners.push(name);
                continue;
            }
            certificate.listeners.push(name);
            let standing = file.filter(|_| certificate.source == Source::Acme);
            let standing = standing.and_then(|file| standings.get(file));
            certificate.renewal = standing.map(Renewal::from);
            listed.push((file, certificate));
        }
    }
    listed
        .into_iter()
        .map(|(_, certificate)| certificate)
        .collect()
}

impl Certificate {
    fn of(shown: &Shown) -> Self {
        Self {
            names: shown.names.clone(),
            source: Source::of(&shown.from),
            listeners: Vec::new(),
            file: shown.from.file().map(|file| file.display().to_string()),
            issuer: Some(shown.issuer.clone()),
            not_before: Some(shown.not_before.into()),
            not_after: Some(shown.not_after.into()),
            renewal: None,
        }
    }

    /// One that is not there yet.
    fn awaited(ordered: &Ordered) -> Self {
        Self {
            names: ordered.names.iter().map(ToString::to_string).collect(),
            source: Source::Acme,
            listeners: Vec::new(),
            file: Some(ordered.kept.path.display().to_string()),
            issuer: None,
            not_before: None,
            not_after: None,
            renewal: None,
        }
    }
}

impl Source {
    pub(super) fn of(from: &ShownFrom) -> Self {
        match from {
            ShownFrom::SelfSigned => Self::SelfSigned,
            ShownFrom::File(_) => Self::File,
            ShownFrom::Order(_) => Self::Acme,
        }
    }

    /// As labels say it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SelfSigned => "self-signed",
            Self::File => "file",
            Self::Acme => "acme",
        }
    }
}

impl From<Standing> for Renewal {
    fn from(standing: Standing) -> Self {
        let Standing {
            next,
            failures,
            reason,
        } = standing;
        Self {
            at: next,
            failures,
            reason,
        }
    }
}
