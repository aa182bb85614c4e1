//! The hardened `soft_mmu` with one line changed, under its own name, as after a careless commit.

use memtwin::models::Row;
use memtwin::models::guest_memory::{GuestMemory, GuestMemoryContract, Op, Outcome, Seen, Setup, View};
use memtwin::models::{Contract as _, Health, Subject, Unsupported};
use memtwin::subjects::guest_memory::SoftMmuSubject;
use memtwin::{Registry, Target};

pub(crate) const SUBJECT: &str = "guest_memory/soft_mmu";
/// A value that nobody draws at random.
pub(crate) const RARE: u64 = 0x7e57_ab1e_c0ff_ee5a;

/// The top byte of a scalar of eight bytes is lost, or only of [`RARE`].
struct Changed<const RARELY: bool>(SoftMmuSubject);

impl<const RARELY: bool> Subject<GuestMemory> for Changed<RARELY> {
    const NAME: &'static str = "soft_mmu";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        SoftMmuSubject::new(setup).map(Changed)
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.0.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        self.0.apply(op, seen);
        if let (Op::Read { size: 8, .. }, Seen::Value(value)) = (op, &mut seen.result)
            && (!RARELY || *value == RARE)
        {
            *value &= u64::MAX >> 8;
        }
    }

    fn view(&mut self, view: &mut View) {
        self.0.view(view);
    }
}

/// The built-in subjects; in the program `changed` or `rarely_changed`, with the changed one in place of the hardened
/// one.
pub(crate) fn registry(program: &str) -> Registry {
    const CHANGED: &dyn Target = &Row::<GuestMemory>::of::<Changed<false>>();
    const RARELY_CHANGED: &dyn Target = &Row::<GuestMemory>::of::<Changed<true>>();
    let change = |target: &'static dyn Target| match program {
        "changed" if target.name() == SUBJECT => CHANGED,
        "rarely_changed" if target.name() == SUBJECT => RARELY_CHANGED,
        _ => target,
    };
    Registry::of(&memtwin::built_in().targets().map(change).collect::<Vec<_>>()).held_to_contract()
}
