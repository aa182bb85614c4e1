//! The machine: memory, processors with CR3 and look-aside buffer, page faults. Kernel code reaches memory through a
//! processor's loads and stores, and entries of tables through a port. Does not reach memory in any other way, and does
//! not know what the kernel means by it.

use memtwin_models::temp_map::mmu::{self, ACCESSED, Access, DIRTY, Looked, PageFault, Tlb};
use memtwin_models::temp_map::{CPUS, Cpu, KERNEL_HALF, Kept, MAX_FRAMES, Mode, PAGE_BYTES, Setup};

const PAGE: usize = PAGE_BYTES as usize;

#[derive(Debug, Default)]
struct Processor {
    cr3: u32,
    tlb: Tlb,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    memory: Box<[u8]>,
    first_frame: u32,
    /// The frames written to since the start, a bit each.
    dirty: [u64; MAX_FRAMES as usize / 64],
    processors: [Processor; CPUS as usize],
    /// The first frame of the present call that became free while a processor still had it.
    freed_too_early: Option<u32>,
}

impl Machine {
    pub(super) fn new(setup: &Setup) -> Self {
        Machine {
            memory: vec![0; usize::from(setup.frames) * PAGE].into(),
            first_frame: setup.first_frame(),
            dirty: [0; MAX_FRAMES as usize / 64],
            processors: std::array::from_fn(|_| Processor::default()),
            freed_too_early: None,
        }
    }

    /// The machine as it was when it was new. Costs in proportion to the frames written to.
    pub(super) fn reset(&mut self) {
        for (word, dirty) in self.dirty.iter_mut().enumerate() {
            while *dirty != 0 {
                let frame = 64 * word + dirty.trailing_zeros() as usize;
                self.memory[frame * PAGE..(frame + 1) * PAGE].fill(0);
                *dirty &= *dirty - 1;
            }
        }
        for processor in &mut self.processors {
            processor.cr3 = 0;
            processor.tlb.flush();
        }
        self.freed_too_early = None;
    }

    /// The bytes of a frame; `None` where there is no memory.
    #[inline]
    fn frame(&self, frame: u32) -> Option<&[u8; PAGE]> {
        let start = frame.wrapping_sub(self.first_frame) as usize * PAGE;
        self.memory.get(start..)?.first_chunk()
    }

    #[inline]
    fn frame_mut(&mut self, frame: u32) -> Option<&mut [u8; PAGE]> {
        let index = frame.wrapping_sub(self.first_frame) as usize;
        let bytes = self.memory.get_mut(index * PAGE..)?.first_chunk_mut()?;
        self.dirty[index / 64] |= 1 << (index % 64);
        Some(bytes)
    }

    /// The port: an entry of the table in a frame. Where there is no memory the bus reads as ones.
    #[inline]
    #[must_use]
    pub fn entry(&self, frame: u32, index: u32) -> u32 {
        let bytes = self.frame(frame).and_then(|table| table.get(4 * index as usize..)?.first_chunk::<4>());
        bytes.map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes))
    }

    /// The port: writes an entry.
    #[inline]
    pub fn set_entry(&mut self, frame: u32, index: u32, entry: u32) {
        let table = self.frame_mut(frame);
        let place = table.and_then(|table| table.get_mut(4 * index as usize..)?.first_chunk_mut::<4>());
        if let Some(place) = place {
            *place = entry.to_le_bytes();
        }
    }

    /// The port: clears a table.
    pub fn clear_table(&mut self, frame: u32) {
        if let Some(table) = self.frame_mut(frame) {
            table.fill(0);
        }
    }

    /// What CR3 of a processor holds, as a frame's number.
    #[inline]
    #[must_use]
    pub fn cr3(&self, cpu: Cpu) -> u32 {
        self.processors[cpu.index()].cr3
    }

    /// Loads CR3, which also forgets all translations.
    pub fn load_cr3(&mut self, cpu: Cpu, frame: u32) {
        let processor = &mut self.processors[cpu.index()];
        processor.cr3 = frame;
        processor.tlb.flush();
    }

    /// `invlpg` on one processor.
    pub fn invlpg(&mut self, cpu: Cpu, address: u32) {
        self.processors[cpu.index()].tlb.invalidate(address);
    }

    /// `invlpg` on every processor, by interrupts between them.
    pub fn ipi_invlpg(&mut self, address: u32) {
        for processor in &mut self.processors {
            processor.tlb.invalidate(address);
        }
    }

    /// Every processor that has this directory in force loads CR3 again, by interrupts between them.
    pub fn ipi_flush(&mut self, directory: u32) {
        for processor in self.processors.iter_mut().filter(|processor| processor.cr3 == directory) {
            processor.tlb.flush();
        }
    }

    /// Somebody who watches the frame allocator: a frame became free. No processor may lead there any more, but through
    /// a page of the kernel half that the tables still have: who frees what is mapped there knows what he does.
    pub(super) fn note_free(&mut self, frame: u32) {
        let may_lead = self.processors.iter().any(|processor| processor.tlb.may_lead_to(frame));
        if may_lead && self.freed_too_early.is_none() && self.leads_to(frame) {
            self.freed_too_early = Some(frame);
        }
    }

    fn leads_to(&self, frame: u32) -> bool {
        self.processors.iter().any(|processor| {
            let given = |page: u32| {
                let read = |frame: u32, index: u32| self.entry(frame, index);
                mmu::walk(processor.cr3, page, Mode::Kernel, Access::Load, &read)
            };
            processor.tlb.entries().any(|(page, kept)| {
                let is_given = || given(page).is_ok_and(|walked| walked.translation.frame == frame);
                kept.frame == frame && (page < KERNEL_HALF || !is_given())
            })
        })
    }

    /// The first frame that became free too early since this was asked last.
    pub(super) fn take_freed_too_early(&mut self) -> Option<u32> {
        self.freed_too_early.take()
    }

    /// Whether a directory is in force on a processor.
    #[must_use]
    pub fn is_in_force(&self, directory: u32) -> bool {
        self.processors.iter().any(|processor| processor.cr3 == directory)
    }

    /// The frame that an access reaches.
    #[inline]
    fn translate(&mut self, cpu: Cpu, mode: Mode, address: u32, access: Access) -> Result<u32, PageFault> {
        let processor = &mut self.processors[cpu.index()];
        match processor.tlb.look(address, mode, access) {
            Looked::Hit(translation) => Ok(translation.frame),
            Looked::Denied => {
                processor.tlb.invalidate(address);
                Err(PageFault::of(address, true, mode, access))
            }
            Looked::Miss => self.walk(cpu, mode, address, access),
        }
    }

    fn walk(&mut self, cpu: Cpu, mode: Mode, address: u32, access: Access) -> Result<u32, PageFault> {
        let cr3 = self.cr3(cpu);
        let walked = mmu::walk(cr3, address, mode, access, &|frame, index| self.entry(frame, index));
        let walked = walked.inspect_err(|_| self.invlpg(cpu, address))?;
        if walked.directory_entry & ACCESSED == 0 {
            self.set_entry(cr3, address >> 22, walked.directory_entry | ACCESSED);
        }
        let marked = walked.table_entry | ACCESSED | if access == Access::Store { DIRTY } else { 0 };
        if marked != walked.table_entry {
            self.set_entry(walked.table, (address >> 12) & 1023, marked);
        }
        self.processors[cpu.index()].tlb.keep(address, walked.translation);
        Ok(walked.translation.frame)
    }

    /// Loads four bytes from an address that is a multiple of four.
    #[inline]
    pub fn load(&mut self, cpu: Cpu, mode: Mode, address: u32) -> Result<u32, PageFault> {
        let frame = self.translate(cpu, mode, address, Access::Load)?;
        Ok(self.entry(frame, (address & (PAGE_BYTES - 1)) / 4))
    }

    /// Stores four bytes, likewise.
    #[inline]
    pub fn store(&mut self, cpu: Cpu, mode: Mode, address: u32, value: u32) -> Result<(), PageFault> {
        let frame = self.translate(cpu, mode, address, Access::Store)?;
        self.set_entry(frame, (address & (PAGE_BYTES - 1)) / 4, value);
        Ok(())
    }

    /// Copies from a page, in kernel mode, as far as the page reaches.
    pub fn read(&mut self, cpu: Cpu, address: u32, target: &mut [u8]) -> Result<(), PageFault> {
        let frame = self.translate(cpu, Mode::Kernel, address, Access::Load)?;
        let from = (address & (PAGE_BYTES - 1)) as usize;
        match self.frame(frame).and_then(|bytes| bytes.get(from..from + target.len())) {
            Some(bytes) => target.copy_from_slice(bytes),
            None => target.fill(0xff),
        }
        Ok(())
    }

    /// Copies to a page, in kernel mode, as far as the page reaches.
    pub fn write(&mut self, cpu: Cpu, address: u32, source: &[u8]) -> Result<(), PageFault> {
        if source.is_empty() {
            return Ok(());
        }
        let frame = self.translate(cpu, Mode::Kernel, address, Access::Store)?;
        let to = (address & (PAGE_BYTES - 1)) as usize;
        if let Some(bytes) = self.frame_mut(frame).and_then(|bytes| bytes.get_mut(to..to + source.len())) {
            bytes.copy_from_slice(source);
        }
        Ok(())
    }

    /// Clears bytes of a page, in kernel mode.
    pub fn clear(&mut self, cpu: Cpu, address: u32, length: u32) -> Result<(), PageFault> {
        self.write(cpu, address, &[0; PAGE][..(length as usize).min(PAGE)])
    }

    /// Copies one page to another, in kernel mode.
    pub fn copy_page(&mut self, cpu: Cpu, from: u32, to: u32) -> Result<(), PageFault> {
        let mut bytes = [0; PAGE];
        self.read(cpu, from, &mut bytes)?;
        self.write(cpu, to, &bytes)
    }

    /// A debugger's look at all of memory.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// A debugger's look at the look-aside buffers.
    pub fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let each = self.processors.iter().enumerate();
        each.flat_map(|(cpu, processor)| {
            processor.tlb.entries().map(move |(page, translation)| Kept { cpu, page, translation })
        })
    }
}
