//! What clients are told of the limit: `RateLimit-Policy`, which is the same for all,
//! and `RateLimit`, which differs by two numbers. Every request is told, so nothing
//! is formatted for it: the numbers are written into a text that is there.

use gatewright_plugin_sdk::{ConfigError, refuse, response};

/// Bytes of the largest number.
const DIGITS: usize = 10;

/// What clients are told of the limit.
#[derive(Debug)]
pub(crate) struct Told {
    /// The whole `RateLimit-Policy`.
    policy: String,
    /// `RateLimit` as it was told last.
    limit: String,
    /// How much of that is always the same, up to the first number.
    beginning: usize,
}

impl Told {
    /// What there is to tell of a limit of that name.
    ///
    /// # Errors
    ///
    /// When the name cannot be told.
    pub(crate) fn of(name: &str, per_second: f64, burst: u32) -> Result<Self, ConfigError> {
        let is_plain = |byte: u8| (b' '..0x7F).contains(&byte) && !b"\"\\".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(refuse(
                "name",
                "a policy's name is plain text without quotation marks",
            ));
        }
        let window = (f64::from(burst) / per_second).ceil() as u32;
        let mut limit = format!("\"{name}\";r=");
        let beginning = limit.len();
        limit.reserve(2 * DIGITS + BETWEEN.len());
        Ok(Self {
            policy: format!("\"{name}\";q={burst};w={}", window.max(1)),
            limit,
            beginning,
        })
    }

    /// Append, since several limits may hold for one request.
    pub(crate) fn tell(&mut self, left: u32, seconds: u32) {
        response::append_header("ratelimit-policy", &self.policy);
        self.limit.truncate(self.beginning);
        write(left, &mut self.limit);
        self.limit.push_str(BETWEEN);
        write(seconds, &mut self.limit);
        response::append_header("ratelimit", &self.limit);
    }
}

/// What is between the two numbers.
const BETWEEN: &str = ";t=";

/// Write a number in decimal digits behind a text.
fn write(number: u32, text: &mut String) {
    let (mut digits, mut first, mut rest) = ([0; DIGITS], DIGITS - 1, number);
    while rest >= 10 {
        digits[first] = (rest % 10) as u8;
        rest /= 10;
        first -= 1;
    }
    digits[first] = rest as u8;
    for digit in &digits[first..] {
        text.push(char::from(b'0' + digit));
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn numbers_are_written_as_they_always_are() {
        for number in [0, 9, 10, 99, 100, 99_999_999, 1_000_000_000, u32::MAX] {
            let mut text = "r=".to_owned();
            write(number, &mut text);
            assert_eq!(text, format!("r={number}"));
        }
    }
}
