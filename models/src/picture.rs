//! Pictures: a model's state drawn for a person, as maps of address ranges and tables. Only explaining runs make them;
//! nothing is judged by them. They say what is there, never how it looks.

mod layers;

pub use layers::{Layers, MOST_ITEMS};

use serde::{Deserialize, Serialize};

/// A component's state at one moment. The panels of one component are the same ones in the same order at every step, so
/// that a viewer can show what changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Picture {
    /// The panels, from top to bottom.
    pub panels: Vec<Panel>,
}

/// A part of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "panel", rename_all = "snake_case")]
pub enum Panel {
    /// Ranges of one address space, in ascending order, with marks at single addresses.
    Map {
        /// What the addresses are: `guest physical memory`.
        title: String,
        /// The ranges. They do not overlap.
        spans: Vec<Span>,
        /// The marks.
        marks: Vec<Mark>,
    },
    /// Rows of cells: registers, slots, levels of a page table, a TLB.
    Table {
        /// What the rows are.
        title: String,
        /// The heads of the columns.
        columns: Vec<String>,
        /// The rows.
        rows: Vec<Row>,
    },
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first address.
    #[serde(with = "crate::hex")]
    pub start: u64,
    /// The last address, so that a range may end at the end of the address space.
    #[serde(with = "crate::hex")]
    pub last: u64,
    /// What lies there, in a few words.
    pub label: String,
    /// What kind of thing it is.
    pub tone: Tone,
}

/// A single address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The address.
    #[serde(with = "crate::hex")]
    pub at: u64,
    /// What is there.
    pub label: String,
    /// What kind of thing it is.
    pub tone: Tone,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// One cell a column.
    pub cells: Vec<String>,
    /// What kind of thing it is.
    pub tone: Tone,
}

/// What kind of thing a range, a mark or a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing in particular: memory that is there.
    Plain,
    /// Nothing is there: a hole, a free slot, an unmapped page.
    Absent,
    /// In use: a live block, a taken slot, a mapped page.
    Live,
    /// Not to be written, or not to be touched: a guard, a header, a read-only page, a device.
    Guarded,
    /// What this op asks for.
    Asked,
    /// What is wrong.
    Wrong,
}

/// Bytes that an op shows, beside those that the model knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteRows {
    /// The address, or the offset, of the first byte.
    pub start: u64,
    /// What is allowed.
    pub allowed: Vec<u8>,
    /// What was seen.
    pub seen: Vec<u8>,
}
