//! Kept traces in shared memory: one after the other, each with what it reached first. The supervisor writes what the
//! campaign kept so far; the worker adds what it finds, whole before the length says so, so that its death loses
//! nothing.

use super::shared::{KEPT_BYTES, Shared};
use crate::feedback::Kept;
use memtwin_models::wire::MAX_WIRE_BYTES;
use std::sync::atomic::Ordering;

/// Forgets every kept trace.
pub(super) fn clear(shared: &mut Shared) {
    shared.kept_length.store(0, Ordering::Relaxed);
}

/// The room that a kept trace takes.
pub(crate) fn kept_bytes(kept: &Kept) -> usize {
    8 + 2 * kept.reached.len() + kept.wire.len()
}

/// Adds a kept trace; says whether there was room.
#[allow(clippy::cast_possible_truncation)] // lengths are below KEPT_BYTES
pub(super) fn add(shared: &mut Shared, kept: &Kept) -> bool {
    let start = shared.kept_length.load(Ordering::Acquire) as usize;
    let end = start + kept_bytes(kept);
    let Some(mut room) = shared.kept.get_mut(start..end) else { return false };
    put(kept, |bytes| {
        let (head, tail) = std::mem::take(&mut room).split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        room = tail;
    });
    shared.kept_length.store(end as u32, Ordering::Release);
    true
}

/// Appends a kept trace as it lies in shared memory.
pub(crate) fn write_kept(kept: &Kept, to: &mut Vec<u8>) {
    put(kept, |bytes| to.extend_from_slice(bytes));
}

#[allow(clippy::cast_possible_truncation)] // lengths are below KEPT_BYTES
fn put(kept: &Kept, mut put: impl FnMut(&[u8])) {
    put(&(kept.wire.len() as u32).to_le_bytes());
    put(&(kept.reached.len() as u32).to_le_bytes());
    kept.reached.iter().for_each(|reached| put(&reached.to_le_bytes()));
    put(&kept.wire);
}

/// The kept traces from number `first` on.
pub(super) fn from(shared: &Shared, first: usize) -> Vec<Kept> {
    let length = (shared.kept_length.load(Ordering::Acquire) as usize).min(KEPT_BYTES);
    let mut rest = &shared.kept[..length];
    let mut all = std::iter::from_fn(|| read_kept(&mut rest));
    all.by_ref().take(first).for_each(drop);
    all.collect()
}

/// Takes one trace from the front; `None` at the end, or where a subject wrote over what was there.
pub(crate) fn read_kept(rest: &mut &[u8]) -> Option<Kept> {
    let mut number = || rest.split_off(..4).and_then(|bytes| Some(u32::from_le_bytes(*bytes.as_array()?)));
    let (wire, reached) = (number()? as usize, number()? as usize);
    let reached = rest.split_off(..2 * reached)?;
    let wire = rest.split_off(..wire).filter(|wire| wire.len() <= MAX_WIRE_BYTES)?;
    let reached = reached.chunks_exact(2).filter_map(|pair| Some(u16::from_le_bytes(*pair.as_array()?))).collect();
    Some(Kept { wire: wire.to_vec(), reached })
}
