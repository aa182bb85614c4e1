//! Size classes: how long the blocks of a span are, and how long the span is. It holds nothing.

use super::system::CHUNK_BYTES;

/// The lengths of small blocks in bytes.
pub(super) const CLASSES: [usize; 20] =
    [16, 32, 48, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288];
/// Blocks begin this far into a span; what is before is the allocator's.
pub(super) const SPAN_HEADER_BYTES: usize = 16;
/// Longer blocks have spans of their own.
pub(super) const MOST_SMALL_BYTES: usize = CLASSES[CLASSES.len() - 1];
/// Classes up to this length have spans of one chunk, others of [`MEDIUM_CHUNKS`].
const ONE_CHUNK_BYTES: usize = 1024;
const MEDIUM_CHUNKS: usize = 4;

/// The class of a size that is not above [`MOST_SMALL_BYTES`].
pub(super) fn class_of(size: usize) -> usize {
    CLASSES.partition_point(|length| *length < size)
}

/// The chunks of a span of the class.
pub(super) const fn chunks_of(class: usize) -> usize {
    if CLASSES[class] <= ONE_CHUNK_BYTES { 1 } else { MEDIUM_CHUNKS }
}

/// The blocks of a span of the class.
pub(super) const fn blocks_of(class: usize) -> usize {
    (chunks_of(class) * CHUNK_BYTES - SPAN_HEADER_BYTES) / CLASSES[class]
}
