//! Components in the server, by their digest: each is there before a version names
//! it, and what is fetched is checked against the digest.

use std::time::Duration;

use gatewright_model::id::Digest;
use redis::Script;
use sha2::{Digest as _, Sha256};

use crate::connection::Connection;
use crate::failure::Failure;

/// How long a component may take on its way.
const PATIENCE: Duration = Duration::from_secs(20);

/// After how long one goes by itself that no version came to name: a change that
/// was refused has left it.
const UNNAMED: Duration = Duration::from_secs(3600);

/// How long a key stays that does not go by itself, as the server tells it.
const STAYS: i64 = -1;

/// Whether a component is there. One that was to go by itself begins its time anew, so
/// that it does not go before the commit; one that a version names stays.
const RENEW: &str = "
local left = redis.call('TTL', KEYS[1])
if left >= 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
if left == -2 then return 0 end
return 1
";

/// Writes a signature, to go by itself unless the one that is there has come to stay:
/// another gateway may have had the same component named meanwhile.
const SIGN: &str = "
local left = redis.call('TTL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2])
if left ~= -1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 1
";

/// A component with its signature, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The component itself.
    pub component: Vec<u8>,
    /// What minisign's file holds.
    pub signature: Option<String>,
}

/// The components in the server.
#[derive(Clone)]
pub struct Shelf(Connection);

impl Shelf {
    /// Those of a connection.
    pub fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// The keys of a component and its signature.
    pub fn keys(&self, digest: Digest) -> [String; 2] {
        ["component", "signature"].map(|kind| self.0.key(&format!("{kind}:{digest}")))
    }

    /// Have a component there, to go by itself unless its keys are told to stay.
    ///
    /// # Errors
    ///
    /// When the server does not take it.
    pub async fn put(&self, digest: Digest, kept: &Kept) -> Result<(), Failure> {
        let [component, signature] = self.keys(digest);
        let seconds = UNNAMED.as_secs();
        let renew = Script::new(RENEW);
        let mut renewing = renew.prepare_invoke();
        renewing.key(&component).arg(seconds);
        let is_there: bool = self.0.invoke(&renewing).await?;
        if !is_there {
            let mut putting = redis::cmd("SET");
            putting.arg(&component).arg(&kept.component);
            putting.arg("NX").arg("EX").arg(seconds);
            self.0.query_within::<()>(&putting, PATIENCE).await?;
        }
        if let Some(text) = &kept.signature {
            let sign = Script::new(SIGN);
            let mut signing = sign.prepare_invoke();
            signing.key(&signature).arg(seconds).arg(text);
            self.0.invoke::<()>(&signing).await?;
        }
        Ok(())
    }

    /// Which of some keys are not there to stay: who puts them back may have ended before
    /// they were told to.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn lacks(&self, keys: &[String]) -> Result<Vec<String>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut asking = redis::pipe();
        for key in keys {
            asking.cmd("TTL").arg(key);
        }
        let left: Vec<i64> = self.0.pipeline(&asking).await?;
        let lost = keys.iter().zip(left).filter(|(_, left)| *left != STAYS);
        Ok(lost.map(|(key, _)| key.clone()).collect())
    }

    /// A component that is there; none where there is none. A damaged one goes, so that
    /// somebody who has it puts it back.
    ///
    /// # Errors
    ///
    /// When the server does not say.
    pub async fn get(&self, digest: Digest) -> Result<Option<Kept>, Failure> {
        let keys = self.keys(digest);
        let getting = redis::cmd("MGET").arg(&keys[..]).clone();
        let (component, signature): (Option<Vec<u8>>, Option<String>) =
            self.0.query_within(&getting, PATIENCE).await?;
        let Some(component) = component else {
            return Ok(None);
        };
        if Digest(Sha256::digest(&component).into()) != digest {
            let removing = redis::cmd("DEL").arg(&keys[..]).clone();
            self.0.query::<()>(&removing).await?;
            return Ok(None);
        }
        Ok(Some(Kept {
            component,
            signature,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::shared::tests::Server;

    #[tokio::test]
    async fn what_a_version_names_stays_when_it_is_uploaded_again() {
        let server = Server::start();
        let connection = server.connection().await;
        let ttl = async |key: &str| -> i64 {
            let asking = redis::cmd("TTL").arg(key).clone();
            connection.query(&asking).await.unwrap()
        };
        let shelf = Shelf::new(connection.clone());
        let component = b"component".to_vec();
        let digest = Digest(Sha256::digest(&component).into());
        let kept = Kept {
            component,
            signature: Some("signed".to_owned()),
        };
        shelf.put(digest, &kept).await.unwrap();
        for key in shelf.keys(digest) {
            assert!(ttl(&key).await > 0, "{key} stays");
            assert_eq!(
                shelf.lacks(slice::from_ref(&key)).await.unwrap(),
                slice::from_ref(&key)
            );
            let staying = redis::cmd("PERSIST").arg(&key).clone();
            connection.query::<()>(&staying).await.unwrap();
        }
        shelf.put(digest, &kept).await.unwrap();
        for key in shelf.keys(digest) {
            assert_eq!(ttl(&key).await, STAYS, "{key} goes");
        }
        assert_eq!(shelf.get(digest).await.unwrap(), Some(kept));
        let keys = shelf.keys(digest);
        assert!(shelf.lacks(&keys).await.unwrap().is_empty());
    }
}
