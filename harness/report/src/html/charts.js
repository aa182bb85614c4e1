// Small charts of how a campaign went. Each has its figures as a sentence, and all of them as a table.

const CHART = { width: 300, height: 72 };

function line(points, label) {
  const [lastX] = points.at(-1);
  const highest = Math.max(...points.map(([, y]) => y), 1);
  const x = (value) => ((value / (lastX || 1)) * CHART.width).toFixed(1);
  const y = (value) => (CHART.height - (value / highest) * (CHART.height - 4)).toFixed(1);
  const path = points.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`).join('');
  const [firstX] = points[0];
  return drawing('svg', { viewBox: `0 0 ${CHART.width} ${CHART.height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    drawing('path', { class: 'area', d: `${path}L${x(lastX)} ${CHART.height}L${x(firstX)} ${CHART.height}Z` }),
    drawing('path', { class: 'line', d: path, 'vector-effect': 'non-scaling-stroke' }));
}

// Ops a second between two samples. Workers finish in any order, so a sample may be no later than the one before it.
function rates(growth) {
  const speeds = [];
  let from = { ops: 0, seconds: 0 };
  for (const sample of growth) {
    if (sample.seconds <= from.seconds) continue;
    speeds.push([sample.seconds, (sample.ops - from.ops) / (sample.seconds - from.seconds)]);
    from = sample;
  }
  return speeds;
}

function figure(points, label, caption, from, to) {
  return element('figure', {}, element('figcaption', {}, caption), line(points, label),
    element('p', { class: 'axis', 'aria-hidden': 'true' }, element('span', {}, from), element('span', {}, to)));
}

function growthCharts(subject) {
  const growth = subject.growth ?? [];
  if (growth.length < 2) return null;
  const last = growth.at(-1);
  const settled = growth.find((sample) => sample.features === last.features);
  const speeds = rates(growth);
  const highest = Math.max(0, ...speeds.map(([, speed]) => speed));
  const features = `${exactly(last.features)} features after ${roughly(last.ops)} ops; none is new since ${roughly(settled.ops)} ops`;
  const speed = `at most ${roughly(highest)} ops a second, in ${lasting(last.seconds)}`;
  const rows = () => scrolling(`Growth of ${subject.subject}`, table(`Growth of ${subject.subject}`, ['Ops', 'Traces', 'Time', 'Features'],
    growth.map((sample) => [exactly(sample.ops), exactly(sample.traces), lasting(sample.seconds), exactly(sample.features)]), [0, 1, 2, 3]));
  return element('div', { class: 'growth' },
    figure(growth.map((sample) => [sample.ops, sample.features]), `Features over ops: ${features}`, element('span', {}, element('b', {}, 'Features'), ` ${features}`), '0 ops', roughly(last.ops)),
    speeds.length < 2 ? null : figure(speeds, `Ops a second over time: ${speed}`, element('span', {}, element('b', {}, 'Ops a second'), ` ${speed}`), '0 s', lasting(last.seconds)),
    folded('The figures', rows));
}

// How soon each known defect was caught: a cell a defect, its bar as long as the logarithm of the time.
function catchMatrix(entries) {
  const times = entries.map(({ subject }) => subject.findings?.[0]?.seconds ?? 0);
  const longest = Math.max(...times, 0.01);
  const share = (seconds) => Math.max(0.03, Math.log10(Math.max(seconds, 0.001) / 0.001) / Math.log10(longest / 0.001));
  const cell = ({ subject, first }) => {
    const found = subject.findings?.[0];
    if (!found || subject.verdict !== 'caught') {
      return element('li', { class: 'missed' }, element('b', {}, subject.subject), element('span', {}, subject.verdict));
    }
    const bar = element('i', { 'aria-hidden': 'true' });
    bar.style.width = `${(share(found.seconds) * 100).toFixed(0)}%`;
    return element('li', {}, element('a', { href: `#finding-${first}` }, subject.subject), unseen(' caught, '),
      element('span', {}, found.executions === 0 ? subject.verdict : `${plural(found.executions, 'trace')}, ${lasting(found.seconds)}`), bar);
  };
  const groups = Map.groupBy(entries, ({ subject }) => subject.component);
  return [
    ...[...groups].map(([component, cells]) => {
      const caught = cells.filter(({ subject }) => subject.verdict === 'caught').length;
      return element('div', { class: 'matrix' }, element('h3', {}, component, ' ', element('small', {}, `${caught} of ${cells.length} caught`)), element('ul', {}, cells.map(cell)));
    }),
    element('p', { class: 'muted' }, `Each cell: traces until the defect was caught, and the time. Bars are logarithmic, from 1\u202fms to ${lasting(longest)}.`),
  ];
}
