//! `sys_read` and `sys_write`: how many bytes they move, and which.

use super::super::laws::{ANSWER, BYTES, COUNT};
use super::super::mmu::{COPY_ON_WRITE, PRESENT, WRITABLE};
use super::super::operands::Cpu;
use super::super::setup::{KERNEL_HALF, PAGE_BYTES, SYSTEM_CALL_LIMIT_BYTES};
use super::super::{Outcome, Seen, VirtualAddress};
use super::{Expected, Judged, TempMapModel};
use crate::{Payload, Verdict};

/// The bytes of a buffer that lie in one page.
#[derive(Debug, Clone, Copy)]
struct Piece {
    page: u32,
    offset: u32,
    /// Where in the buffer it begins.
    from: u32,
    length: u32,
}

/// The capped count, if the range is one of the user half.
fn range(address: VirtualAddress, count: u32) -> Option<u32> {
    let count = count.min(SYSTEM_CALL_LIMIT_BYTES);
    let end = address.0.checked_add(count)?;
    (count == 0 || end <= KERNEL_HALF).then_some(count)
}

fn pieces(address: VirtualAddress, count: u32) -> impl Iterator<Item = Piece> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = VirtualAddress(address.0.wrapping_add(from));
        let length = (PAGE_BYTES - at.offset()).min(count - from);
        let piece = Piece { page: at.page(), offset: at.offset(), from, length };
        from += length;
        (length != 0).then_some(piece)
    })
}

/// How many bytes an answer says were moved.
fn moved(seen: &Outcome) -> Result<u32, Verdict> {
    if let Seen::Count(count) = seen.result {
        Ok(count)
    } else if seen.result == Seen::Refused {
        Ok(0)
    } else {
        Err(Verdict::diverge(&ANSWER, "result"))
    }
}

fn wrong_count(place: u32) -> Verdict {
    Verdict::diverge_at(&COUNT, "result", place.into())
}

impl TempMapModel {
    /// The answers that need no look at a page. `None` where pages are to be looked at.
    fn without_pages(address: VirtualAddress, count: u32, seen: &Outcome) -> Option<Judged> {
        let is_right = match range(address, count) {
            _ if count == 0 => matches!(seen.result, Seen::Count(0) | Seen::Refused),
            None => seen.result == Seen::Refused,
            Some(_) => return None,
        };
        Some(if is_right { Ok(()) } else { Err(wrong_count(address.0)) })
    }

    pub(super) fn sys_write(&mut self, cpu: Cpu, address: VirtualAddress, count: u32, seen: &Outcome) -> Judged {
        if let Some(judged) = Self::without_pages(address, count, seen) {
            return judged;
        }
        let space = self.space_of(cpu);
        let count = count.min(SYSTEM_CALL_LIMIT_BYTES);
        let moved = moved(seen)?;
        if seen.shown_bytes != moved || moved == 0 && seen.result != Seen::Refused {
            return Err(wrong_count(address.0));
        }
        for piece in pieces(address, count) {
            let page = self.spaces[space].page(piece.page).filter(|page| page.is_user()).copied();
            let Some(page) = page else { return stops(piece, moved) };
            if moved == piece.from {
                let suffices = self.need(space, 0, 1) == Expected::Done;
                return if suffices { Err(self.short(seen, wrong_count(piece.page))) } else { Ok(()) };
            }
            if moved < piece.from + piece.length {
                return Err(wrong_count(piece.page));
            }
            self.window_is_there(space);
            let bytes = &seen.shown()[piece.from as usize..(piece.from + piece.length) as usize];
            let frame = self.frames.index(page.frame);
            if let Some(at) = frame.and_then(|frame| self.frames.first_difference(frame, piece.offset, bytes)) {
                return Err(Verdict::diverge_at(&BYTES, "buffer", u64::from(piece.page + at)));
            }
        }
        if moved == count { Ok(()) } else { Err(wrong_count(address.0)) }
    }

    pub(super) fn sys_read(
        &mut self,
        cpu: Cpu,
        address: VirtualAddress,
        count: u32,
        seed: u16,
        seen: &Outcome,
    ) -> Judged {
        if let Some(judged) = Self::without_pages(address, count, seen) {
            return judged;
        }
        let space = self.space_of(cpu);
        let count = count.min(SYSTEM_CALL_LIMIT_BYTES);
        let moved = moved(seen)?;
        if moved == 0 && seen.result != Seen::Refused {
            return Err(wrong_count(address.0));
        }
        let source = Payload { seed, length: SYSTEM_CALL_LIMIT_BYTES };
        let source = source.bytes().unwrap_or_default();
        for piece in pieces(address, count) {
            let page = self.spaces[space].page(piece.page).copied();
            let Some(page) = page.filter(|page| page.is_user() && (page.is_writable() || page.is_shared())) else {
                return stops(piece, moved);
            };
            let mut suffices = true;
            if page.is_shared() {
                suffices = self.need_for_copy(space, piece.page) == Expected::Done;
                let Some(shown) = seen.pages.iter().find(|shown| shown.page == piece.page).copied() else {
                    return Err(Verdict::diverge(&ANSWER, "pages"));
                };
                // A page that was made the process's own may still not be written to, for want of a slot.
                let was_unshared = shown.now & COPY_ON_WRITE == 0 && shown.now & (PRESENT | WRITABLE) != 0;
                if was_unshared || piece.from < moved {
                    self.unshare(space, shown, seen)?;
                }
            }
            if moved == piece.from {
                suffices &= self.need(space, 0, 1) == Expected::Done;
                return if suffices { Err(self.short(seen, wrong_count(piece.page))) } else { Ok(()) };
            }
            if moved < piece.from + piece.length {
                return Err(wrong_count(piece.page));
            }
            self.window_is_there(space);
            let bytes = &source[piece.from as usize..(piece.from + piece.length) as usize];
            let frame = self.spaces[space].page(piece.page).and_then(|page| self.frames.index(page.frame));
            if let Some(frame) = frame {
                self.frames.write(frame, piece.offset, bytes);
            }
        }
        if moved == count { Ok(()) } else { Err(wrong_count(address.0)) }
    }
}

/// At a bad page the call stops with what is done so far.
fn stops(piece: Piece, moved: u32) -> Judged {
    if moved == piece.from { Ok(()) } else { Err(wrong_count(piece.page)) }
}
