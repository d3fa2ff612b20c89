//! `POST /api/plugins`: a component comes in.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatewright_host::About as Carried;
use gatewright_model::signature::{PluginSignature, Unsigned};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shown::{VersionShown, signers};
use super::{Component, plain};
use crate::access::Who;
use crate::admin::asked::Asked;
use crate::admin::body::Body;
use crate::admin::envelope::{Failure, Success, Unkept, failure};
use crate::change::Refusal;
use crate::control::Control;
use crate::registry::{self, Reference};
use crate::uploads::{Brought, COMPONENT_BYTES as MOST, Sent};

/// The name of a form's part that is the signature; any other is the component.
const SIGNATURE: &str = "signature";

/// What is said of a component in the query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct About {
    /// The plugin; a new one is declared by its first version. Where none is
    /// given, the end of the repository's name, or else what the component
    /// calls itself.
    #[param(value_type = String, required = false, example = "near")]
    name: Option<String>,
    /// What it may import beside what needs no grant, joined by commas.
    #[param(value_type = String, required = false, example = "store,clock")]
    grants: Option<String>,
    /// The most memory of an instance.
    #[param(value_type = String, required = false, example = "16MiB")]
    memory: Option<String>,
}

/// A component that is to be fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FetchedPlugin)]
pub(super) struct Wanted {
    /// Its name in an OCI registry: `HOST/REPOSITORY:TAG` or
    /// `HOST/REPOSITORY@sha256:DIGEST`.
    #[schema(example = "registry.example/plugins/near:1.2")]
    reference: String,
    /// What is in the file of its signature, where the registry has none.
    #[schema(value_type = String, required = false)]
    signature: Option<String>,
}

impl Wanted {
    /// Fetch it, and the name that it has in the registry.
    async fn fetch(&self, control: &Control) -> Result<(Sent, Option<String>), Refusal> {
        let reference = self.reference.parse::<Reference>();
        let reference = reference.map_err(|wrong| Refusal::field("reference", wrong))?;
        let config = Arc::clone(&control.publisher.snapshot().config);
        let fetched = registry::fetch(&reference, &config.admin.registries).await;
        let name = reference.plugin().map(str::to_owned);
        let fetched = fetched.map_err(|error| Refusal::Unfetched {
            reference: reference.to_string(),
            error: Box::new(error),
        })?;
        let signature = self.signature.as_ref().or(fetched.signature.as_ref());
        let signature = signature.map(|text| read(text.as_bytes())).transpose()?;
        let sent = Sent {
            component: fetched.component,
            signature,
            reference: Some(fetched.pinned),
        };
        Ok((sent, name))
    }
}

impl About {
    /// What is brought, under a name.
    fn brought(&self, name: &str) -> Brought {
        let grants = self.grants.as_deref();
        let grants = grants.map(|grants| grants.split(',').map(str::trim).map(str::to_owned));
        Brought {
            plugin: name.into(),
            grants: grants.map(|grants| grants.filter(|grant| !grant.is_empty()).collect()),
            memory: self.memory.clone(),
        }
    }
}

/// A version that was brought.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Uploaded)]
pub(super) struct Answer {
    #[serde(flatten)]
    version: VersionShown,
    /// How long compiling and trying it took, in milliseconds.
    compile_ms: f64,
}

/// Upload a version of a plugin.
///
/// It is compiled and tried, and decides nothing until a binding names it. The
/// component is the body, or the file of a `multipart/form-data` body, beside which
/// a part `signature` holds what `minisign` wrote, where the gateway asks for that; or JSON says where an
/// OCI registry has it.
#[utoipa::path(
    post, path = "/api/plugins", operation_id = "uploadPlugin", tag = "plugins",
    params(About),
    request_body(content((Component = "application/wasm"), (Component = "application/octet-stream"), (Wanted = "application/json"))),
    responses(
        (status = CREATED, description = "A new version", body = Success<Answer>),
        (status = OK, description = "It was there already", body = Success<Answer>),
        (status = BAD_REQUEST, description = "`bad_address`, `bad_body`: it cannot be read", body = Failure),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`: more than 64 MiB", body = Failure),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`not_wasm`: another content type", body = Failure),
        (status = UNPROCESSABLE_ENTITY, description = "`plugin_refused`: it can be no plugin, with the reason; `not_fetched`: the registry does not have it to give; `invalid`: a value is wrong", body = Failure),
        (status = CONFLICT, description = "`conflict`: grants and memory of this plugin are the file's to say", body = Failure),
        Unkept,
    )
)]
pub(super) async fn upload(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Asked(about): Asked<About>,
    request: Request,
) -> Result<Response, Response> {
    let bringing = Bringing::of(request).await?;
    if let Some(name) = &about.name {
        let looked_at = control.would_take(&about.brought(name)).await;
        looked_at.map_err(IntoResponse::into_response)?;
    }
    let place = match &bringing {
        Bringing::Fetched(_) => control.uploads.place_to_fetch(),
        Bringing::Sent(_) => control.uploads.place(),
    };
    let place = place.map_err(IntoResponse::into_response)?;
    let (sent, named) = bringing.whole(&control).await?;
    let name = match about.name.clone() {
        Some(name) => name,
        None => unsaid(&control, named, &sent).map_err(IntoResponse::into_response)?,
    };
    let brought = about.brought(&name);
    let plugin = brought.plugin.clone();
    let taken = control.take_in(who.into(), brought, (place, sent));
    let taken = taken.await;
    let taken = taken.map_err(IntoResponse::into_response)?;
    let config = &control.publisher.snapshot().config;
    let signers = signers(&control, config, vec![taken.digest]).await;
    let signers = signers.map_err(IntoResponse::into_response)?;
    let version = (taken.digest, taken.record);
    let answer = Answer {
        version: VersionShown::of((&control, config, &signers), &plugin, version),
        compile_ms: taken.compile_ms,
    };
    let status = match taken.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, plain(answer)).into_response())
}

/// The name of a plugin that nobody has said: the repository's, or what the
/// component calls itself.
fn unsaid(control: &Control, named: Option<String>, sent: &Sent) -> Result<String, Refusal> {
    let carried = || Carried::of(&sent.component).name;
    let name = named.or_else(carried).ok_or_else(nameless)?;
    // A stranger's word does not say what becomes of the operator's own.
    if control.is_spoken_for(&name.as_str().into()) {
        let message = format!(
            "it calls itself {name}, which is of the default set or declared in the configuration \
             file; name the plugin by ?name= (--name {name} of `gatewright plugin push` if that \
             is the one)"
        );
        return Err(Refusal::field("name", message));
    }
    Ok(name)
}

fn nameless() -> Refusal {
    let message = "the component carries no name of its own; name the plugin by ?name= (--name of \
                   `gatewright plugin push`)";
    Refusal::field("name", message)
}

/// How a component is brought.
enum Bringing {
    /// It is to be fetched: what says so is short, and has been read.
    Fetched(Wanted),
    /// It is the body, or within it, and yet to be read.
    Sent(Request),
}

impl Bringing {
    async fn of(request: Request) -> Result<Self, Response> {
        if media_type(request.headers()) != "application/json" {
            return Ok(Self::Sent(request));
        }
        let Body(wanted) = Body::<Wanted>::from_request(request, &()).await?;
        Ok(Self::Fetched(wanted))
    }

    /// What is brought, whole, and the name that the plugin has where it is.
    async fn whole(self, control: &Control) -> Result<(Sent, Option<String>), Response> {
        match self {
            Self::Sent(request) => Ok((sent(request).await?, None)),
            Self::Fetched(wanted) => {
                let fetched = wanted.fetch(control).await;
                fetched.map_err(IntoResponse::into_response)
            }
        }
    }
}

/// What a request has as its body, whole.
async fn sent(request: Request) -> Result<Sent, Response> {
    // What says so itself need not be read to be refused.
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MOST as u64) {
        return Err(unread(StatusCode::PAYLOAD_TOO_LARGE, ""));
    }
    match media_type(request.headers()).as_str() {
        "application/wasm" | "application/octet-stream" => {
            let bytes = Bytes::from_request(request, &()).await;
            let bytes = bytes.map_err(|error| unread(error.status(), &error.body_text()))?;
            Ok(Sent {
                component: bytes.into(),
                signature: None,
                reference: None,
            })
        }
        "multipart/form-data" => parts(request).await,
        _ => {
            let message = "send the component as the body with content-type: application/wasm, or \
                           as the file of a multipart/form-data body, or JSON with its reference \
                           in a registry";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(failure(status, "not_wasm", message.to_owned()))
        }
    }
}

/// The component of a form, and the signature that may be in it.
async fn parts(request: Request) -> Result<Sent, Response> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| unread(error.status(), &error.body_text()))?;
    let (mut component, mut signature) = (None, None);
    loop {
        let field = form.next_field().await;
        let field = field.map_err(|error| unread(error.status(), &error.body_text()))?;
        let Some(field) = field else { break };
        let (place, what) = match field.name() == Some(SIGNATURE) {
            true => (&mut signature, "signatures"),
            false => (&mut component, "components"),
        };
        if place.is_some() {
            let reason = format!("it has several {what}");
            return Err(unread(StatusCode::BAD_REQUEST, &reason));
        }
        let bytes = field.bytes().await;
        let bytes = bytes.map_err(|error| unread(error.status(), &error.body_text()))?;
        *place = Some(bytes);
    }
    let component = component.ok_or_else(|| {
        let reason = "it has no part that is the component";
        unread(StatusCode::BAD_REQUEST, reason)
    })?;
    let signature = signature.map(|text| read(&text)).transpose();
    Ok(Sent {
        component: component.into(),
        signature: signature.map_err(IntoResponse::into_response)?,
        reference: None,
    })
}

/// A signature as its file has it.
fn read(text: &[u8]) -> Result<PluginSignature, Refusal> {
    let read = std::str::from_utf8(text).map_err(|_| Unsigned::Unreadable);
    let read = read.and_then(PluginSignature::parse);
    read.map_err(|error| {
        Refusal::field(SIGNATURE, format!("{error}; send what is in FILE.minisig"))
    })
}

/// A body that is too large, or cannot be read.
fn unread(status: StatusCode, reason: &str) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the component is larger than {} MiB", MOST >> 20);
            failure(status, "body_too_large", message)
        }
        _ => {
            let message = format!("the body cannot be read: {reason}");
            failure(StatusCode::BAD_REQUEST, "bad_body", message)
        }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}
