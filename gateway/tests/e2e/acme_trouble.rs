//! Authorities that refuse for a time, or that do not keep to the protocol.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::{
    Authority, Builder, Events, Gateway, Message, NAME, Pool, Upstream, Wire, acceptor,
};

/// What an authority answers a request with.
type Says = fn(&Message) -> String;

/// An authority that answers by a script.
async fn scripted(authority: &Authority, says: Says) -> Upstream {
    let acceptor = acceptor(&authority.sign("127.0.0.1"), &[], None);
    Upstream::speaking(move |stream| serve(acceptor.clone(), stream, says)).await
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, says: Says) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut wire = Wire::new(stream);
    while let Some(request) = wire.request().await {
        if wire.try_send(says(&request)).await.is_err() {
            return;
        }
    }
}

/// A gateway that orders a certificate from it.
async fn ordering(authority: &Authority, from: &Upstream) -> Gateway {
    let server = Upstream::named("a").await;
    let acme = format!(
        "[acme]\ndirectory = \"https://{}/dir\"\nca_file = \"ca.pem\"\nagree_to_terms = true",
        from.address()
    );
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let builder = builder.tls(&format!("acme = [\"{NAME}\"]")).with(&acme);
    builder.pool(Pool::of(&[&server])).start().await
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The beginning of every order; then too many have been made.
fn too_many(request: &Message) -> String {
    let host = request.header("host").unwrap_or_default();
    match request.target() {
        "/dir" => {
            let paths = ["newNonce", "newAccount", "newOrder"];
            let directory = paths.map(|path| (path, json!(format!("https://{host}/{path}"))));
            let directory: serde_json::Map<_, _> = directory
                .into_iter()
                .map(|(path, url)| (path.to_owned(), url))
                .collect();
            answer("200 OK", &json!(directory).to_string())
        }
        "/newNonce" => "HTTP/1.1 200 OK\r\nreplay-nonce: a\r\ncontent-length: 0\r\n\r\n".to_owned(),
        _ => answer(
            "429 Too Many Requests\r\nretry-after: 7200\r\ncontent-type: application/problem+json",
            r#"{ "type": "urn:ietf:params:acme:error:rateLimited", "detail": "Too many accounts" }"#,
        ),
    }
}

#[tokio::test]
async fn an_authority_is_left_alone_for_as_long_as_it_asks_for() {
    let authority = Authority::new();
    let from = scripted(&authority, too_many).await;
    let gateway = ordering(&authority, &from).await;
    let mut events = Events::of(&gateway, Some("0-0")).await;
    let told = events.find("certificate", |_| true).await;
    let reason = told["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("Too many accounts (rateLimited)"),
        "{reason}"
    );
    let again = told["again"].as_str().expect("a moment");
    let again = humantime::parse_rfc3339(again).expect("a moment");
    let ahead = again.duration_since(SystemTime::now());
    assert!(ahead.expect("it is ahead") > Duration::from_secs(7000));
}

#[tokio::test]
async fn what_is_no_authority_is_told_and_holds_no_other_order_up() {
    let authority = Authority::new();
    let directory: Says = |_| {
        let addresses = json!({ "newNonce": "no address", "newAccount": "", "newOrder": "" });
        answer("200 OK", &addresses.to_string())
    };
    let page: Says = |_| answer("502 Bad Gateway\r\ncontent-type: text/html", "<h1>no</h1>");
    let garbage: Says = |_| answer("200 OK", "{");
    for (says, reason) in [
        (directory, "an answer that cannot be used"),
        (page, "it answers with 502 Bad Gateway"),
        (garbage, "an answer that cannot be used"),
    ] {
        let from = scripted(&authority, says).await;
        let gateway = ordering(&authority, &from).await;
        gateway.says(reason).await;
        gateway.edit(|text| text.replace(NAME, "other.example"));
        gateway.says("no certificate for other.example").await;
    }
}
