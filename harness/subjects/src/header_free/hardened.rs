//! The hardened allocator: the owner of a pointer is known from books that lie outside of the memory handed out, for
//! every kind of block. It reads no byte that is not its own, believes no header, and refuses a SuperSlab that its
//! registry has no room for. Under test it is the subject `hardened`, which claims no freedom, and `hardened_real_libc`
//! over the process's own malloc.

use super::deviation::Deviation;
use super::subject::Program;
use memtwin_models::header_free::HeaderFreeContract;
use memtwin_models::{Contract as _, Health};

/// No deviation.
#[derive(Debug)]
pub struct Sound;

impl Deviation for Sound {
    const NAME: &'static str = "hardened";
    const HEALTH: Health = Health::Sound;
}

/// No deviation, over the process's own malloc where a setup asks for it.
#[derive(Debug)]
pub struct SoundOverRealLibc;

impl Deviation for SoundOverRealLibc {
    const NAME: &'static str = "hardened_real_libc";
    const HEALTH: Health = Health::Sound;
    const CONTRACT: HeaderFreeContract = HeaderFreeContract { real_libc: true, ..HeaderFreeContract::STRICT };
}

/// The subject `hardened`.
pub type Hardened = Program<Sound>;
/// The subject `hardened_real_libc`.
pub type HardenedRealLibc = Program<SoundOverRealLibc>;
