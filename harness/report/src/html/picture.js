// Pictures of a model's state. They are lists and tables of text that look like memory, so a screen reader reads the same that
// others see. What differs from the picture of the step before is marked.

const TONES = { plain: 'there', absent: 'nothing there', live: 'in use', guarded: 'guarded', asked: 'asked for', wrong: 'wrong' };

const toneOf = (thing) => (Object.hasOwn(TONES, thing.tone) ? thing.tone : 'plain');

// What an op asks for comes and goes with the op; it is no change of the memory.
const isPassing = (thing) => thing.tone === 'asked' || thing.tone === 'wrong';

// Rows that say that nothing is there neither come nor go.
const isSomething = (row) => !isPassing(row) && row.tone !== 'absent';

function address(text) {
  try {
    return BigInt(text);
  } catch {
    return 0n;
  }
}

function measured(span) {
  return { ...span, from: address(span.start), to: address(span.last) };
}

// A range is as it was if the ranges it covers were the same thing, but for what the last op asked for.
function isNewSpan(span, before) {
  if (isPassing(span)) return false;
  const under = before.filter((old) => old.from <= span.to && span.from <= old.to);
  const isSame = (old) => old.label === span.label && old.tone === span.tone;
  if (!under.every((old) => isSame(old) || isPassing(old))) return true;
  if (under.some(isSame)) return false;
  return under.length === 0 || (span.tone !== 'plain' && span.tone !== 'absent');
}

// Heights grow with the logarithm of the size: a page is taller than a byte, and a gigabyte still fits.
function heightOf(bytes) {
  const bits = bytes.toString(2).length;
  return `${(1.5 + Math.min(bits, 40) * 0.09).toFixed(2)}rem`;
}

function toneWord(thing, isNew) {
  const words = [isNew && element('span', { class: 'new' }, 'new'), toneOf(thing) !== 'plain' && TONES[toneOf(thing)]].filter(Boolean);
  return words.length === 0 ? null : element('span', { class: 'tone-word' }, words.flatMap((word, index) => (index === 0 ? [word] : [' · ', word])));
}

function drawMark(mark, isNew) {
  return element('li', { class: `pin tone-${toneOf(mark)}${isNew ? ' is-new' : ''}` },
    element('span', { class: 'at' }, mark.at), element('span', { class: 'what' }, mark.label), toneWord(mark, isNew));
}

function drawMap(panel, before) {
  const spans = (panel.spans ?? []).map(measured);
  const marks = (panel.marks ?? []).map((mark) => ({ ...mark, from: address(mark.at) }));
  const oldSpans = before ? (before.spans ?? []).map(measured) : null;
  const oldMarks = before ? new Set((before.marks ?? []).map((mark) => `${mark.at} ${mark.label}`)) : null;
  const isNewMark = (mark) => oldMarks !== null && !isPassing(mark) && !oldMarks.has(`${mark.at} ${mark.label}`);
  const rows = element('ol', { class: 'map' });
  const markRows = (from, to) => marks.filter((mark) => from <= mark.from && mark.from <= to).map((mark) => drawMark(mark, isNewMark(mark)));
  // What lies between the ranges is told; what lies around them is so only where a mark is.
  const gap = (from, to, isBetween) => {
    const inside = markRows(from, to);
    if (!isBetween && inside.length === 0) return;
    const words = isBetween ? `a gap of ${bytesInWords(to - from + 1n)}` : 'outside of the picture';
    rows.append(element('li', { class: 'gap' }, element('span', { class: 'what' }, words), inside.length === 0 ? null : element('ol', {}, inside)));
  };
  let next = 0n;
  for (const span of spans) {
    if (next < span.from) gap(next, span.from - 1n, 0n < next);
    const isNew = oldSpans !== null && isNewSpan(span, oldSpans);
    const inside = markRows(span.from, span.to);
    const row = element('li', { class: `span tone-${toneOf(span)}${isNew ? ' is-new' : ''}` },
      element('span', { class: 'at' }, span.start, unseen(` to ${span.last}: `)),
      element('span', { class: 'what' }, span.label),
      element('span', { class: 'size' }, bytesInWords(span.to - span.from + 1n)),
      toneWord(span, isNew),
      inside.length === 0 ? null : element('ol', {}, inside));
    row.style.minHeight = heightOf(span.to - span.from + 1n);
    rows.append(row);
    next = span.to + 1n;
  }
  const last = spans.at(-1);
  if (last) rows.append(element('li', { class: 'end', 'aria-hidden': 'true' }, element('span', { class: 'at' }, last.last)));
  gap(next, (1n << 64n) - 1n, false);
  return rows;
}

// Rows are the same row if they begin alike; where that is not unique, if they have the same place.
function matched(row, index, rows, before) {
  const key = (candidate) => candidate.cells[0];
  const isUnique = (list) => list.filter((candidate) => key(candidate) === key(row)).length === 1;
  if (isUnique(rows) && isUnique(before)) return before.find((candidate) => key(candidate) === key(row));
  const there = before[index];
  return there && key(there) === key(row) ? there : undefined;
}

function drawTable(panel, before) {
  const rows = panel.rows ?? [];
  const oldRows = before ? (before.rows ?? []) : null;
  const kept = new Set();
  const body = rows.map((row, index) => {
    const old = oldRows === null ? undefined : matched(row, index, rows, oldRows);
    if (old) kept.add(old);
    const isNew = oldRows !== null && old === undefined && isSomething(row);
    const cells = row.cells.map((cell, column) => {
      const was = old && old.cells[column] !== cell ? old.cells[column] : null;
      const content = [cell, was === null || was === undefined ? null : element('small', {}, 'was ', was === '' ? 'empty' : was)];
      return column === 0
        ? element('th', { scope: 'row' }, content, isNew ? element('small', { class: 'new' }, 'new') : null)
        : element('td', { class: was === null ? null : 'is-new' }, content);
    });
    const word = toneOf(row) === 'plain' ? '' : TONES[toneOf(row)];
    return element('tr', { class: `tone-${toneOf(row)}${isNew ? ' is-new' : ''}` }, cells, element('td', { class: 'tone-word' }, word));
  });
  const gone = (oldRows ?? []).filter((old) => !kept.has(old) && isSomething(old)).map((old) => element('tr', { class: 'gone' },
    old.cells.map((cell, column) => element(column === 0 ? 'th' : 'td', column === 0 ? { scope: 'row' } : {}, element('s', {}, cell))),
    element('td', { class: 'tone-word' }, 'gone')));
  const heads = (panel.columns ?? []).map((column) => element('th', { scope: 'col' }, column));
  return element('table', {}, element('caption', { class: 'unseen' }, panel.title),
    element('thead', {}, element('tr', {}, heads, element('th', { scope: 'col' }, unseen('what it is')))),
    element('tbody', {}, body.length + gone.length === 0
      ? element('tr', {}, element('td', { colspan: heads.length + 1, class: 'muted' }, 'none'))
      : [body, gone].flat()));
}

function drawPicture(picture, before) {
  return (picture.panels ?? []).map((panel, index) => {
    const old = before?.panels?.[index];
    const same = old && old.panel === panel.panel && old.title === panel.title ? old : undefined;
    const isTable = panel.panel === 'table';
    return element('section', { class: 'panel' }, element('h5', {}, panel.title),
      isTable || 12 < (panel.spans ?? []).length
        ? scrolling(panel.title, isTable ? drawTable(panel, same) : drawMap(panel, same))
        : drawMap(panel, same));
  });
}
