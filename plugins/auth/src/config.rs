//! The policy as it is written.

use std::collections::BTreeMap;

use gatewright_matching::Listed;
use serde::Deserialize;
use serde_json::Value;

/// The whole configuration: at least one of `basic`, `bearer` and `jwt`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The paths that are asked about; all by default.
    pub path: Listed,
    /// Paths that are open all the same, such as `/health`.
    pub except: Listed,
    /// Whether CORS preflights pass, which browsers send without credentials;
    /// false by default.
    pub allow_preflight: bool,
    /// What the credentials are for, as browsers show it; `gatewright` by default.
    pub realm: Option<String>,
    /// The header that tells servers who it is: the user, the token's name, or
    /// the JWT's `sub`. By default they are not told.
    pub user_header: Option<String>,
    /// Whether servers do not see `Authorization`; false by default.
    pub hide_credentials: bool,
    /// Users with passwords.
    pub basic: Option<Basic>,
    /// Tokens by name.
    pub bearer: Option<Bearer>,
    /// Signed tokens.
    pub jwt: Option<Jwt>,
}

/// Users with passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// By name: `$pbkdf2-sha256$i=1000$SALT$HASH`, salt and hash in base64
    /// without padding.
    pub users: BTreeMap<String, String>,
}

/// Tokens by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// By name: the token's SHA-256, in 64 hexadecimal digits.
    pub tokens: BTreeMap<String, String>,
}

/// Signed tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The keys as a JWK set (RFC 7517): a table, or its JSON as a text, so that
    /// `${file:jwks.json}` will do.
    pub jwks: Value,
    /// The algorithms that tokens may be signed by, of HS256, RS256, ES256 and
    /// EdDSA; by default those that the keys are for. Keys for others are left out.
    #[serde(default)]
    pub algorithms: Listed,
    /// Who must have issued a token (`iss`); anybody by default.
    pub issuer: Option<String>,
    /// For whom a token must be (`aud`): one of these; anybody by default.
    #[serde(default)]
    pub audience: Listed,
    /// The scopes that a token must have, all of them.
    #[serde(default)]
    pub scopes: Listed,
    /// Seconds that clocks may differ by; 60 by default.
    #[serde(default = "minute")]
    pub leeway_s: u32,
}

fn minute() -> u32 {
    60
}
