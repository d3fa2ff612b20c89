//! JSON Web Tokens (RFC 7519) in the compact form of RFC 7515.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_plugin_sdk::ConfigError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Fault;
use crate::algorithm::Algorithm;
use crate::config::Jwt;
use crate::jwk::{self, Key};
use crate::memory::Known;

/// Which tokens are good.
#[derive(Debug)]
pub(crate) struct Judge {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: Vec<String>,
    scopes: Vec<String>,
    leeway_s: f64,
}

/// A token's header.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood, of which there are none.
    crit: Option<Value>,
}

/// What a token says. Other claims are the server's business.
#[derive(Debug, Deserialize)]
struct Claims {
    /// Seconds since 1970, which may have fractions.
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<Several>,
    sub: Option<String>,
    scope: Option<String>,
    /// `scope` as some issuers call it.
    scp: Option<Several>,
}

/// One text or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Several {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl Judge {
    /// What a configuration asks of tokens.
    ///
    /// # Errors
    ///
    /// The key of what is wrong with the keys.
    pub(crate) fn parse(written: Jwt) -> Result<Self, ConfigError> {
        let algorithms = Algorithm::parse(written.algorithms.as_slice(), "jwt.algorithms")?;
        Ok(Self {
            keys: jwk::keys(&written.jwks, "jwt.jwks", &algorithms)?,
            issuer: written.issuer,
            audience: written.audience.as_slice().to_vec(),
            scopes: written.scopes.as_slice().to_vec(),
            leeway_s: written.leeway_s.into(),
        })
    }

    /// Who has a token. The key is chosen before the signature is looked at, and
    /// that before what is signed.
    pub(crate) fn identify(&self, token: &str, now_s: u64) -> Result<Known, Fault> {
        let [message, header, claims, signature] =
            parts(token).ok_or(Fault::WrongToken("this is no JWT"))?;
        let header: Header =
            json(header).ok_or(Fault::WrongToken("the JWT's header does not read"))?;
        if header.crit.is_some() {
            return Err(Fault::WrongToken(
                "the JWT has extensions that are not known",
            ));
        }
        let key = self.keys.iter().find(|key| key.is_for(&header));
        let key = key.ok_or(Fault::WrongToken("there is no key for this JWT (alg, kid)"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let is_signed = signature.is_ok_and(|made| key.verifies(message.as_bytes(), &made));
        if !is_signed {
            return Err(Fault::WrongToken("the key has not signed this JWT"));
        }
        let claims = json(claims).ok_or(Fault::WrongToken("the JWT's claims do not read"))?;
        self.judge(claims, now_s)
    }

    fn judge(&self, claims: Claims, now_s: u64) -> Result<Known, Fault> {
        let now = now_s as f64;
        let exp = claims
            .exp
            .ok_or(Fault::WrongToken("the JWT has no end (exp)"))?;
        if now >= exp + self.leeway_s {
            return Err(Fault::WrongToken("the JWT is over (exp)"));
        }
        if claims.nbf.is_some_and(|nbf| now + self.leeway_s < nbf) {
            return Err(Fault::WrongToken("the JWT is not good yet (nbf)"));
        }
        if self.issuer.is_some() && claims.iss != self.issuer {
            return Err(Fault::WrongToken("the JWT is of another issuer (iss)"));
        }
        let audience = claims.aud.as_ref().map_or(&[][..], Several::as_slice);
        let is_ours = |named: &String| self.audience.contains(named);
        if !self.audience.is_empty() && !audience.iter().any(is_ours) {
            return Err(Fault::WrongToken("the JWT is for others (aud)"));
        }
        let has = |scope: &String| claims.scopes().any(|given| given == scope);
        if !self.scopes.iter().all(has) {
            return Err(Fault::Scope);
        }
        // The second before it ends: a float beyond the integers is the largest.
        let until = (exp + self.leeway_s).ceil() as u64;
        Ok(Known {
            name: claims.sub.unwrap_or_default(),
            until_s: until.saturating_sub(1),
        })
    }
}

impl Claims {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        let listed = self.scp.as_ref().map_or(&[][..], Several::as_slice);
        let texts = self.scope.iter().chain(listed);
        texts.flat_map(|text| text.split(' '))
    }
}

impl Key {
    /// Whether a token says that it is this key's. A key without an id is the only
    /// one for its algorithm, and so needs no naming.
    fn is_for(&self, header: &Header) -> bool {
        header.alg == self.algorithm.name() && (self.id.is_none() || self.id == header.kid)
    }
}

/// What is signed, the header and the claims in it, and the signature.
fn parts(token: &str) -> Option<[&str; 4]> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    (!claims.contains('.')).then_some([message, header, claims, signature])
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
