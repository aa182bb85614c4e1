//! The `x86_64` crate's `MappedPageTable`, asked for single addresses. The tables are this adapter's.

use memtwin::models::page_walk::translate::ADDRESS;
use memtwin::models::page_walk::{
    Access, MAX_FILLED, MAX_TABLES, Op, Outcome, PageWalk, PageWalkContract, Refusal, Seen, Setup, Span,
};
use memtwin::models::{Contract as _, Health, Subject, Unsupported};
use x86_64::structures::paging::mapper::{MappedPageTable, PageTableFrameMapping, Translate as _, TranslateResult};
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags, PhysFrame, page_table::PageTableEntry};
use x86_64::{PhysAddr, VirtAddr};

/// The subject `x86_64`: tables from the setup's base on, and an empty one for all that lies outside.
pub(crate) struct Mapped(u64, u64, Vec<PageTable>, Box<PageTable>);

// SAFETY: every frame leads to a table that lives as long as `self`; translating reads only.
unsafe impl PageTableFrameMapping for &Mapped {
    fn frame_to_pointer(&self, frame: PhysFrame) -> *mut PageTable {
        let offset = frame.start_address().as_u64().checked_sub(self.0);
        std::ptr::from_ref(offset.and_then(|offset| self.2.get(offset as usize / 4096)).unwrap_or(&self.3)).cast_mut()
    }
}

impl Mapped {
    fn entry(&mut self, address: u64) -> Option<&mut PageTableEntry> {
        let offset = address.checked_sub(self.0).filter(|offset| offset % 8 == 0)? as usize;
        Some(&mut self.2.get_mut(offset / 4096)?[offset % 4096 / 8])
    }

    fn translate(&self, address: u64) -> Result<Span, Refusal> {
        let asked = VirtAddr::try_new(address).map_err(|_| Refusal::BadRange)?;
        let frame = PhysFrame::containing_address(PhysAddr::new_truncate(self.1 & ADDRESS));
        // SAFETY: the frame's table lives as long as `self`, and nothing writes to it meanwhile.
        let mut root = unsafe { &*(&self).frame_to_pointer(frame) }.clone();
        // SAFETY: the root is a copy of its own, and the tables below are read through the mapping above.
        let mapper = unsafe { MappedPageTable::new(&mut root, self) };
        // A last entry that is not present but not 0 either is given all the same: its flags say so.
        let (frame, offset, flags) = match mapper.translate(asked) {
            TranslateResult::Mapped { frame, offset, flags } if flags.contains(Flags::PRESENT) => {
                (frame, offset, flags)
            }
            _ => return Err(Refusal::Gap),
        };
        let access = Access {
            writable: flags.contains(Flags::WRITABLE),
            executable: !flags.contains(Flags::NO_EXECUTE),
            copy_on_write: flags.contains(Flags::BIT_9) && !flags.contains(Flags::WRITABLE),
            user: flags.contains(Flags::USER_ACCESSIBLE),
        };
        Ok(Span { start: address, phys: frame.start_address().as_u64() + offset, bytes: 1, access })
    }

    fn carry_out(&mut self, op: &Op, spans: &mut Vec<Span>) -> Result<Seen, Refusal> {
        match *op {
            Op::AllocTable if self.2.len() == MAX_TABLES => return Err(Refusal::NoRoom),
            Op::AllocTable => {
                self.2.push(PageTable::new());
                return Ok(Seen::Table(self.0 + (self.2.len() as u64 - 1) * 4096));
            }
            Op::SetRoot { root } => self.1 = root,
            Op::ReadEntry { address } => {
                let value = self.entry(address).map_or(0, |entry| entry.addr().as_u64() | entry.flags().bits());
                return Ok(Seen::Entry(value));
            }
            Op::WriteEntry { address, value } => {
                return self.carry_out(&Op::FillEntries { address, count: 1, value }, spans);
            }
            Op::FillEntries { address, count, value } => {
                let (frame, flags) =
                    (PhysAddr::new_truncate(value & ADDRESS), Flags::from_bits_retain(value & !ADDRESS));
                for place in (0..u64::from(count.min(MAX_FILLED))).map_while(|index| address.checked_add(8 * index)) {
                    self.entry(place).into_iter().for_each(|entry| entry.set_addr(frame, flags));
                }
            }
            Op::Translate { address } => spans.push(self.translate(address)?),
            _ => return Ok(Seen::Skipped), // what the contract says is missing
        }
        Ok(Seen::Done)
    }
}

impl Subject<PageWalk> for Mapped {
    const NAME: &'static str = "x86_64";
    const HEALTH: Health = Health::Sound;
    // `Translate` takes one address and gives the flags of its last entry; a huge page at level 4 is a documented
    // panic.
    const CONTRACT: PageWalkContract = PageWalkContract {
        no_memory: true,
        no_range_walk: true,
        no_map: true,
        no_large_pages: true,
        leaf_access_only: true,
        ..PageWalkContract::STRICT
    };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Mapped(setup.table_base, setup.table_base, vec![PageTable::new()], Box::new(PageTable::new())))
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.result = self.carry_out(op, &mut seen.spans).unwrap_or_else(Seen::Refused);
    }
}
