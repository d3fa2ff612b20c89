//! The admin API of a running gateway, as the commands that operate one use it.

mod connection;
mod events;

use std::env;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use clap::{Arg, Args as _, Command};
use gatewright_host::plainly;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use self::connection::Trust;
pub(super) use self::events::{Events, Told};
use super::table::Table;
use crate::certifier;
use crate::ending::usage;
use crate::runtime;

/// How long an answer may take: a new server is checked first, a new plugin
/// compiled.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long an answer may take where a balancer may be judged first.
const PATIENCE_TO_JUDGE: Duration = certifier::WITHIN.saturating_add(PATIENCE);

/// How long the answer to a probe may take.
const PROBE: Duration = Duration::from_secs(5);

/// The most that an answer may hold, in bytes: many thousands of servers.
const MOST: usize = 64 << 20;

/// Characters of an address's path that stand for something else there.
const RESERVED: &[u8] = b"-_.~:[]";

/// The variable with the access token.
const TOKEN: &str = "GATEWRIGHT_TOKEN";

/// Which gateway, and how to show what it says.
#[derive(Debug, clap::Args)]
pub(super) struct ApiOptions {
    /// Where the gateway's admin listener is; HOST:PORT means http:// on this machine, and
    /// https:// with --ca-cert or --client-cert.
    #[arg(
        long,
        env = "GATEWRIGHT_ADMIN",
        default_value = "http://127.0.0.1:9000",
        value_name = "URL",
        global = true
    )]
    admin: String,

    #[command(flatten)]
    trust: Trust,

    /// Print what the gateway answers as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// These options for a command that asks no gateway and has them from the one that
/// it is a part of: only how to show what it says is to be seen.
pub(super) fn without_a_gateway() -> Vec<Arg> {
    let all = ApiOptions::augment_args(Command::new("all"));
    let options = all.get_arguments().cloned();
    let seen = |option: Arg| match option.get_id().as_str() {
        "json" => option.help("Print JSON"),
        _ => option.hide(true),
    };
    options.map(seen).collect()
}

/// A request to the API.
pub(super) struct Call {
    method: Method,
    path: String,
    body: Option<Body>,
    patience: Duration,
}

/// What a request carries.
enum Body {
    Json(Value),
    Component(Vec<u8>, Option<String>),
}

impl Call {
    /// A request without a body.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            patience: PATIENCE,
        }
    }

    /// With a body.
    pub(super) fn with(self, body: Value) -> Self {
        let body = Some(Body::Json(body));
        Self { body, ..self }
    }

    /// With a balancer that may have to be judged before there is an answer.
    pub(super) fn judging(self) -> Self {
        Self {
            patience: PATIENCE_TO_JUDGE,
            ..self
        }
    }

    /// With a component as its body, and what its signature's file holds.
    pub(super) fn carrying(self, component: Vec<u8>, signature: Option<String>) -> Self {
        let body = Some(Body::Component(component, signature));
        Self { body, ..self }
    }
}

impl ApiOptions {
    /// Ask, and show the answer: as a table, or as it is.
    pub(super) fn show(&self, call: Call, table: impl Fn(&Value) -> Table) -> anyhow::Result<()> {
        let data = self.ask(call)?;
        self.print(&data, |data| table(data).to_string())
    }

    /// Ask for a change, and say what came of it in words.
    pub(super) fn change(&self, call: Call, done: impl Fn(&Value) -> String) -> anyhow::Result<()> {
        let data = self.ask(call)?;
        let warnings = data["warnings"].as_array().into_iter().flatten();
        for warning in warnings.filter_map(Value::as_str) {
            eprintln!("warning: {}", plainly(warning));
        }
        self.print(&data, |data| {
            let (workers, of) = (&data["applied"]["workers"], &data["applied"]["of"]);
            let generation = &data["generation"];
            let done = done(data);
            format!("{done}: generation {generation} is in force on {workers} of {of} workers\n")
        })
    }

    /// Print data as JSON, or in words.
    pub(super) fn print(
        &self,
        data: &Value,
        words: impl Fn(&Value) -> String,
    ) -> anyhow::Result<()> {
        let text = match self.json {
            true => format!("{data:#}\n"),
            false => words(data),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }

    /// Ask, and give the data of the answer.
    pub(super) fn ask(&self, call: Call) -> anyhow::Result<Value> {
        let patience = call.patience;
        let request = self.request(call)?;
        let asking = async {
            let asked = tokio::time::timeout(patience, self.send(request)).await;
            asked.unwrap_or_else(|_| bail!("it did not answer within {patience:?}"))
        };
        let answered = runtime::block_on(asking);
        self.data(answered.with_context(|| format!("cannot ask {}", self.admin))?)
    }

    /// Download what a path has that is no JSON.
    pub(super) fn download(&self, path: &str) -> anyhow::Result<Bytes> {
        let request = self.request(Call::new(Method::GET, path))?;
        let downloading = async {
            let answer = self.trust.answer(request).await?;
            if answer.status() != StatusCode::OK {
                self.data(read(answer).await?)?;
                bail!("{} has no such thing", self.admin);
            }
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            let body = body.map_err(|error| anyhow!("its answer broke off: {error}"))?;
            Ok(body.to_bytes())
        };
        let patient = async {
            let done = tokio::time::timeout(PATIENCE, downloading).await;
            done.unwrap_or_else(|_| bail!("it did not answer within {PATIENCE:?}"))
        };
        runtime::block_on(patient).with_context(|| format!("cannot ask {}", self.admin))
    }

    /// Follow what a path tells for as long as it does.
    pub(super) async fn follow(&self, path: &str) -> anyhow::Result<Events> {
        let request = self.request(Call::new(Method::GET, path))?;
        let asked = tokio::time::timeout(PATIENCE, self.trust.answer(request)).await;
        let asked = asked.unwrap_or_else(|_| bail!("it did not answer within {PATIENCE:?}"));
        let asked = asked.with_context(|| format!("cannot ask {}", self.admin))?;
        if asked.status() == StatusCode::OK {
            return Ok(Events::new(asked.into_body()));
        }
        self.data(read(asked).await?)?;
        bail!("{} tells nothing", self.admin)
    }

    /// Whether clients should be sent to the gateway; the error says why not.
    pub(super) fn is_ready(&self) -> anyhow::Result<()> {
        let request = self.request(Call::new(Method::GET, "/readyz"))?;
        let asking = async {
            let answer = self.trust.answer(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            let body = body.map_err(|error| anyhow!("its answer broke off: {error}"))?;
            let text = String::from_utf8_lossy(&body.to_bytes()).trim().to_owned();
            ensure!(status == StatusCode::OK, "it answered {status}: {text}");
            anyhow::Ok(())
        };
        let asked = runtime::block_on(async {
            let asked = tokio::time::timeout(PROBE, asking).await;
            asked.unwrap_or_else(|_| bail!("it did not answer within {PROBE:?}"))
        });
        asked.with_context(|| format!("asking {}", self.admin))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Value> {
        read(self.trust.answer(request).await?).await
    }

    /// Where the gateway's admin listener is.
    pub(super) fn admin(&self) -> &str {
        &self.admin
    }

    /// The data of an answer, or why there is none.
    fn data(&self, mut answer: Value) -> anyhow::Result<Value> {
        if answer["success"] == true {
            return Ok(answer["data"].take());
        }
        let error = &answer["error"];
        ensure!(
            error["code"] != "unauthorized",
            "{} {}",
            self.admin,
            unauthorized(token().is_some())
        );
        match error["message"].as_str() {
            Some(message) => bail!("{}", blamed(message, error["field"].as_str())),
            None => bail!("{} is no gateway's admin listener", self.admin),
        }
    }

    fn request(&self, call: Call) -> anyhow::Result<Request<Full<Bytes>>> {
        let base = url(&self.admin, self.trust.means_tls()).map_err(usage)?;
        let base = base.trim_end_matches('/');
        let uri: Result<Uri, _> = format!("{base}{}", call.path).parse();
        let uri = uri.map_err(|error| usage(anyhow!("--admin {}: {error}", self.admin)))?;
        let mut request = Request::builder().method(call.method).uri(uri);
        // Not as a flag: everybody on the machine sees those.
        if let Some(token) = token() {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let value = value.map_err(|_| usage(anyhow!("{TOKEN} holds no token")))?;
            request = request.header(AUTHORIZATION, value);
        }
        let body = match call.body {
            Some(Body::Json(body)) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            Some(Body::Component(component, Some(signature))) => {
                let (kind, form) = form(&component, &signature);
                request = request.header(CONTENT_TYPE, kind);
                Bytes::from(form)
            }
            Some(Body::Component(component, None)) => {
                request = request.header(CONTENT_TYPE, "application/wasm");
                Bytes::from(component)
            }
            None => Bytes::new(),
        };
        request.body(Full::new(body)).map_err(usage)
    }
}

/// An admin listener's address, of which the scheme may be left out: but no token is
/// sent to another machine in the clear, unless somebody says so.
fn url(text: &str, means_tls: bool) -> anyhow::Result<String> {
    if text.contains("://") {
        return Ok(text.to_owned());
    }
    if means_tls {
        return Ok(format!("https://{text}"));
    }
    let url = format!("http://{text}");
    let uri: Result<Uri, _> = url.parse();
    ensure!(
        uri.is_ok_and(|uri| uri.host().is_some_and(is_loopback)),
        "--admin {text}: write http:// or https:// before it; by http:// whoever is on the way \
         can read the token"
    );
    Ok(url)
}

/// Whether a URL's host is this machine.
fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// The access token, if there is one: nothing in the variable is none.
fn token() -> Option<String> {
    let token = env::var(TOKEN).ok()?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

/// Why a request was refused, with the field that is to blame, unless the message
/// begins with its key.
fn blamed(message: &str, field: Option<&str>) -> String {
    let key = message.split(": ").next().unwrap_or_default();
    match field {
        Some(field) if key != field && !key.ends_with(&format!(".{field}")) => {
            format!("{field}: {message}")
        }
        _ => message.to_owned(),
    }
}

/// What a gateway wants that takes a token, in the words of these commands.
fn unauthorized(is_one_sent: bool) -> String {
    match is_one_sent {
        true => format!(
            "does not know the token in {TOKEN}, or it has expired; set it to another one, which \
             `gatewright token create` makes"
        ),
        false => format!(
            "takes a token; set the environment variable {TOKEN} to one, which `gatewright token \
             create` makes"
        ),
    }
}

/// A form of a component and its signature, and its content type.
fn form(component: &[u8], signature: &str) -> (String, Vec<u8>) {
    // Nobody can have put it into the component.
    let boundary = format!("{:032x}", fastrand::u128(..));
    let part =
        |name| format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    let (file, other) = (part("file"), part("signature"));
    let end = format!("\r\n--{boundary}--\r\n");
    let parts = [
        file.as_bytes(),
        component,
        b"\r\n",
        other.as_bytes(),
        signature.as_bytes(),
        end.as_bytes(),
    ];
    let kind = format!("multipart/form-data; boundary={boundary}");
    (kind, parts.concat())
}

async fn read(answer: Response<Incoming>) -> anyhow::Result<Value> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MOST).collect().await;
    let body = body.map_err(|error| anyhow!("its answer broke off: {error}"))?;
    let answer = serde_json::from_slice(&body.to_bytes());
    ensure!(answer.is_ok(), "it answered {} and no JSON", head.status);
    Ok(answer?)
}

/// A text as a part of a path.
pub(super) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() || RESERVED.contains(&plain) => {
            char::from(plain).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_come_without_its_scheme() {
        for (text, means_tls, meant) in [
            ("127.0.0.1:9000", false, "http://127.0.0.1:9000"),
            ("127.8.0.1:9000", false, "http://127.8.0.1:9000"),
            ("[::1]:9000", false, "http://[::1]:9000"),
            ("localhost:9000", false, "http://localhost:9000"),
            ("localhost:9000", true, "https://localhost:9000"),
            ("gateway:9000", true, "https://gateway:9000"),
            ("http://gateway:9000", true, "http://gateway:9000"),
            ("https://gateway:9000", false, "https://gateway:9000"),
        ] {
            assert_eq!(url(text, means_tls).unwrap(), meant);
        }
    }

    #[test]
    fn nobody_sends_a_token_to_another_machine_in_the_clear_unawares() {
        for text in [
            "gateway:9000",
            "192.0.2.1:9000",
            "[2001:db8::1]:9000",
            "localhost.a:1",
        ] {
            let refused = url(text, false).unwrap_err().to_string();
            assert!(
                refused.contains("write http:// or https:// before it"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_field_is_told_once() {
        for (message, field, told) in [
            ("write a port", Some("port"), "port: write a port"),
            ("write a port", None, "write a port"),
            (
                "config.zone: write it",
                Some("config.zone"),
                "config.zone: write it",
            ),
            (
                "pools.web.balancer.plugin: no",
                Some("plugin"),
                "pools.web.balancer.plugin: no",
            ),
            ("the plugin: no", Some("plugin"), "plugin: the plugin: no"),
        ] {
            assert_eq!(blamed(message, field), told);
        }
    }

    #[test]
    fn no_text_leaves_its_part_of_a_path() {
        assert_eq!(escaped("10.0.0.1:80"), "10.0.0.1:80");
        assert_eq!(escaped("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
        assert_eq!(escaped("ü"), "%C3%BC");
    }
}
