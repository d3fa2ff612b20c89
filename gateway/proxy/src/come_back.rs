//! When a client may come back whose request the gateway could not have answered:
//! the one place that says it.

use gatewright_model::circuit::Moment;
use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;

use crate::failure::Failure;
use crate::respond::Denial;

/// In seconds: about the time in which a health check brings a server back, a
/// gateway is followed by the next one, or there is room again.
pub(crate) const SOON: u8 = 1;

/// No circuit keeps a client away for longer, in seconds: a server may be well long
/// before its circuit lets it show that, and others may be added.
const LATEST: u64 = 30;

/// The seconds after which a request that these servers have failed may do better:
/// soon, unless all others have open circuits. Then it is when the first of those is
/// tried again.
pub(crate) fn seconds(denial: &Denial, pool: &Pool, tried: &[Slot]) -> u8 {
    let left = match denial {
        Denial::NoServer | Denial::Failed(_) => {
            pool.time_left_of_circuits(tried, Moment::now().steady_ms)
        }
        _ => None,
    };
    let seconds = left.map_or(0, |left| left.as_millis().div_ceil(1000) as u64);
    seconds.clamp(u64::from(SOON), LATEST) as u8
}

impl Denial {
    /// Whether the same request may do better later, by itself.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Injected(status) => matches!(status.as_u16(), 429 | 502..=504),
            Self::Failed(failure) => match failure {
                Failure::Broken(error) => error.is_end(),
                Failure::Connect(_)
                | Failure::ConnectTimeout
                | Failure::Timeout
                | Failure::Unprocessed(_)
                | Failure::Refused(_) => true,
                Failure::CallerTimeout
                | Failure::ClientLeft
                | Failure::ClientStalled
                | Failure::BodyTooLarge
                | Failure::Unsendable => false,
            },
            Self::NoServer
            | Self::Full
            | Self::Overdue
            | Self::Shed
            | Self::PolicyFault
            | Self::Crowded
            | Self::Ending
            | Self::Maintenance => true,
            Self::Refused(_) | Self::NoRoute | Self::NotSwitched | Self::NoTunnel => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use gatewright_wire::response::HeadError;
    use http::StatusCode;

    use super::*;
    use crate::upstream::ConnectionError;

    #[test]
    fn what_may_pass_by_itself_is_worth_another_try() {
        let gone = || Denial::Failed(Failure::Connect(io::Error::other("gone")));
        let malformed = ConnectionError::Head(HeadError::UnexpectedUpgrade);
        let injected = |status| Denial::Injected(StatusCode::from_u16(status).unwrap());
        for (denial, passes) in [
            (Denial::NoServer, true),
            (Denial::Shed, true),
            (gone(), true),
            (Denial::Failed(Failure::Timeout), true),
            (
                Denial::Failed(Failure::Broken(ConnectionError::Closed)),
                true,
            ),
            (Denial::Failed(Failure::Broken(malformed)), false),
            (Denial::Failed(Failure::CallerTimeout), false),
            (Denial::Failed(Failure::BodyTooLarge), false),
            (Denial::NotSwitched, false),
            (injected(429), true),
            (injected(500), false),
        ] {
            assert_eq!(denial.passes(), passes, "{denial}");
        }
    }
}
