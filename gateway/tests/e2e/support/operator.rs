//! Whoever operates a gateway through its API, as `curl` would.

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::component::rebuilt;
use super::gateway::Gateway;
use super::message::Message;
use super::wire::Wire;

/// A request to the admin listener.
pub(crate) struct Call<'a> {
    gateway: &'a Gateway,
    head: String,
    body: Vec<u8>,
}

impl Gateway {
    /// A request to the admin listener, to be sent.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let host = self.admin_address();
        Call {
            gateway: self,
            head: format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n"),
            body: Vec::new(),
        }
    }

    /// Change something; it must be taken. The data of the answer.
    pub(crate) async fn change(&self, method: &str, path: &str, body: Value) -> Value {
        let call = self.call(method, path);
        let call = match body {
            Value::Null => call,
            body => call.json(&body),
        };
        let answer = call.send().await;
        let mut json = answer.json();
        assert_eq!(json["success"], true, "{method} {path}: {json}");
        json["data"].take()
    }
}

/// Uploads.
impl Gateway {
    /// Upload a version of a plugin; it must be taken. Its digest.
    pub(crate) async fn upload(&self, name: &str, component: impl Into<Vec<u8>>) -> String {
        let path = format!("/api/plugins?name={name}");
        let answer = self.call("POST", &path).component(component).send().await;
        let json = answer.json();
        assert_eq!(json["success"], true, "{json}");
        let version = json["data"]["version"].as_str().expect("a digest");
        version.to_owned()
    }

    /// Upload another build of a plugin of the default set; it must be taken. Its
    /// digest.
    pub(crate) async fn upload_rebuilt(&self, name: &str) -> String {
        let own = self.api(&format!("/api/plugins/{name}")).await["version"].take();
        let own = own.as_str().expect("a digest");
        let path = format!("/api/plugins/{name}/versions/{own}/download");
        let component = self.admin(&path).await.body;
        self.upload(name, rebuilt(&component)).await
    }

    /// Have another build of a plugin of the default set decide in its seat, on all
    /// workers. Its digest.
    pub(crate) async fn activate_rebuilt(&self, name: &str, seat: &str) -> String {
        let path = format!("/api/bindings/{seat}");
        let before = self.api(&path).await["version"].take();
        let version = self.upload_rebuilt(name).await;
        let wanted = json!({ "version": version });
        let bound = self.change("PUT", &path, wanted).await;
        assert_eq!(bound["version"], version.as_str(), "{bound}");
        assert_ne!(bound["version"], before, "it is another version");
        let applied = &bound["applied"];
        assert_eq!(applied["workers"], applied["of"], "{bound}");
        version
    }

    /// Whether this version decides in a seat, and has not been taken back.
    pub(crate) async fn has_seated(&self, version: &str, seat: &str) -> bool {
        let bound = self.api(&format!("/api/bindings/{seat}")).await;
        bound["version"] == version && bound["state"] == "active"
    }
}

impl Call<'_> {
    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// With a token.
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a body of JSON.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
            .header("content-type", "application/json")
    }

    /// With a body as it stands.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With a component as its body.
    pub(crate) fn component(self, component: impl Into<Vec<u8>>) -> Self {
        self.body(component)
            .header("content-type", "application/wasm")
    }

    /// Send it on a connection of its own and read the answer.
    pub(crate) async fn send(self) -> Message {
        self.try_send().await.expect("an answer")
    }

    /// Send it and read the answer's head alone, of one that may never end.
    pub(crate) async fn head(self) -> Message {
        let stream = TcpStream::connect(self.gateway.admin_address()).await;
        let mut wire = Wire::new(stream.expect("it accepts"));
        wire.send(self.request()).await;
        wire.response_to_head().await
    }

    /// [`Call::send`] to a gateway that may end meanwhile.
    pub(crate) async fn try_send(self) -> Option<Message> {
        let address = self.gateway.admin_address();
        let mut wire = Wire::new(TcpStream::connect(address).await.ok()?);
        wire.try_send(self.request()).await.ok()?;
        wire.try_response().await
    }

    fn request(&self) -> Vec<u8> {
        let length = self.body.len();
        let head = format!("{}content-length: {length}\r\n\r\n", self.head);
        [head.as_bytes(), &self.body].concat()
    }

    /// Send it; it must be refused with this status. The error of the answer.
    pub(crate) async fn refused(self, status: u16) -> Value {
        let answer = self.send().await;
        let mut json = answer.json();
        assert_eq!(answer.status(), status, "{json}");
        assert_eq!(json["success"], false, "{json}");
        json["error"].take()
    }
}
