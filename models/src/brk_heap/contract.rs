//! What a brk heap may claim for itself. The strict contract claims nothing.

use crate::{Contract, Freedom};

/// The freedoms that an implementation's documentation claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrkHeapContract {
    /// See [`BrkHeapContract::FREEDOMS`], as for every field.
    pub blocks_from_mmap: bool,
    /// Zeroed blocks rely on pages that the kernel hands out zeroed.
    pub trusts_fresh_pages: bool,
    /// No other user of `brk`.
    pub no_raw_brk: bool,
    /// Bytes of bookkeeping for each block.
    pub overhead_bytes: u64,
}

impl Contract for BrkHeapContract {
    const STRICT: Self =
        BrkHeapContract { blocks_from_mmap: false, trusts_fresh_pages: false, no_raw_brk: false, overhead_bytes: 0 };

    const FREEDOMS: &'static [Freedom] = &[
        Freedom {
            name: "blocks_from_mmap",
            sentence: "Each block is a mapping of its own, unmapped when freed; strictly blocks lie between the heap's start and its break.",
        },
        Freedom {
            name: "trusts_fresh_pages",
            sentence: "Memory that was never handed out is taken for zero, so nothing is poisoned beyond the blocks; strictly it may hold anything.",
        },
        Freedom { name: "no_raw_brk", sentence: "Other users of brk are not served: such ops are skipped." },
        Freedom {
            name: "overhead_bytes",
            sentence: "A request may fail that would fit without so many bytes of bookkeeping; strictly there are none.",
        },
    ];

    fn value(&self, freedom: &str) -> Option<String> {
        (freedom == "overhead_bytes").then(|| self.overhead_bytes.to_string())
    }

    fn claimed(&self) -> Vec<&'static str> {
        let claims = [self.blocks_from_mmap, self.trusts_fresh_pages, self.no_raw_brk, self.overhead_bytes != 0];
        Self::FREEDOMS.iter().zip(claims).filter(|(_, claimed)| *claimed).map(|(freedom, _)| freedom.name).collect()
    }
}
