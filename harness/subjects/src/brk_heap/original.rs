//! What the bug report found: the gate's way back loses x9, the kernel moves the break without limit and without
//! mapping a page, and the allocator checks no sum. In the reported layouts the second block lies at twice the heap's
//! start and 64 KiB, and the first copy to it faults three bytes further.

use super::defects::{clobber_x9, move_break_alone};
use super::deviation::Deviation;
use super::kernel::Kernel;
use super::registers::Registers;
use super::subject::Program;
use memtwin_models::Health;
use memtwin_models::brk_heap::PAGE_BYTES;

/// The reported gate, kernel and allocator.
#[derive(Debug)]
pub struct Reported;

impl Deviation for Reported {
    const NAME: &'static str = "original";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "the gate returns with brk's result in x9, where the size is kept, and the break moves without mapping \
                pages",
    };

    const ASKS_FOR_BREAK: bool = false;

    fn return_to_user(registers: &mut Registers, result: u64) {
        clobber_x9(registers, result);
    }

    fn grant(_kernel: &Kernel, argument: u64) -> Option<u64> {
        Some(argument.wrapping_add(PAGE_BYTES - 1) & !(PAGE_BYTES - 1))
    }

    fn move_break(kernel: &mut Kernel, to: u64) {
        move_break_alone(kernel, to);
    }

    fn align_up(head: u64, mask: u64) -> Option<u64> {
        Some(head.wrapping_add(mask) & !mask)
    }

    fn advance(_head: u64, aligned: u64, size: u64) -> Option<u64> {
        Some(aligned.wrapping_add(size))
    }

    fn first_end(_head: u64, _wanted: u64, result: u64) -> u64 {
        result
    }

    fn is_granted(wanted: u64, result: u64) -> bool {
        wanted <= result
    }
}

/// The subject `original`.
pub type Original = Program<Reported>;
