//! How a run of one trace ends, and what a finding is: data, never a panic of ours.

use crate::text;
use memtwin_models::{Divergence, Law};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the run of one trace on one subject ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The subject agreed to the end.
    Agreed,
    /// From this op on the contract says nothing.
    Moot {
        /// The index of the op.
        op: u32,
        /// Why.
        reason: String,
    },
    /// The subject's contract does not serve the setup, or the subject cannot.
    Unsupported(String),
    /// The subject diverged or faulted.
    Failed(Failure),
}

/// A divergence or a fault, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where in the trace.
    pub step: Step,
    /// What happened.
    pub cause: Cause,
}

/// A place in the run of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The subject was being built.
    Construct,
    /// The op with this index, from 0.
    Op(u32),
    /// The state was being audited after the last op.
    Audit,
    /// The subject was being reset or dropped.
    Teardown,
}

/// What happened at a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A law was broken.
    Law {
        /// The law's name within the component.
        law: String,
        /// The part of the outcome or state that broke it.
        field: String,
        /// Where in that part, as the component's words explain it.
        place: Option<u64>,
    },
    /// The subject's process died or had to be ended.
    Fault(Fault),
}

/// How a subject's process died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The class, which is part of the signature.
    pub class: FaultClass,
    /// The address of the access, where the hardware or a simulated window says one.
    pub address: Option<u64>,
    /// What the process said: the panic's text, the exit code, standard error. For display only.
    pub message: String,
    /// Instruction addresses, innermost first, relative to the program's own code. For display only.
    pub frames: Vec<u64>,
}

/// The classes of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// SIGSEGV.
    Segfault,
    /// SIGBUS.
    BusError,
    /// SIGILL.
    IllegalInstruction,
    /// SIGFPE.
    ArithmeticFault,
    /// SIGABRT.
    Abort,
    /// SIGSEGV just below the stack.
    StackOverflow,
    /// The process ended by itself.
    Exit,
    /// No progress within a second of processor time.
    Hang,
    /// More memory than a worker may have.
    MemoryLimit,
    /// A panic.
    Panic,
    /// A system call that no memory component needs.
    ForbiddenCall,
    /// SIGTRAP.
    Trap,
    /// Any other signal.
    Killed,
}

impl FaultClass {
    /// All of them.
    pub const ALL: [FaultClass; 13] = [
        FaultClass::Segfault,
        FaultClass::BusError,
        FaultClass::IllegalInstruction,
        FaultClass::ArithmeticFault,
        FaultClass::Abort,
        FaultClass::StackOverflow,
        FaultClass::Exit,
        FaultClass::Hang,
        FaultClass::MemoryLimit,
        FaultClass::Panic,
        FaultClass::ForbiddenCall,
        FaultClass::Trap,
        FaultClass::Killed,
    ];

    /// The name in signatures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FaultClass::Segfault => "segfault",
            FaultClass::BusError => "bus_error",
            FaultClass::IllegalInstruction => "illegal_instruction",
            FaultClass::ArithmeticFault => "arithmetic_fault",
            FaultClass::Abort => "abort",
            FaultClass::StackOverflow => "stack_overflow",
            FaultClass::Exit => "exit",
            FaultClass::Hang => "hang",
            FaultClass::MemoryLimit => "memory_limit",
            FaultClass::Panic => "panic",
            FaultClass::ForbiddenCall => "forbidden_call",
            FaultClass::Trap => "trap",
            FaultClass::Killed => "killed",
        }
    }

    /// What it means, for a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            FaultClass::Segfault => "the process died of SIGSEGV",
            FaultClass::BusError => "the process died of SIGBUS",
            FaultClass::IllegalInstruction => "the process died of SIGILL",
            FaultClass::ArithmeticFault => "the process died of SIGFPE",
            FaultClass::Abort => "the process aborted (SIGABRT)",
            FaultClass::StackOverflow => "the stack overflowed",
            FaultClass::Exit => "the process ended by itself",
            FaultClass::Hang => "the op made no progress within a second of processor time",
            FaultClass::MemoryLimit => "the process asked for more memory than a worker may have",
            FaultClass::Panic => "the subject panicked",
            FaultClass::ForbiddenCall => "the subject made a system call that no memory component needs (SIGSYS)",
            FaultClass::Trap => "the process died of SIGTRAP",
            FaultClass::Killed => "the process was killed by a signal",
        }
    }
}

impl From<&Divergence> for Cause {
    fn from(divergence: &Divergence) -> Self {
        Cause::Law { law: divergence.law.to_owned(), field: divergence.field.to_owned(), place: divergence.place }
    }
}

impl Cause {
    /// The second part of a signature: the law or the fault class.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Cause::Law { law, .. } => law,
            Cause::Fault(fault) => fault.class.name(),
        }
    }
}

/// The name of a law that a worker reported and the component does not have: the subject wrote over the memory that it
/// shares with the supervisor.
pub const UNKNOWN_LAW: &str = "unknown_law";

impl Failure {
    /// The failure with nothing in it that no model says: a report is memory that a subject may have written over.
    #[must_use]
    pub fn believed(&self, laws: &[Law]) -> Self {
        match &self.cause {
            Cause::Law { law, .. } if laws.iter().all(|known| known.name != law) => {
                let (law, field) = (UNKNOWN_LAW.to_owned(), "report".to_owned());
                Failure { step: self.step, cause: Cause::Law { law, field, place: None } }
            }
            Cause::Law { .. } | Cause::Fault(_) => self.clone(),
        }
    }
}

/// What makes two findings the same: component, law or fault class, op kind, and the diverging field. Never a panic's
/// text, an address or a frame: those change with inlining and sanitizers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(String);

impl Signature {
    /// The signature of a failure at an op of this kind (or `construct`, `audit`, `teardown`). Law and field come from
    /// memory that a subject may have written over, so nothing but plain names passes.
    #[must_use]
    pub fn new(component: &str, op_kind: &str, cause: &Cause) -> Self {
        Signature(match cause {
            Cause::Law { law, field, .. } => format!("{component}/{}/{op_kind}/{}", text::name(law), text::name(field)),
            Cause::Fault(fault) => format!("{component}/{}/{op_kind}", fault.class.name()),
        })
    }

    /// The signature as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The signature as part of a file name: safe, whatever it is.
    #[must_use]
    pub fn file_stem(&self) -> String {
        text::file_stem(self.0.split_once('/').map_or(self.0.as_str(), |(_, rest)| rest))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_plain_whatever_a_worker_reported() {
        let law = |law: &str, field: &str| Cause::Law { law: law.to_owned(), field: field.to_owned(), place: None };
        let signature = Signature::new("guest_memory", "read", &law("bounds", "result"));
        assert_eq!(
            (signature.as_str(), signature.file_stem().as_str()),
            ("guest_memory/bounds/read/result", "bounds-read-result")
        );
        let laws = [Law { name: "bounds", sentence: "", hint: None }];
        let failure = |law: Cause| Failure { step: Step::Op(3), cause: law };
        let known = failure(law("bounds", "result"));
        assert_eq!(known.believed(&laws), known);
        assert_eq!(failure(law("a\0b", "\n")).believed(&laws), failure(law(UNKNOWN_LAW, "report")));
        let forged = Signature::new("guest_memory", "read", &law("a\0b\n::x", "../\x1b[m"));
        assert_eq!(forged.as_str(), "guest_memory/a_b___x/read/..___m");
        assert_eq!(Signature("a/\0/../\n".to_owned()).file_stem(), "_-..-_");
    }
}
