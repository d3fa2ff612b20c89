//! Whether somebody who is trusted has signed a component.
//!
//! Signatures are kept with the components, and read again under the keys that
//! are trusted now: a key that is taken out of the configuration lets nothing
//! in any more, whenever that came.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_model::id::Digest;
use gatewright_model::signature::{
    KeyId, PluginKey, PluginSignature, SIGNATURE_BYTES, Unsigned, signature_file, signer,
};

use crate::admission::{COMPONENT_BYTES, Refusal};

/// A component that somebody brings.
#[derive(Debug)]
pub struct Brought<'b> {
    /// Its bytes.
    pub component: &'b [u8],
    /// Its signature, if it has one.
    pub signature: Option<&'b PluginSignature>,
}

impl Brought<'_> {
    /// Whether it may be let in under these keys.
    pub(crate) fn check(&self, keys: &[PluginKey]) -> Result<(), Refusal> {
        if keys.is_empty() {
            return Ok(());
        }
        let signed = signer(keys, self.component, self.signature);
        let signed = signed.map_err(|why| Refusal::unsigned(why, keys));
        signed.map(drop)
    }
}

/// Components whose signatures have been found good, each with the key: to read
/// megabytes for it once is enough.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<HashSet<(Digest, Arc<str>)>>);

impl Verified {
    /// Which of the keys has signed a component; `load` has its bytes and its
    /// signature's text.
    pub(crate) fn signer(
        &self,
        digest: Digest,
        keys: &[PluginKey],
        signature: Option<&str>,
        load: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Result<KeyId, Unsigned> {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |key: &&PluginKey| verified.contains(&(digest, Arc::clone(key.text())));
        if let Some(key) = keys.iter().find(is_known) {
            return Ok(key.id());
        }
        let signature = signature.ok_or(Unsigned::Missing)?;
        let signature = PluginSignature::parse(signature)?;
        let component = load().ok_or(Unsigned::Missing)?;
        let key = signer(keys, &component, Some(&signature))?;
        verified.insert((digest, Arc::clone(key.text())));
        Ok(key.id())
    }

    /// A component is kept no more, or has another signature.
    pub(crate) fn forget(&self, digest: Digest) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verified.retain(|(known, _)| *known != digest);
    }
}

/// A component's file, and the signature beside it.
pub(crate) struct FromFile {
    pub(crate) component: Vec<u8>,
    signature: Result<Option<PluginSignature>, Refusal>,
}

impl FromFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Refusal> {
        let unreadable = |error| Refusal::Unreadable {
            path: path.to_owned(),
            error,
        };
        // A mistaken path may lead to something huge: ask before reading.
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > COMPONENT_BYTES {
            return Err(Refusal::TooLarge.of_file(path));
        }
        Ok(Self {
            component: fs::read(path).map_err(unreadable)?,
            signature: signature_beside(path),
        })
    }

    /// Whether it may be let in under these keys.
    pub(crate) fn check(self, keys: &[PluginKey]) -> Result<Self, Refusal> {
        if keys.is_empty() {
            return Ok(self);
        }
        let checked = Self {
            signature: Ok(self.signature?),
            ..self
        };
        checked.brought().check(keys)?;
        Ok(checked)
    }

    /// It, with its signature if that is one.
    pub(crate) fn brought(&self) -> Brought<'_> {
        Brought {
            component: &self.component,
            signature: self.signature.as_ref().ok().and_then(Option::as_ref),
        }
    }
}

/// The signature in the file beside a component's; none where there is no such
/// file.
///
/// # Errors
///
/// When there is one that cannot be read, or has no signature in it.
pub fn signature_beside(component: &Path) -> Result<Option<PluginSignature>, Refusal> {
    let path = signature_file(component);
    let mut text = String::new();
    // One byte more makes it too long.
    let most = SIGNATURE_BYTES as u64 + 1;
    let read = File::open(&path).and_then(|file| file.take(most).read_to_string(&mut text));
    let reason = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => error.to_string(),
        Ok(_) => match PluginSignature::parse(&text) {
            Ok(signature) => return Ok(Some(signature)),
            Err(error) => error.to_string(),
        },
    };
    Err(Refusal::NoSignature { path, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_signature_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("mine.wasm");
        assert!(signature_beside(&component).unwrap().is_none());
        let beside = folder.path().join("mine.wasm.minisig");
        for junk in [&b"junk"[..], b"", b"\xff", &[b'a'; SIGNATURE_BYTES + 1]] {
            fs::write(&beside, junk).unwrap();
            let told = signature_beside(&component).unwrap_err().to_string();
            assert!(told.contains("mine.wasm.minisig"), "{told}");
        }
        fs::remove_file(&beside).unwrap();
        fs::create_dir(&beside).unwrap();
        assert!(signature_beside(&component).is_err());
    }
}
