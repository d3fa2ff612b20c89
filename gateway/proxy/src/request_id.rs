//! The id that a request is given, to be found again in every log on its way.

use data_encoding::HEXLOWER;

/// A request's id: 128 random bits as 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 32]);

impl RequestId {
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        let mut digits = [0; 32];
        HEXLOWER.encode_mut(&random.u128(..).to_ne_bytes(), &mut digits);
        Self(digits)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
