//! A twin of the kernel's books: the break, the frames, the pages mapped. Does not know a page's contents.

use super::super::outcome::{SystemCall, SystemCallKind, is_error_number};
use super::super::setup::{ENOMEM, PAGE_BYTES, Refusal, Setup};

/// How a system call was answered, by the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// Rightly: the caller has what it asked for. The heap then ends here, if it was the break.
    Granted { end: Option<u64> },
    /// Rightly: the break, which was all that was asked for.
    Told,
    /// Rightly: the caller has not what it asked for.
    Refused,
    /// Wrongly.
    Wrong,
}

#[derive(Debug, Clone)]
pub(super) struct KernelTwin {
    start: u64,
    program_break: u64,
    frames: u64,
    granularity: u64,
    stack_low: u64,
    refusal: Refusal,
    mmapped_pages: u64,
}

impl KernelTwin {
    pub(super) fn new(setup: &Setup) -> Self {
        KernelTwin {
            start: setup.heap_start(),
            program_break: setup.heap_start(),
            frames: u64::from(setup.frames),
            granularity: setup.granularity.bytes(),
            stack_low: setup.stack_low.0,
            refusal: setup.refusal,
            mmapped_pages: 0,
        }
    }

    pub(super) fn heap_start(&self) -> u64 {
        self.start
    }

    pub(super) fn program_break(&self) -> u64 {
        self.program_break
    }

    /// The break that would be granted, if it would.
    pub(super) fn grantable(&self, argument: u64) -> Option<u64> {
        let rounded = argument.checked_next_multiple_of(self.granularity)?;
        let end = if argument <= self.program_break { rounded.min(self.program_break) } else { rounded };
        if self.stack_low < end {
            return None;
        }
        let pages = (end.checked_sub(self.start)?).div_ceil(PAGE_BYTES) + self.mmapped_pages;
        (pages <= self.frames).then_some(end)
    }

    /// What a refusal answers.
    pub(super) fn refusal(&self) -> u64 {
        match self.refusal {
            Refusal::CurrentBreak => self.program_break,
            Refusal::Zero => 0,
            Refusal::Enomem => ENOMEM,
        }
    }

    /// Holds an answer against the books and enters it.
    pub(super) fn answer(&mut self, call: &SystemCall) -> Answered {
        match call.kind {
            SystemCallKind::Brk => self.brk(call),
            SystemCallKind::Mmap => self.mmap(call),
            SystemCallKind::Munmap => {
                if is_error_number(call.result) {
                    return Answered::Refused;
                }
                self.mmapped_pages = self.mmapped_pages.saturating_sub(call.length.div_ceil(PAGE_BYTES));
                Answered::Granted { end: None }
            }
        }
    }

    fn brk(&mut self, call: &SystemCall) -> Answered {
        if call.argument < self.start {
            return if call.result == self.program_break { Answered::Told } else { Answered::Wrong };
        }
        match self.grantable(call.argument) {
            Some(end) if call.result == end => {
                self.program_break = end;
                Answered::Granted { end: Some(end) }
            }
            None if call.result == self.refusal() => Answered::Refused,
            Some(_) | None => Answered::Wrong,
        }
    }

    fn mmap(&mut self, call: &SystemCall) -> Answered {
        let pages = call.argument.div_ceil(PAGE_BYTES);
        let heap_pages = (self.program_break - self.start).div_ceil(PAGE_BYTES);
        let grants =
            pages != 0 && heap_pages.checked_add(self.mmapped_pages + pages).is_some_and(|all| all <= self.frames);
        match (grants, is_error_number(call.result)) {
            (true, false) => {
                self.mmapped_pages += pages;
                Answered::Granted { end: None }
            }
            (false, true) => Answered::Refused,
            (true, true) | (false, false) => Answered::Wrong,
        }
    }
}
