//! Cookies that plugins give to clients. An affinity says the same to every client
//! of an endpoint: what has been checked, and made of it, need not be once more.

use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Cookies that are remembered, by their endpoints' slots.
const REMEMBERED: usize = 64;

/// The value of a `Set-Cookie` header, without control characters.
#[derive(Debug)]
pub struct Cookie {
    text: Box<str>,
    read: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Cookie {
    pub(crate) fn new(text: String) -> Self {
        Self {
            text: text.into(),
            read: OnceLock::new(),
        }
    }

    /// As the client will see it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What `read` makes of it, which it is asked for once, however many responses
    /// the cookie is in.
    pub fn read<T: Any + Clone + Send + Sync>(&self, read: impl Fn(&str) -> T) -> T {
        let known = self.read.get_or_init(|| Box::new(read(&self.text)));
        match known.downcast_ref::<T>() {
            Some(known) => known.clone(),
            // Somebody else has made something else of it.
            None => read(&self.text),
        }
    }
}

impl PartialEq for Cookie {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cookie {}

/// The last cookie of each endpoint.
#[derive(Default)]
pub(crate) struct Cookies {
    /// The endpoint whose client the affinity is told of, while it is.
    pub(crate) bound: Option<u32>,
    remembered: Vec<Option<Arc<Cookie>>>,
}

impl Cookies {
    /// The cookie of this text, if the endpoint's client before was given it.
    pub(crate) fn again(&self, text: &[u8]) -> Option<Arc<Cookie>> {
        let remembered = self.remembered.get(place(self.bound?))?.as_ref()?;
        let is_same = remembered.text.as_bytes() == text;
        is_same.then(|| Arc::clone(remembered))
    }

    /// Remember a cookie, if it is an endpoint's.
    pub(crate) fn remember(&mut self, cookie: &Arc<Cookie>) {
        let Some(place) = self.bound.map(place) else {
            return;
        };
        if place >= self.remembered.len() {
            self.remembered.resize(place + 1, None);
        }
        self.remembered[place] = Some(Arc::clone(cookie));
    }
}

/// Endpoints that share a place only forget each other's.
fn place(slot: u32) -> usize {
    slot as usize % REMEMBERED
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_cookie_is_read_once_for_each_kind_of_reader() {
        let cookie = Cookie::new("a=1".to_owned());
        let reads = Cell::new(0);
        let length = |text: &str| {
            reads.set(reads.get() + 1);
            text.len()
        };
        assert_eq!([cookie.read(length), cookie.read(length)], [3, 3]);
        assert_eq!(reads.get(), 1);
        assert_eq!(cookie.read(str::to_owned), "a=1");
        assert_eq!(cookie.read(length), 3);
    }

    #[test]
    fn an_endpoints_cookie_is_known_again_by_its_text() {
        let mut cookies = Cookies::default();
        let cookie = Arc::new(Cookie::new("a=1".to_owned()));
        cookies.remember(&cookie);
        assert!(cookies.again(b"a=1").is_none());
        for slot in [3, 3 + REMEMBERED as u32] {
            cookies.bound = Some(slot);
            cookies.remember(&cookie);
            assert!(Arc::ptr_eq(&cookies.again(b"a=1").unwrap(), &cookie));
            assert!(cookies.again(b"a=2").is_none());
        }
        cookies.bound = Some(4);
        assert!(cookies.again(b"a=1").is_none());
    }
}
