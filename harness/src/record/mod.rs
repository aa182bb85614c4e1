//! What a real program asks of its allocator, as traces of heap: the program runs with the recorder loaded, or another
//! tool's file is read, and the calls are cut into traces that each replay alone. Does not judge: the recorder does
//! where it is asked to, and traces are judged when they are replayed.

mod cut;
mod file;
mod mtrace;
mod run;
mod words;

pub use cut::{Calls, Cutter, Piece, ending_at};
pub use file::Recording;
pub use mtrace::{Mtrace, NotMtrace};
pub use run::{NothingRecorded, Ran, Recorder};
pub use words::breach_words;
