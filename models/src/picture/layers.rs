//! Ranges laid over each other, and the bounds of panels. Does not know what is drawn.

use super::{Mark, Panel, Row, Span, Tone};

/// The most spans of a map and rows of a table; what is left out is counted.
pub const MOST_ITEMS: usize = 16;
/// How many spans at either end of a map, and beside what matters, are kept before others.
const NEIGHBOURS: usize = 2;

/// Ranges of one address space, each laid over those before.
#[derive(Debug, Clone)]
pub struct Layers {
    /// What is said of addresses where nothing lies.
    hole: &'static str,
    /// In ascending order, without overlaps.
    spans: Vec<Span>,
}

impl Layers {
    /// No ranges yet; `hole` is what is said of addresses where nothing lies.
    #[must_use]
    pub fn new(hole: &'static str) -> Self {
        Layers { hole, spans: Vec::new() }
    }

    /// Lays a range of so many bytes over what is there; nothing where it has no bytes. It ends with the address space.
    pub fn lay(&mut self, start: u64, bytes: u64, tone: Tone, label: impl Into<String>) {
        if let Some(distance) = bytes.checked_sub(1) {
            self.put(Span { start, last: start.saturating_add(distance), label: label.into(), tone });
        }
    }

    /// Marks a range as asked for. Each piece says what lies beneath it.
    pub fn ask(&mut self, start: u64, bytes: u64, label: &str) {
        let Some(last) = bytes.checked_sub(1).map(|distance| start.saturating_add(distance)) else { return };
        let beneath = self.spans.iter().filter(|span| span.start <= last && start <= span.last);
        let beneath: Vec<Span> = beneath.cloned().collect();
        let piece =
            |start, last, what: &str| Span { start, last, label: format!("{label}: {what}"), tone: Tone::Asked };
        self.put(piece(start, last, self.hole));
        for span in beneath {
            self.put(piece(span.start.max(start), span.last.min(last), &span.label));
        }
    }

    /// Puts a span in place of what it covers.
    fn put(&mut self, span: Span) {
        let at = self.clear(span.start, span.last);
        self.spans.insert(at, span);
    }

    /// Cuts a hole and says where in the list it is.
    fn clear(&mut self, start: u64, last: u64) -> usize {
        let mut kept = Vec::with_capacity(self.spans.len() + 2);
        for span in self.spans.drain(..) {
            if span.last < start || last < span.start {
                kept.push(span);
                continue;
            }
            if span.start < start {
                kept.push(Span { last: start - 1, ..span.clone() });
            }
            if last < span.last {
                kept.push(Span { start: last + 1, ..span });
            }
        }
        self.spans = kept;
        self.spans.partition_point(|span| span.start < start)
    }

    /// The panel, with marks in the order of their addresses.
    #[must_use]
    pub fn into_map(self, title: &str, mut marks: Vec<Mark>) -> Panel {
        marks.sort_by_key(|mark| mark.at);
        Panel::Map { title: title.to_owned(), spans: bounded(self.spans), marks: bounded_marks(marks) }
    }
}

impl Panel {
    /// A table of these rows.
    #[must_use]
    pub fn table(title: &str, columns: &[&str], mut rows: Vec<Row>) -> Panel {
        if MOST_ITEMS < rows.len() {
            let kept = chosen(rows.len(), |index| matters(rows[index].tone), MOST_ITEMS - 1);
            let left_out = kept.iter().filter(|kept| !**kept).count();
            let mut kept = kept.into_iter();
            rows.retain(|_| kept.next() == Some(true));
            let mut cells = vec![String::new(); columns.len()];
            cells[0] = format!("and {left_out} more");
            rows.push(Row { cells, tone: Tone::Plain });
        }
        let columns = columns.iter().map(|&head| head.to_owned()).collect();
        Panel::Table { title: title.to_owned(), columns, rows }
    }
}

impl Row {
    /// A row of these cells.
    #[must_use]
    pub fn new<const CELLS: usize>(tone: Tone, cells: [String; CELLS]) -> Row {
        Row { cells: cells.into(), tone }
    }
}

fn matters(tone: Tone) -> bool {
    matches!(tone, Tone::Asked | Tone::Wrong)
}

/// Which of so many items are kept: what matters, then its neighbours and both ends, then the first.
fn chosen(count: usize, matters: impl Fn(usize) -> bool, most: usize) -> Vec<bool> {
    let is_near = |index: usize| {
        let is_end = index < NEIGHBOURS || count <= index + NEIGHBOURS;
        is_end || (index.saturating_sub(NEIGHBOURS)..=(index + NEIGHBOURS).min(count - 1)).any(&matters)
    };
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|index| (!matters(*index), !is_near(*index)));
    let mut kept = vec![false; count];
    order.into_iter().take(most).for_each(|index| kept[index] = true);
    kept
}

/// At most [`MOST_ITEMS`] spans; what is left out between two of them becomes one that counts it.
fn bounded(spans: Vec<Span>) -> Vec<Span> {
    if spans.len() <= MOST_ITEMS {
        return spans;
    }
    // Between kept ones lie as many runs at most.
    let kept = chosen(spans.len(), |index| matters(spans[index].tone), MOST_ITEMS / 2);
    let mut shown: Vec<Span> = Vec::with_capacity(MOST_ITEMS);
    let mut left_out = 0;
    for (span, is_kept) in spans.into_iter().zip(kept) {
        match shown.last_mut().filter(|_| !is_kept && 0 < left_out) {
            Some(last) => {
                left_out += 1;
                (last.last, last.label) = (span.last, format!("{left_out} more ranges"));
            }
            None => {
                left_out = usize::from(!is_kept);
                shown.push(span);
            }
        }
    }
    shown
}

fn bounded_marks(mut marks: Vec<Mark>) -> Vec<Mark> {
    let left_out = marks.len().saturating_sub(MOST_ITEMS);
    marks.truncate(MOST_ITEMS);
    if let Some(last) = marks.last_mut().filter(|_| left_out != 0) {
        last.label.push_str(&format!(" (and {left_out} more marks)"));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(panel: Panel) -> Vec<(u64, u64, String, Tone)> {
        let Panel::Map { spans, .. } = panel else { panic!("a map") };
        spans.into_iter().map(|span| (span.start, span.last, span.label, span.tone)).collect()
    }

    #[test]
    fn layers_cut_what_lies_beneath() {
        let mut layers = Layers::new("nothing is here");
        layers.lay(0, 100, Tone::Plain, "memory");
        layers.lay(10, 10, Tone::Live, "block");
        layers.lay(5, 0, Tone::Wrong, "of no bytes");
        layers.ask(15, 10, "read");
        layers.ask(u64::MAX - 1, 8, "write");
        let expected = [
            (0, 9, "memory", Tone::Plain),
            (10, 14, "block", Tone::Live),
            (15, 19, "read: block", Tone::Asked),
            (20, 24, "read: memory", Tone::Asked),
            (25, 99, "memory", Tone::Plain),
            (u64::MAX - 1, u64::MAX, "write: nothing is here", Tone::Asked),
        ];
        assert_eq!(
            shape(layers.into_map("addresses", Vec::new())),
            expected.map(|(start, last, label, tone)| (start, last, label.to_owned(), tone))
        );
    }

    #[test]
    fn a_range_over_a_border_asks_for_the_hole_too() {
        let mut layers = Layers::new("nothing is here");
        layers.lay(0, 16, Tone::Plain, "memory");
        layers.lay(24, 8, Tone::Guarded, "device");
        layers.ask(8, 24, "read");
        let shape = shape(layers.into_map("addresses", Vec::new()));
        let labels: Vec<&str> = shape.iter().map(|(_, _, label, _)| label.as_str()).collect();
        assert_eq!(labels, ["memory", "read: memory", "read: nothing is here", "read: device"]);
    }

    #[test]
    fn many_ranges_are_counted_and_what_is_asked_for_is_kept() {
        let mut layers = Layers::new("nothing is here");
        (0..1000).for_each(|index| layers.lay(10 * index, 10, Tone::Live, format!("block {index}")));
        layers.ask(5000, 10, "free");
        let shape = shape(layers.into_map("addresses", Vec::new()));
        assert!(shape.len() <= MOST_ITEMS, "{}", shape.len());
        assert!(shape.iter().any(|(_, _, label, _)| label == "free: block 500"));
        assert!(shape.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert_eq!((shape[0].0, shape[shape.len() - 1].1), (0, 9999));
        let counted =
            shape.iter().filter_map(|(_, _, label, _)| label.strip_suffix(" more ranges")?.parse::<usize>().ok());
        let single = shape.iter().filter(|(_, _, label, _)| !label.ends_with("more ranges")).count();
        assert_eq!(counted.sum::<usize>() + single, 1000);
    }

    #[test]
    fn a_long_table_ends_with_how_many_rows_were_left_out() {
        let rows = (0..100).map(|index| {
            let tone = if index == 70 { Tone::Asked } else { Tone::Live };
            Row::new(tone, [index.to_string(), String::new()])
        });
        let Panel::Table { rows, .. } = Panel::table("rows", &["number", "more"], rows.collect()) else {
            panic!("a table")
        };
        assert_eq!(rows.len(), MOST_ITEMS);
        assert!(rows.iter().any(|row| row.cells[0] == "70"));
        assert_eq!(rows[MOST_ITEMS - 1].cells, ["and 85 more", ""]);
    }
}
