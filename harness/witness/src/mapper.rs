//! The `x86_64` crate as a witness: its `MappedPageTable` walks the same tables. It is asked for presence and address;
//! of rights it knows those of the leaf only.

use super::Testimony;
use super::tables::{Ask, Tables, draw_address, model};
use memtwin_core::random::Random;
use x86_64::structures::paging::mapper::{MappedPageTable, PageTableFrameMapping, Translate as _};
use x86_64::structures::paging::{PageTable, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

/// Addresses asked for in one set of tables.
const ADDRESSES: u64 = 64;

/// The frames of a guest memory as tables; what lies outside is an empty table.
struct Frames {
    tables: Vec<PageTable>,
    outside: Box<PageTable>,
}

impl Frames {
    fn of(memory: &[u8]) -> Self {
        let table = |page: &[u8]| {
            let mut table = PageTable::new();
            for (entry, bytes) in table.iter_mut().zip(page.as_chunks::<8>().0) {
                let bits = u64::from_le_bytes(*bytes);
                entry.set_addr(
                    PhysAddr::new_truncate(bits & 0x000f_ffff_ffff_f000),
                    x86_64::structures::paging::PageTableFlags::from_bits_retain(bits & !0x000f_ffff_ffff_f000),
                );
            }
            table
        };
        Frames { tables: memory.chunks_exact(4096).map(table).collect(), outside: Box::new(PageTable::new()) }
    }

    fn pointer(&self, address: u64) -> *mut PageTable {
        let index = usize::try_from(address >> 12).unwrap_or(usize::MAX);
        std::ptr::from_ref(self.tables.get(index).unwrap_or(&self.outside)).cast_mut()
    }
}

// SAFETY: every frame leads to a table that lives as long as `self`; translating reads only.
unsafe impl PageTableFrameMapping for &Frames {
    fn frame_to_pointer(&self, frame: PhysFrame) -> *mut PageTable {
        self.pointer(frame.start_address().as_u64())
    }
}

pub(super) fn ask(random: &mut Random, probes: u64) -> Testimony {
    ask_about(model, random, probes)
}

fn ask_about(model: Ask, random: &mut Random, probes: u64) -> Testimony {
    let mut testimony = Testimony::default();
    while testimony.probes < probes {
        let tables = Tables::draw(random, &[]);
        let mut frames = Frames::of(&tables.memory);
        let mut root = std::mem::replace(&mut frames.tables[(tables.root >> 12) as usize], PageTable::new());
        frames.tables[(tables.root >> 12) as usize] = root.clone();
        // SAFETY: the root is a copy of its own; the frames' tables are read through the mapping above.
        let mapper = unsafe { MappedPageTable::new(&mut root, &frames) };
        for _ in 0..ADDRESSES {
            let address = draw_address(random);
            let Ok(virtual_address) = VirtAddr::try_new(address) else {
                testimony.leave_out("an address that is not canonical has no type in this crate");
                continue;
            };
            let modelled = model(&tables.memory, tables.root, address);
            if modelled.meets_root_leaf {
                testimony.leave_out("it panics at the page-size bit in the root");
                continue;
            }
            let said = mapper.translate_addr(virtual_address).map(PhysAddr::as_u64);
            let expected = modelled.translation.map(|translation| translation.gpa);
            if said != expected && modelled.meets_reserved {
                testimony.explain("it does not look at reserved bits");
                continue;
            }
            if said != expected && modelled.meets_absent_leaf {
                testimony.explain("it takes the entry of a 4 KiB page for present unless it is zero");
                continue;
            }
            testimony.compare(&said, &expected, || {
                format!("{address:#x} under root {:#x}: it says {said:x?}, the model {expected:x?}", tables.root)
            });
        }
    }
    testimony
}

#[cfg(test)]
mod tests {
    use super::super::tables::wrong_model;
    use super::*;

    #[test]
    fn it_agrees_with_the_model_and_not_with_a_wrong_one() {
        let testimony = ask(&mut Random::new(1), 20_000);
        assert!(20_000 <= testimony.probes);
        assert_eq!((testimony.differences, testimony.told), (0, Vec::new()));
        assert!(0 < ask_about(wrong_model, &mut Random::new(1), 20_000).differences);
    }
}
