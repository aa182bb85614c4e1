// Opens an HTML report in a browser, as a reader would, and judges it. It never asks the network for anything.
//
//     node check.mjs REPORT.html [--pictures FOLDER] [--browser PATH]
//
// Exit code 0 if everything holds, 1 if not, 2 if it could not look.
import { readFile, mkdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { HtmlValidate } from 'html-validate';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const VIEWS = [
  { name: 'light', width: 1280, height: 900, colorScheme: 'light' },
  { name: 'dark', width: 1280, height: 900, colorScheme: 'dark' },
  { name: 'narrow', width: 390, height: 844, colorScheme: 'light' },
];
// A newcomer waits this long for a page before it is called slow.
const MOST_MILLISECONDS = 2000;
const MOST_BYTES = 5 * 2 ** 20;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { pictures: { type: 'string' }, browser: { type: 'string' } } });
const file = positionals[0];
const executablePath = values.browser ?? BROWSERS.find((path) => existsSync(path));
if (!file || !executablePath) {
  console.error(file ? 'error: no chromium; install it or name one with --browser' : 'error: name a report');
  process.exit(2);
}

const complaints = [];
const holds = (isSo, what) => {
  console.log(`${isSo ? 'ok  ' : 'FAIL'} ${what}`);
  if (!isSo) complaints.push(what);
};

async function judgeMarkup(html) {
  holds(html.length <= MOST_BYTES, `the page has ${html.length} bytes, at most ${MOST_BYTES}`);
  const validate = new HtmlValidate({
    extends: ['html-validate:standard'],
    // Ours is HTML, not XHTML, and foreign text may have lines of any length.
    rules: { 'long-title': 'off', 'no-trailing-whitespace': 'off', 'void-style': 'off', 'doctype-style': 'off' },
  });
  const report = await validate.validateString(html);
  for (const { messages } of report.results) for (const one of messages) console.log(`     ${one.line}:${one.column} ${one.ruleId}: ${one.message}`);
  holds(report.valid, 'html-validate finds nothing');
}

async function isNarrowEnough(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
}

async function judgeAccessibility(page, name) {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, impact, help, nodes } of violations) console.log(`     ${impact} ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join('; ')}`);
  holds(violations.length === 0, `${name}: axe finds nothing`);
}

// Steps through the open finding by keyboard alone.
async function judgeViewer(page, name) {
  const viewer = page.locator('.stepper');
  if (await viewer.count() === 0) return;
  const announced = viewer.locator('[role=status].announced');
  const steps = await viewer.locator('.choice').count();
  await viewer.locator('.choice[tabindex="0"]').focus();
  await page.keyboard.press('Home');
  const first = await announced.innerText();
  await page.keyboard.press('ArrowRight');
  const second = await announced.innerText();
  holds(steps === 1 || first !== second, `${name}: the right arrow announces another step: ${JSON.stringify(second)}`);
  await page.keyboard.press('End');
  const last = await announced.innerText();
  holds(last.includes(`${steps} of ${steps}`), `${name}: End announces the last step: ${JSON.stringify(last)}`);
  holds(await viewer.locator('.choice.came-diverged, .choice.came-died').count() === 1, `${name}: the first divergence is marked once`);
  await page.keyboard.press('ArrowLeft');
  holds(steps === 1 || await announced.innerText() !== last, `${name}: the left arrow goes back`);
  await page.keyboard.press('End');
}

// A filter that nothing meets leaves nothing, and without it all is there again.
async function judgeFilter(page, name, section, left) {
  const box = page.locator(`${section} input[type=search]`);
  if (await box.count() === 0) return;
  const before = await page.locator(left).count();
  await box.fill('no trace and no subject is called this');
  const none = await page.locator(left).count();
  await box.fill('');
  holds(none === 0 && 0 < before && await page.locator(left).count() === before, `${name}: the filter of ${section} leaves ${none} of ${before}`);
}

async function judge(browser, view) {
  const { name, width, height, colorScheme } = view;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', offline: true });
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) troubles.push(message.text()); });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('dialog', (dialog) => { troubles.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  page.on('request', (request) => { if (!/^(file|data):/.test(request.url())) troubles.push(`request: ${request.url()}`); });

  const started = performance.now();
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.locator('#sections a').first().waitFor();
  const took = Math.round(performance.now() - started);
  holds(took < MOST_MILLISECONDS, `${name}: usable after ${took} ms`);
  holds(await isNarrowEnough(page), `${name}: the page does not scroll sideways`);
  const picture = async (part, whole) => { if (values.pictures) await page.screenshot({ path: join(values.pictures, `${basename(file, '.html')}-${name}-${part}.png`), fullPage: whole }); };
  await picture('top', false);

  const number = await page.locator('.finding-list a').count();
  // The first, the last and one between: each kind of story has its parts.
  for (const index of new Set([0, Math.floor(number / 2), number - 1].filter((index) => 0 <= index && index < number))) {
    await page.evaluate((to) => { location.hash = `#finding-${to}`; }, index);
    await page.locator(`#finding-${index}`).waitFor();
    await judgeViewer(page, `${name}, finding ${index}`);
    holds(await isNarrowEnough(page), `${name}, finding ${index}: the page does not scroll sideways`);
  }
  await judgeFilter(page, name, '#findings', '.finding-list a');
  await judgeFilter(page, name, '#traces', '.groups > details');
  for (const summary of await page.locator('main details > summary').all()) if (await summary.isVisible()) await summary.click();
  await judgeAccessibility(page, name);
  holds(await isNarrowEnough(page), `${name}: with all parts open the page does not scroll sideways`);
  await picture('whole', true);

  const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const presses = colorScheme === 'dark' ? 1 : 2;
  for (let press = 0; press < presses; press += 1) await page.locator('#theme').click();
  holds(before !== await page.evaluate(() => getComputedStyle(document.body).backgroundColor), `${name}: the theme can be changed`);
  holds(await page.evaluate(() => globalThis.__pwned === undefined), `${name}: nothing in the data has run`);
  holds(troubles.length === 0, `${name}: no error, no request: ${troubles.slice(0, 3).join('; ')}`);
  await context.close();
}

if (values.pictures) await mkdir(values.pictures, { recursive: true });
await judgeMarkup(await readFile(file, 'utf8'));
const browser = await chromium.launch({
  executablePath,
  args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
});
try {
  for (const view of VIEWS) await judge(browser, view);
} finally {
  await browser.close();
}
console.log(complaints.length === 0 ? 'everything holds' : `${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
