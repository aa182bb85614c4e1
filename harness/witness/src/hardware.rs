//! KVM as a witness: what the processor and Linux make of the same tables.

use super::Testimony;
use super::machine::{Access, Host, LANDING, Machine, Probed};
use super::tables::{Ask, Modelled, Tables, draw_address, is_address, model};
use memtwin_core::random::Random;
use memtwin_models::page_walk::translate::Translation;

/// Addresses asked for in one machine.
const ADDRESSES: usize = 48;

/// The bits of a page fault's error code (Intel SDM volume 3, 4.7).
mod fault {
    pub(super) const PRESENT: u64 = 1 << 0;
    pub(super) const STORE: u64 = 1 << 1;
    pub(super) const USER: u64 = 1 << 2;
    pub(super) const RESERVED: u64 = 1 << 3;
    pub(super) const FETCH: u64 = 1 << 4;
}

/// Asks for addresses, rights and fault codes of the walk over four levels.
pub(super) fn ask(random: &mut Random, probes: u64) -> Testimony {
    ask_about(model, random, probes)
}

fn ask_about(model: Ask, random: &mut Random, probes: u64) -> Testimony {
    let host = match Host::open() {
        Ok(host) => host,
        Err(error) => return Testimony::absent(format!("/dev/kvm does not open: {error}")),
    };
    let mut testimony = Testimony::default();
    while testimony.probes < probes {
        if let Err(error) = ask_about_tables(&host, model, random, &mut testimony) {
            return Testimony { absent: Some(format!("KVM gave up: {error}")), ..testimony };
        }
    }
    testimony
}

fn ask_about_tables(
    host: &Host,
    model: Ask,
    random: &mut Random,
    testimony: &mut Testimony,
) -> Result<(), kvm_ioctls::Error> {
    let tables = Tables::draw(random, &LANDING);
    let mut machine = Machine::new(host, &tables.memory, tables.root)?;
    for _ in 0..ADDRESSES {
        let address = draw_address(random);
        // The machine's own entries are part of what the model sees.
        let modelled = model(machine.memory(), tables.root, address);
        if modelled.leaves_memory {
            testimony.leave_out("a table outside of the machine's memory");
            continue;
        }
        if modelled.meets_gigabyte && !host.has_gigabyte_pages() {
            testimony.leave_out("this host has no pages of 1 GiB");
            continue;
        }
        if is_address(address) {
            let said = machine.translate(address)?;
            let expected = modelled.translation.map(|translation| translation.gpa);
            testimony.compare(&said, &expected, || {
                format!("{address:#x}: KVM_TRANSLATE says {said:x?}, the model {expected:x?}")
            });
        } else {
            testimony.leave_out("KVM_TRANSLATE does not reject addresses that are not canonical");
        }
        for is_user in [false, true] {
            for access in [Access::Load, Access::Store, Access::Fetch] {
                let is_blind = access == Access::Fetch
                    && modelled.translation.is_some_and(|page| !Tables::is_code(page.gpa) || page.gpa & 0xfff != 0);
                if is_blind && permits(modelled.translation, access, is_user) {
                    testimony.leave_out("a jump to what is no code");
                    continue;
                }
                if is_user && address >> 63 != 0 {
                    testimony.leave_out("user mode in the upper half: not every KVM can do that");
                    continue;
                }
                let said = machine.probe(access, is_user, address)?;
                let is_outside = matches!(said, Probed::Outside(_));
                if is_outside && access == Access::Store && !permits(modelled.translation, access, is_user) {
                    testimony.explain(
                        "it emulates a store outside of memory, and reads before it looks at the right to write",
                    );
                    continue;
                }
                let expected = expected(&modelled, machine.memory().len() as u64, access, is_user, address);
                testimony.compare(&said, &expected, || {
                    let mode = if is_user { "user" } else { "kernel" };
                    format!("{address:#x}: {access:?} in {mode} mode ended as {said:x?}, the model says {expected:x?}")
                });
            }
        }
    }
    Ok(())
}

fn permits(translation: Option<Translation>, access: Access, is_user: bool) -> bool {
    translation.is_some_and(|page| {
        let by_mode = page.user || !is_user;
        let by_access = match access {
            Access::Load => true,
            // CR0.WP is set: kernel mode may not write to read-only pages either.
            Access::Store => page.writable,
            Access::Fetch => page.executable,
        };
        by_mode && by_access
    })
}

/// How a probe ends if the model is right.
fn expected(modelled: &Modelled, memory_bytes: u64, access: Access, is_user: bool, address: u64) -> Probed {
    if !is_address(address) {
        return Probed::OtherFault;
    }
    let kind = match access {
        Access::Load => 0,
        Access::Store => fault::STORE,
        Access::Fetch => fault::FETCH,
    };
    let kind = kind | if is_user { fault::USER } else { 0 };
    match modelled.translation {
        None if modelled.meets_reserved || modelled.meets_root_leaf => {
            Probed::PageFault { code: kind | fault::PRESENT | fault::RESERVED, address }
        }
        None => Probed::PageFault { code: kind, address },
        Some(_) if !permits(modelled.translation, access, is_user) => {
            Probed::PageFault { code: kind | fault::PRESENT, address }
        }
        Some(page) if memory_bytes <= page.gpa => Probed::Outside(page.gpa),
        Some(_) => Probed::Done,
    }
}

/// Asks for the walk over two levels.
pub(super) fn ask_32_bit(_random: &mut Random, _probes: u64) -> Testimony {
    Testimony::absent("the tiny guest speaks four-level tables only")
}

#[cfg(test)]
mod tests {
    use super::super::tables::wrong_model;
    use super::*;
    use std::io::Write as _;

    #[test]
    fn it_agrees_with_the_model_and_not_with_a_wrong_one() {
        let testimony = ask(&mut Random::new(1), 3000);
        if let Some(why) = testimony.absent {
            let _ = writeln!(std::io::stderr(), "skipped: {why}");
            return;
        }
        assert!(3000 <= testimony.probes);
        assert_eq!((testimony.differences, testimony.told), (0, Vec::new()));
        assert!(0 < ask_about(wrong_model, &mut Random::new(1), 3000).differences);
    }
}
