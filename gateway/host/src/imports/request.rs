//! `request`: the request that is being decided. Nothing is copied for a
//! plugin that does not ask, and no text twice for one that does.

use std::borrow::Cow;
use std::net::IpAddr;

use gatewright_model::id::Slot;

use crate::contract::imports::request::Host;
use crate::guest::Guest;
use crate::view::ExchangeView;

/// The exchange while something is asked about it, taken out of the store's
/// data so that what it says can be borrowed.
pub(crate) type View<'v> = Option<&'v dyn ExchangeView>;

/// A function that a text of every request answers.
macro_rules! text {
    ($name:ident, $function:literal) => {
        pub(crate) fn $name<'v>(guest: &mut Guest, view: View<'v>) -> Cow<'v, str> {
            let text = view.map_or("", |view| view.$name());
            guest.heard($function, &(), Cow::Borrowed(text))
        }
    };
}

text!(id, "request.id");
text!(method, "request.method");
text!(scheme, "request.scheme");
text!(authority, "request.authority");
text!(path, "request.path");

pub(crate) fn query<'v>(guest: &mut Guest, view: View<'v>) -> Option<Cow<'v, str>> {
    let query = view.and_then(|view| view.query());
    guest.heard("request.query", &(), query.map(Cow::Borrowed))
}

pub(crate) fn header<'v>(guest: &mut Guest, view: View<'v>, name: &str) -> Option<Cow<'v, str>> {
    let value = view.and_then(|view| view.header(name, 0));
    let value = value.and_then(|value| std::str::from_utf8(value).ok());
    guest.heard("request.header", name, value.map(Cow::Borrowed))
}

pub(crate) fn header_bytes<'v>(
    guest: &mut Guest,
    view: View<'v>,
    (name, index): (&str, u32),
) -> Option<Cow<'v, [u8]>> {
    let value = view.and_then(|view| view.header(name, index as usize));
    guest.heard(
        "request.header-bytes",
        &(name, index),
        value.map(Cow::Borrowed),
    )
}

pub(crate) fn cookie<'v>(guest: &mut Guest, view: View<'v>, name: &str) -> Option<Cow<'v, str>> {
    let value = view.and_then(|view| view.cookie(name));
    guest.heard("request.cookie", name, value.map(Cow::Borrowed))
}

impl Guest {
    fn lending<T>(&mut self, ask: impl FnOnce(&mut Self, View<'_>) -> T) -> T {
        let exchange = self.exchange.take();
        let answer = ask(self, exchange.as_deref());
        self.exchange = exchange;
        answer
    }
}

impl Host for Guest {
    fn id(&mut self) -> String {
        self.lending(|guest, view| id(guest, view).into_owned())
    }

    fn method(&mut self) -> String {
        self.lending(|guest, view| method(guest, view).into_owned())
    }

    fn scheme(&mut self) -> String {
        self.lending(|guest, view| scheme(guest, view).into_owned())
    }

    fn authority(&mut self) -> String {
        self.lending(|guest, view| authority(guest, view).into_owned())
    }

    fn path(&mut self) -> String {
        self.lending(|guest, view| path(guest, view).into_owned())
    }

    fn query(&mut self) -> Option<String> {
        self.lending(|guest, view| query(guest, view).map(Cow::into_owned))
    }

    fn header(&mut self, name: String) -> Option<String> {
        self.lending(|guest, view| header(guest, view, &name).map(Cow::into_owned))
    }

    fn header_bytes(&mut self, name: String, index: u32) -> Option<Vec<u8>> {
        self.lending(|guest, view| header_bytes(guest, view, (&name, index)).map(Cow::into_owned))
    }

    fn has_body(&mut self) -> bool {
        let has_body = self.view().is_some_and(ExchangeView::has_body);
        self.heard("request.has-body", &(), has_body)
    }

    fn cookie(&mut self, name: String) -> Option<String> {
        self.lending(|guest, view| cookie(guest, view, &name).map(Cow::into_owned))
    }

    fn client_address(&mut self) -> String {
        let view = self.view();
        let address = view.map_or_else(String::new, |view| text_of(view.client_address()));
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

/// An address as text. One of four bytes is most clients', and written without what
/// formatting costs.
fn text_of(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (place, byte) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for (unit, is_said) in [(100, byte >= 100), (10, byte >= 10), (1, true)] {
            if is_said {
                text.push(char::from(b'0' + byte / unit % 10));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn addresses_are_written_as_they_always_are() {
        for byte in 0..=255 {
            let address = Ipv4Addr::new(byte, 0, 255 - byte, byte / 2);
            assert_eq!(text_of(address.into()), address.to_string());
        }
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
        for address in [Ipv6Addr::LOCALHOST, mapped] {
            assert_eq!(text_of(address.into()), address.to_string());
        }
    }
}
