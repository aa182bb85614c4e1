//! One broken subject for each entry of the catalogue of known defects, each with exactly that defect.
//!
//! They prove that campaigns find what they are there to find. Each replaces one or two methods of the hardened code, so
//! that whatever a campaign reports of it is the defect and nothing else. Absent: BH-15, which needs two threads to show.

mod bh_01_gate_loses_x9;
mod bh_02_gate_loses_mask;
mod bh_03_gate_leaks_stack;
mod bh_04_break_without_pages;
mod bh_05_break_wraps;
mod bh_06_head_wraps;
mod bh_07_refusal_is_success;
mod bh_08_first_end_unchecked;
mod bh_09_alignment_ends_at_16;
mod bh_10_padding_not_counted;
mod bh_11_shrink_copies_all;
mod bh_12_grows_over_neighbour;
mod bh_13_munmap_does_nothing;
mod bh_14_trusts_old_pages;
mod bh_16_end_is_wanted;
mod bh_17_stray_write;

pub(super) use bh_01_gate_loses_x9::clobber_x9;
pub use bh_01_gate_loses_x9::{Bh01, GateLosesX9};
pub use bh_02_gate_loses_mask::{Bh02, GateLosesMask};
pub use bh_03_gate_leaks_stack::{Bh03, GateLeaksStack};
pub(super) use bh_04_break_without_pages::move_break_alone;
pub use bh_04_break_without_pages::{Bh04, BreakWithoutPages};
pub use bh_05_break_wraps::{Bh05, BreakWraps};
pub use bh_06_head_wraps::{Bh06, HeadWraps};
pub use bh_07_refusal_is_success::{Bh07, RefusalIsSuccess};
pub use bh_08_first_end_unchecked::{Bh08, FirstEndUnchecked};
pub use bh_09_alignment_ends_at_16::{AlignmentEndsAt16, Bh09};
pub use bh_10_padding_not_counted::{Bh10, PaddingNotCounted};
pub use bh_11_shrink_copies_all::{Bh11, ShrinkCopiesAll};
pub use bh_12_grows_over_neighbour::{Bh12, GrowsOverNeighbour};
pub use bh_13_munmap_does_nothing::{Bh13, MunmapDoesNothing};
pub use bh_14_trusts_old_pages::{Bh14, TrustsOldPages};
pub use bh_16_end_is_wanted::{Bh16, EndIsWanted};
pub use bh_17_stray_write::{Bh17, StrayWrite};
