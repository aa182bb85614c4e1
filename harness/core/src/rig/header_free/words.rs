//! header_free setups, ops and outcomes in words.

use crate::rig::Words;
use memtwin_models::header_free::{
    FaultPlan, HeaderFree, Kind, Libc, MincorePlan, Mode, Op, Outcome, Protection, Route, Seen, Setup, Side,
    SlabOffset, Slot, Thread,
};
use std::fmt::Write as _;

impl Words for HeaderFree {
    fn setup_words(setup: &Setup) -> String {
        let mut text = match setup.mode {
            Mode::LdPreload => "an allocator that is preloaded",
            Mode::Direct0 => "an allocator that is linked, with invalid-free mode 0",
            Mode::Direct1 => "an allocator that is linked, with invalid-free mode 1",
        }
        .to_owned();
        let megabytes = (1_u64 << setup.superslab_log2) >> 20;
        let _ = write!(text, "; SuperSlabs of {megabytes} MiB, a registry of {} slots", setup.registry_slots());
        if setup.tiny_header {
            text.push_str("; a byte before each tiny block names its class");
        }
        text.push_str(match setup.mincore {
            MincorePlan::None => "",
            MincorePlan::Again => "; mincore fails with EAGAIN",
            MincorePlan::SometimesAgain => "; every second mincore fails with EAGAIN",
            MincorePlan::NotImplemented => "; mincore fails with ENOSYS",
        });
        if setup.libc == Libc::Real {
            text.push_str("; libc is the process's own");
        }
        for (call, plan, error) in [("munmap", setup.munmap, "ENOMEM"), ("madvise", setup.madvise, "EAGAIN")] {
            let _ = match plan {
                FaultPlan::None => Ok(()),
                FaultPlan::Always => write!(text, "; {call} fails with {error}"),
                FaultPlan::Sometimes => write!(text, "; every second {call} fails with {error}"),
            };
        }
        if setup.slab_offset != SlabOffset::default() {
            let _ = write!(text, "; blocks begin {:#x} into a SuperSlab", setup.slab_offset.0);
        }
        if setup.two_arenas {
            text.push_str("; every second place for a block lies 4 GiB further");
        }
        text
    }

    fn op_words(op: &Op) -> String {
        let at = op.slot().map_or(0, Slot::index);
        match *op {
            Op::Alloc { kind, size, align, .. } => {
                format!("slot {at} = alloc({}, {}, align {})", kind.name(), number(size), number(align.bytes()))
            }
            Op::Realloc { size, delta: 0, .. } => format!("slot {at} = realloc(slot {at}, {})", number(size)),
            Op::Realloc { size, delta, .. } => format!("realloc({}, {})", pointer(at, delta), number(size)),
            Op::UsableSize { delta, .. } => format!("usable_size({})", pointer(at, delta)),
            Op::BootAlloc { size, .. } => format!("slot {at} = alloc({}) before the allocator is up", number(size)),
            Op::ThreadExit { thread } => format!("thread {} ends", thread.index()),
            Op::WriteEnd { seed, length, .. } => {
                format!("copy {length} bytes of pattern {seed} to the end of slot {at}")
            }
            Op::Write { seed, length, .. } => format!("copy {length} bytes of pattern {seed} to slot {at}"),
            Op::Verify { .. } => format!("look at slot {at}"),
            Op::Free { delta, thread, .. } => {
                let thread =
                    if thread == Thread::default() { String::new() } else { format!(" by thread {}", thread.index()) };
                format!("free({}){thread}", pointer(at, delta))
            }
            Op::LibcAlloc { size, align, .. } => {
                format!("slot {at} = libc's alloc({}, align {})", number(size), number(align.bytes()))
            }
            Op::MapForeign { beside, .. } if beside.index() == at => format!("slot {at} = a foreign page"),
            Op::MapForeign { beside, .. } => {
                format!("slot {at} = a foreign page, before that of slot {}", beside.index())
            }
            Op::ProtectNeighbour { side, protection, .. } => {
                let protection = match protection {
                    Protection::None => "PROT_NONE",
                    Protection::Read => "PROT_READ",
                    Protection::ReadWrite => "PROT_READ|PROT_WRITE",
                };
                format!("mprotect(the foreign page {} slot {at}, {protection})", side_words(side))
            }
            Op::UnmapNeighbour { side, .. } => format!("munmap(the foreign page {} slot {at})", side_words(side)),
            Op::Forge { offset, method, .. } => {
                format!("write what looks like a header ({}) at slot {at} + {offset}", method.name())
            }
            Op::RetireSuperslab { .. } => format!("give back the SuperSlab of slot {at}"),
            Op::Stats => "stats".to_owned(),
        }
    }

    fn seen_words(op: &Op, seen: &Outcome) -> String {
        let mut text = match seen.result {
            Seen::Block(block) => format!("{block:#x}"),
            Seen::Null => "null".to_owned(),
            Seen::Done => "done".to_owned(),
            Seen::Idle => "nothing: the slot does not hold what that needs".to_owned(),
            Seen::Usable(bytes) => format!("{bytes} bytes"),
            Seen::Freed(route) => format!("route: {}", self::route(route)),
            Seen::Kept => "kept".to_owned(),
            Seen::Refused => "refused".to_owned(),
        };
        if 0 < seen.shown_bytes {
            const SHOWN_BYTES: usize = 8;
            text.push_str(", bytes");
            for byte in seen.shown().iter().take(SHOWN_BYTES) {
                let _ = write!(text, " {byte:02x}");
            }
            let _ = write!(text, " ({} bytes)", seen.shown_bytes);
        }
        if *op == Op::Stats {
            for (kind, book) in Kind::ALL.iter().zip(&seen.books) {
                if book.allocated != 0 {
                    let _ = write!(text, "; {}: {} allocated, {} freed", kind.name(), book.allocated, book.freed);
                }
            }
        }
        if seen.munmap_failed {
            text.push_str("; the kernel did not unmap it");
        }
        if !seen.errno_kept {
            text.push_str("; errno has changed");
        }
        text
    }
}

/// A pointer beside what a slot holds.
pub(super) fn pointer(slot: usize, delta: u64) -> String {
    match delta.cast_signed() {
        0 => format!("slot {slot}"),
        below if below < 0 => format!("slot {slot} - {}", number(below.unsigned_abs())),
        above => format!("slot {slot} + {}", number(above.unsigned_abs())),
    }
}

const fn side_words(side: Side) -> &'static str {
    match side {
        Side::Before => "before",
        Side::After => "after",
    }
}

pub(super) fn route(route: Route) -> String {
    match route {
        Route::Owner(kind @ (Kind::Tiny | Kind::Mid | Kind::L25)) => format!("{} free", kind.name()),
        Route::Owner(kind @ (Kind::Mmap | Kind::BigCache | Kind::Malloc)) => {
            format!("raw dispatch, {} method", kind.name())
        }
        Route::Libc => "libc, which took it".to_owned(),
        Route::LibcRefused => "libc, which does not know it".to_owned(),
        Route::Fallback => "the fallback for unmapped pointers, which ignores what it does not know".to_owned(),
        Route::Refused => "refused".to_owned(),
        Route::Nothing => "nothing to free".to_owned(),
        Route::Boot => "nothing to do for a block from before the allocator was up".to_owned(),
    }
}

/// Small numbers as people count, others in hex.
pub(super) fn number(number: u64) -> String {
    if number < 10_000 { number.to_string() } else { format!("{number:#x}") }
}
