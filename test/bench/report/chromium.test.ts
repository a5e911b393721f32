// The report in a browser: what is drawn, where, and whether it can be read: on a phone and a screen, light, dark, and in print.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../../../bench/report/render-report.js';
import { BrowserPage, hasChromium } from '../../support/browser.js';
import { contrast, parseColour } from './contrast.js';
import { type Box, type Drawn, type DrawnFigure, type DrawnText, measure } from './drawn.js';
import { Fixture, SIZING } from './fixture.js';

if (!hasChromium) console.log('tests of the drawn report are skipped: install the Debian package chromium');

const START_DEADLINE_MS = 60_000;
const TEXT_CONTRAST_MIN = 4.5;
const MARK_CONTRAST_MIN = 3;
const FONT_MIN_PIXELS = 9.5;
/** Rounding, and what a fallback font is wider than the one that echarts reckons with. */
const SLACK_PIXELS = 2;

const PHONE = { width: 360, height: 740 };
const SCREEN = { width: 1280, height: 800 };

const isWithin = (inner: Box, outer: Box): boolean =>
  inner.left >= outer.left - SLACK_PIXELS &&
  inner.top >= outer.top - SLACK_PIXELS &&
  inner.left + inner.width <= outer.left + outer.width + SLACK_PIXELS &&
  inner.top + inner.height <= outer.top + outer.height + SLACK_PIXELS;

const contrastOf = ({ colour, ground }: DrawnText): number => contrast(parseColour(colour), parseColour(ground));

/** What is wrong with one drawing. */
function faultsOf({ box, drawing, marks, lines, texts, ground }: DrawnFigure, pageWidth: number): unknown[] {
  const seen = marks.filter((mark) => mark.box.width > 1 || mark.box.height > 1);
  const isOnPage = box.left >= 0 && box.left + box.width <= pageWidth;
  return [
    ...(isOnPage && drawing.width > 250 && drawing.height > 70 ? [] : ['place or size', box, drawing]),
    ...(seen.length >= Math.max(1, lines) && texts.length > 4 ? [] : ['too little is drawn', seen, texts]),
    ...[...seen, ...texts].filter((one) => !isWithin(one.box, drawing)),
    ...seen.filter(({ colour }) => contrast(parseColour(colour), parseColour(ground)) < MARK_CONTRAST_MIN),
  ];
}

function expectDrawn({ figures, pageWidth }: Drawn): void {
  expect(figures.length).toBeGreaterThan(15);
  for (const figure of figures) expect(faultsOf(figure, pageWidth), figure.title).toEqual([]);
}

function expectReadable({ figures, texts }: Drawn): void {
  expect(texts.length).toBeGreaterThan(100);
  const drawn = figures.flatMap((figure) => figure.texts);
  expect([...texts, ...drawn].filter((text) => contrastOf(text) < TEXT_CONTRAST_MIN)).toEqual([]);
  expect(drawn.filter(({ fontPixels }) => fontPixels < FONT_MIN_PIXELS)).toEqual([]);
}

describe.skipIf(!hasChromium)('a report in Chromium', () => {
  let browser: BrowserPage;
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await BrowserPage.open(new Map([['/', renderReport([new Fixture(5).bench(), SIZING])]]));
    const { page } = browser;
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.reload();
  }, START_DEADLINE_MS);
  afterAll(() => browser.close());

  async function look(size: typeof PHONE, colorScheme: 'light' | 'dark', media: 'screen' | 'print'): Promise<Drawn> {
    await browser.page.setViewportSize(size);
    await browser.page.emulateMedia({ colorScheme, media });
    return measure(browser.page);
  }

  it('fetches nothing and complains of nothing', () => {
    expect(requests).toEqual([browser.page.url()]);
    expect(complaints).toEqual([]);
  });

  it.each([
    ['a phone', 'light', PHONE],
    ['a phone', 'dark', PHONE],
    ['a screen', 'light', SCREEN],
    ['a screen', 'dark', SCREEN],
  ] as const)('is drawn within the page and readable on %s, %s', async (_, scheme, size) => {
    const drawn = await look(size, scheme, 'screen');
    expect(drawn.pageWidth).toBe(size.width);
    expect(drawn.pageScrollWidth).toBe(size.width);
    expect(drawn.tooWide).toEqual([]);
    expectDrawn(drawn);
    expectReadable(drawn);
  });

  it('has other colours when it is dark', async () => {
    const light = await look(SCREEN, 'light', 'screen');
    const dark = await look(SCREEN, 'dark', 'screen');
    const brightness = (colour: string): number => contrast(parseColour(colour), [0, 0, 0]);
    expect(brightness(light.ground)).toBeGreaterThan(15);
    expect(brightness(dark.ground)).toBeLessThan(2);
    for (const [index, figure] of light.figures.entries()) {
      const other = dark.figures[index];
      expect(figure.texts.map(({ text }) => text)).toEqual(other.texts.map(({ text }) => text));
      expect(figure.texts[0].colour).not.toBe(other.texts[0].colour);
    }
  });

  it('prints black on white with all numbers, whatever the screen shows', async () => {
    const { page } = browser;
    const table = page.locator('#raw details table').first();
    const link = page.locator('nav a').first();
    await look(SCREEN, 'dark', 'screen');
    expect(await table.isVisible()).toBe(false);
    expect(await link.isVisible()).toBe(true);
    const paper = await look({ width: 700, height: 1000 }, 'dark', 'print');
    expect(paper.ground).toBe('rgb(255, 255, 255)');
    expectReadable(paper);
    expectDrawn(paper);
    expect(await link.isVisible()).toBe(false);
    expect(await table.isVisible()).toBe(true);
    expect((await table.boundingBox())!.height).toBeGreaterThan(50);
    const breaks = await page
      .locator('figure')
      .evaluateAll((all) => all.map((one) => getComputedStyle(one).breakInside));
    expect(new Set(breaks)).toEqual(new Set(['avoid']));
  });

  it('opens its numbers at a click', async () => {
    await look(PHONE, 'light', 'screen');
    const details = browser.page.locator('figure details').first();
    await details.locator('summary').click();
    expect(await details.locator('table').isVisible()).toBe(true);
    expect(await browser.page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
  });

  it('tells those who do not see it what is drawn', async () => {
    const images = browser.page.getByRole('img', { name: /p99 latency/ });
    expect(await images.count()).toBeGreaterThan(0);
    const names = await browser.page.locator('[role=img]').evaluateAll((all) => all.map((one) => one.ariaLabel ?? ''));
    for (const name of names) expect(name).toMatch(/\d.*\.$/);
    const headless = await browser.page
      .locator('table')
      .evaluateAll((tables) => tables.filter((table) => table.querySelector('thead th') === null).length);
    expect(headless).toBe(0);
  });
});
