//! Users and passwords: RFC 7617, with PBKDF2-HMAC-SHA256 (RFC 8018).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose};
use gatewright_plugin_sdk::{ConfigError, refuse};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::config::Basic;

/// What a password is stretched to, in bytes.
const HASH_BYTES: usize = 32;

/// Salt that makes a table of hashes useless, in bytes.
const SHORTEST_SALT: usize = 8;

/// Iterations that are accepted: they take some 50 ms of the worker's time, for
/// which the binding's `deadline` must be raised from 2 ms.
const MOST_ITERATIONS: u32 = 100_000;

/// Clients send padding or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Everybody who has a password.
#[derive(Debug)]
pub(crate) struct Users {
    all: Vec<User>,
    /// What every attempt costs, so that time tells neither who is a user nor
    /// whose password is stretched less.
    iterations: u32,
}

#[derive(Debug)]
struct User {
    name: String,
    iterations: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

impl Users {
    /// The users of a configuration.
    ///
    /// # Errors
    ///
    /// The key of the first whose name or password will not do.
    pub(crate) fn parse(written: Basic) -> Result<Self, ConfigError> {
        let users = written.users.into_iter().map(|(name, password)| {
            let key = format!("basic.users.{name}");
            if name.is_empty() || name.contains(':') {
                return Err(refuse(key, "a user's name is not empty and has no colon"));
            }
            User::parse(name, &password).map_err(|reason| refuse(key, reason))
        });
        let all = users.collect::<Result<Vec<User>, _>>()?;
        let iterations = all.iter().map(|user| user.iterations).max();
        let none = || refuse("basic.users", "there is no user: name one at least");
        let iterations = iterations.ok_or_else(none)?;
        Ok(Self { all, iterations })
    }

    /// Whose name and password the credentials are.
    pub(crate) fn identify(&self, credentials: &str) -> Option<&str> {
        let decoded = LENIENT.decode(credentials).ok()?;
        let at = decoded.iter().position(|byte| *byte == b':')?;
        let (name, password) = (&decoded[..at], &decoded[at + 1..]);
        let user = self.all.iter().find(|user| user.name.as_bytes() == name);
        let is_right = user.is_some_and(|user| user.has(password));
        stretch_for_nothing(password, self.rest(user));
        user.filter(|_| is_right).map(|user| user.name.as_str())
    }

    /// The iterations that are still to be spent on an attempt: all of them for
    /// somebody whom nobody knows.
    fn rest(&self, user: Option<&User>) -> u32 {
        self.iterations - user.map_or(0, |user| user.iterations)
    }
}

impl User {
    fn parse(name: String, written: &str) -> Result<Self, String> {
        let form = "write $pbkdf2-sha256$i=1000$SALT$HASH, salt and hash in base64 without padding";
        let parts: Vec<_> = written.split('$').collect();
        let ["", "pbkdf2-sha256", parameters, salt, hash] = parts[..] else {
            return Err(form.into());
        };
        let iterations = parameters
            .split(',')
            .next()
            .and_then(|first| first.strip_prefix("i="));
        let iterations = iterations
            .and_then(|count| count.parse().ok())
            .ok_or(form)?;
        if !(1..=MOST_ITERATIONS).contains(&iterations) {
            return Err(format!(
                "i is 1 to {MOST_ITERATIONS}: a request waits for it, and no longer than the \
                 binding's `deadline`, by default about 4000 of them"
            ));
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| form)?;
        if salt.len() < SHORTEST_SALT {
            return Err(format!("a salt has {SHORTEST_SALT} bytes at least"));
        }
        let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| form)?;
        let hash = hash.try_into();
        Ok(Self {
            name,
            iterations,
            salt,
            hash: hash.map_err(|_| format!("a hash has {HASH_BYTES} bytes"))?,
        })
    }

    fn has(&self, password: &[u8]) -> bool {
        let mut hash = [0; HASH_BYTES];
        pbkdf2_hmac::<Sha256>(password, &self.salt, self.iterations, &mut hash);
        hash.ct_eq(&self.hash).into()
    }
}

/// Spend so many iterations.
fn stretch_for_nothing(password: &[u8], iterations: u32) {
    if iterations > 0 {
        let mut hash = [0; HASH_BYTES];
        pbkdf2_hmac::<Sha256>(password, &[0; SHORTEST_SALT], iterations, &mut hash);
        std::hint::black_box(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::{HASH_BYTES, User, Users};

    #[test]
    fn every_attempt_costs_the_same_whoever_it_says_to_be() {
        let user = |name: &str, iterations| User {
            name: name.into(),
            iterations,
            salt: b"01234567".to_vec(),
            hash: [0; HASH_BYTES],
        };
        let users = Users {
            all: vec![user("ann", 1000), user("bob", 3000)],
            iterations: 3000,
        };
        let costs = |name: &str| {
            let user = users.all.iter().find(|user| user.name == name);
            users.rest(user) + user.map_or(0, |user| user.iterations)
        };
        assert_eq!([costs("ann"), costs("bob"), costs("eve")], [3000; 3]);
    }

    #[test]
    fn a_password_is_stretched_as_in_the_standard() {
        // RFC 7914, section 11: P = "Password", S = "NaCl", 80,000 iterations.
        let expected = [
            0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21, 0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27,
            0x01, 0xf9, 0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14, 0xae, 0xff, 0x08, 0x87,
            0x6b, 0x34, 0xab, 0x56,
        ];
        let user = |hash: [u8; HASH_BYTES]| User {
            name: "ann".into(),
            iterations: 80_000,
            salt: b"NaCl".to_vec(),
            hash,
        };
        assert!(user(expected).has(b"Password"));
        assert!(!user(expected).has(b"password"));
    }
}
