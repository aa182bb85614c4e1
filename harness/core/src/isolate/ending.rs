//! How a worker ended: from what it reported, from how the zygote saw it end, and from what its fault handler noted.
//! What a worker wrote is checked here, and nowhere taken for more than it is.

use super::Isolation;
use super::job::{Reason, Report};
use super::shared::MAX_FRAMES;
use crate::finding::{Cause, Ending, Failure, Fault, FaultClass};
use crate::lockstep::step_of;
use std::sync::atomic::Ordering;

impl Isolation {
    pub(super) fn ending(&self, reason: Reason, status: i32, voice: &str) -> Ending {
        let shared = self.shared.get();
        let number = shared.step.load(Ordering::Relaxed);
        let report = Report::of(shared.report.load(Ordering::Acquire));
        let fault = || {
            let fault = self.fault(reason, status, report, voice);
            Ending::Failed(Failure { step: step_of(number), cause: Cause::Fault(fault) })
        };
        match reason {
            Reason::None if status == 0 => match report {
                Report::Done | Report::Spent => Ending::Agreed,
                Report::Moot => Ending::Moot { op: number, reason: shared.message.get() },
                Report::Unsupported => Ending::Unsupported(shared.message.get()),
                Report::Diverged => {
                    let place = (shared.has_place != 0).then_some(shared.law_place);
                    let cause = Cause::Law { law: shared.law.get(), field: shared.field.get(), place };
                    Ending::Failed(Failure { step: step_of(number), cause })
                }
                Report::None | Report::Panicked | Report::NoSandbox => fault(),
            },
            Reason::None | Reason::Hang | Reason::Memory | Reason::Cancelled | Reason::NoWorker | Reason::TooLong => {
                fault()
            }
        }
    }

    fn fault(&self, reason: Reason, status: i32, report: Report, voice: &str) -> Fault {
        let shared = self.shared.get();
        let record = &shared.fault;
        let signal = record.signal.load(Ordering::Acquire).cast_signed();
        let signal = if signal == 0 { -status.min(0) } else { signal };
        let class = if reason == Reason::Hang || signal == libc::SIGPROF {
            FaultClass::Hang
        } else if reason == Reason::Memory || signal == libc::SIGVTALRM {
            FaultClass::MemoryLimit
        } else if report == Report::Panicked {
            FaultClass::Panic
        } else {
            match signal {
                0 => FaultClass::Exit,
                libc::SIGSEGV if record.is_stack_overflow != 0 => FaultClass::StackOverflow,
                libc::SIGSEGV => FaultClass::Segfault,
                libc::SIGBUS => FaultClass::BusError,
                libc::SIGILL => FaultClass::IllegalInstruction,
                libc::SIGFPE => FaultClass::ArithmeticFault,
                libc::SIGABRT => FaultClass::Abort,
                libc::SIGTRAP => FaultClass::Trap,
                libc::SIGSYS => FaultClass::ForbiddenCall,
                _ => FaultClass::Killed,
            }
        };
        let has_address = matches!(signal, libc::SIGSEGV | libc::SIGBUS) && record.signal.load(Ordering::Acquire) != 0;
        let message = match class {
            FaultClass::Panic => shared.message.get(),
            FaultClass::Exit => format!("exit({status})\n{voice}"),
            FaultClass::Killed => format!("signal {signal}"),
            FaultClass::Segfault
            | FaultClass::BusError
            | FaultClass::IllegalInstruction
            | FaultClass::ArithmeticFault
            | FaultClass::Abort
            | FaultClass::StackOverflow
            | FaultClass::Hang
            | FaultClass::MemoryLimit
            | FaultClass::ForbiddenCall
            | FaultClass::Trap => voice.to_owned(),
        };
        let count = record.frame_count.load(Ordering::Acquire) as usize;
        Fault {
            class,
            address: has_address.then_some(record.address),
            message: message.trim_end().to_owned(),
            frames: record.frames[..count.min(MAX_FRAMES)].to_vec(),
        }
    }
}
