//! `metrics`: figures of the plugin's own.

use crate::contract::imports::metrics::Host;
use crate::guest::Guest;

impl Guest {
    fn note_figure(&self, name: &str, taken: bool) {
        if !taken {
            self.warn(format!(
                "metrics: {name:?} is one name too many, too long, or of the other kind"
            ));
        }
    }
}

impl Host for Guest {
    fn count(&mut self, name: String, by: u64) {
        let taken = self.binding.figures().count(&name, by);
        self.note_figure(&name, taken);
    }

    fn gauge(&mut self, name: String, value: f64) {
        let taken = self.binding.figures().gauge(&name, value);
        self.note_figure(&name, taken);
    }
}
