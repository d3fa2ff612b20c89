//! The id that a request is given, to be found again in every log on its way.

/// A request's id: 128 bits as 32 hexadecimal digits, which it holds nothing but.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl From<u128> for RequestId {
    /// The id of these bits.
    #[inline]
    fn from(bits: u128) -> Self {
        let mut digits = [0_u8; 32];
        let quarters = bits.to_be_bytes();
        let eights = digits.as_chunks_mut::<8>().0.iter_mut();
        for (eight, quarter) in eights.zip(quarters.as_chunks::<4>().0) {
            *eight = hexadecimal(u32::from_be_bytes(*quarter)).to_be_bytes();
        }
        Self(digits)
    }
}

impl RequestId {
    /// Its digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its digits as text, which is not as cheap.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The eight digits of a number, in a byte each and all at once: every request is
/// given four times as many.
#[inline]
fn hexadecimal(number: u32) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut halves = u64::from(number);
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = ((halves + 6 * EACH) >> 4) & EACH;
    halves + u64::from(b'0') * EACH + u64::from(b'a' - b'0' - 10) * is_letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_byte_is_its_digit() {
        for bits in [
            0,
            0x0123_4567_89ab_cdef_f9a0_0a9f_0000_0001,
            0x8000_0000_0000_0000_0000_0000_dead_beef,
            u128::MAX,
        ] {
            let id = RequestId::from(bits);
            assert_eq!(id.as_str(), format!("{bits:032x}"));
            assert_eq!(id.as_bytes(), id.as_str().as_bytes());
        }
    }
}
