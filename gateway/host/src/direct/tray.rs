//! The tray of a plugin, where it says that it has one: a part of its memory that
//! is nobody's, for what it is only shown with a question. Nothing is taken from its
//! allocator for it, and nothing given back.
//!
//! Only the SDK's plugins have one, and only what the SDK shows to a plugin without
//! giving it away is laid there.

use std::mem;

/// Bytes of it.
const SIZE: usize = 4096;

/// What it is aligned to.
const ALIGN: u32 = 8;

/// Where it is.
#[derive(Clone, Copy)]
pub(super) struct Tray(u32);

impl Tray {
    /// The one at this address, if one can be there.
    pub(super) fn at(address: u32) -> Option<Self> {
        address.is_multiple_of(ALIGN).then_some(Self(address))
    }

    /// Lay texts there, side by side; returns the address and the length of each,
    /// or none if there is no room for all.
    pub(super) fn lay_texts<const N: usize>(
        self,
        memory: &mut [u8],
        texts: [&str; N],
    ) -> Option<[(u32, u32); N]> {
        let (mut rest, mut at) = (self.room(memory)?, self.0);
        if texts.iter().map(|text| text.len()).sum::<usize>() > rest.len() {
            return None;
        }
        Some(texts.map(|text| {
            let (room, after) = mem::take(&mut rest).split_at_mut(text.len());
            room.copy_from_slice(text.as_bytes());
            let laid = (at, text.len() as u32);
            // Behind the last there may be no address.
            (rest, at) = (after, at.wrapping_add(laid.1));
            laid
        }))
    }

    /// Lay numbers there; returns their address and how many they are, or none if
    /// there is no room for all.
    pub(super) fn lay_numbers(self, memory: &mut [u8], numbers: &[u32]) -> Option<(u32, u32)> {
        let (room, _) = self.room(memory)?.as_chunks_mut();
        for (word, number) in room.get_mut(..numbers.len())?.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
        Some((self.0, numbers.len() as u32))
    }

    fn room(self, memory: &mut [u8]) -> Option<&mut [u8]> {
        memory.get_mut(self.0 as usize..)?.get_mut(..SIZE)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::ExternalKind;

    use super::*;
    use crate::contract;
    use crate::defaults::defaults;
    use crate::direct::names::{self, TRAY};
    use crate::direct::recognise;

    #[test]
    fn texts_lie_side_by_side_where_there_is_room_for_all() {
        let mut memory = vec![0; 64 + SIZE];
        let laid = Tray(64).lay_texts(&mut memory, ["GET", "", "/a"]);
        assert_eq!(laid, Some([(64, 3), (67, 0), (67, 2)]));
        assert_eq!(memory[60..72], *b"\0\0\0\0GET/a\0\0\0");
        let long = "x".repeat(SIZE - 1);
        for (more, fits) in [("y", true), ("yz", false)] {
            let laid = Tray(64).lay_texts(&mut memory, [&long, more]);
            assert_eq!(laid.is_some(), fits);
        }
    }

    #[test]
    fn numbers_lie_there_if_there_is_room_for_all() {
        let mut memory = vec![0; 64 + SIZE];
        assert_eq!(Tray(64).lay_numbers(&mut memory, &[1, 258]), Some((64, 2)));
        assert_eq!(memory[64..72], [1, 0, 0, 0, 2, 1, 0, 0]);
        let many = [7; SIZE / 4 + 1];
        assert_eq!(Tray(64).lay_numbers(&mut memory, &many), None);
        let laid = Tray(64).lay_numbers(&mut memory, &many[1..]);
        assert_eq!(laid, Some((64, SIZE as u32 / 4)));
    }

    #[test]
    fn a_tray_that_is_nowhere_is_none() {
        let mut memory = vec![0; 64 + SIZE];
        for at in [72, 1 << 20, u32::MAX - 7] {
            assert_eq!(Tray(at).lay_texts(&mut memory, ["a"]), None);
            assert_eq!(Tray(at).lay_numbers(&mut memory, &[1]), None);
        }
    }

    /// Or they would be slower than they need be, and nobody would notice.
    #[test]
    fn the_default_plugins_that_are_shown_something_have_one() {
        let shown = ["routing", "screening", "scanning"];
        let shown = shown.map(|role| format!("{}#", contract::interface(role)));
        for plugin in defaults() {
            let main = recognise::main_module(plugin.component).unwrap();
            let exports = names::exports(main);
            let mut names = exports.iter().map(|(name, _)| name);
            let is_shown = names.any(|name| shown.iter().any(|of| name.starts_with(of.as_str())));
            let has_one = exports.contains(&(TRAY, ExternalKind::Global));
            assert!(has_one || !is_shown, "{} has none", plugin.name);
        }
    }
}
