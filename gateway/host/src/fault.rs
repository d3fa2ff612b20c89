//! Why a seat had no answer, and what to do about it.

use std::borrow::Cow;

use gatewright_model::config::USUAL_DEADLINE;

use crate::trial;

/// The cause; what a plugin said when it trapped is in its log. A router,
/// affinity or balancer that faults is answered for; a policy's binding says
/// what becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The plugin trapped: a panic, an `unreachable`, an access out of bounds.
    #[error("the plugin trapped")]
    Trapped,
    /// The decision outlived its deadline.
    #[error("the plugin did not answer in time")]
    Overran,
    /// The plugin trapped after more memory than it may have was refused to it.
    #[error("the plugin ran out of memory")]
    OutOfMemory,
    /// The answer names a slot that was never given, an unknown pool, or a
    /// status outside of 200 to 599.
    #[error("the plugin's answer is impossible")]
    Impossible,
    /// The last instance is gone and the next one is being prepared.
    #[error("the plugin is being restarted")]
    Vacant,
    /// Its decisions have taken their share of the worker's time.
    #[error("the plugin has used up its share of the time")]
    Capped,
    /// The version faulted too often in this seat and is asked no more.
    #[error("the plugin is quarantined")]
    Quarantined,
}

/// What the standard library of Rust says where a target has not what is asked
/// for, and what a plugin's author does about it.
const UNSUPPORTED: [(&str, &str); 4] = [
    (
        "can't sleep",
        "; nothing waits in a plugin: there is no timer, and a decision has its deadline",
    ),
    (
        "time not implemented on this platform",
        "; a plugin asks the time by the import `clock`, which needs a grant",
    ),
    ("not supported on this platform", NOTHING_OUTSIDE),
    ("Unsupported", NOTHING_OUTSIDE),
];

const NOTHING_OUTSIDE: &str = "; if that was a file, a socket or a thread, a plugin has none of \
                               them: what has to be fetched belongs into its configuration";

impl Fault {
    /// What its author, or who binds it, does about it, as the end of a
    /// sentence that has `detail` before it; nothing where that is not known.
    pub fn remedy(self, detail: &str) -> Cow<'static, str> {
        match self {
            Self::OutOfMemory => {
                "; give it more by `memory` under [plugins.NAME], or by --memory where it is \
                 pushed or checked"
                    .into()
            }
            Self::Overran => format!(
                "; a decision may take {USUAL_DEADLINE} unless `deadline` where it is bound says \
                 otherwise, and {}ms in a trial",
                trial::DEADLINE.as_millis()
            )
            .into(),
            Self::Trapped => {
                let mut known = UNSUPPORTED.iter();
                let found = known.find(|(said, _)| detail.contains(said));
                found.map_or("", |(_, remedy)| remedy).into()
            }
            Self::Impossible | Self::Vacant | Self::Capped | Self::Quarantined => "".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_library_has_not_is_told_with_what_there_is() {
        let remedy = |said: &str| Fault::Trapped.remedy(said);
        assert!(remedy("it said \"panicked: can't sleep\"; unreachable").contains("nothing waits"));
        assert!(remedy("time not implemented on this platform").contains("clock"));
        assert!(remedy("Error { kind: Unsupported, .. }").contains("socket"));
        assert_eq!(remedy("no such place"), "");
    }
}
