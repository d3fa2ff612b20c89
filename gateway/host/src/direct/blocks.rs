//! Free blocks of a plugin's own allocator, where the plugin says where it keeps
//! them: to take one is to read and to write three words of its memory, and to
//! call the allocator costs several times what it does.
//!
//! Only the SDK's allocator says so. A block is what its `cabi_realloc` would have
//! answered, and is freed like any other; whoever lies about them gets addresses
//! that are checked as the allocator's are, and harms nobody else.

/// Blocks are kept by their size in steps of so many bytes.
const STEP: u32 = 16;

/// How many sizes are kept.
const SIZES: u32 = 64;

/// What any block is aligned to.
const ALIGN: u32 = 8;

/// Bytes of a list: the first block's address, and how many there are. A block
/// begins with the address of the next.
const LIST: usize = 8;

/// Where a list for each size is.
#[derive(Clone, Copy)]
pub(super) struct Blocks(usize);

impl Blocks {
    /// Those with their lists at this address.
    pub(super) fn at(address: u32) -> Self {
        Self(address as usize)
    }

    /// Take a block for each size; false if one keeps the address 0, because no
    /// block is free that would do.
    pub(super) fn take_all(self, memory: &mut [u8], align: u32, places: &mut [(u32, u32)]) -> bool {
        let mut all = align <= ALIGN;
        if all {
            for (at, size) in places {
                match self.take(memory, *size) {
                    Some(block) => *at = block,
                    None => all = false,
                }
            }
        }
        all
    }

    fn take(self, memory: &mut [u8], size: u32) -> Option<u32> {
        let sort = size.checked_sub(1)? / STEP;
        if sort >= SIZES {
            return None;
        }
        let at = self.0 + sort as usize * LIST;
        let list = u64::from_le_bytes(*memory.get(at..)?.first_chunk()?);
        let (first, count) = (list as u32, (list >> 32) as u32);
        if first == 0 {
            return None;
        }
        let next = u32::from_le_bytes(*memory.get(first as usize..)?.first_chunk()?);
        let left = u64::from(next) | (u64::from(count.wrapping_sub(1)) << 32);
        *memory.get_mut(at..)?.first_chunk_mut()? = left.to_le_bytes();
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::ExternalKind;

    use super::*;
    use crate::defaults::defaults;
    use crate::direct::names::{self, BLOCKS};
    use crate::direct::recognise;

    /// Lists at 64 of which the second, up to 32 bytes, has these blocks.
    fn memory(blocks: &[u32]) -> Vec<u8> {
        let mut memory = vec![0; 1024];
        let mut link = 64 + LIST;
        memory[link + 4] = blocks.len() as u8;
        for block in blocks {
            memory[link..link + 4].copy_from_slice(&block.to_le_bytes());
            link = (*block as usize).min(1000);
        }
        memory
    }

    #[test]
    fn blocks_are_taken_by_their_size_until_there_are_no_more() {
        let mut memory = memory(&[512, 256]);
        let mut places = [(0, 17), (0, 16), (0, 32), (0, 33), (0, 20)];
        assert!(!Blocks(64).take_all(&mut memory, 4, &mut places));
        assert_eq!(places.map(|(at, _)| at), [512, 0, 256, 0, 0]);
        assert_eq!(memory[72..80], [0; 8]);
    }

    #[test]
    fn for_nothing_and_for_what_is_large_or_aligned_none_is_taken() {
        let mut memory = memory(&[512]);
        // Behind the last list, what looks like one more.
        memory[64 + SIZES as usize * LIST..][..5].copy_from_slice(&[0, 2, 0, 0, 1]);
        let before = memory.clone();
        for (align, size) in [(16, 20), (1, 0), (1, 1025), (1, u32::MAX)] {
            assert!(!Blocks(64).take_all(&mut memory, align, &mut [(0, size)]));
        }
        assert_eq!(memory, before);
    }

    #[test]
    fn lists_and_blocks_that_are_nowhere_are_none() {
        let mut memory = memory(&[1022]);
        for at in [64, 1020, 1 << 20, u32::MAX as usize] {
            assert!(!Blocks(at).take_all(&mut memory, 1, &mut [(0, 20)]));
        }
    }

    /// Or they would be slower than they need be, and nobody would notice.
    #[test]
    fn the_default_plugins_say_where_their_blocks_are() {
        for plugin in defaults() {
            let main = recognise::main_module(plugin.component).unwrap();
            let exports = names::exports(main);
            let says = exports.contains(&(BLOCKS, ExternalKind::Global));
            assert!(says, "{} does not", plugin.name);
        }
    }
}
