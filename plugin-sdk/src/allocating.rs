//! The allocator of components, which keeps small blocks for the next of their
//! size.
//!
//! The gateway hands every text over in memory that the component allocates,
//! and the component frees it a moment later. For that a general allocator,
//! which looks for the best place and joins what becomes free, takes longer
//! than many a decision.
//!
//! The gateway knows where the free blocks are, and may take one by itself
//! between two calls rather than call `cabi_realloc` for it.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use std::alloc::System;

/// Blocks are kept by their size in steps of so many bytes.
const STEP: usize = 16;

/// Sizes of blocks that are kept: up to 1 KiB, so that most tokens fit.
const SIZES: usize = 64;

/// Blocks of a size that are kept at the most, so that memory that was in use
/// once can serve another size: of those of up to 256 bytes, and of larger ones.
const MOST: [u32; 2] = [32, 4];

/// What any block is aligned to.
const ALIGN: usize = 8;

/// Exported by a name that stands for its shape: that and [`STEP`], [`SIZES`] and
/// [`ALIGN`] cannot change without it.
#[cfg(not(test))]
#[global_allocator]
#[unsafe(export_name = "gatewright_free_blocks_16x64")]
static ALLOCATOR: Keeping = Keeping::new();

/// The system's allocator with what is kept before it.
#[repr(transparent)]
struct Keeping([UnsafeCell<Kept>; SIZES]);

// SAFETY: a component's module is built without threads and never shares its
// memory, so there is only ever one thread to use the cells.
#[cfg(not(test))]
unsafe impl Sync for Keeping {}

/// The free blocks of one size.
#[repr(C)]
struct Kept {
    first: *mut Block,
    count: u32,
}

/// A free block.
#[repr(C)]
struct Block {
    next: *mut Self,
}

impl Keeping {
    const fn new() -> Self {
        Self([const { UnsafeCell::new(Kept::new()) }; SIZES])
    }

    /// The list for blocks of this layout, if they are kept.
    #[inline]
    fn list(&self, layout: Layout) -> Option<&UnsafeCell<Kept>> {
        if layout.align() > ALIGN {
            return None;
        }
        self.0.get(step(layout.size()))
    }
}

impl Kept {
    const fn new() -> Self {
        Self {
            first: ptr::null_mut(),
            count: 0,
        }
    }

    #[inline]
    fn take(&mut self) -> Option<*mut u8> {
        let block = self.first;
        if block.is_null() {
            return None;
        }
        // SAFETY: what is in the list was put there by `put` and not taken.
        self.first = unsafe { (*block).next };
        self.count -= 1;
        Some(block.cast())
    }

    /// Keep a block; false when there are so many.
    ///
    /// # Safety
    ///
    /// The block is nobody else's and of this list's size.
    #[inline]
    unsafe fn put(&mut self, block: *mut u8, most: u32) -> bool {
        if self.count == most {
            return false;
        }
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "blocks are aligned to `ALIGN` at least"
        )]
        let block = block.cast::<Block>();
        // SAFETY: the smallest block has room for a link.
        unsafe { block.write(Block { next: self.first }) };
        self.first = block;
        self.count += 1;
        true
    }
}

/// A size's place among those that are kept.
#[inline]
const fn step(size: usize) -> usize {
    size.wrapping_sub(1) / STEP
}

/// How many blocks of a kept size are kept.
#[inline]
const fn most(layout: Layout) -> u32 {
    let [small, large] = MOST;
    if layout.size() <= 256 { small } else { large }
}

/// The block that serves every layout of a kept size.
fn whole(layout: Layout) -> Layout {
    let size = (step(layout.size()) + 1) * STEP;
    // SAFETY: the alignment is a power of two and the size is small.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

/// A block of a kept size when none is kept. Apart from what is asked first, so
/// that this can be short.
#[cold]
#[inline(never)]
fn another(layout: Layout) -> *mut u8 {
    // SAFETY: a whole block is not empty.
    unsafe { System.alloc(whole(layout)) }
}

/// Give a block of a kept size back.
///
/// # Safety
///
/// It came from [`another`] and is nobody's.
#[cold]
#[inline(never)]
unsafe fn give_back(block: *mut u8, layout: Layout) {
    unsafe { System.dealloc(block, whole(layout)) };
}

/// Free a block of no kept size. Apart, too: what the system's allocator does would
/// make long whatever frees something.
///
/// # Safety
///
/// It came from the system's allocator with this layout and is nobody's.
#[cold]
#[inline(never)]
unsafe fn free(block: *mut u8, layout: Layout) {
    unsafe { System.dealloc(block, layout) };
}

// SAFETY: blocks come from the system's allocator and go back to it with the
// layout with which they came; between, each is in one list or with one owner.
// A list is only borrowed where nothing else can be called.
unsafe impl GlobalAlloc for Keeping {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = self.list(layout) else {
            return unsafe { System.alloc(layout) };
        };
        match unsafe { &mut *list.get() }.take() {
            Some(block) => block,
            None => another(layout),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(list) = self.list(layout) else {
            return unsafe { free(block, layout) };
        };
        if !unsafe { (*list.get()).put(block, most(layout)) } {
            unsafe { give_back(block, layout) };
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.list(layout).is_none() {
            return unsafe { System.alloc_zeroed(layout) };
        }
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller answers for the size.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (self.list(layout), self.list(wanted)) {
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(one), Some(other)) if ptr::eq(one, other) => block,
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::{GlobalAlloc, Layout};
    use core::ptr;
    use std::vec::Vec;

    use super::{Keeping, MOST};
    use crate::Generator;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 1).unwrap()
    }

    #[test]
    fn a_freed_block_serves_the_next_of_its_size() {
        let keeping = Keeping::new();
        unsafe {
            let first = keeping.alloc(layout(33));
            keeping.dealloc(first, layout(33));
            let other = keeping.alloc(layout(49));
            let again = keeping.alloc(layout(48));
            assert!(ptr::eq(first, again) && !ptr::eq(first, other));
            keeping.dealloc(again, layout(48));
            keeping.dealloc(other, layout(49));
        }
    }

    #[test]
    fn of_a_size_so_many_are_kept() {
        for (size, most) in [
            (20, MOST[0]),
            (256, MOST[0]),
            (257, MOST[1]),
            (1_024, MOST[1]),
        ] {
            let keeping = Keeping::new();
            let blocks: Vec<_> = (0..2 * most)
                .map(|_| unsafe { keeping.alloc(layout(size)) })
                .collect();
            for block in blocks {
                unsafe { keeping.dealloc(block, layout(size)) };
            }
            let list = keeping.list(layout(size)).unwrap();
            assert_eq!(unsafe { (*list.get()).count }, most, "{size}");
        }
    }

    /// Every block is filled with a byte of its own, and has it still when it
    /// is freed or moved, whatever else happened.
    #[test]
    fn nothing_is_ever_in_two_hands() {
        let keeping = Keeping::new();
        let mut random = Generator::seeded(5);
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..20_000_u32 {
            let sign = round as u8;
            let align = 1 << random.below(5);
            let size = 1 + random.below(1_200) as usize;
            if random.below(2) == 0 || held.is_empty() {
                let layout = Layout::from_size_align(size, align).unwrap();
                let zeroed = random.below(4) == 0;
                let block = match zeroed {
                    true => unsafe { keeping.alloc_zeroed(layout) },
                    false => unsafe { keeping.alloc(layout) },
                };
                assert_eq!(block as usize % align, 0);
                assert!(!zeroed || is_all(block, size, 0));
                unsafe { block.write_bytes(sign, size) };
                held.push((block, layout, sign));
                continue;
            }
            let (block, layout, sign) = held.swap_remove(random.below(held.len() as u32) as usize);
            assert!(is_all(block, layout.size(), sign));
            if random.below(2) == 0 {
                unsafe { keeping.dealloc(block, layout) };
                continue;
            }
            let moved = unsafe { keeping.realloc(block, layout, size) };
            assert!(is_all(moved, layout.size().min(size), sign));
            unsafe { moved.write_bytes(sign, size) };
            let layout = Layout::from_size_align(size, layout.align()).unwrap();
            held.push((moved, layout, sign));
        }
        for (block, layout, _) in held {
            unsafe { keeping.dealloc(block, layout) };
        }
    }

    fn is_all(block: *const u8, size: usize, byte: u8) -> bool {
        (0..size).all(|at| unsafe { block.add(at).read() } == byte)
    }
}
