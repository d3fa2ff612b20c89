//! How a connection in the clear begins: with a request of HTTP/1.1, or with the
//! preface of HTTP/2, which may come in pieces.

/// How a connection of HTTP/2 begins (RFC 9113 §3.4).
pub(crate) const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first bytes of a connection, held back for as long as they may become the
/// preface of HTTP/2: the HTTP/1.1 server only knows it when it finds it whole.
#[derive(Default)]
pub(crate) struct Opening {
    /// How many bytes are held, which are those of the preface.
    length: usize,
}

impl Opening {
    /// What is held.
    pub(crate) fn held(&self) -> &'static [u8] {
        &HTTP2_PREFACE[..self.length]
    }

    /// Hold these bytes too, unless it is settled with them what has begun, as
    /// it is with none: nothing more comes.
    pub(crate) fn holds(&mut self, bytes: &[u8]) -> bool {
        let rest = &HTTP2_PREFACE[self.length..];
        let is_open = (1..rest.len()).contains(&bytes.len()) && rest.starts_with(bytes);
        if is_open {
            self.length += bytes.len();
        }
        is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_of_the_preface_is_held_and_nothing_else() {
        for end in 1..HTTP2_PREFACE.len() {
            let mut opening = Opening::default();
            assert!(opening.holds(&HTTP2_PREFACE[..end]), "{end}");
            assert_eq!(opening.held(), &HTTP2_PREFACE[..end]);
            assert!(!opening.holds(b"?"), "{end}");
            assert!(!opening.holds(&HTTP2_PREFACE[end..]), "{end}");
            assert!(!opening.holds(b""), "{end}");
        }
        for other in ["GET / HTTP/1.1", "POST / HTTP/1.1", "PRI * HTTP/1.1"] {
            assert!(!Opening::default().holds(other.as_bytes()), "{other}");
        }
    }
}
