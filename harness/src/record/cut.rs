//! From calls to traces: a recording is cut where few blocks are live, and what is live at a cut becomes the beginning
//! of the next trace. Each trace names its blocks by slots of its own, so that it replays alone. Does not read or write
//! files.

use memtwin_core::trace::Trace;
use memtwin_models::Lane;
use memtwin_models::heap::{
    Alignment, AnyAlignment, Heap, MAX_REGION_BYTES, MAX_THREADS, Op, SLOTS, Setup, Size, Slot,
};
use memtwin_recording::{Kind, Record};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// The most calls of a trace, besides those that make what is live at its beginning.
const MOST_CALLS: usize = 4000;
/// The fewest, but for the last trace.
const LEAST_CALLS: usize = 2000;
/// The most blocks at the beginning of a trace that the trace itself does not touch.
const MOST_BYSTANDERS: usize = 1000;

// Each call touches one block at most: those that a trace touches always have a slot.
const _: () = assert!(MOST_CALLS < SLOTS as usize);

/// A live block: what it was asked for.
#[derive(Debug, Clone, Copy)]
struct Block {
    size: u64,
    /// The call that named an alignment, and the alignment.
    aligned: Option<(Kind, u64)>,
}

/// The blocks that are live, by their numbers: in the order in which they were asked for.
#[derive(Debug, Clone, Default)]
struct Live(BTreeMap<u32, Block>);

impl Live {
    fn apply(&mut self, record: &Record) {
        let (kind, number) = (record.kind, record.block);
        if kind == Kind::Free {
            self.0.remove(&number);
        } else if record.is_answered && (kind.is_new() || kind.is_resize()) {
            let size = record.asked_bytes().unwrap_or(u64::MAX);
            self.0.insert(number, Block { size, aligned: record.asked_align().map(|align| (kind, align)) });
        }
    }
}

/// A part of a recording, as ops with the threads that made them.
#[derive(Debug, Default)]
pub struct Piece {
    ops: Vec<(u16, Op)>,
    /// Calls that are not in it, because no op says what they asked, or they are about the block of such a call.
    pub calls_left_out: u64,
}

impl Piece {
    /// The trace. A program may have more threads than a trace: they share its lanes.
    #[must_use]
    pub fn trace(&self) -> Trace<Heap> {
        let lane = |thread: u16| Lane::new_folded((thread % u16::from(MAX_THREADS)).to_le_bytes()[0], MAX_THREADS);
        let threads = self.ops.iter().map(|(thread, _)| u8::from(lane(*thread)) + 1).max().unwrap_or(1);
        let setup = Setup { threads, ..Setup::flat(MAX_REGION_BYTES) };
        Trace::of_threads(setup, self.ops.iter().map(|(thread, op)| (lane(*thread), op.clone())))
    }
}

/// What a recording is, counted.
#[derive(Debug, Default, Clone, Copy)]
pub struct Calls {
    /// Calls that were looked at.
    pub all: u64,
    /// Blocks that were freed and never seen to be asked for.
    pub unknown_frees: u64,
    /// The most blocks that were live at once.
    pub most_live: usize,
    /// Calls that are in no trace.
    pub left_out: u64,
}

/// Cuts calls into pieces as they come.
#[derive(Debug, Default)]
pub struct Cutter {
    /// What is live before the window.
    live: Live,
    window: Vec<Record>,
    /// How many blocks are live after each call of the window.
    counts: Vec<usize>,
    count: usize,
    calls: Calls,
}

impl Cutter {
    /// Takes the next call; a piece where one is complete.
    pub fn push(&mut self, record: Record) -> Option<Piece> {
        if record.kind == Kind::Free {
            self.count = self.count.saturating_sub(1);
        } else if record.kind.is_new() && record.is_answered {
            self.count += 1;
        }
        self.calls.unknown_frees += u64::from(record.kind == Kind::FreeUnknown);
        self.calls.all += 1;
        self.calls.most_live = self.calls.most_live.max(self.count);
        self.window.push(record);
        self.counts.push(self.count);
        if self.window.len() < MOST_CALLS {
            return None;
        }
        // Where the fewest are live, and of such places the last.
        let places = LEAST_CALLS..=MOST_CALLS;
        let place = places.min_by_key(|place| (self.counts[place - 1], Reverse(*place))).unwrap_or(MOST_CALLS);
        Some(self.cut(place))
    }

    /// The calls that are left, if there are any, and what was counted.
    pub fn finish(mut self) -> (Option<Piece>, Calls) {
        let rest = (!self.window.is_empty()).then(|| self.cut(self.window.len()));
        (rest, self.calls)
    }

    fn cut(&mut self, place: usize) -> Piece {
        let piece = piece(&self.live, &self.window[..place]);
        self.window.drain(..place).for_each(|record| self.live.apply(&record));
        self.counts.drain(..place);
        self.calls.left_out += piece.calls_left_out;
        piece
    }
}

/// The last so many calls up to and with the one that has this number, as a piece; `None` where there is no such call.
pub fn ending_at(records: impl Iterator<Item = Record>, call: u64, most: usize) -> Option<Piece> {
    let from = (call + 1).saturating_sub(most as u64);
    let mut live = Live::default();
    let mut last = Vec::new();
    for (index, record) in (0..=call).zip(records) {
        if index < from {
            live.apply(&record);
        } else {
            last.push(record);
        }
    }
    (last.len() as u64 == call + 1 - from).then(|| piece(&live, &last))
}

/// The slots of a piece: the lowest one that is free.
struct Slots {
    free: BinaryHeap<Reverse<u16>>,
    of: HashMap<u32, Slot>,
}

impl Slots {
    fn new() -> Self {
        Slots { free: (0..SLOTS).map(Reverse).collect(), of: HashMap::new() }
    }

    fn next(&self) -> Option<Slot> {
        self.free.peek().map(|Reverse(slot)| Slot::new_folded(*slot))
    }

    fn take(&mut self, number: u32) {
        if let Some(Reverse(slot)) = self.free.pop()
            && let Some(before) = self.of.insert(number, Slot::new_folded(slot))
        {
            self.free.push(Reverse(before.into()));
        }
    }

    fn give(&mut self, number: u32) {
        if let Some(slot) = self.of.remove(&number) {
            self.free.push(Reverse(slot.into()));
        }
    }
}

/// These calls, after what is live before them.
fn piece(live: &Live, records: &[Record]) -> Piece {
    let mut piece = Piece::default();
    let mut slots = Slots::new();
    let touched: BTreeSet<u32> =
        records.iter().filter(|record| !record.kind.is_new()).map(|record| record.block).collect();
    // The youngest bystanders: they lie where the next blocks will. The others find no room, or would make the trace
    // long.
    let made = records.iter().filter(|record| record.kind.is_new()).count();
    let room = usize::from(SLOTS).saturating_sub(touched.len() + made);
    let bystanders = live.0.keys().rev().filter(|number| !touched.contains(number)).take(room.min(MOST_BYSTANDERS));
    let bystanders: BTreeSet<u32> = bystanders.copied().collect();
    for (number, block) in &live.0 {
        if !touched.contains(number) && !bystanders.contains(number) {
            continue;
        }
        let Some(slot) = slots.next() else { break };
        slots.take(*number);
        let aligned = block.aligned.and_then(|(kind, align)| get(kind, slot, block.size, align));
        // Nobody knows any more which thread asked.
        piece.ops.push((0, aligned.unwrap_or(Op::Malloc { slot, size: Size(block.size) })));
    }
    for record in records {
        match op(&mut slots, record) {
            Some(op) => piece.ops.push((record.thread, op)),
            None => piece.calls_left_out += u64::from(record.kind != Kind::FreeUnknown),
        }
    }
    piece
}

fn get(kind: Kind, slot: Slot, first: u64, second: u64) -> Option<Op> {
    let size = Size(first);
    let align = || {
        let exponent = u8::try_from(second.trailing_zeros()).ok().filter(|_| second.is_power_of_two())?;
        Some(Alignment::from_exponent_folded(exponent))
    };
    match kind {
        Kind::Malloc => Some(Op::Malloc { slot, size }),
        Kind::Calloc => Some(Op::Calloc { slot, count: size, size: Size(second) }),
        Kind::PosixMemalign => Some(Op::PosixMemalign { slot, align: AnyAlignment(second), size }),
        Kind::AlignedAlloc => Some(Op::AlignedAlloc { slot, align: align()?, size }),
        Kind::Memalign => Some(Op::Memalign { slot, align: align()?, size }),
        Kind::Realloc | Kind::Reallocarray | Kind::Free | Kind::FreeNull | Kind::FreeUnknown | Kind::UsableSize => None,
    }
}

fn op(slots: &mut Slots, record: &Record) -> Option<Op> {
    let Record { kind, block, first, second, .. } = *record;
    if kind.is_new() {
        let op = get(kind, slots.next()?, first, second)?;
        if record.is_answered {
            slots.take(block);
        }
        return Some(op);
    }
    if kind == Kind::FreeNull {
        return Some(Op::FreeNull);
    }
    let slot = *slots.of.get(&block)?;
    match kind {
        Kind::Realloc => Some(Op::Realloc { slot, size: Size(first) }),
        Kind::Reallocarray => Some(Op::Reallocarray { slot, count: Size(first), size: Size(second) }),
        Kind::Free => {
            slots.give(block);
            Some(Op::Free { slot })
        }
        Kind::UsableSize => Some(Op::UsableSize { slot }),
        Kind::Malloc
        | Kind::Calloc
        | Kind::PosixMemalign
        | Kind::AlignedAlloc
        | Kind::Memalign
        | Kind::FreeNull
        | Kind::FreeUnknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtwin_models::heap::OpKind;

    fn record(kind: Kind, block: u32, first: u64, second: u64) -> Record {
        Record { kind, is_answered: true, thread: 0, block, first, second }
    }

    fn cut(records: &[Record]) -> (Vec<Piece>, Calls) {
        let mut cutter = Cutter::default();
        let mut pieces: Vec<Piece> = records.iter().filter_map(|record| cutter.push(*record)).collect();
        let (rest, calls) = cutter.finish();
        pieces.extend(rest);
        (pieces, calls)
    }

    fn ops(piece: &Piece) -> Vec<Op> {
        piece.ops.iter().map(|(_, op)| op.clone()).collect()
    }

    #[test]
    fn each_call_becomes_its_op_in_the_lowest_free_slot() {
        let slot = Slot::new_folded;
        let refused = Record { is_answered: false, ..record(Kind::Malloc, 0, 1 << 62, 0) };
        let (pieces, calls) = cut(&[
            record(Kind::Malloc, 1, 10, 0),
            record(Kind::Calloc, 2, 3, 4),
            record(Kind::Realloc, 1, 20, 0),
            record(Kind::Free, 1, 0, 0),
            refused,
            record(Kind::AlignedAlloc, 3, 64, 32),
            record(Kind::FreeNull, 0, 0, 0),
            record(Kind::FreeUnknown, 0, 0, 0),
            record(Kind::UsableSize, 2, 12, 0),
            record(Kind::PosixMemalign, 4, 5, 24),
            record(Kind::Memalign, 5, 5, 24),
            record(Kind::Reallocarray, 2, 5, 6),
        ]);
        assert_eq!(
            ops(&pieces[0]),
            [
                Op::Malloc { slot: slot(0), size: Size(10) },
                Op::Calloc { slot: slot(1), count: Size(3), size: Size(4) },
                Op::Realloc { slot: slot(0), size: Size(20) },
                Op::Free { slot: slot(0) },
                Op::Malloc { slot: slot(0), size: Size(1 << 62) },
                Op::AlignedAlloc { slot: slot(0), align: Alignment::from_exponent_folded(5), size: Size(64) },
                Op::FreeNull,
                Op::UsableSize { slot: slot(1) },
                Op::PosixMemalign { slot: slot(2), align: AnyAlignment(24), size: Size(5) },
                Op::Reallocarray { slot: slot(1), count: Size(5), size: Size(6) },
            ]
        );
        // No op asks for a memalign that is no power of two.
        assert_eq!((calls.all, calls.unknown_frees, calls.most_live, calls.left_out), (12, 1, 4, 1));
    }

    #[test]
    fn a_recording_is_cut_where_few_blocks_are_live_and_each_piece_begins_with_them() {
        // Blocks come and go in tides; one stays.
        let mut records = vec![record(Kind::Memalign, 1, 100, 64), record(Kind::Realloc, 1, 200, 0)];
        let mut number = 1;
        for _ in 0..30 {
            records.extend((1..=250).map(|index| record(Kind::Malloc, number + index, 16, 0)));
            records.extend((1..=250).map(|index| record(Kind::Free, number + index, 0, 0)));
            number += 250;
        }
        let (pieces, calls) = cut(&records);
        assert_eq!((calls.all, calls.left_out, calls.most_live), (15_002, 0, 251));
        assert!(4 <= pieces.len());
        for piece in &pieces[1..] {
            let ops = ops(piece);
            // Its alignment went with the reallocation.
            assert_eq!(ops[0], Op::Malloc { slot: Slot::new_folded(0), size: Size(200) });
            assert_eq!(ops.len() % 500, 1, "cut at low water");
        }
        let all: usize = pieces.iter().map(|piece| piece.ops.len()).sum();
        assert_eq!(all, records.len() + pieces.len() - 1);
    }

    #[test]
    fn a_piece_frees_no_slot_that_it_did_not_fill_and_never_fills_one_twice() {
        let mut records = Vec::new();
        // 10,000 live blocks, far more than there are slots, then every third one is freed while others come.
        records.extend((1..=10_000).map(|number| record(Kind::Malloc, number, 24, 0)));
        for number in (1..=10_000).step_by(3) {
            records.push(record(Kind::Free, number, 0, 0));
            records.push(record(Kind::Calloc, 20_000 + number, 1, 8));
        }
        let (pieces, calls) = cut(&records);
        assert_eq!(calls.most_live, 10_000);
        for piece in &pieces {
            let mut full = BTreeSet::new();
            for op in ops(piece) {
                let Some(slot) = op.slot() else { panic!("{op:?}") };
                let is_right = if op.kind() == OpKind::Free { full.remove(&slot) } else { full.insert(slot) };
                assert!(is_right, "{op:?}");
            }
        }
        let told: u64 = pieces.iter().map(|piece| piece.calls_left_out).sum();
        assert_eq!(told, calls.left_out);
    }

    #[test]
    fn the_calls_before_one_end_with_it_and_stand_on_what_was_live() {
        let records: Vec<Record> = (1..=50).map(|number| record(Kind::Malloc, number, number.into(), 0)).collect();
        let piece = ending_at(records.iter().copied(), 9, 3).unwrap();
        let sizes = ops(&piece).into_iter().map(|op| op.asked_bytes().unwrap());
        assert_eq!(sizes.collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
        assert!(ending_at(records.into_iter(), 50, 3).is_none());
    }
}
