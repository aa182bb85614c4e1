// The trace viewer: one finding, what is wrong, and its trace step by step.

const CAME = {
  agreed: { mark: '✓', words: 'the model allows it' },
  known: { mark: '≈', words: 'it breaks a law, which a list of known findings accepts' },
  diverged: { mark: '✗', words: 'the first divergence: it breaks a law' },
  died: { mark: '✗', words: 'the process died' },
  moot: { mark: '–', words: 'from here on the contract says nothing' },
};

const cameOf = (step) => (Object.hasOwn(CAME, step.came) ? step.came : 'agreed');

const isFailure = (step) => step.came === 'diverged' || step.came === 'died';

// The told steps. What failed outside of the ops, an audit for example, is a step of its own at the end.
function stepsOf(story) {
  const steps = (story.steps ?? []).map((step, index) => ({ ...step, name: `op ${(story.earlier ?? 0) + index}` }));
  const ends = { diverged: 'diverged', died: 'died' }[story.end?.end];
  if (ends && !steps.some(isFailure)) steps.push({ name: 'end', op: story.end.place ?? 'outside of the ops', came: ends, seen: story.end.seen, picture: story.end.picture });
  return steps;
}

function compared(allowed, seen) {
  if (!allowed && !seen) return null;
  const side = (name, words) => element('div', { class: `side ${name}` }, element('dt', {}, name), element('dd', {}, words));
  return element('dl', { class: 'compared' }, allowed ? side('allowed', allowed) : null, seen ? side('seen', seen) : null);
}

const pairs = (digits) => String(digits).match(/../g) ?? [];

// Two rows of bytes above each other, sixteen a line; the first that differs is marked apart from the others.
function hexDifference(bytes) {
  const allowed = pairs(bytes.allowed);
  const seen = pairs(bytes.seen);
  const start = address(bytes.start);
  const differs = (index) => allowed[index] !== seen[index];
  const at = (index) => `0x${(start + BigInt(index)).toString(16)}`;
  const different = allowed.filter((_, index) => differs(index)).length;
  const summary = `The first byte that differs is at ${at(bytes.first)}: ${allowed[bytes.first]} was allowed, ${seen[bytes.first]} was seen. `
    + `${different} of the ${plural(allowed.length, 'byte')} shown ${different === 1 ? 'differs' : 'differ'}.`;
  const body = [];
  for (let from = 0; from < allowed.length; from += 16) {
    for (const [name, side] of [['allowed', allowed], ['seen', seen]]) {
      const cells = side.slice(from, from + 16).map((byte, index) => {
        const place = from + index;
        const mark = place === bytes.first ? 'first' : differs(place) ? 'differs' : null;
        return element('td', { class: mark }, mark ? element('mark', {}, byte) : byte);
      });
      body.push(element('tr', { class: name }, element('th', { scope: 'row' }, `${at(from)} ${name}`), cells));
    }
  }
  return element('div', { class: 'hex' }, element('p', {}, summary),
    scrolling('Bytes allowed and seen', element('table', {}, element('caption', { class: 'unseen' }, 'Bytes allowed and seen'), element('tbody', {}, body))));
}

function fact(name, ...content) {
  return element('div', {}, element('dt', {}, name), element('dd', {}, ...content));
}

// What broke, in words, with what was allowed beside what was seen.
function ending(story) {
  const end = story.end ?? {};
  const facts = [];
  let title;
  if (end.end === 'diverged') {
    title = `The first divergence, ${end.place}`;
    facts.push(fact('Broken law', element('b', {}, end.law), ': ', end.sentence), fact('Where it shows', code(end.field)));
  } else if (end.end === 'died') {
    title = `The subject died, ${end.place}`;
    facts.push(fact('What happened', end.words, end.address ? [' at address ', code(end.address)] : null));
  } else if (end.end === 'moot') {
    return element('p', {}, `From op ${end.op} on the contract says nothing: ${end.reason}. The rest is not judged.`);
  } else if (end.end === 'unsupported') {
    return element('p', {}, `The subject cannot serve this setup: ${end.reason}. Nothing was judged.`);
  } else {
    return element('p', {}, 'The subject agreed with the model at every step.');
  }
  return element('section', { class: 'ending' }, element('h4', {}, title), element('dl', { class: 'facts' }, facts),
    compared(end.allowed, end.seen), end.bytes ? hexDifference(end.bytes) : null, lines('The place', end.scene),
    story.diagnosis ? element('div', { class: 'diagnosis' }, element('h4', {}, 'What is probably wrong'), element('p', {}, story.diagnosis)) : null);
}

// Lines with their columns, but for the indentation that all of them have.
function lines(title, texts) {
  if (!texts?.length) return null;
  const indentation = Math.min(...texts.map((text) => text.search(/\S|$/)));
  const shown = texts.map((text) => text.slice(indentation)).join('\n');
  return element('div', { class: 'lines' }, element('h4', {}, title), scrolling(title, element('pre', {}, shown)));
}

function stepper(story) {
  const steps = stepsOf(story);
  if (steps.length === 0) return null;
  let now = 0;
  const announced = element('p', { class: 'announced', role: 'status' });
  const view = element('div', { class: 'view' });
  const slider = element('input', { type: 'range', min: 0, max: steps.length - 1, value: 0, 'aria-label': 'Step', input: () => go(Number(slider.value)) });
  const move = (name, label, to) => element('button', { type: 'button', 'aria-label': label, title: label, click: () => go(to()) }, name);
  const back = [move('⇤', 'First step', () => 0), move('←', 'Step back', () => now - 1)];
  const on = [move('→', 'Step on', () => now + 1), move('⇥', 'Last step', () => steps.length - 1)];
  const choices = steps.map((step, index) => element('button', { type: 'button', class: `choice came-${cameOf(step)}`, click: () => go(index) },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, CAME[cameOf(step)].mark),
    element('span', { class: 'name' }, step.name), element('span', { class: 'op' }, step.op),
    isFailure(step) ? unseen(`, ${CAME[cameOf(step)].words}`) : null));

  function go(to, isQuiet = false) {
    const had = view.contains(document.activeElement);
    now = Math.max(0, Math.min(steps.length - 1, to));
    const step = steps[now];
    const words = `Step ${now + 1} of ${steps.length}: ${CAME[cameOf(step)].words}`;
    slider.value = now;
    slider.setAttribute('aria-valuetext', `${words}. ${step.op}`);
    for (const button of back) button.setAttribute('aria-disabled', now === 0);
    for (const button of on) button.setAttribute('aria-disabled', now === steps.length - 1);
    choices.forEach((choice, index) => {
      choice.toggleAttribute('data-now', index === now);
      if (index === now) choice.setAttribute('aria-current', 'step');
      else choice.removeAttribute('aria-current');
      choice.tabIndex = index === now ? 0 : -1;
    });
    announced.className = `announced came-${cameOf(step)}`;
    announced.replaceChildren(words, unseen(`. ${step.op}`));
    view.toggleAttribute('data-failed', isFailure(step));
    view.replaceChildren(...drawStep(step, steps[now - 1]));
    if (!isQuiet && choices.includes(document.activeElement)) choices[now].focus();
    else if (had) slider.focus();
    const list = choices[now].closest('ol');
    if (list) list.scrollTop = Math.max(0, choices[now].offsetTop - list.clientHeight / 2);
  }

  function keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target === slider || event.target.closest('.scrolling, input')) return;
    const inList = choices.includes(event.target);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: steps.length - 1, ...(inList ? { ArrowDown: now + 1, ArrowUp: now - 1 } : {}) }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  }

  const more = (number, words) => (0 < number ? element('li', { class: 'more' }, `${plural(number, `${words[0]} op`)} ${words[1]}`) : null);
  const made = element('section', { class: 'stepper', 'aria-label': 'Step by step', keydown: keys },
    element('h4', {}, 'Step by step'),
    element('p', { class: 'muted' }, 'Set up: ', story.setup),
    element('div', { class: 'controls', role: 'group', 'aria-label': 'Steps' }, back, slider, on, announced),
    element('div', { class: 'steps' },
      element('ol', { class: 'choices', 'aria-label': 'Ops' }, more(story.earlier, ['earlier', 'agreed']), choices.map((choice) => element('li', {}, choice)),
        more(story.later, ['later', 'did not run'])),
      view));
  go(0, true);
  return made;
}

function drawStep(step, before) {
  const parts = [element('p', { class: 'op-words' }, element('span', {}, step.name), code(step.op)), compared(step.allowed, step.seen ?? (step.came === 'died' ? 'nothing: the process died' : null))];
  if (step.picture) {
    const changed = before?.picture ? ' Marked as new: what the step before has changed.' : '';
    const what = step.name === 'end' ? 'The memory as the model has it.' : 'The memory as the model has it before this op, and what the op asks for.';
    parts.push(element('p', { class: 'muted' }, `${what}${changed}`), ...drawPicture(step.picture, before?.picture));
  }
  return parts.filter(Boolean);
}

// The whole of one finding. Without a story (an older run file) it says what the run file says.
function viewer({ finding, subject, index }) {
  const story = finding.story;
  const [, ...parts] = String(finding.signature).split('/');
  const badge = (words, tone) => element('span', { class: `badge ${tone}` }, words);
  const head = element('header', {},
    element('p', { class: 'eyebrow' }, subject.component),
    element('h3', { tabindex: '-1' }, subject.subject, ' ', element('span', { class: 'signature' }, parts.join(' / '))),
    element('p', { class: 'badges' },
      subject.health === 'broken' ? badge('a known defect, caught', 'good')
        : finding.known ? badge(`known: ${finding.known}`, 'warn') : badge('unexpected', 'bad'),
      finding.status ? badge(spaced(finding.status), 'plain') : null,
      badge(finding.law ? `breaks the law ${finding.law}` : spaced(finding.kind), 'plain'),
      finding.executions === 0 ? null : badge(`found in trace ${exactly(finding.executions)}, after ${lasting(finding.seconds)}`, 'plain')),
    story?.defect ? element('p', { class: 'defect' }, element('b', {}, 'The defect: '), story.defect, '.') : null,
    story?.shows ? element('p', { class: 'shows' }, story.shows) : null);
  const replay = story?.replay ?? `memtwin replay ${finding.trace} --subject ${subject.subject}`;
  const end = element('section', { class: 'replay' }, element('h4', {}, 'See it again'), command(replay), command(`memtwin explain ${finding.trace}`),
    element('p', { class: 'muted' }, 'Signature: ', code(finding.signature)));
  const body = story
    ? [ending(story), stepper(story), lines('What the process said last', story.end?.said), lines('Frames of the subject, innermost first', story.end?.frames)]
    : [element('p', {}, `The run file holds no story of this finding. It failed at ${finding.step === null || finding.step === undefined ? '' : `op ${finding.step}, `}${finding.op}; the second command tells it.`)];
  return element('article', { class: 'viewer', id: `finding-${index}` }, head, body, end);
}
