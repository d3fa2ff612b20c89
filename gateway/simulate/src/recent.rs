//! How long a server took of late, as it says itself when it is asked.

/// How many of its last answers it goes by: few enough that it tells of now, and
/// enough that one long request does not speak for all.
const KEPT: usize = 16;

/// The times of a server's last answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    times_us: [u32; KEPT],
    /// How many there were in all.
    count: usize,
}

impl Recent {
    /// It has answered a request that it had for so long.
    pub(crate) fn answered(&mut self, took_ns: u64) {
        let took_us = u32::try_from(took_ns / 1000).unwrap_or(u32::MAX);
        self.times_us[self.count % KEPT] = took_us;
        self.count += 1;
    }

    /// The middle of them in microseconds; 0 before the first.
    pub(crate) fn median_us(&self) -> u32 {
        let kept = self.count.min(KEPT);
        let mut times = self.times_us;
        let times = &mut times[..kept];
        times.sort_unstable();
        times.get(kept / 2).copied().unwrap_or(0)
    }

    /// It knows nothing of what was before.
    pub(crate) fn forget(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_middle_of_the_last_ones() {
        let mut recent = Recent::default();
        assert_eq!(recent.median_us(), 0);
        recent.answered(5_000);
        assert_eq!(recent.median_us(), 5);
        for time in [9_000, 1_000_000_000] {
            recent.answered(time);
        }
        assert_eq!(recent.median_us(), 9);
        (0..KEPT).for_each(|_| recent.answered(2_000));
        assert_eq!(recent.median_us(), 2);
        recent.forget();
        assert_eq!(recent.median_us(), 0);
    }
}
