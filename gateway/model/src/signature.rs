//! Signatures of components: those of minisign, which are Ed25519 over a BLAKE2b
//! hash of the bytes.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minisign_verify::{Error, PublicKey, Signature};

/// Bytes of a signature's file: four short lines, one of them a comment.
pub const SIGNATURE_BYTES: usize = 4096;

/// What the name of a component's file is followed by in its signature's.
const EXTENSION: &str = ".minisig";

/// The bytes of the algorithm that a key's and a signature's text begin with;
/// the key's id is behind them.
const ALGORITHM_BYTES: usize = 2;

/// What minisign tells keys apart by. It is no secret and no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Of a key's or a signature's line.
    fn of_line(line: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(line.trim()).ok()?;
        let id = bytes.get(ALGORITHM_BYTES..)?.first_chunk::<8>()?;
        Some(Self(u64::from_le_bytes(*id)))
    }
}

impl fmt::Display for KeyId {
    /// As minisign shows it: 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// A public key whose signatures are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginKey {
    id: KeyId,
    key: PublicKey,
    text: Arc<str>,
}

impl PluginKey {
    /// Read a key: the line of `minisign.pub` that begins with `RW`.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = PublicKey::from_base64(text).ok();
        let known = key.zip(KeyId::of_line(text));
        let (key, id) = known.ok_or_else(|| {
            format!(
                "{text:?} is no public key of minisign; write the line of minisign.pub that \
                 begins with \"RW\""
            )
        })?;
        let text = text.into();
        Ok(Self { id, key, text })
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key itself, as it is written.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

/// A signature, as `minisign -S` writes it into a file.
#[derive(Clone)]
pub struct PluginSignature {
    id: KeyId,
    signature: Signature,
    text: Arc<str>,
}

impl PluginSignature {
    /// Read what a signature's file holds.
    ///
    /// # Errors
    ///
    /// When it is no signature.
    pub fn parse(text: &str) -> Result<Self, Unsigned> {
        let is_short = text.len() <= SIGNATURE_BYTES;
        let signature = is_short.then(|| Signature::decode(text).ok()).flatten();
        let id = text.lines().nth(1).and_then(KeyId::of_line);
        let (signature, id) = signature.zip(id).ok_or(Unsigned::Unreadable)?;
        let text = text.into();
        Ok(Self {
            id,
            signature,
            text,
        })
    }

    /// What its file holds.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl fmt::Debug for PluginSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginSignature({})", self.id)
    }
}

/// Why a component counts as unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// There is none.
    #[error("it has no signature")]
    Missing,
    /// It is none of minisign's.
    #[error("its signature is none that minisign writes")]
    Unreadable,
    /// The key is not trusted.
    #[error("its signature was made with the key {0}")]
    OtherKey(KeyId),
    /// It is of other bytes, or the key's id was forged.
    #[error("the signature with the key {0} is not of these bytes")]
    OtherBytes(KeyId),
    /// The kind that minisign made before version 0.10.
    #[error("its signature is of a kind that minisign makes no more: sign it with a newer one")]
    Legacy,
}

/// The key of those that are trusted which a component is signed with.
///
/// # Errors
///
/// Why there is none.
pub fn signer<'k>(
    keys: &'k [PluginKey],
    component: &[u8],
    signature: Option<&PluginSignature>,
) -> Result<&'k PluginKey, Unsigned> {
    let signature = signature.ok_or(Unsigned::Missing)?;
    let mut reason = Unsigned::OtherKey(signature.id);
    // Several keys may have the same id.
    for key in keys.iter().filter(|key| key.id == signature.id) {
        match key.key.verify(component, &signature.signature, false) {
            Ok(()) => return Ok(key),
            Err(Error::UnexpectedAlgorithm) => reason = Unsigned::Legacy,
            Err(_) => reason = Unsigned::OtherBytes(key.id),
        }
    }
    Err(reason)
}

/// The file of the signature that belongs to a component's file.
pub fn signature_file(component: &std::path::Path) -> std::path::PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(EXTENSION);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;
    use proptest::prelude::*;

    /// The key and the signature of `test` in the manual of `minisign-verify`.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";

    fn pair() -> (PluginKey, KeyPair) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = PluginKey::parse(&pair.pk.to_base64()).unwrap();
        (key, pair)
    }

    fn sign(pair: &KeyPair, component: &[u8]) -> PluginSignature {
        let signed = minisign::sign(None, &pair.sk, component, None, None).unwrap();
        PluginSignature::parse(&signed.into_string()).unwrap()
    }

    #[test]
    fn what_minisign_signed_is_signed() {
        let keys = [PluginKey::parse(KEY).unwrap()];
        let signature = PluginSignature::parse(SIGNATURE).unwrap();
        let signer = signer(&keys, b"test", Some(&signature)).unwrap();
        assert_eq!(signer.id().to_string(), "E7620F1842B4E81F");
    }

    #[test]
    fn each_reason_is_told() {
        let ((one, pair), (_, other)) = (pair(), pair());
        let keys = [one.clone()];
        let why = |component: &[u8], signature: Option<&PluginSignature>| {
            signer(&keys, component, signature).unwrap_err()
        };
        let signature = sign(&pair, b"bytes");
        assert!(signer(&keys, b"bytes", Some(&signature)).is_ok());
        assert_eq!(why(b"bytes", None), Unsigned::Missing);
        assert_eq!(
            why(b"others", Some(&signature)),
            Unsigned::OtherBytes(one.id())
        );
        let foreign = sign(&other, b"bytes");
        assert!(matches!(
            why(b"bytes", Some(&foreign)),
            Unsigned::OtherKey(_)
        ));
        assert_eq!(signer(&[], b"bytes", Some(&signature)), {
            Err(Unsigned::OtherKey(one.id()))
        });
    }

    #[test]
    fn a_key_of_the_same_id_is_not_the_key() {
        let ((mine, pair), (theirs, _)) = (pair(), pair());
        let forged = PluginKey {
            id: mine.id(),
            ..theirs
        };
        let signature = sign(&pair, b"bytes");
        assert!(signer(std::slice::from_ref(&forged), b"bytes", Some(&signature)).is_err());
        let keys = [forged, mine.clone()];
        assert_eq!(signer(&keys, b"bytes", Some(&signature)), Ok(&mine));
    }

    #[test]
    fn what_is_no_key_says_where_the_key_is() {
        for text in [
            "",
            "RW",
            "untrusted comment: minisign public key",
            &KEY[1..],
        ] {
            let error = PluginKey::parse(text).unwrap_err();
            assert!(error.contains("minisign.pub"), "{error}");
        }
    }

    #[test]
    fn the_signature_of_a_file_is_beside_it() {
        let file = signature_file(std::path::Path::new("plugins/near.wasm"));
        assert_eq!(file, std::path::Path::new("plugins/near.wasm.minisig"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            prop_assert!(PluginSignature::parse(&text).is_err());
            prop_assert!(PluginKey::parse(&text).is_err());
        }

        #[test]
        fn a_changed_signature_is_none(at in 0..SIGNATURE.len(), to in proptest::char::range('!', '~')) {
            let mut text: Vec<char> = SIGNATURE.chars().collect();
            let comment = SIGNATURE.lines().next().map_or(0, str::len);
            prop_assume!(at > comment && text[at] != to);
            text[at] = to;
            let text: String = text.into_iter().collect();
            let keys = [PluginKey::parse(KEY).unwrap()];
            if let Ok(signature) = PluginSignature::parse(&text) {
                prop_assert!(signer(&keys, b"test", Some(&signature)).is_err());
            }
        }
    }
}
