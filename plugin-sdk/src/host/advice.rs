//! What may go along with a decision. Needs no grant, and counts for the
//! decision that is being made.

use super::backend::advice as host;
use crate::Slot;

/// The endpoint to use if the pick cannot be, or for the next attempt.
pub fn second_choice(slot: Slot) {
    host::second_choice(slot);
}

/// Why it was decided so, for whoever reads the explanation of a request. Cut
/// after 256 bytes.
pub fn reason(text: &str) {
    host::reason(text);
}

/// How long this request may take in all, in milliseconds: shortens the
/// operator's limit and never extends it.
pub fn timeout(milliseconds: u32) {
    host::timeout(milliseconds);
}

/// How many more endpoints may be asked at the most, after this attempt: lowers
/// the operator's number and never raises it. 0: this attempt is the last.
pub fn retries(most: u32) {
    host::retries(most);
}

/// Ask a second endpoint, too, when this one has not answered within so many
/// milliseconds. It counts where the pool has `hedge`, and never asks
/// earlier than that says. [`u32::MAX`]: not at all.
pub fn hedge_after(milliseconds: u32) {
    host::hedge_after(milliseconds);
}

/// For [`Affinity::lookup`](crate::Affinity::lookup) that names an endpoint:
/// call [`bind`](crate::Affinity::bind) all the same when it has answered,
/// because the response may give the session another name.
pub fn call_bind() {
    host::call_bind();
}
