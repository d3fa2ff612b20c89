//! Keys: JWK sets (RFC 7517) as they are written, and what each can verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey as EdKey;
use gatewright_plugin_sdk::{ConfigError, refuse};
use hmac::{Hmac, Mac as _};
use p256::ecdsa::VerifyingKey as EcKey;
use rsa::pkcs1v15::VerifyingKey as RsaKey;
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use crate::algorithm::Algorithm;

/// The shortest secret for HS256, in bytes (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// The shortest modulus for RS256, in bytes (RFC 7518, 3.3).
const SHORTEST_MODULUS: usize = 256;

/// A key, its id and the one algorithm that it is for.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithm: Algorithm,
    material: Material,
    /// Where it is written.
    place: String,
}

#[derive(Debug)]
enum Material {
    Hs256(Vec<u8>),
    Rs256(RsaKey<Sha256>),
    Es256(EcKey),
    EdDsa(EdKey),
}

/// A key as it is written; parts that no key here needs are passed over.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    k: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// The keys of a set that is written at `key`. Those for other algorithms than
/// these or for encryption are left out.
///
/// # Errors
///
/// The key of what is wrong, also if there is none left, or if it could not be
/// told which of two a token is to be verified with.
pub(crate) fn keys(
    written: &Value,
    key: &str,
    algorithms: &[Algorithm],
) -> Result<Vec<Key>, ConfigError> {
    let set: Result<JwkSet, _> = match written {
        Value::String(text) => serde_json::from_str(text),
        table => JwkSet::deserialize(table),
    };
    let set = set.map_err(|error| refuse(key, format!("this is no JWK set: {error}")))?;
    if set.keys.is_empty() {
        return Err(refuse(
            format!("{key}.keys"),
            "there is none; write the keys that tokens are signed with",
        ));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (number, written) in set.keys.iter().enumerate() {
        let place = format!("{key}.keys[{number}]");
        let jwk = Jwk::deserialize(written).map_err(|error| refuse(&*place, error.to_string()))?;
        let algorithm = jwk.algorithm().filter(|one| algorithms.contains(one));
        if let Some(algorithm) = algorithm {
            keys.push(jwk.understood(algorithm, place)?);
        }
    }
    if let Some(missing) = keys.iter().find(|key| !key.is_told_from(&keys)) {
        return Err(refuse(
            format!("{}.kid", missing.place),
            format!(
                "there are several keys for {}: each needs a `kid` of its own",
                missing.algorithm.name()
            ),
        ));
    }
    match keys.is_empty() {
        true => Err(refuse(
            key,
            "it has no key to verify signatures by HS256, RS256, ES256 or EdDSA, or by those of \
             them that `jwt.algorithms` names",
        )),
        false => Ok(keys),
    }
}

impl Jwk {
    /// The one algorithm that its type is for, if it is to verify signatures and
    /// says nothing else itself.
    fn algorithm(&self) -> Option<Algorithm> {
        let verifies = |operations: &Vec<String>| operations.iter().any(|one| one == "verify");
        let is_to_verify = self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(verifies);
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Algorithm::Hs256,
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        };
        let says_so = self.alg.as_ref().is_none_or(|alg| alg == algorithm.name());
        (is_to_verify && says_so).then_some(algorithm)
    }

    fn understood(self, algorithm: Algorithm, place: String) -> Result<Key, ConfigError> {
        let material = match algorithm {
            Algorithm::Hs256 => self.secret(&place),
            Algorithm::Rs256 => self.rsa(&place),
            Algorithm::Es256 => self.ec(&place),
            Algorithm::EdDsa => self.ed(&place),
        };
        Ok(Key {
            id: self.kid,
            algorithm,
            material: material?,
            place,
        })
    }

    fn secret(&self, key: &str) -> Result<Material, ConfigError> {
        let secret = decoded(self.k.as_deref(), key, "k")?;
        match secret.len() < SHORTEST_SECRET {
            true => Err(refuse(
                format!("{key}.k"),
                format!("a secret has {SHORTEST_SECRET} bytes at least"),
            )),
            false => Ok(Material::Hs256(secret)),
        }
    }

    fn rsa(&self, key: &str) -> Result<Material, ConfigError> {
        let modulus = decoded(self.n.as_deref(), key, "n")?;
        let exponent = decoded(self.e.as_deref(), key, "e")?;
        let [modulus, exponent] = [modulus, exponent].map(|part| BigUint::from_bytes_be(&part));
        let public = RsaPublicKey::new(modulus, exponent);
        let public = public.map_err(|error| refuse(format!("{key}.n"), error.to_string()))?;
        if public.size() < SHORTEST_MODULUS {
            return Err(refuse(
                format!("{key}.n"),
                "an RSA key has 2048 bits at least",
            ));
        }
        Ok(Material::Rs256(RsaKey::new(public)))
    }

    fn ec(&self, key: &str) -> Result<Material, ConfigError> {
        let [x, y] = [
            decoded(self.x.as_deref(), key, "x")?,
            decoded(self.y.as_deref(), key, "y")?,
        ];
        // The uncompressed form of SEC 1.
        let point = [&[4], &x[..], &y[..]].concat();
        let point = EcKey::from_sec1_bytes(&point);
        point.map(Material::Es256).map_err(|_| {
            refuse(
                format!("{key}.x"),
                "x and y are no point of the curve P-256",
            )
        })
    }

    fn ed(&self, key: &str) -> Result<Material, ConfigError> {
        let point = decoded(self.x.as_deref(), key, "x")?;
        let point = point.try_into().ok();
        let point = point.and_then(|bytes| EdKey::from_bytes(&bytes).ok());
        point
            .map(Material::EdDsa)
            .ok_or_else(|| refuse(format!("{key}.x"), "x is no point of the curve Ed25519"))
    }
}

fn decoded(text: Option<&str>, key: &str, name: &str) -> Result<Vec<u8>, ConfigError> {
    let decoded = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or_else(|| {
        refuse(
            format!("{key}.{name}"),
            format!("`{name}` is base64url without padding"),
        )
    })
}

impl Key {
    /// Whether a token can say that it means this one of these keys.
    fn is_told_from(&self, keys: &[Self]) -> bool {
        let others = keys.iter().filter(|key| key.place != self.place);
        let mut rivals = others.filter(|key| key.algorithm == self.algorithm);
        rivals.all(|key| self.id.is_some() && key.id != self.id)
    }

    /// Whether it has made this signature of this message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(secret) => Hmac::<Sha256>::new_from_slice(secret)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok()),
            Material::Rs256(key) => rsa::pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}
