//! A judge without any cleverness: it looks at each byte of the naive arena as it was before an op, and says which law
//! the outcome of the op breaks first. It knows the strict contract.

use super::super::super::{AnyAlignment, Op, Outcome, Seen, Shown, Slot, Unit, laws};
use super::ask::{Ask, PTRDIFF_MAX};
use super::naive::{Block, ENOMEM, Naive};
use crate::Law;

type Judged = Result<(), Law>;

/// The law that the outcome breaks.
pub(super) fn broken_law(before: &Naive, op: &Op, seen: &Outcome) -> Option<Law> {
    judge(before, op, seen).err()
}

fn holds(is_right: bool, law: Law) -> Judged {
    if is_right { Ok(()) } else { Err(law) }
}

fn answers(result: Seen, seen: &Outcome) -> Judged {
    holds(seen.result == result, laws::ANSWER)
}

fn judge(before: &Naive, op: &Op, seen: &Outcome) -> Judged {
    if seen.result == Seen::Skipped {
        return holds(!before.contract.has(op.kind()), laws::ANSWER);
    }
    holds(seen.stray_byte.is_none(), laws::REDZONE)?;
    match *op {
        Op::Malloc { slot, size } => get(before, slot, Ask::of(size.0), seen),
        Op::Calloc { slot, count, size } => get(before, slot, Ask::product(count.0, size.0, true), seen),
        Op::PosixMemalign { slot, align: AnyAlignment(align), size } => {
            let is_invalid = !align.is_power_of_two() || align < 8;
            let is_said = seen.result == Seen::Invalid || seen.result == Seen::Unaskable && is_invalid;
            holds(is_said == is_invalid, laws::INVALID)?;
            if is_invalid {
                return contents(before, &seen.shown, &laws::CONTENTS);
            }
            get(before, slot, Ask::aligned(size.0, align, false), seen)
        }
        Op::AlignedAlloc { slot, align, size } | Op::Memalign { slot, align, size } => {
            get(before, slot, Ask::aligned(size.0, align.bytes(), true), seen)
        }
        Op::Alloc { slot, size, align } => get(before, slot, Ask::layout(size.0, align.bytes(), false), seen),
        Op::AllocZeroed { slot, size, align } => get(before, slot, Ask::layout(size.0, align.bytes(), true), seen),
        Op::Relayout { slot, size, align, zeroed } => {
            change(before, slot, Ask::layout(size.0, align.bytes(), zeroed), seen)
        }
        Op::Realloc { slot, size } => change(before, slot, Ask::of(size.0), seen),
        Op::Reallocarray { slot, count, size } => change(before, slot, Ask::product(count.0, size.0, false), seen),
        Op::Free { slot } => {
            answers(if before.block(slot).is_some() { Seen::Done } else { Seen::Vacant }, seen)?;
            contents(before, &seen.shown, &laws::CONTENTS)?;
            holds(before.block(slot).is_none() || matches!(seen.errno, None | Some(0)), laws::ERRNO)
        }
        Op::FreeNull => {
            answers(Seen::Done, seen)?;
            holds(matches!(seen.errno, None | Some(0)), laws::ERRNO)
        }
        Op::UsableSize { slot } => usable(before, slot, seen),
        Op::Write { slot, .. } => answers(if before.block(slot).is_some() { Seen::Done } else { Seen::Vacant }, seen),
        Op::Verify { slot } => {
            answers(if before.block(slot).is_some() { Seen::Done } else { Seen::Vacant }, seen)?;
            contents(before, &seen.shown, &laws::CONTENTS)
        }
        Op::PushString { slot, length } => push(before, slot, length, Unit::Byte, seen),
        Op::PushVec { slot, length } => push(before, slot, length, Unit::Word, seen),
        Op::Fill { slot, count, size } => fill(before, slot, count, size.0.max(1), seen),
        Op::Drain { slot, count, .. } => {
            contents(before, &seen.shown, &laws::CONTENTS)?;
            let is_any = Naive::slots(slot, count).any(|slot| before.block(slot).is_some());
            answers(if is_any { Seen::Done } else { Seen::Vacant }, seen)
        }
        Op::FreeAll { .. } => {
            contents(before, &seen.shown, &laws::CONTENTS)?;
            answers(if before.blocks.is_empty() { Seen::Vacant } else { Seen::Done }, seen)
        }
        Op::Extend { bytes } => {
            let fits = before.regions[0].1 + u64::from(bytes) <= before.setup.first_limit();
            answers(if fits { Seen::Done } else { Seen::Refused }, seen)
        }
        Op::AddRegion => {
            let adds = before.regions.len() == 1 && before.setup.second.is_some();
            answers(if adds { Seen::Done } else { Seen::Refused }, seen)
        }
        Op::Largest { align } => {
            let Seen::Bytes(largest) = seen.result else { return Err(laws::ANSWER) };
            holds(!has_room(before, largest.saturating_add(1), align.bytes()), laws::REFUSAL)?;
            let first =
                before.first_largest.get(&align.exponent()).filter(|_| before.blocks.is_empty() && before.freed);
            holds(first.is_none_or(|first| *first <= largest), laws::LEAK)
        }
        Op::Trim | Op::ThreadStart => answers(Seen::Done, seen),
        Op::ThreadExit => holds(matches!(seen.result, Seen::Done | Seen::Vacant), laws::ANSWER),
        Op::Cycle { .. } => {
            holds(matches!(seen.result, Seen::Done | Seen::Null), laws::ANSWER)?;
            let grows = seen.held.is_some_and(|held| held.first + held.first / 4 + (64 << 10) < held.second);
            holds(!grows, laws::BOUNDED)
        }
    }
}

/// Whether each byte of a block that was shown is the one that is there.
fn contents(before: &Naive, shown: &Shown, law: &Law) -> Judged {
    for (window, bytes) in shown.iter() {
        if let Some(block) = before.block(window.slot) {
            let there = (block.address + window.offset..).take(bytes.len()).map(|address| before.byte(address));
            holds(there.eq(bytes.iter().copied()), *law)?;
        }
    }
    Ok(())
}

/// Whether a run of free addresses within one region holds a block wherever it begins.
fn has_room(before: &Naive, size: u64, align: u64) -> bool {
    let needed = u128::from(size) + u128::from(align) - 1;
    before.regions.iter().any(|(start, end)| {
        let mut run = 0_u128;
        (*start..*end).any(|address| {
            run = if before.taken[before.index(address)] { 0 } else { run + 1 };
            needed <= run
        })
    })
}

/// Whether null is wrong.
fn must_answer(before: &Naive, ask: Ask) -> bool {
    ask.size.is_some_and(|size| 0 < size && size <= PTRDIFF_MAX && has_room(before, size, ask.alignment()))
}

/// The answer to a request; the address if it is a block. The block in slot `moving` does not count.
fn answered(before: &Naive, ask: Ask, moving: Option<Slot>, seen: &Outcome) -> Result<Option<u64>, Law> {
    match seen.result {
        Seen::Block(address) => placed(before, address, ask, moving).map(|()| Some(address)),
        Seen::Null => {
            holds(!must_answer(before, ask), laws::REFUSAL)?;
            let is_right = matches!(seen.errno, None | Some(ENOMEM)) || ask.size == Some(0);
            holds(is_right, laws::ERRNO).map(|()| None)
        }
        Seen::Invalid if ask.may_be_invalid => {
            let is_multiple = ask.size.is_some_and(|size| size.is_multiple_of(ask.alignment()));
            holds(!is_multiple || !must_answer(before, ask), laws::REFUSAL).map(|()| None)
        }
        Seen::Unaskable => holds(ask.is_unaskable(), laws::ANSWER).map(|()| None),
        Seen::Invalid | Seen::Skipped | Seen::Done | Seen::Vacant | Seen::Bytes(_) | Seen::Refused => Err(laws::ANSWER),
    }
}

fn placed(before: &Naive, address: u64, ask: Ask, moving: Option<Slot>) -> Judged {
    let Some(size) = ask.size.filter(|size| *size <= PTRDIFF_MAX) else { return Err(laws::REFUSAL) };
    holds(address.is_multiple_of(ask.alignment()), laws::ALIGNED)?;
    let is_inside =
        |(start, end): &(u64, u64)| *start <= address && u128::from(address) + u128::from(size) <= u128::from(*end);
    holds(before.regions.iter().any(is_inside), laws::INSIDE)?;
    let end = address + size.max(1);
    let meets = |block: &Block| block.address < end && address < block.end();
    let others = before.blocks.iter().filter(|(slot, _)| moving.is_none_or(|moving| u16::from(moving) != **slot));
    holds(!others.into_iter().any(|(_, block)| meets(block)), laws::DISJOINT)
}

fn get(before: &Naive, slot: Slot, ask: Ask, seen: &Outcome) -> Judged {
    contents(before, &seen.shown, &laws::CONTENTS)?;
    let freed = before.without(slot);
    let address = answered(&freed, ask, None, seen)?;
    holds(address.is_none() || !ask.zeroed || seen.nonzero.is_none(), laws::ZEROED)
}

fn change(before: &Naive, slot: Slot, ask: Ask, seen: &Outcome) -> Judged {
    let Some(old) = before.block(slot) else { return answers(Seen::Vacant, seen) };
    let ask = before.changed(slot, ask);
    let Some(address) = answered(before, ask, Some(slot), seen)? else {
        return contents(before, &seen.shown, &laws::KEPT);
    };
    let kept = before.kept(slot, ask);
    for (window, bytes) in seen.shown.iter() {
        let offsets = window.offset..;
        let is_right = |(offset, byte): (u64, &u8)| kept <= offset || before.byte(old.address + offset) == *byte;
        holds(offsets.zip(bytes).all(is_right), laws::KEPT)?;
        let others = before.blocks.iter().filter(|(other, _)| **other != u16::from(slot));
        let copied =
            others.filter(|(_, block)| block.has_stamp() && block.address.is_multiple_of(8)).any(|(_, block)| {
                let stamp: Vec<u8> = (block.address..block.address + 8).map(|address| before.byte(address)).collect();
                let distance = block.address.checked_sub(old.address + window.offset);
                let shown = distance.and_then(|distance| bytes.get(distance as usize..distance as usize + 8));
                shown == Some(&stamp[..])
            });
        holds(!(copied && address != old.address && old.granted <= window.offset), laws::OVER_READ)?;
    }
    holds(!ask.zeroed || seen.nonzero.is_none(), laws::ZEROED)
}

fn push(before: &Naive, slot: Slot, length: u8, unit: Unit, seen: &Outcome) -> Judged {
    match (before.pushed(slot, length, unit).1, before.block(slot)) {
        (None, None) => answers(Seen::Done, seen),
        (None, Some(block)) => answers(Seen::Block(block.address), seen),
        (Some(ask), None) => get(before, slot, ask, seen),
        (Some(ask), Some(_)) => change(before, slot, ask, seen),
    }
}

fn usable(before: &Naive, slot: Slot, seen: &Outcome) -> Judged {
    let Some(block) = before.block(slot) else { return answers(Seen::Vacant, seen) };
    let Seen::Bytes(bytes) = seen.result else { return Err(laws::ANSWER) };
    let region = before.regions.iter().find(|(start, end)| *start <= block.address && block.address < *end);
    let end = block.address.checked_add(bytes).filter(|end| region.is_some_and(|(_, limit)| end <= limit));
    let is_free = |end: u64| (block.end()..end).all(|address| !before.taken[before.index(address)]);
    holds(block.size <= bytes && (bytes <= block.granted || end.is_some_and(is_free)), laws::USABLE)
}

fn fill(before: &Naive, first: Slot, count: u8, size: u64, seen: &Outcome) -> Judged {
    let mut after = before.clone();
    let mut given = seen.batch.iter().copied();
    let empty: Vec<Slot> = Naive::slots(first, count).filter(|slot| before.block(*slot).is_none()).collect();
    let mut result = Seen::Done;
    for slot in empty {
        let ask = Ask::of(size);
        let address = given.next().ok_or(laws::ANSWER)?;
        if address == 0 {
            holds(!must_answer(&after, ask), laws::REFUSAL)?;
            holds(matches!(seen.errno, None | Some(ENOMEM)), laws::ERRNO)?;
            result = Seen::Null;
            break;
        }
        placed(&after, address, ask, None)?;
        after.put(slot, address, ask);
    }
    holds(given.next().is_none() && seen.result == result, laws::ANSWER)
}
