//! `log`: the plugin's own log.

use crate::contract::imports::log;
use crate::guest::Guest;
use crate::journal::Level;

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
        };
        self.binding.write_log(level, message);
    }
}
