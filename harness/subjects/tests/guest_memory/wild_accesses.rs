//! The subjects that access memory that is not theirs die of it, each in a child process of its own.

use super::*;
use memtwin_subjects::guest_memory::Original;
use memtwin_subjects::guest_memory::defects::*;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// The signal that ends a child which runs `body`; `None` when it survives.
fn death_of(body: impl FnOnce()) -> Option<Signal> {
    // SAFETY: the child runs `body` alone, takes no lock that another thread may hold except the allocator's, which the
    // C library makes usable in a child, and leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            body();
            // SAFETY: leaves without running what belongs to the parent.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            if let WaitStatus::Signaled(_, signal, _) = status { Some(signal) } else { None }
        }
    }
}

fn dies_of<S: Subject<GuestMemory>>(setup: &Setup, ops: &[Op]) {
    let death = death_of(|| {
        let mut subject: S = build(setup);
        steps(&mut subject, ops);
    });
    assert_eq!(death, Some(Signal::SIGSEGV), "{} {ops:?}", S::NAME);
}

fn survives<S: Subject<GuestMemory>>(setup: &Setup, ops: &[Op]) {
    let death = death_of(|| {
        let mut subject: S = build(setup);
        assert_eq!(steps(&mut subject, ops), steps(&mut soft_mmu(setup), ops), "{}", S::NAME);
    });
    assert_eq!(death, None, "{} {ops:?}", S::NAME);
}

#[test]
fn guest_addresses_as_host_pointers_fault() {
    let setup = Setup::flat(65_536);
    for address in [0, 0x1000, u64::MAX] {
        dies_of::<Original>(&setup, &[read_bulk(address, 16)]);
        dies_of::<Original>(&setup, &[write_bulk(address, 1, 16)]);
        dies_of::<Broken<gm_03_wrapper_forwards_scalars::Gm03>>(&setup, &[read_bulk(address, 16)]);
        dies_of::<Broken<gm_03_wrapper_forwards_scalars::Gm03>>(&setup, &[write_bulk(address, 1, 16)]);
    }
    dies_of::<Broken<gm_01_bulk_read_default::Gm01>>(&setup, &[read_bulk(0x1000, 16)]);
    dies_of::<Broken<gm_01_bulk_read_default::Gm01>>(&setup, &[read_bulk(1 << 47, 16)]);
    dies_of::<Broken<gm_02_bulk_write_default::Gm02>>(&setup, &[write_bulk(0x1000, 1, 16)]);
    survives::<Broken<gm_01_bulk_read_default::Gm01>>(&setup, &[write_bulk(0x1000, 1, 16), DUMP()]);
    survives::<Broken<gm_02_bulk_write_default::Gm02>>(&setup, &[read_bulk(0x1000, 16), DUMP()]);
    survives::<Broken<gm_01_bulk_read_default::Gm01>>(&with_device(65_536, 0x1000, 16), &[read_bulk(0x1000, 16)]);
    dies_of::<Broken<gm_03_wrapper_forwards_scalars::Gm03>>(&with_device(65_536, 0x1000, 16), &[read_bulk(0x1000, 16)]);
}

#[test]
fn the_wrong_allocator_dies_at_drop_whatever_the_size() {
    for size in [0, 16, 65_536, 4 << 20] {
        dies_of::<Broken<gm_19_wrong_allocator::Gm19>>(&Setup::flat(size), &[]);
        let death = death_of(|| {
            let mut kept =
                std::mem::ManuallyDrop::new(build::<Broken<gm_19_wrong_allocator::Gm19>>(&Setup::flat(size)));
            assert!(!kept.reset(&Setup::flat(size)), "every trace must meet the drop");
        });
        assert_eq!(death, None, "nothing is wrong before the drop");
    }
}
