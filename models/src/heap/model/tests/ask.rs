//! What the program asks for, as the naive arena and the naive judge see it. It answers nothing.

pub(super) const PTRDIFF_MAX: u64 = u64::MAX >> 1;

/// A request for a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// `None` where a product overflows.
    pub(super) size: Option<u64>,
    /// `None` where the call names none.
    pub(super) align: Option<u64>,
    pub(super) zeroed: bool,
    /// In Rust, where a `Layout` says it.
    pub(super) is_layout: bool,
    pub(super) may_be_invalid: bool,
}

impl Ask {
    pub(super) const fn of(size: u64) -> Self {
        Ask { size: Some(size), align: None, zeroed: false, is_layout: false, may_be_invalid: false }
    }

    pub(super) const fn product(count: u64, size: u64, zeroed: bool) -> Self {
        Ask { size: count.checked_mul(size), zeroed, ..Ask::of(0) }
    }

    pub(super) const fn aligned(size: u64, align: u64, may_be_invalid: bool) -> Self {
        Ask { align: Some(align), may_be_invalid, ..Ask::of(size) }
    }

    pub(super) const fn layout(size: u64, align: u64, zeroed: bool) -> Self {
        Ask { align: Some(align), zeroed, is_layout: true, ..Ask::of(size) }
    }

    /// The alignment: the one that is named, or that of any object of the size.
    pub(super) fn alignment(&self) -> u64 {
        let size = self.size.unwrap_or(1).max(1);
        self.align.unwrap_or_else(|| [16, 8, 4, 2, 1].into_iter().find(|align| *align <= size).unwrap_or(1))
    }

    /// Whether rounding the size up to the alignment goes beyond what a `Layout` may say. One byte is asked for, not
    /// none.
    pub(super) fn is_unaskable(&self) -> bool {
        self.size.is_none_or(|size| PTRDIFF_MAX < size || PTRDIFF_MAX - (self.alignment() - 1) < size.max(1))
    }
}
