//! The driver: it carries out ops with the kernel's calls and shows what it sees. Does not judge, and does not keep
//! anything that the kernel could be asked for.

use super::deviation::Deviation;
use super::elf::pages_of;
use super::kernel::{Failure, Kernel};
use memtwin_models::temp_map::{
    Cpu, Free, HOLDS, KERNEL_HALF, Mode, Op, Outcome, PAGE_BYTES, PROCESSES, PageShown, PageSource,
    SYSTEM_CALL_LIMIT_BYTES, Seen, Segment, Setup, Space, TempFrame, TempMap, TempMapContract, View, file_of,
};
use memtwin_models::{Health, Payload, Subject, Unsupported};

/// The subject made of a kernel with the deviation `D`.
#[derive(Debug)]
pub struct Program<D: Deviation> {
    kernel: Kernel<D>,
    setup: Setup,
    /// The directories of the processes.
    processes: [Option<u32>; PROCESSES as usize],
    /// The frames that the driver holds.
    holds: [Option<u32>; HOLDS as usize],
}

impl<D: Deviation> Subject<TempMap> for Program<D> {
    const NAME: &'static str = D::NAME;
    const HEALTH: Health = D::HEALTH;
    const CONTRACT: TempMapContract = D::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        Ok(Program {
            kernel: Kernel::new(setup)?,
            setup: setup.clone(),
            processes: [None; PROCESSES as usize],
            holds: [None; HOLDS as usize],
        })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        if self.setup != *setup {
            return false;
        }
        self.processes = [None; PROCESSES as usize];
        self.holds = [None; HOLDS as usize];
        self.kernel.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        seen.taken.clear();
        self.kernel.frames.drain_taken(&mut seen.taken);
        seen.taken.clear();
        seen.result = self.carry_out(op, seen);
        self.kernel.frames.drain_taken(&mut seen.taken);
        seen.freed_too_early = self.kernel.machine.take_freed_too_early();
        let is_all = matches!(seen.result, Seen::Done | Seen::Slot(_) | Seen::Word(_) | Seen::Address(_));
        seen.free =
            (!is_all).then(|| Free { frames: self.kernel.frames.free_count(), slots: self.kernel.slots.free_count() });
        if let (Seen::Fault(fault) | Seen::KernelFault(fault), Some(cpu)) = (seen.result, op.cpu()) {
            let entry = |directory: u32| self.kernel.machine.entry(directory, fault.address >> 22);
            seen.directory_entries = Some((entry(self.kernel.machine.cr3(cpu)), entry(self.kernel.kernel_directory)));
        }
    }

    fn view(&mut self, view: &mut View) {
        let directory = |kernel: &Kernel<D>, processes: &[Option<u32>], space: usize| match space {
            0 => Some(kernel.kernel_directory),
            process => processes[process - 1],
        };
        let kernel = &self.kernel;
        for wanted in &mut view.wanted {
            let directory = directory(kernel, &self.processes, wanted.space);
            wanted.entry = directory.map_or(0, |directory| kernel.entry_of(directory, wanted.page));
        }
        view.references.extend_from_slice(kernel.frames.all_references());
        view.slots = Some(kernel.slots.sets());
        view.directories = Some(std::array::from_fn(|space| directory(kernel, &self.processes, space)));
        let in_force = |cpu: usize| {
            let cpu = Cpu::new_folded(u8::try_from(cpu).unwrap_or(0));
            (kernel.machine.cr3(cpu), kernel.current(cpu))
        };
        view.in_force = Some(std::array::from_fn(in_force));
        if view.is_full {
            view.kept.extend(kernel.machine.kept());
            view.memory.extend_from_slice(kernel.machine.memory());
        }
    }
}

/// An answer without a value.
fn answer(result: Result<(), Failure>) -> Seen {
    result.map_or_else(failed, |()| Seen::Done)
}

fn failed(failure: Failure) -> Seen {
    match failure {
        Failure::NoFrames | Failure::NoSlots => Seen::Failed,
        Failure::Refused => Seen::Refused,
        Failure::Fault(fault) => Seen::KernelFault(fault),
    }
}

/// The answer of a call that has one value for all failures.
fn refused(failure: Failure) -> Seen {
    match failure {
        Failure::NoFrames | Failure::NoSlots | Failure::Refused => Seen::Refused,
        Failure::Fault(fault) => Seen::KernelFault(fault),
    }
}

impl<D: Deviation> Program<D> {
    fn carry_out(&mut self, op: &Op, seen: &mut Outcome) -> Seen {
        let kernel = &mut self.kernel;
        match *op {
            Op::Create { process } => {
                let variable = &mut self.processes[process.index()];
                if variable.is_some() {
                    return Seen::Vacant;
                }
                answer(kernel.create().map(|directory| *variable = Some(directory)))
            }
            Op::Fork { parent, child, .. } => match (self.processes[parent.index()], self.processes[child.index()]) {
                (Some(directory), None) => answer(kernel.fork(directory).map(|child_directory| {
                    self.processes[child.index()] = Some(child_directory);
                })),
                (None | Some(_), _) => Seen::Vacant,
            },
            Op::Destroy { process, .. } => {
                let variable = &mut self.processes[process.index()];
                let Some(directory) = *variable else { return Seen::Vacant };
                answer(kernel.destroy(directory).map(|()| *variable = None))
            }
            Op::Switch { cpu, space } => {
                let directory = match space {
                    Space::Kernel => Some(kernel.kernel_directory),
                    Space::Process(process) => self.processes[process.index()],
                };
                let Some(directory) = directory else { return Seen::Vacant };
                kernel.switch(cpu, directory);
                Seen::Done
            }
            Op::MapPage { cpu, address, source, flags } => {
                let held = match source {
                    PageSource::New => None,
                    PageSource::Hold(hold) => self.holds[hold.index()],
                };
                if held.is_none() && source != PageSource::New {
                    return Seen::Vacant;
                }
                let show = self.begin_show(cpu, address.0);
                let mapped = match held {
                    None => self.kernel.map_new(cpu, address.0, flags.entry_bits()),
                    Some(frame) => self.kernel.map_held(cpu, address.0, frame, flags.entry_bits()),
                };
                self.end_show(cpu, show, seen);
                answer(mapped)
            }
            Op::UnmapPage { cpu, address } => answer(kernel.unmap(cpu, address.0)),
            Op::UnmapPageNoFree { cpu, address, hold } => {
                if self.holds[hold.index()].is_some() {
                    return Seen::Vacant;
                }
                match kernel.unmap_no_free(cpu, address.0) {
                    Ok(frame) => {
                        self.holds[hold.index()] = Some(frame);
                        Seen::Physical(frame << 12)
                    }
                    Err(failure) => failed(failure),
                }
            }
            Op::GetPhysAddr { cpu, address } => kernel.physical(cpu, address.0).map_or(Seen::Refused, Seen::Physical),
            Op::AllocFrame { hold } => {
                let variable = &mut self.holds[hold.index()];
                if variable.is_some() {
                    return Seen::Vacant;
                }
                *variable = kernel.frames.alloc();
                variable.map_or(Seen::Failed, |frame| Seen::Physical(frame << 12))
            }
            Op::FreeFrame { hold } => match self.holds[hold.index()].take() {
                None => Seen::Vacant,
                Some(frame) => {
                    kernel.release(frame);
                    Seen::Done
                }
            },
            Op::AllocSlot => kernel.alloc_temp_slot().map_or(Seen::Failed, |slot| Seen::Slot(slot.cast_signed())),
            Op::FreeSlot { slot } => answer(kernel.free_temp_slot(slot)),
            Op::MapTemp { cpu, frame, slot } => {
                let physical = match frame {
                    TempFrame::Hold(hold) => self.holds[hold.index()].map(|frame| frame << 12),
                    TempFrame::Behind(address) if KERNEL_HALF <= address.0 => None,
                    TempFrame::Behind(address) => kernel.physical(cpu, address.page()),
                    TempFrame::At(address) => Some(address.0),
                };
                let Some(physical) = physical else { return Seen::Vacant };
                seen.physical = Some(physical);
                kernel.map_temp(cpu, physical, slot).map_or_else(refused, Seen::Address)
            }
            Op::UnmapTemp { cpu, slot } => answer(kernel.unmap_temp(cpu, slot)),
            Op::Load { cpu, mode, address } => match kernel.machine.load(cpu, mode, address.0 & !3) {
                Ok(word) => Seen::Word(word),
                Err(fault) => Seen::Fault(fault),
            },
            Op::Store { cpu, mode, address, value } => self.store(cpu, mode, address.0 & !3, value, seen),
            Op::SysWrite { cpu, address, count } => {
                let moved = kernel.sys_write(cpu, address.0, count, seen.buffer());
                seen.shown_bytes = moved.unwrap_or(0);
                moved.map_or_else(refused, Seen::Count)
            }
            Op::SysRead { cpu, address, count, seed } => {
                let source = Payload { seed, length: SYSTEM_CALL_LIMIT_BYTES };
                let last = address.0.saturating_add(count.min(SYSTEM_CALL_LIMIT_BYTES).saturating_sub(1));
                let shows = [address.page(), last & !(PAGE_BYTES - 1)].map(|page| self.begin_show(cpu, page));
                let moved = self.kernel.sys_read(cpu, address.0, count, source.bytes().unwrap_or_default());
                let count = if shows[0] == shows[1] { 1 } else { 2 };
                for show in &shows[..count] {
                    self.end_show(cpu, *show, seen);
                }
                moved.map_or_else(refused, Seen::Count)
            }
            Op::ElfLoad { cpu, seed, length, ref segments } => {
                let file = file_of(seed, length);
                let loaded = kernel.elf_load(cpu, file.bytes().unwrap_or_default(), segments.as_slice());
                if loaded.is_ok() {
                    self.show_segments(cpu, segments.as_slice(), seen);
                }
                answer(loaded)
            }
            Op::Protect { cpu, address, flags } => {
                let show = self.begin_show(cpu, address.0);
                let protected = self.kernel.protect(cpu, address.0, flags.entry_bits());
                self.end_show(cpu, show, seen);
                answer(protected)
            }
        }
    }

    /// A store of kernel code or of a program; the fault handler helps where it can.
    fn store(&mut self, cpu: Cpu, mode: Mode, address: u32, value: u32, seen: &mut Outcome) -> Seen {
        let show = self.begin_show(cpu, address & !(PAGE_BYTES - 1));
        // The handler resolves a fault once; a second one is the program's.
        let mut stored = self.kernel.machine.store(cpu, mode, address, value);
        if let Err(fault) = stored {
            match self.kernel.handle_fault(cpu, fault) {
                Ok(true) => stored = self.kernel.machine.store(cpu, mode, address, value),
                Ok(false) => {}
                Err(failure) => return failed(failure),
            }
        }
        self.end_show(cpu, show, seen);
        match stored {
            Ok(()) => Seen::Done,
            Err(fault) => Seen::Fault(fault),
        }
    }

    /// A debugger's look at a page of the user half, before the call.
    fn begin_show(&self, cpu: Cpu, page: u32) -> PageShown {
        let was = if page < KERNEL_HALF { self.kernel.entry_of(self.kernel.machine.cr3(cpu), page) } else { 0 };
        PageShown { page, was, now: 0 }
    }

    /// The same after the call.
    fn end_show(&self, cpu: Cpu, show: PageShown, seen: &mut Outcome) {
        if show.page < KERNEL_HALF {
            let now = self.kernel.entry_of(self.kernel.machine.cr3(cpu), show.page);
            seen.pages.push(PageShown { now, ..show });
        }
    }

    fn show_segments(&self, cpu: Cpu, segments: &[Segment], seen: &mut Outcome) {
        for page in pages_of(segments) {
            self.end_show(cpu, PageShown { page, was: 0, now: 0 }, seen);
        }
    }
}
