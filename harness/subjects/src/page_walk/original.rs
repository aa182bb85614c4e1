//! What the bug report found, all of it together: a walker that looks at leaf bits only and knows no large pages, reads
//! and region lists that believe what they are told, and buffers that trust the guest.

use super::defects::pw_01_region_past_backing::Pw01;
use super::defects::pw_03_dangling_base::Pw03;
use super::defects::pw_06_aliased_addresses::Pw06;
use super::defects::pw_10_empty_range_is_a_page::Pw10;
use super::defects::pw_11_file_mappings_unread::Pw11;
use super::defects::pw_13_avl_compared_whole::Pw13;
use super::defects::pw_16_back_pointer_trusted::Pw16;
use super::defects::pw_17_prefix_trusted::Pw17;
use super::defects::pw_18_end_wraps::Pw18;
use super::defects::pw_20_tail_is_visible::Pw20;
use super::defects::pw_24_upper_levels_ignored::Pw24;
use super::deviation::Deviation;
use super::sandbox::{Placed, Run, Sandbox};
use super::subject::Host;
use super::walker::PageRange;
use memtwin_models::Health;
use memtwin_models::page_walk::{Access, Refusal, RegionKind, WorkBounds};

/// The reported code.
#[derive(Debug)]
pub struct Reported;

impl Deviation for Reported {
    const NAME: &'static str = "original";
    const HEALTH: Health = Health::Broken {
        defect: None,
        story: "leaf bits alone decide, PS is ignored, regions are coalesced past their backings, and the guest's \
                pointers and prefixes are believed",
    };

    fn range(address: u64, length: u64) -> Result<PageRange, Refusal> {
        Pw06::range(address, length)
    }

    fn empty_range(address: u64) -> Result<Option<PageRange>, Refusal> {
        Pw10::empty_range(address)
    }

    fn is_within_bounds(_bounds: WorkBounds, _visits: u64, _leaves: u64) -> bool {
        true
    }

    fn is_large(_entry: u64, _level: u32) -> bool {
        false
    }

    fn allowed_below(upper: Access, own: Access) -> Access {
        Pw24::allowed_below(upper, own)
    }

    fn is_copy_on_write(leaf: u64) -> bool {
        Pw13::is_copy_on_write(leaf)
    }

    fn visible_bytes(placed: &Placed) -> u64 {
        Pw20::visible_bytes(placed)
    }

    fn readable(backings: &[Placed]) -> &[Placed] {
        Pw11::readable(backings)
    }

    fn reserved_early(length: u64) -> u64 {
        length
    }

    fn run_without_backing() -> Option<Run> {
        Pw03::run_without_backing()
    }

    fn listed_bytes(start: u64, bytes: u64) -> u64 {
        Pw01::grown_by(start, bytes)
    }

    fn list_of_nothing() -> Result<(), Refusal> {
        Err(Refusal::Gap)
    }

    fn grown_by(start: u64, bytes: u64) -> u64 {
        Pw01::grown_by(start, bytes)
    }

    fn is_same_kind(_left: RegionKind, _right: RegionKind) -> bool {
        true
    }

    fn is_same_backing(_left: usize, _right: usize) -> bool {
        true
    }

    fn fits(offset: u64, length: u64, size: u64) -> bool {
        Pw18::fits(offset, length, size)
    }

    fn shortest_element_bytes() -> u64 {
        4
    }

    fn is_back_pointer(start: u64, end: u64) -> bool {
        Pw16::is_back_pointer(start, end)
    }

    fn prefixed_bytes(prefix: u32, element_bytes: u64) -> Option<u64> {
        Pw17::prefixed_bytes(prefix, element_bytes)
    }

    fn clear(sandbox: &mut Sandbox<Self>) -> Result<(), Refusal> {
        sandbox.clear_by_popping_prefixed()
    }
}

/// The subject `original`.
pub type Original = Host<Reported>;
