//! When a certificate is renewed, and when one is ordered again that was not to
//! be had.

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use gatewright_model::config::Acme;
use gatewright_proxy::Shown;
use sha2::{Digest as _, Sha256};

/// The part of a certificate's time before its renewal, at most.
const RENEWED_AFTER: f64 = 2.0 / 3.0;

/// The part of a certificate's time over which renewals are spread, so that
/// those which were ordered together are not renewed together.
const SPREAD: f64 = 1.0 / 30.0;

/// The part by which a pause may be longer than it would be.
const PAUSE_SPREAD: f64 = 0.1;

/// The first pause and the longest when the authority was not reached, or did
/// not come to an answer: nothing is counted there.
const UNREACHED: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(3600)];

/// The first pause and the longest when the authority has refused. Let's
/// Encrypt allows five refused proofs of a name in an hour; with this there are
/// four at most.
const REFUSED: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(12 * 3600)];

/// The part of a certificate's time in which no other is ordered once it has
/// come, however wrong the clock is by which it seems to be over already.
const RESTS_FOR: f64 = 1.0 / 3.0;

/// The longest that an authority is left alone, whatever it says and whatever
/// was noted: clocks may be wrong.
const LONGEST_SILENCE: Duration = Duration::from_secs(8 * 24 * 3600);

/// When a certificate is to be renewed: after two thirds of its time, or a
/// little before, by a lot from 0 to 1.
pub(super) fn renewal(shown: &Shown, lot: f64) -> SystemTime {
    shown.not_before + shown.lifetime().mul_f64(RENEWED_AFTER - SPREAD * lot)
}

/// Tells one way to ask an authority from another, in all that an operator may
/// have corrected.
pub(super) fn way(acme: &Acme) -> String {
    let Acme {
        directory,
        email,
        authorities,
        challenge,
        external_account,
        folder: _,
    } = acme;
    let mut digest = Sha256::new();
    digest.update(format!("{directory}\0{email:?}\0{challenge:?}\0"));
    if let Some(bound) = external_account {
        digest.update([bound.key_id.as_bytes(), b"\0", &*bound.hmac_key].concat());
    }
    if let Some(authorities) = authorities {
        digest.update(&authorities.contents);
    }
    let digest = digest.finalize();
    HEXLOWER.encode(&digest[..8])
}

/// How long no other is ordered when a certificate has come that lives so long.
pub(super) fn rest(lifetime: Duration) -> Duration {
    lifetime.mul_f64(RESTS_FOR).min(LONGEST_SILENCE)
}

/// A lot from 0 to 1 that stays the same for a certificate, across restarts too.
pub(super) fn lot_of(certificate: &[u8]) -> f64 {
    let digest = Sha256::digest(certificate);
    f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX)
}

/// How long to wait after so many failures, of which the last was a refusal or
/// not, by a lot from 0 to 1.
pub(super) fn pause(failures: u32, is_refusal: bool, lot: f64) -> Duration {
    let [first, longest] = if is_refusal { REFUSED } else { UNREACHED };
    let doubled = failures.saturating_sub(1).min(16);
    let pause = first.saturating_mul(1 << doubled).min(longest);
    pause.mul_f64(1.0 + PAUSE_SPREAD * lot)
}

/// How long to wait when the authority has said how long at least.
pub(super) fn pause_asked_for(pause: Duration, asked_for: Option<Duration>) -> Duration {
    pause.max(asked_for.unwrap_or_default().min(LONGEST_SILENCE))
}

/// When an order may begin that is noted not to begin before a moment: then, or
/// at once where that is too far ahead to have been meant.
pub(super) fn as_noted(not_before: SystemTime, now: SystemTime) -> SystemTime {
    match not_before.duration_since(now) {
        Ok(ahead) if ahead <= LONGEST_SILENCE => not_before,
        _ => now,
    }
}

/// A lot from 0 to 1.
pub(super) fn lot() -> f64 {
    // Without randomness gateways pause in step, which is no more than a pity.
    f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use gatewright_proxy::ShownFrom;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn shown(days: u32) -> Shown {
        Shown {
            from: ShownFrom::SelfSigned,
            names: Vec::new(),
            issuer: String::new(),
            not_before: UNIX_EPOCH + DAY,
            not_after: UNIX_EPOCH + DAY + DAY * days,
        }
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_time_or_a_little_before() {
        let days = |lot| {
            let at = renewal(&shown(90), lot)
                .duration_since(UNIX_EPOCH + DAY)
                .unwrap();
            at.as_secs_f64() / DAY.as_secs_f64()
        };
        assert!((days(0.0) - 60.0).abs() < 0.01, "{}", days(0.0));
        assert!((days(1.0) - 57.0).abs() < 0.01, "{}", days(1.0));
        let never = renewal(&shown(0), 0.5);
        assert_eq!(never, UNIX_EPOCH + DAY);
    }

    #[test]
    fn a_certificate_that_comes_too_late_is_not_ordered_again_at_once() {
        // Let's Encrypt gives five for the same names in a week.
        assert!(DAY * 7 / 5 < rest(DAY * 90));
        for days in [1, 6, 90, 800] {
            let (shown, rest) = (shown(days), rest(DAY * days));
            let renewed = renewal(&shown, 1.0);
            assert!(shown.not_before + rest < renewed, "it holds no renewal up");
        }
    }

    #[test]
    fn a_certificate_has_one_lot() {
        assert!((lot_of(b"a") - lot_of(b"a")).abs() < f64::EPSILON);
        assert!((0.0..=1.0).contains(&lot_of(b"a")));
        assert!((lot_of(b"a") - lot_of(b"b")).abs() > f64::EPSILON);
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses = |is_refusal| [1, 2, 3, 30, u32::MAX].map(|n| pause(n, is_refusal, 0.0));
        let seconds = |all: [u64; 5]| all.map(Duration::from_secs);
        assert_eq!(pauses(false), seconds([30, 60, 120, 3600, 3600]));
        assert_eq!(pauses(true), seconds([300, 600, 1200, 43200, 43200]));
        assert_eq!(pause(1, false, 1.0), Duration::from_secs(33));
    }

    #[test]
    fn an_authority_is_left_alone_as_long_as_it_asks_for_but_not_for_ever() {
        let minute = Duration::from_secs(60);
        assert_eq!(pause_asked_for(minute, None), minute);
        assert_eq!(pause_asked_for(minute, Some(minute / 2)), minute);
        assert_eq!(pause_asked_for(minute, Some(DAY)), DAY);
        assert_eq!(pause_asked_for(minute, Some(DAY * 365)), LONGEST_SILENCE);
    }

    #[test]
    fn a_note_of_another_time_holds_nothing_up() {
        let now = UNIX_EPOCH + DAY * 20_000;
        for (noted, expected) in [
            (now + DAY, now + DAY),
            (now - DAY, now),
            (now + DAY * 99, now),
        ] {
            assert_eq!(as_noted(noted, now), expected);
        }
    }

    #[test]
    fn an_authority_refuses_no_more_than_five_times_in_an_hour() {
        let mut at = Duration::ZERO;
        let hour = Duration::from_secs(3600);
        let refused = (1..).take_while(|failures| {
            let is_within = at < hour;
            at += pause(*failures, true, 0.0);
            is_within
        });
        assert!(refused.count() < 5);
    }
}
