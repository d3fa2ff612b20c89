//! The keys of `[acme]`: from whom certificates are ordered, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From whom certificates are ordered, and how (RFC 8555).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    /// The address of the authority's directory. Default: that of Let's Encrypt.
    pub directory: String,
    /// Whom the authority writes to. Default: nobody.
    pub email: Option<String>,
    /// Whether you agree to the authority's terms of service; without that it
    /// gives no certificates.
    pub agree_to_terms: bool,
    /// Certificates of authorities in PEM, relative to the file: one of them has
    /// signed the certificate of the authority's server. Default: those that the
    /// system trusts.
    pub ca_file: Option<String>,
    /// How the authority is shown that names lead here.
    pub challenge: AcmeChallenge,
    /// What binds the account to one that you have with the authority. Default:
    /// nothing.
    pub external_account: Option<ExternalAccount>,
}

/// How an authority is shown that a name leads here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AcmeChallenge {
    /// It asks a plain listener, which it reaches on port 80.
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// It shakes hands with a listener that speaks TLS, which it reaches on port
    /// 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// An account that one has with an authority already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalAccount {
    /// The identifier that the authority gave you.
    pub key_id: String,
    /// The key that goes with it, in base64url as the authority gave it to you;
    /// `"${file:PATH}"` keeps it out of the configuration.
    pub hmac_key: String,
}
