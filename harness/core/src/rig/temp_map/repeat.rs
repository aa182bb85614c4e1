//! Ops over and over, with addresses that step, so that counts and tables come to their end: reference counts, tables,
//! slots handed out. Does not draw what is repeated.

use memtwin_models::temp_map::{KERNEL_HALF, Op, PAGE_BYTES, VirtualAddress, WINDOW_BASE};

/// The most ops that are repeated together.
pub(super) const MOST_OPS: usize = 4;

/// Some ops, each as often as the others, and where they stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeat {
    ops: [Option<Op>; MOST_OPS],
    count: usize,
    /// How many ops are still to come.
    left: u32,
    /// How often each was given out.
    round: u32,
    at: usize,
}

impl Repeat {
    /// Nothing is repeated from here on.
    pub(super) fn clear(&mut self) {
        (self.count, self.left, self.round, self.at) = (0, 0, 0, 0);
    }

    /// One more op that is to be repeated, if it keeps what windows show.
    pub(super) fn add(&mut self, op: Op) {
        if !keeps_windows(&op) {
            return;
        }
        self.ops[self.count % MOST_OPS] = Some(op);
        self.count = (self.count + 1).min(MOST_OPS);
    }

    /// How often each is repeated.
    pub(super) fn begin(&mut self, rounds: u32) {
        self.left = rounds * u32::try_from(self.count).unwrap_or(0);
    }

    /// The next op, as many pages further as there were rounds.
    pub(super) fn next(&mut self) -> Option<Op> {
        self.left = self.left.checked_sub(1)?;
        let mut op = self.ops[self.at].clone()?;
        if let Op::MapPage { address, .. }
        | Op::UnmapPage { address, .. }
        | Op::UnmapPageNoFree { address, .. }
        | Op::Protect { address, .. } = &mut op
        {
            *address = step(*address, self.round);
        }
        self.at += 1;
        if self.at == self.count {
            (self.at, self.round) = (0, self.round + 1);
        }
        Some(op)
    }
}

/// Whether an op, however often repeated, leaves each window with the frame that the generator believes is there, and
/// stores to none: through a window the kernel may store to a frame that it owns, and to no other.
fn keeps_windows(op: &Op) -> bool {
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

/// Goes round in the user half.
fn step(address: VirtualAddress, rounds: u32) -> VirtualAddress {
    VirtualAddress(address.0.wrapping_add(rounds * PAGE_BYTES) % KERNEL_HALF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::temp_map::Cpu;

    #[test]
    fn each_op_is_repeated_as_often_as_the_others_a_page_further() {
        let unmap = |page: u32| Op::UnmapPage { cpu: Cpu::new_folded(0), address: VirtualAddress(page << 12) };
        let mut repeat = Repeat::default();
        assert_eq!(repeat.next(), None);
        repeat.add(Op::AllocSlot);
        repeat.add(unmap(0xb_ffff));
        repeat.begin(2);
        let all: Vec<Op> = std::iter::from_fn(|| repeat.next()).collect();
        assert_eq!(all, [Op::AllocSlot, unmap(0xb_ffff), Op::AllocSlot, unmap(0)]);
        repeat.clear();
        assert_eq!(repeat.next(), None);
        repeat.add(Op::UnmapTemp { cpu: Cpu::new_folded(0), slot: 0 });
        repeat.begin(2);
        assert_eq!(repeat.next(), None, "what changes a window is not repeated");
    }
}
