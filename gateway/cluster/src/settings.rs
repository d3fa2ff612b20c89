//! From the configuration to what the client takes.

use gatewright_model::config::{Cluster, PemFile};
use redis::{
    Client, ClientTlsConfig, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    TlsCertificates,
};

use crate::failure::reason;

/// Why no client can be made of the configuration: the key, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// Such as `cluster.url`.
    pub key: &'static str,
    /// What is wrong with it, without what may be secret.
    pub message: String,
}

/// The client that the configuration describes. Nothing is connected yet.
pub(crate) fn client(cluster: &Cluster) -> Result<Client, SettingsError> {
    let wrong = |key| {
        move |error: redis::RedisError| SettingsError {
            key,
            message: reason(&error),
        }
    };
    let info = info(cluster).map_err(wrong("cluster.url"))?;
    let is_tls = cluster.url.starts_with("rediss:");
    let has_tls = cluster.authorities.is_some() || cluster.certificate.is_some();
    if !is_tls || !has_tls {
        return Client::open(info).map_err(wrong("cluster.url"));
    }
    let contents = |file: &PemFile| file.contents.to_vec();
    let certificates = TlsCertificates {
        client_tls: cluster.certificate.as_ref().map(|files| ClientTlsConfig {
            client_cert: contents(&files.certificate),
            client_key: contents(&files.key),
        }),
        root_cert: cluster.authorities.as_ref().map(contents),
    };
    Client::build_with_tls(info, certificates).map_err(wrong("cluster.tls"))
}

fn info(cluster: &Cluster) -> redis::RedisResult<ConnectionInfo> {
    let info = cluster.url.as_ref().into_connection_info()?;
    // Messages come on the connection that commands go by.
    let mut redis = info.redis_settings().clone();
    redis = redis.set_protocol(ProtocolVersion::RESP3);
    if let Some(password) = &cluster.password {
        redis = redis.set_password(password);
    }
    Ok(info.set_redis_settings(redis))
}
