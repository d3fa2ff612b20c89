//! Server-sent events, as a page reads them.

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpStream;

use super::client::{Client, empty};
use super::eventually::soon;
use super::gateway::Gateway;

/// A stream that is read event by event.
pub(crate) struct Events {
    body: Incoming,
    text: String,
    /// The id of the last event that had one.
    pub(crate) last: Option<String>,
}

/// An event: its name, and its data.
pub(crate) type Told = (String, Value);

impl Events {
    /// Follow a gateway without a token, from now on or from after an event.
    pub(crate) async fn of(gateway: &Gateway, after: Option<&str>) -> Self {
        let address = gateway.admin_address();
        let stream = TcpStream::connect(address).await.expect("it accepts");
        let mut client = Client::http1_on(stream).await;
        let mut request = Request::get("/api/stream").header("host", address.to_string());
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let request = request.body(empty()).expect("a request");
        let (head, body) = client.send(request).await.expect("a response").into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "text/event-stream");
        let mut events = Self {
            body,
            text: String::new(),
            last: None,
        };
        // From here on nothing is missed.
        assert!(
            events
                .block()
                .await
                .expect("a beginning")
                .contains("retry: ")
        );
        events
    }

    /// The next event; none at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            let (mut name, mut data) = (String::new(), String::new());
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("event", value)) => value.clone_into(&mut name),
                    Some(("data", value)) => data += value,
                    Some(("id", value)) => self.last = Some(value.to_owned()),
                    _ => {}
                }
            }
            if !name.is_empty() {
                return Some((name, serde_json::from_str(&data).expect("JSON")));
            }
        }
    }

    /// The data of the next event of this name that fits.
    pub(crate) async fn find(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let finding = async {
            loop {
                let (told, data) = self.next().await.expect("the stream goes on");
                if told == name && fits(&data) {
                    return data;
                }
            }
        };
        soon(&format!("an event {name}"), finding).await
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = self.body.frame().await?.expect("it does not break off");
            let data = frame.into_data().expect("data");
            self.text += std::str::from_utf8(&data).expect("text");
        }
    }
}
