//! How a demo server behaves beside answering right: slow, failing, unhealthy.

use std::time::Duration;

use super::BackendOptions;

/// The behaviour that the options ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    delay: Duration,
    jitter: Duration,
    error_rate: f64,
    healthy: bool,
}

impl Manners {
    pub(super) fn new(options: &BackendOptions) -> Self {
        Self {
            delay: options.delay,
            jitter: options.jitter,
            error_rate: options.error_rate,
            healthy: !options.unhealthy,
        }
    }

    /// Whether health checks pass.
    pub(super) fn healthy(&self) -> bool {
        self.healthy
    }

    /// Let the time pass that an answer takes.
    pub(super) async fn linger(&self) {
        let extra = self.jitter.mul_f64(fastrand::f64());
        let time = self.delay.saturating_add(extra);
        // A timer is only as fine as a millisecond: no time must cost none.
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Whether the next answer is to be an error.
    pub(super) fn fails(&self) -> bool {
        self.error_rate > 0.0 && fastrand::f64() < self.error_rate
    }
}

/// A share of a whole, from 0 to 1.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a number from 0 to 1, such as 0.01 for one in a hundred".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_rate_of_one_always_fails_and_of_zero_never() {
        let with = |error_rate| {
            Manners::new(&BackendOptions {
                error_rate,
                ..BackendOptions::default()
            })
        };
        for _ in 0..1000 {
            assert!(with(1.0).fails());
            assert!(!with(0.0).fails());
        }
    }

    #[tokio::test]
    async fn an_answer_takes_at_least_the_delay() {
        let manners = Manners::new(&BackendOptions {
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(1),
            ..BackendOptions::default()
        });
        let before = std::time::Instant::now();
        manners.linger().await;
        assert!(before.elapsed() >= Duration::from_millis(10));
    }
}
