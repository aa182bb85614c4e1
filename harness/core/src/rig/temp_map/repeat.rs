//! Which ops of temp_map are drawn over and over, and how they step: reference counts, tables and slots handed out come
//! to their end. Does not give them out.

use memtwin_models::temp_map::{KERNEL_HALF, Op, PAGE_BYTES, VirtualAddress, WINDOW_BASE};

/// A page further for each round.
pub(super) fn step(op: &mut Op, rounds: u32) {
    if let Op::MapPage { address, .. }
    | Op::UnmapPage { address, .. }
    | Op::UnmapPageNoFree { address, .. }
    | Op::Protect { address, .. } = op
    {
        // Round and round in the user half.
        *address = VirtualAddress(address.0.wrapping_add(rounds * PAGE_BYTES) % KERNEL_HALF);
    }
}

/// Whether an op, however often repeated, leaves each window with the frame that the generator believes is there, and
/// stores to none: through a window the kernel may store to a frame that it owns, and to no other.
pub(super) fn keeps_windows(op: &Op) -> bool {
    let is_window = |address: VirtualAddress| WINDOW_BASE <= address.0;
    match *op {
        Op::Store { address, .. } => !is_window(address),
        Op::Destroy { .. } | Op::FreeFrame { .. } | Op::MapTemp { .. } | Op::UnmapTemp { .. } => false,
        Op::Create { .. }
        | Op::Fork { .. }
        | Op::Switch { .. }
        | Op::MapPage { .. }
        | Op::UnmapPage { .. }
        | Op::UnmapPageNoFree { .. }
        | Op::GetPhysAddr { .. }
        | Op::AllocFrame { .. }
        | Op::AllocSlot
        | Op::FreeSlot { .. }
        | Op::Load { .. }
        | Op::SysWrite { .. }
        | Op::SysRead { .. }
        | Op::ElfLoad { .. }
        | Op::Protect { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::temp_map::Cpu;

    #[test]
    fn pages_step_within_the_user_half_and_windows_are_kept() {
        let cpu = Cpu::new_folded(0);
        let unmap = |page: u32| Op::UnmapPage { cpu, address: VirtualAddress(page << 12) };
        let mut op = unmap(0xb_ffff);
        step(&mut op, 1);
        assert_eq!(op, unmap(0));
        assert!(keeps_windows(&op) && !keeps_windows(&Op::UnmapTemp { cpu, slot: 0 }));
    }
}
