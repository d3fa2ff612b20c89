//! A plugin's text where people read it: in terminals and logs it must not do
//! anything, hide anything, or pass for a line of somebody else's.

use std::borrow::Cow;

/// Control characters, and those of Unicode that have no width or turn the
/// direction of what follows.
pub(crate) fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text on one line, in which what a terminal would obey or a reader would not
/// see is written out, as in `\n` and `\u{1b}`.
pub fn plainly(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match is_deceptive(letter) {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let text = "a\u{1b}[2J\r\n\u{202e}b";
        assert_eq!(plainly(text), "a\\u{1b}[2J\\r\\n\\u{202e}b");
        assert!(matches!(plainly("größer → 3"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_a_line(text: String) {
            prop_assert!(!plainly(&text).contains(is_deceptive));
        }
    }
}
