'use strict';
// How the page makes elements and words. Elements are made of text and of other elements, never of markup in a string: what a
// trace or a subject says stays text.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// For screen readers alone.
const unseen = (text) => element('span', { class: 'unseen' }, text);

const code = (text) => element('code', {}, text);

// A part that may be wider than the page: it scrolls by itself, also with the keyboard.
function scrolling(label, ...children) {
  return element('div', { class: 'scrolling', role: 'group', 'aria-label': label, tabindex: '0' }, ...children);
}

// A part that is made when it is first opened.
function folded(summary, make, attributes = {}) {
  let made = false;
  const open = (event) => {
    if (made || !event.currentTarget.open) return;
    made = true;
    event.currentTarget.append(make());
  };
  return element('details', { toggle: open, ...attributes }, element('summary', {}, summary));
}

const exactly = (number) => Number(number).toLocaleString('en-US');

function roughly(number) {
  for (const [limit, unit] of [[1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (limit <= number) return `${(number / (unit === 'k' ? 1e3 : limit)).toFixed(1)}\u202f${unit}`;
  }
  return exactly(Math.round(number));
}

function lasting(seconds) {
  if (seconds < 0.0005) return '<\u202f1\u202fms';
  if (seconds < 1) return `${Math.round(seconds * 1000)}\u202fms`;
  if (seconds < 120) return `${seconds.toFixed(1)}\u202fs`;
  return `${Math.floor(seconds / 60)}\u202fmin ${Math.round(seconds % 60)}\u202fs`;
}

const plural = (number, one, many = `${one}s`) => `${exactly(number)} ${number === 1 ? one : many}`;

// `still_failing` as a person writes it.
const spaced = (name) => String(name).replaceAll('_', ' ');

function bytesInWords(bytes) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let unit = 0;
  let scale = 1n;
  while (unit + 1 < units.length && scale * 1024n <= bytes) {
    unit += 1;
    scale *= 1024n;
  }
  if (bytes === 1n) return '1\u202fbyte';
  const tenths = (bytes * 10n) / scale;
  return `${bytes % scale === 0n ? bytes / scale : Number(tenths) / 10}\u202f${units[unit]}`;
}

// A command with a button that copies it.
function command(words) {
  const shown = code(words);
  const told = element('span', { role: 'status', class: 'told' });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(words);
      told.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(shown);
      told.textContent = 'Selected';
    }
  };
  return element('p', { class: 'command' }, shown, element('button', { type: 'button', click: copy }, 'Copy', unseen(` ${words}`)), told);
}

// A table of plain cells. The columns named as numbers are set flush right.
function table(caption, heads, rows, numbers = []) {
  const cell = (value, index) => (index === 0
    ? element('th', { scope: 'row' }, value)
    : element('td', { class: numbers.includes(index) ? 'number' : null }, value));
  return element('table', {}, element('caption', {}, caption),
    element('thead', {}, element('tr', {}, heads.map((head, index) => element('th', { scope: 'col', class: numbers.includes(index) ? 'number' : null }, head)))),
    element('tbody', {}, rows.map((row) => element('tr', {}, row.map(cell)))));
}
