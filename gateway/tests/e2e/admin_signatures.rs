//! Keys whose signatures components need: at an upload, beside a file, and
//! whenever a version comes to a seat.

use minisign::KeyPair;
use serde_json::{Value, json};

use crate::support::{Builder, Call, Gateway, Guest, Pool, Upstream, ends, eventually, spawn};

const SEAT: &str = "/api/bindings/web/balancer";

/// Somebody who signs.
struct Signer(KeyPair);

impl Signer {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().expect("randomness"))
    }

    /// The public key, as a configuration has it.
    fn key(&self) -> String {
        self.0.pk.to_base64()
    }

    /// What `minisign -Sm` writes beside a file.
    fn sign(&self, component: &[u8]) -> String {
        let signed = minisign::sign(None, &self.0.sk, component, None, None);
        signed.expect("a signature").into_string()
    }
}

/// A gateway that trusts a signer, before a server.
async fn gateway(signer: &Signer) -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let keys = format!("plugin_keys = [\"{}\"]", signer.key());
    let builder = Builder::new().admin_with(&keys).pool(Pool::of(&[&a]));
    (builder.start().await, a)
}

/// An upload of a component with its signature.
fn upload<'g>(gateway: &'g Gateway, component: &[u8], signature: &str) -> Call<'g> {
    let part = |name| format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    let (file, beside) = (part("file"), part("signature"));
    let body = [
        file.as_bytes(),
        component,
        b"\r\n",
        beside.as_bytes(),
        signature.as_bytes(),
        b"\r\n--cut--\r\n",
    ];
    let call = gateway.call("POST", "/api/plugins?name=mine");
    let call = call.body(body.concat());
    call.header("content-type", "multipart/form-data; boundary=cut")
}

/// Have another's signatures trusted, and wait until it is so.
async fn trust(gateway: &Gateway, before: &Signer, after: &Signer) {
    // By its number: the log may be behind with the change before.
    let in_force = async || gateway.metric("gatewright_generation").await;
    let known = in_force().await;
    gateway.edit(|text| text.replace(&before.key(), &after.key()));
    eventually("the keys are in force", async || in_force().await > known).await;
}

#[tokio::test]
async fn an_upload_that_nobody_trusted_has_signed_is_refused_with_the_remedy() {
    let (ours, theirs) = (Signer::new(), Signer::new());
    let (gateway, _a) = gateway(&ours).await;
    let component = Guest::always(0, 1);
    let plain = gateway.call("POST", "/api/plugins?name=mine");
    let plain = plain.component(component.clone());
    let (foreign, other) = (theirs.sign(&component), ours.sign(b"another"));
    for (call, reason) in [
        (plain, "it has no signature"),
        (
            upload(&gateway, &component, &foreign),
            "was made with the key",
        ),
        (upload(&gateway, &component, &other), "not of these bytes"),
    ] {
        let error = call.refused(422).await;
        assert_eq!(error["code"], "plugin_refused", "{error}");
        let message = error["message"].as_str().expect("a sentence");
        assert!(message.contains(reason), "{message}");
        assert!(message.contains("minisign -Sm"), "{message}");
    }
    let unread = upload(&gateway, &component, "no signature")
        .refused(422)
        .await;
    assert_eq!(unread["field"], "signature");
    gateway.call("GET", "/api/plugins/mine").refused(404).await;
    let signed = upload(&gateway, &component, &ours.sign(&component))
        .send()
        .await;
    assert_eq!(signed.status(), 201, "{}", signed.text());
    let id = signed.json()["data"]["signedBy"].clone();
    assert_eq!(id.as_str().map(str::len), Some(16), "{id}");
    let plugin = gateway.api("/api/plugins/mine").await;
    assert_eq!(plugin["versions"][0]["signedBy"], id);
    let weighted = gateway.api("/api/plugins/weighted").await;
    assert_eq!(weighted["versions"][0]["signedBy"], Value::Null);
}

#[tokio::test]
async fn a_key_that_is_taken_out_leaves_what_decides_and_lets_nothing_more_in() {
    let (ours, theirs) = (Signer::new(), Signer::new());
    let (mut gateway, _a) = gateway(&ours).await;
    let (first, second) = (Guest::always(0, 1), Guest::always(0, 2));
    let mut versions = Vec::new();
    for component in [&first, &second] {
        let uploaded = upload(&gateway, component, &ours.sign(component))
            .send()
            .await;
        let version = uploaded.json()["data"]["version"].clone();
        versions.push(version.as_str().expect("a digest").to_owned());
    }
    let [first_version, second_version] = [&versions[0], &versions[1]];
    let bind = |version: &str| json!({ "plugin": "mine", "version": version });
    gateway.change("PUT", SEAT, bind(first_version)).await;
    trust(&gateway, &ours, &theirs).await;
    let bound = gateway.api(SEAT).await;
    assert_eq!(
        (&bound["version"], &bound["state"]),
        (&json!(first_version), &json!("active"))
    );
    assert_eq!(gateway.get("/").await.text(), "a");
    let other_terms = gateway.change("PUT", SEAT, json!({ "deadline": 0.003 }));
    assert_eq!(other_terms.await["version"], first_version.as_str());
    let call = gateway.call("PUT", SEAT).json(&bind(second_version));
    let refused = call.refused(422).await;
    let message = refused["message"].as_str().expect("a sentence");
    assert!(message.contains("was made with the key"), "{message}");
    // Who is trusted now signs the same bytes.
    let again = upload(&gateway, &second, &theirs.sign(&second))
        .send()
        .await;
    assert_eq!(again.status(), 200, "{}", again.text());
    gateway.change("PUT", SEAT, bind(second_version)).await;
    let back = gateway.call("POST", &format!("{SEAT}/rollback"));
    back.refused(422).await;
    gateway.restart().await;
    assert_eq!(gateway.api(SEAT).await["version"], second_version.as_str());
}

#[tokio::test]
async fn the_last_key_is_not_taken_out_without_a_word() {
    let ours = Signer::new();
    let (gateway, _a) = gateway(&ours).await;
    let key = format!("\"{}\"", ours.key());
    gateway.edit(|text| text.replace(&key, ""));
    gateway.says("leave plugin_keys out").await;
    let unsigned = || {
        let call = gateway.call("POST", "/api/plugins?name=mine");
        call.component(Guest::always(0, 1))
    };
    unsigned().refused(422).await;
    gateway.edit(|text| text.replace("plugin_keys = []", ""));
    gateway
        .says("plugins are let in that nobody has signed")
        .await;
    assert_eq!(unsigned().send().await.status(), 201);
}

#[tokio::test]
async fn a_file_of_the_configuration_needs_its_signature_beside_it() {
    let ours = Signer::new();
    let a = Upstream::named("a").await;
    let b = Upstream::named("b").await;
    let keys = format!("plugin_keys = [\"{}\"]", ours.key());
    let (first, second) = (Guest::always(0, 0), Guest::always(1, 0));
    let pool = Pool::of(&[&a, &b]).with("balancer", "\"mine\"");
    let builder = Builder::new().admin_with(&keys).pool(pool);
    let builder = builder.file("mine.wasm.minisig", ours.sign(&first));
    let gateway = builder.plugin("mine", first).start().await;
    assert_eq!(gateway.get("/").await.text(), "a");
    gateway.put("mine.wasm", &second);
    gateway.says("not of these bytes").await;
    gateway.put("mine.wasm.minisig", "junk");
    gateway
        .says("mine.wasm.minisig beside it cannot be read")
        .await;
    assert_eq!(gateway.get("/").await.text(), "a");
    gateway.put("mine.wasm.minisig", ours.sign(&second));
    eventually("the signed file decides", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
}

#[tokio::test]
async fn a_push_takes_the_signature_along() {
    let ours = Signer::new();
    let (gateway, _a) = gateway(&ours).await;
    let component = Guest::always(0, 1);
    gateway.put("mine.wasm", &component);
    let push = ["plugin", "push", "mine.wasm"];
    let said = ends(&gateway, 1, &push).await;
    assert!(said.contains("it has no signature"), "{said}");
    gateway.put("mine.wasm.minisig", ours.sign(&component));
    ends(&gateway, 0, &push).await;
    let versions = ends(&gateway, 0, &["plugin", "versions", "mine", "--json"]).await;
    let versions: Value = serde_json::from_str(&versions).expect("JSON");
    assert!(
        versions["versions"][0]["signedBy"].is_string(),
        "{versions}"
    );
}

#[tokio::test]
async fn a_watched_component_is_pushed_when_its_signature_has_come() {
    let ours = Signer::new();
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let keys = format!("plugin_keys = [\"{}\"]", ours.key());
    let pool = Pool::of(&servers.each_ref());
    let gateway = Builder::new().admin_with(&keys).pool(pool).start().await;
    let (first, second) = (Guest::always(0, 3), Guest::always(1, 3));
    gateway.put("mine.wasm", &first);
    gateway.put("mine.wasm.minisig", ours.sign(&first));
    let admin = format!("http://{}", gateway.admin_address());
    let seat = ["--activate", "web/balancer", "--watch", "--admin", &admin];
    let watch = [&["plugin", "push", "mine.wasm"], &seat[..]].concat();
    let (mut child, said) = spawn(&watch, &gateway.path(""));
    let says = async |part: &str| {
        let said = || said.lock().expect("no panic").clone();
        eventually(part, async || said().contains(part)).await;
    };
    says("mine ").await;
    gateway.put("mine.wasm", &second);
    says("it is pushed once that is signed").await;
    assert_eq!(gateway.get("/").await.text(), "a");
    gateway.put("mine.wasm.minisig", ours.sign(&second));
    eventually("the signed build decides", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    let said = said.lock().expect("no panic").clone();
    assert!(!said.contains("not of these bytes"), "{said}");
}
