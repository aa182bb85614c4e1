// The page: reads the run, puts its sections where the plain text was, and binds findings, traces and theme together.

const run = JSON.parse(document.getElementById('memtwin-run').textContent);
const subjects = run.subjects ?? [];
// What nobody expected comes first, known defects last.
const rank = ({ subject, finding }) => (subject.health === 'broken' ? 2 : finding.known ? 1 : 0);
const findings = subjects
  .flatMap((subject) => (subject.findings ?? []).map((finding) => ({ subject, finding })))
  .sort((one, other) => rank(one) - rank(other))
  .map((entry, index) => ({ ...entry, index }));

// What became of a trace, what needs a person first.
const STATUSES = {
  new: 'fails, and nothing said so',
  flaky: 'fails at times',
  still_failing: 'fails as the trace or the baseline says',
  known: 'fails as a known finding says',
  fixed: 'failed before, or was expected to, and agrees now',
  gone: 'no longer applies',
  skipped: 'the subject does not serve its setup, and never did',
  passed: 'agrees, as it must',
};
const AGREES = ['passed', 'fixed'];
const ROWS_AT_ONCE = 200;

function section(id, title, ...content) {
  return element('section', { id, 'aria-labelledby': `${id}-title` }, element('h2', { id: `${id}-title` }, title), ...content);
}

// A box that filters: `show` is told the words, and answers how much is left.
function filterBox(label, placeholder, show) {
  const told = element('span', { class: 'muted', role: 'status' });
  const input = element('input', { type: 'search', placeholder, autocomplete: 'off', spellcheck: 'false', input: () => { told.textContent = show(input.value.trim().toLowerCase()); } });
  told.textContent = show('');
  return element('p', { class: 'filter' }, element('label', {}, element('span', {}, label), input), told);
}

function findingsSection() {
  if (findings.length === 0) return section('findings', 'Findings', element('p', {}, 'None.'));
  const searched = findings.map(({ subject, finding }) => `${subject.component}/${subject.subject} ${finding.signature} ${finding.story?.defect ?? ''}`.toLowerCase());
  const list = element('div', { class: 'finding-list' });
  const place = element('div', { class: 'finding-place' });
  const links = findings.map(({ subject, finding, index }) => element('a', { href: `#finding-${index}` },
    element('b', {}, subject.subject), element('span', {}, String(finding.signature).split('/').slice(1).join(' / '))));
  const groupOf = (entry) => `${['unexpected, in ', 'known, in ', ''][rank(entry)]}${entry.subject.component}`;

  function show(words) {
    const left = findings.filter(({ index }) => searched[index].includes(words));
    list.replaceChildren(...[...Map.groupBy(left, groupOf)].flatMap(([name, entries]) => [element('h3', {}, name, ' ', element('small', {}, exactly(entries.length))), element('ul', {}, entries.map(({ index }) => element('li', {}, links[index])))]));
    return words === '' ? plural(findings.length, 'finding') : `${exactly(left.length)} of ${plural(findings.length, 'finding')}`;
  }

  function choose(index, isAsked) {
    const entry = findings[index];
    if (!entry) return;
    links.forEach((link, other) => (other === index ? link.setAttribute('aria-current', 'true') : link.removeAttribute('aria-current')));
    list.scrollTop = links[index].offsetTop - list.clientHeight / 2;
    place.replaceChildren(viewer(entry));
    if (!isAsked) return;
    const heading = place.querySelector('h3');
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: 'nearest' });
  }

  const asked = () => /^#finding-(\d+)$/.exec(location.hash);
  addEventListener('hashchange', () => { if (asked()) choose(Number(asked()[1]), true); });
  const filter = filterBox('Filter findings', 'subject, law, op …', show);
  choose(0, false);
  const made = section('findings', 'Findings', element('div', { class: 'master' }, element('nav', { 'aria-label': 'Findings' }, filter, list), place));
  // Only what is part of the page can be scrolled to.
  return [made, () => { if (asked()) choose(Number(asked()[1]), true); }];
}

function traceRows(rows) {
  const body = element('tbody');
  const more = element('button', { type: 'button', click: () => add() });
  let shown = 0;
  function add() {
    const next = rows.slice(shown, shown + ROWS_AT_ONCE);
    shown += next.length;
    body.append(...next.map((row) => element('tr', {}, element('th', { scope: 'row' }, row.trace), element('td', {}, row.target), element('td', {}, row.expected ?? 'agreement'),
      element('td', {}, row.seen ?? (AGREES.includes(row.status) ? 'agreement' : 'nothing'), row.reason ? element('small', {}, row.reason) : null))));
    more.hidden = shown === rows.length;
    more.textContent = `Show ${exactly(Math.min(ROWS_AT_ONCE, rows.length - shown))} more of ${exactly(rows.length - shown)}`;
  }
  add();
  const heads = ['Trace', 'Subject', 'Expected', 'Seen'].map((head) => element('th', { scope: 'col' }, head));
  return element('div', {}, scrolling('Traces', element('table', { class: 'traces' }, element('caption', { class: 'unseen' }, 'Traces'), element('thead', {}, element('tr', {}, heads)), body)), more);
}

function tracesSection() {
  const traces = run.traces ?? [];
  if (traces.length === 0) return null;
  const searched = traces.map((row) => `${row.trace} ${row.target} ${spaced(row.status)} ${row.expected ?? ''} ${row.seen ?? ''} ${row.reason ?? ''}`.toLowerCase());
  const groups = element('div', { class: 'groups' });
  const order = (status) => [...Object.keys(STATUSES), status].indexOf(status);
  function show(words) {
    const left = words === '' ? traces : traces.filter((_, index) => searched[index].includes(words));
    const byStatus = [...Map.groupBy(left, (row) => String(row.status))].sort(([one], [other]) => order(one) - order(other));
    groups.replaceChildren(...byStatus.map(([status, rows]) => {
      const unexpected = rows.filter((row) => row.unexpected).length;
      const heading = element('span', {}, element('b', {}, spaced(status)), ` ${exactly(rows.length)} `,
        element('span', { class: 'muted' }, Object.hasOwn(STATUSES, status) ? STATUSES[status] : ''),
        unexpected === 0 ? null : [' ', element('span', { class: 'badge bad' }, `${exactly(unexpected)} unexpected`)]);
      const made = () => {
        const byComponent = [...Map.groupBy(rows, (row) => String(row.target).split('/')[0])];
        return element('div', {}, byComponent.length === 1 ? traceRows(rows)
          : byComponent.map(([component, some]) => folded(element('span', {}, component, ` ${exactly(some.length)}`), () => traceRows(some))));
      };
      return folded(heading, made, { class: rows.some((row) => row.unexpected) ? 'is-unexpected' : null });
    }));
    return words === '' ? plural(traces.length, 'trace') : `${exactly(left.length)} of ${plural(traces.length, 'trace')}`;
  }
  const filter = filterBox('Filter traces', 'path, subject, status, signature …', show);
  return section('traces', 'Traces', filter, groups);
}

function matrixSection() {
  const entries = subjects.filter((subject) => subject.health === 'broken')
    .map((subject) => ({ subject, first: findings.findIndex((entry) => entry.subject === subject) }));
  return entries.length === 0 ? null : section('matrix', 'Known defects', element('p', { class: 'lead' }, 'Each is a broken subject that memtwin must catch. A missed one means that an agreement proves less.'), catchMatrix(entries));
}

function outcomes(subject) {
  const kinds = Object.entries(subject.outcomes ?? {});
  const classes = [...new Set(kinds.flatMap(([, counts]) => Object.keys(counts)))];
  const rows = kinds.map(([kind, counts]) => [kind, ...classes.map((name) => (Object.hasOwn(counts, name) ? exactly(counts[name]) : '–'))]);
  return scrolling(`Ops of ${subject.subject} by outcome`, table(`Ops by outcome`, ['Op', ...classes.map(spaced)], rows, classes.map((_, index) => index + 1)));
}

function campaignSection() {
  const sound = subjects.filter((subject) => subject.health !== 'broken');
  if (sound.length === 0) return null;
  return section('campaign', 'Sound subjects', element('p', { class: 'lead' }, 'Each ran beside the model, and has to agree with it at every step.'),
    element('ul', { class: 'subjects' }, sound.map((subject) => element('li', {},
      element('h3', {}, `${subject.component}/${subject.subject} `, element('span', { class: `badge ${{ agreed: 'good', known: 'warn' }[subject.verdict] ?? 'bad'}` }, subject.verdict)),
      element('p', {}, `${exactly(subject.ops)} ops in ${plural(subject.traces, 'trace')}, ${roughly(subject.ops / (subject.seconds || 1))} ops a second of one worker, ${plural(subject.features, 'feature')}; `
        + `${exactly(subject.moot)} moot, ${exactly(subject.unsupported)} unsupported, ${exactly(subject.unconfirmed)} unconfirmed.`),
      growthCharts(subject),
      Object.keys(subject.outcomes ?? {}).length === 0 ? null : folded('Ops by outcome', () => outcomes(subject))))));
}

function bindTheme() {
  const button = document.getElementById('theme');
  const themes = ['as the system', 'light', 'dark'];
  let theme = themes[0];
  const use = (name) => {
    theme = themes.includes(name) ? name : themes[0];
    if (theme === themes[0]) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  // A browser may refuse to remember anything for a file; the choice then lasts as long as the page.
  try { use(localStorage.getItem('memtwin-theme')); } catch { use(themes[0]); }
  button.hidden = false;
  button.addEventListener('click', () => {
    use(themes[(themes.indexOf(theme) + 1) % themes.length]);
    try { localStorage.setItem('memtwin-theme', theme); } catch { /* It is not remembered. */ }
  });
}

const [findingsPart, openAsked] = [findingsSection()].flat();
const parts = [tracesSection(), findingsPart, matrixSection(), campaignSection()].filter(Boolean);
document.getElementById('plain').replaceWith(...parts);
document.getElementById('sections').append(...parts.map((part) => element('a', { href: `#${part.id}` }, part.querySelector('h2').textContent)));
openAsked?.();
bindTheme();
