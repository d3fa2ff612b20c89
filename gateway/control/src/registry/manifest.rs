//! What a manifest says of a component: the layer that it is.

use gatewright_model::id::Digest;
use serde::Deserialize;

/// The kinds of manifests that have layers.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
                                   application/vnd.docker.distribution.manifest.v2+json";

/// The kind of a layer that is a component.
const WASM: &str = "application/wasm";

/// Bytes of what is wrong with a manifest.
const ERROR_BYTES: usize = 1024;

/// The layer that is the component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
    pub(super) signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    layers: Vec<Described>,
    #[serde(default)]
    manifests: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    /// What minisign wrote into the file of the component's signature.
    #[serde(rename = "gatewright.minisig")]
    signature: Option<String>,
}

impl Layer {
    /// Find it: the one layer of WebAssembly, or the only one.
    ///
    /// # Errors
    ///
    /// What the manifest has instead.
    pub(super) fn of(manifest: &[u8]) -> Result<Self, String> {
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| {
            // It may say all that the registry wrote.
            let error = error.to_string();
            let end = error.floor_char_boundary(ERROR_BYTES);
            format!("the manifest does not read: {}", &error[..end])
        })?;
        if !manifest.manifests.is_empty() {
            let message = "it is an index of several; name one of them by its digest";
            return Err(message.to_owned());
        }
        let count = manifest.layers.len();
        let (mut wasm, mut others): (Vec<_>, Vec<_>) = manifest
            .layers
            .into_iter()
            .partition(|layer| layer.media_type == WASM);
        let layer = match (wasm.pop(), others.pop(), count) {
            (Some(layer), ..) if wasm.is_empty() => layer,
            (None, Some(layer), 1) => layer,
            _ => {
                return Err(format!(
                    "its manifest has {count} layers and not one of {WASM}: it is no component's"
                ));
            }
        };
        let digest = layer.digest.strip_prefix("sha256:");
        let digest = digest.and_then(|digest| digest.parse().ok());
        Ok(Self {
            digest: digest.ok_or("the layer's digest is no SHA-256")?,
            size: layer.size,
            signature: layer.annotations.signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn layer(kind: &str) -> Value {
        let digest = format!("sha256:{}", "ab".repeat(32));
        json!({ "mediaType": kind, "digest": digest, "size": 9, "annotations": { "gatewright.minisig": "s" } })
    }

    fn of(layers: &[Value]) -> Result<Layer, String> {
        Layer::of(json!({ "layers": layers }).to_string().as_bytes())
    }

    #[test]
    fn the_layer_of_webassembly_counts_or_the_only_one() {
        let found = of(&[layer("text/plain"), layer(WASM)]).unwrap();
        assert_eq!(found.digest, Digest([0xab; 32]));
        assert_eq!((found.size, found.signature.as_deref()), (9, Some("s")));
        assert_eq!(of(&[layer("application/octet-stream")]).unwrap(), found);
    }

    #[test]
    fn what_is_no_component_says_so() {
        for layers in [
            vec![],
            vec![layer("a"), layer("b")],
            vec![layer(WASM), layer(WASM)],
        ] {
            assert!(of(&layers).unwrap_err().contains("no component's"));
        }
        let index = Layer::of(br#"{ "manifests": [{}] }"#).unwrap_err();
        assert!(index.contains("index"), "{index}");
        assert!(Layer::of(b"<html>").unwrap_err().contains("does not read"));
        let endless = json!({ "layers": "ä".repeat(100_000) }).to_string();
        let told = Layer::of(endless.as_bytes()).unwrap_err();
        assert!(told.len() < 2 * ERROR_BYTES, "{} bytes", told.len());
    }
}
