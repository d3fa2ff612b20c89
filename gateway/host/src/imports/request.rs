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
        let id = self.text(|view| view.id());
        self.heard("request.id", &(), id)
    }

    fn method(&mut self) -> String {
        let method = self.text(|view| view.method());
        self.heard("request.method", &(), method)
    }

    fn scheme(&mut self) -> String {
        let scheme = self.text(|view| view.scheme());
        self.heard("request.scheme", &(), scheme)
    }

    fn authority(&mut self) -> String {
        let authority = self.text(|view| view.authority());
        self.heard("request.authority", &(), authority)
    }

    fn path(&mut self) -> String {
        let path = self.text(|view| view.path());
        self.heard("request.path", &(), path)
    }

    fn query(&mut self) -> Option<String> {
        let query = self.view().and_then(|view| view.query());
        let query = query.map(str::to_owned);
        self.heard("request.query", &(), query)
    }

    fn header(&mut self, name: String) -> Option<String> {
        let value = self.view().and_then(|view| view.header(&name, 0));
        let value = value.and_then(|value| std::str::from_utf8(value).ok());
        let value = value.map(str::to_owned);
        self.heard("request.header", &name, value)
    }

    fn header_bytes(&mut self, name: String, index: u32) -> Option<Vec<u8>> {
        let value = self
            .view()
            .and_then(|view| view.header(&name, index as usize));
        let value = value.map(<[u8]>::to_vec);
        self.heard("request.header-bytes", &(name, index), value)
    }

    fn has_body(&mut self) -> bool {
        let has_body = self.view().is_some_and(ExchangeView::has_body);
        self.heard("request.has-body", &(), has_body)
    }

    fn cookie(&mut self, name: String) -> Option<String> {
        let value = self.view().and_then(|view| view.cookie(&name));
        let value = value.map(str::to_owned);
        self.heard("request.cookie", &name, value)
    }

    fn client_address(&mut self) -> String {
        let view = self.view();
        let address = view.map_or_else(String::new, |view| view.client_address().to_string());
        self.heard("request.client-address", &(), address)
    }

    fn attempt(&mut self) -> u32 {
        let attempt = self.view().map_or(1, ExchangeView::attempt);
        self.heard("request.attempt", &(), attempt)
    }

    fn tried(&mut self) -> Vec<u32> {
        let tried = self.view().map_or(&[] as &[Slot], ExchangeView::tried);
        let tried = tried.iter().map(|slot| slot.0).collect();
        self.heard("request.tried", &(), tried)
    }
}
