//! `request`: the request that is being decided. Nothing is copied for a
//! plugin that does not ask.

use gatewright_model::id::Slot;

use crate::contract::imports::request::Host;
use crate::guest::Guest;
use crate::view::ExchangeView;

impl Guest {
    fn text(&self, of: impl FnOnce(&dyn ExchangeView) -> &str) -> String {
        self.view()
            .map_or_else(String::new, |view| of(view).to_owned())
    }
}

impl Host for Guest {
    fn id(&mut self) -> String {
        self.text(|view| view.id())
    }

    fn method(&mut self) -> String {
        self.text(|view| view.method())
    }

    fn scheme(&mut self) -> String {
        self.text(|view| view.scheme())
    }

    fn authority(&mut self) -> String {
        self.text(|view| view.authority())
    }

    fn path(&mut self) -> String {
        self.text(|view| view.path())
    }

    fn query(&mut self) -> Option<String> {
        self.view()?.query().map(str::to_owned)
    }

    fn header(&mut self, name: String) -> Option<String> {
        let value = self.view()?.header(&name, 0)?;
        std::str::from_utf8(value).ok().map(str::to_owned)
    }

    fn header_bytes(&mut self, name: String, index: u32) -> Option<Vec<u8>> {
        let value = self.view()?.header(&name, index as usize)?;
        Some(value.to_vec())
    }

    fn has_body(&mut self) -> bool {
        self.view().is_some_and(ExchangeView::has_body)
    }

    fn cookie(&mut self, name: String) -> Option<String> {
        self.view()?.cookie(&name).map(str::to_owned)
    }

    fn client_address(&mut self) -> String {
        let view = self.view();
        view.map_or_else(String::new, |view| view.client_address().to_string())
    }

    fn attempt(&mut self) -> u32 {
        self.view().map_or(1, ExchangeView::attempt)
    }

    fn tried(&mut self) -> Vec<u32> {
        let tried = self.view().map_or(&[] as &[Slot], ExchangeView::tried);
        tried.iter().map(|slot| slot.0).collect()
    }
}
