//! A span: chunks in a row that hold blocks of one class, or one large block. What is known of it lies beside the
//! chunks, so that a program that writes beyond its blocks does not change it.

use std::ptr::null_mut;

/// A freed block, which holds the list.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Freed {
    pub(super) next: *mut Freed,
}

/// What is known of a span.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The class of its blocks; `None` for one large block.
    pub(super) class: Option<usize>,
    pub(super) first_chunk: usize,
    pub(super) chunks: usize,
    /// The thread whose span it is; 0 when that has ended.
    pub(super) owner: u32,
    /// Blocks that are not free, remotely freed ones included.
    pub(super) used: usize,
    /// Blocks that were never given out begin with this one.
    pub(super) fresh: usize,
    pub(super) free: *mut Freed,
    /// What other threads freed, until the owner collects it.
    pub(super) remote: *mut Freed,
    /// Of a large block: where it begins, and what was asked for.
    pub(super) offset: usize,
    pub(super) asked: usize,
}

impl Span {
    pub(super) const fn new(class: Option<usize>, chunks: usize, owner: u32) -> Self {
        Span {
            class,
            first_chunk: 0,
            chunks,
            owner,
            used: 0,
            fresh: 0,
            free: null_mut(),
            remote: null_mut(),
            offset: 0,
            asked: 0,
        }
    }
}
