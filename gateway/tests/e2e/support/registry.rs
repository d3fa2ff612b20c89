//! A real registry: Debian's `docker-registry`, on a port that the system chose,
//! in a folder of its own. `cargo xtask test` installs it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::message::Message;
use super::wire::Wire;

/// What it logs before its address.
const LISTENING: &str = "listening on ";

/// A running registry. It is killed when it is dropped.
pub(crate) struct Registry {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// Start one that keeps nothing.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("registry.yml");
        let text = "version: 0.1\nlog: { level: info, formatter: text }\n\
                    storage: { inmemory: {} }\nhttp: { addr: \"127.0.0.1:0\" }\n";
        std::fs::write(&config, text).expect("a file");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config);
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect(
            "docker-registry, which `cargo xtask test` or `apt-get install docker-registry` brings",
        );
        let log = process.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once(LISTENING)?;
            let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | '.' | ':'));
            rest[..end.unwrap_or(rest.len())].parse().ok()
        });
        // It must not stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            address: address.expect("it listens"),
            _folder: folder,
        }
    }

    /// Where it is.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Put a component there, as the one layer of an artifact. The digest of its
    /// manifest.
    pub(crate) async fn push(
        &self,
        repository: &str,
        tag: &str,
        component: &[u8],
        signature: Option<&str>,
    ) -> String {
        let config = self.blob(repository, b"{}").await;
        let layer = self.blob(repository, component).await;
        let empty = "application/vnd.oci.empty.v1+json";
        let annotations = signature.map(|text| json!({ "gatewright.minisig": text }));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": empty, "digest": config, "size": 2 },
            "layers": [{
                "mediaType": "application/wasm",
                "digest": layer,
                "size": component.len(),
                "annotations": annotations.unwrap_or(json!({})),
            }],
        });
        let manifest = manifest.to_string();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let put = self.ask("PUT", &path, kind, manifest.as_bytes()).await;
        assert_eq!(put.status(), 201, "{}", put.text());
        digest(manifest.as_bytes())
    }

    /// Put bytes there; their digest.
    async fn blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let begun = self
            .ask("POST", &begin, "application/octet-stream", b"")
            .await;
        assert_eq!(begun.status(), 202, "{}", begun.text());
        let location = begun.header("location").expect("where to send it");
        let path = location
            .split_once(&self.host())
            .map_or(location, |(_, path)| path);
        let path = format!("{path}&digest={digest}");
        let put = self
            .ask("PUT", &path, "application/octet-stream", bytes)
            .await;
        assert_eq!(put.status(), 201, "{}", put.text());
        digest
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Message {
        let stream = TcpStream::connect(self.address).await.expect("it accepts");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut wire = Wire::new(stream);
        wire.send([head.as_bytes(), body].concat()).await;
        wire.try_response().await.expect("an answer")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
