//! A panic's message goes to the plugin's log before the trap ends the instance.

use alloc::string::ToString;

use crate::log;

/// Install the hook that writes to the log.
pub(crate) fn report_to_log() {
    std::panic::set_hook(std::boxed::Box::new(|panic| log::error(&panic.to_string())));
}
