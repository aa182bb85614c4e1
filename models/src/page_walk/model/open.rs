//! The bits of a backing's bytes that nothing fixes: the subject may have them otherwise than the model, until it shows
//! them. It knows no byte and judges nothing.

/// Such bits, for each byte of a backing.
#[derive(Debug, Clone)]
pub(super) struct Open {
    bits: Vec<u8>,
    /// Outside of this range no bit is open.
    range: (usize, usize),
}

const NOTHING: (usize, usize) = (usize::MAX, 0);

impl Open {
    pub(super) fn new(length: usize) -> Self {
        Open { bits: vec![0; length], range: NOTHING }
    }

    pub(super) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The part of a range where bits may be open.
    fn met(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let met = (self.range.0.max(start), self.range.1.min(end));
        (met.0 < met.1).then_some(met)
    }

    /// Opens bits more, from an offset on.
    pub(super) fn add(&mut self, start: usize, more: &[u8]) {
        if more.is_empty() {
            return;
        }
        self.bits[start..start + more.len()].iter_mut().zip(more).for_each(|(bits, more)| *bits |= more);
        self.range = (self.range.0.min(start), self.range.1.max(start + more.len()));
    }

    /// The bits of a range are known.
    pub(super) fn close(&mut self, start: usize, end: usize) {
        if let Some((start, end)) = self.met(start, end) {
            self.bits[start..end].fill(0);
        }
    }

    pub(super) fn close_all(&mut self) {
        self.close(0, usize::MAX);
        self.range = NOTHING;
    }

    /// Sets the open bits of bytes.
    pub(super) fn set(&self, start: usize, bytes: &mut [u8]) {
        bytes.iter_mut().zip(&self.bits[start..]).for_each(|(byte, open)| *byte |= open);
    }

    /// Takes over the open bits of bytes that were seen, if they differ in no others.
    pub(super) fn follow(&mut self, start: usize, bytes: &mut [u8], seen: &[u8]) {
        let Some((first, end)) = self.met(start, start + bytes.len()) else { return };
        let differs = |((byte, seen), open): ((&u8, &u8), &u8)| (byte ^ seen) & !open != 0;
        if bytes != seen && bytes.iter().zip(seen).zip(&self.bits[start..]).any(differs) {
            return;
        }
        bytes.copy_from_slice(seen);
        self.bits[first..end].fill(0);
    }
}
