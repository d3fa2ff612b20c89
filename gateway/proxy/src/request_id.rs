//! The id that a request is given, to be found again in every log on its way.

/// A request's id: 128 random bits as 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 32]);

impl RequestId {
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        let mut digits = [0; 32];
        for eight in digits.as_chunks_mut().0 {
            *eight = hexadecimal(random.u32(..)).to_be_bytes();
        }
        Self(digits)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The eight digits of a number, in a byte each and all at once: every request is
/// given four times as many.
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
        for number in [0, 0x0123_4567, 0x89ab_cdef, 0xf9a0_0a9f, u32::MAX] {
            let digits = hexadecimal(number).to_be_bytes();
            assert_eq!(digits, format!("{number:08x}").as_bytes());
        }
    }
}
