// What the page says: warnings where they concern, nothing drawn that was not measured, all data escaped.
import { describe, expect, it } from 'vitest';
import { PALETTE } from '../../../bench/report/chart/line-style.js';
import { escapeHtml, html } from '../../../bench/report/html.js';
import { renderReport } from '../../../bench/report/render-report.js';
import { type BenchResults, parseResults, type Run, readResultsFile } from '../../../bench/report/results-file.js';
import { contrast, distance, parseColour } from './contrast.js';
import { Fixture, MACHINE, SIZING } from './fixture.js';

const results = new Fixture(1).bench();

const only = (...scenarios: string[]): BenchResults => ({
  ...results,
  runs: results.runs.filter(({ scenario }) => scenarios.includes(scenario)),
});

/** The text of one section. */
function sectionOf(page: string, id: string): string {
  return page.split(`<section id="${id}">`)[1].split('</section>')[0];
}

describe('a report', () => {
  it('has nothing to fetch and nothing to run', () => {
    const page = renderReport([only('saturation', 'coalescing')]);
    expect(page).not.toMatch(/<script|\son\w+=|@import|<iframe|<object/i);
    expect(page).not.toMatch(/(?:src|href|xlink:href)="(?!#|data:,")/);
    expect(page).not.toMatch(/url\((?!#)/);
    expect(page).toContain(`content="default-src 'none';`);
  });

  it('draws every figure once for wide and once for narrow pages, with ids of their own', () => {
    const page = renderReport([only('coalescing', 'memory')]);
    const figures = page.match(/<figure /g)!.length;
    expect(page.match(/<div class="wide"/g)).toHaveLength(figures);
    expect(page.match(/<div class="narrow"/g)).toHaveLength(figures);
    expect(page.match(/role="img" aria-label="[^"]{20,}"/g)).toHaveLength(figures);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of page.matchAll(/url\(#([^)]+)\)/g)) expect(ids).toContain(id);
  });

  it('says what was not measured instead of drawing it', () => {
    const page = renderReport([only('saturation')]);
    for (const id of ['load', 'isolation', 'rate', 'memory', 'sizing']) {
      expect(sectionOf(page, id)).toContain('Not measured.');
      expect(sectionOf(page, id)).not.toContain('<svg');
      expect(page).not.toContain(`<a href="#${id}">`);
    }
    expect(page).not.toContain('<section id="other">');
  });

  it('warns in each section of the scenario that a warning is about', () => {
    const page = renderReport([only('saturation', 'isolation', 'memory')]);
    const peers = sectionOf(page, 'peers');
    const blocks = new Map(peers.split('<h3>').map((block) => [block.split('<')[0], block]));
    expect(blocks.get('isolation')).toContain(
      'ws, one hot topic: 2 of 2 runs failed, without figures: the server ended: SIGSEGV',
    );
    expect(blocks.get('saturation')).toMatch(
      /nats-server, closed loop: 1 of 2 runs incomplete: of [\d,]+ deliveries 1,200 lost/,
    );
    expect(blocks.get('saturation')).toContain(
      'uws-publish, closed loop: load generator saturated in 2 of 2 runs (measured)',
    );
    expect(blocks.get('memory')).not.toContain('class="warning"');
    expect(sectionOf(page, 'isolation')).toContain('SIGSEGV');
    expect(page).not.toContain('at nowhere');
  });

  it('shows a server that failed as failed, not as a bar of nothing', () => {
    const peers = sectionOf(renderReport([only('isolation')]), 'peers');
    expect(peers).toMatch(/aria-label="p99 latency\. alone: [^"]*ws failed/);
    expect(peers).toContain('>failed</text>');
  });

  it('warns at the top of what is partial, a smoke run, or of no commit', () => {
    const header = (file: BenchResults): string => renderReport([file]).split('<main>')[0];
    const one = { ...only('memory'), notes: [] };
    expect(header(one)).not.toContain('class="warning"');
    expect(header(one)).toContain('Imaginary Processor 9000, 8 cores, 32 GiB');
    expect(header({ ...one, partial: true })).toContain('PARTIAL');
    expect(header({ ...one, options: { smoke: true } })).toContain('SMOKE RUN');
    expect(header({ ...one, machine: { ...MACHINE, commit: '0123 with changes' } })).toContain('working tree');
    expect(header({ ...one, notes: ['PARTIAL: the command', 'one core only'] })).toContain('one core only');
    const skipped = {
      ...one,
      notes: ['memory, idle, nchan: skipped: no nginx', 'memory, ws, idle, run 1: lost something'],
    };
    expect(header(skipped)).not.toContain('no nginx');
    expect(sectionOf(renderReport([skipped]), 'memory')).toContain('no nginx');
    expect(sectionOf(renderReport([skipped]), 'memory')).not.toContain('lost something');
    expect(sectionOf(renderReport([skipped]), 'bars')).toContain('lost something');
  });

  it('keeps files apart, and says of which each line is', () => {
    const page = renderReport([only('memory'), { ...only('memory', 'coalescing'), file: 'later.json' }]);
    expect(sectionOf(page, 'memory')).toContain('ringcast, file A');
    expect(sectionOf(page, 'memory')).toContain('ringcast, file B');
    expect(sectionOf(page, 'rate')).not.toContain(', file ');
    expect(page).toContain('B: later.json');
  });

  it('sums up the bars', () => {
    const page = renderReport([only('memory')]);
    expect(page).toContain('1 of 3 bars met, 1 missed, 1 not measured.');
    expect(sectionOf(page, 'bars')).toContain('0.333 ×');
  });

  it('shows the check of the size model with deviations', () => {
    const sizing = sectionOf(renderReport([SIZING]), 'sizing');
    expect(sizing).toMatch(/\+10\.0 %.*within 20 %/);
    expect(sizing).toMatch(/\+30\.0 %.*beyond 15 %/);
    expect(sizing).toMatch(/−4\.5 %.*within 15 %/);
    expect(renderReport([SIZING])).not.toContain('<section id="bars">');
  });

  it('shows micro benches as tables', () => {
    const bench = { id: 'ring/push', group: 'ring', unit: 'ns', item: 'record', items: 4, rounds: [], failed: null };
    const values = [40, 44, 60].map((value) => ({ value }));
    const micro = {
      ...{ machine: MACHINE, format: 'ringcast micro benches 1', options: { smoke: false }, partial: true },
      benches: [
        { ...bench, rounds: values },
        { ...bench, id: 'ring/drain' },
        { ...bench, id: 'ring/wrap', failed: 'wrong sum' },
      ],
    };
    const page = renderReport([parseResults(micro, 'micro.json')]);
    const text = sectionOf(page, 'micro')
      .replace(/<[^>]+>/g, ' ')
      .replace(/\s+/g, ' ');
    expect(text).toContain('push 44 (40–60) ns 11 ns per record 3 rounds');
    expect(text).toContain('drain not measured');
    expect(text).toContain('wrap ✗ failed wrong sum');
    expect(text).toContain('interrupted');
    expect(page).not.toContain('<section id="load">');
  });

  it('is made of an interrupted command that measured nothing', () => {
    const page = renderReport([{ ...results, runs: [], bars: [], partial: true }]);
    expect(page).toContain('PARTIAL');
    expect(page).not.toContain('<svg');
  });
});

describe('escaping', () => {
  const EVIL = `</script></svg><img src=x onerror=alert(1)> & "quotes" 'single' {a|rich} \${x}`;
  const evilRun = (run: Run): Run => ({
    ...run,
    scenario: EVIL,
    variant: EVIL,
    peer: `${run.peer}${EVIL}`,
    problems: [EVIL],
    figures: { [EVIL]: 1 },
    phases: Object.fromEntries(
      Object.entries(run.phases).map(([name, phase]) => [
        `${name}${EVIL}`,
        { ...phase, latency: { [EVIL]: Object.values(phase.latency)[0] } },
      ]),
    ),
    series:
      run.series &&
      Object.fromEntries(
        Object.entries(run.series).map(([name, series]) => [
          `${name}${EVIL}`,
          { ...series, x: { ...series.x, label: EVIL }, y: { ...series.y, unit: EVIL } },
        ]),
      ),
  });

  it('leaves no markup of the data in the page, drawings included', () => {
    const runs = only('saturation', 'memory').runs.map(evilRun);
    const bars = results.bars.map((bar) => ({ ...bar, scenario: EVIL, label: EVIL, limit: EVIL, unit: EVIL }));
    const machine = { ...MACHINE, cpu: EVIL, command: EVIL, commit: EVIL, date: EVIL };
    const evil = { ...results, runs, bars, machine, notes: [EVIL], file: EVIL };
    const sizing = {
      ...SIZING,
      workloads: [{ name: EVIL, predicted: { [EVIL]: 1 }, measured: { [EVIL]: 2 } }],
      file: EVIL,
    };
    const page = renderReport([evil, sizing]);
    expect(page).toContain('onerror');
    expect(page).not.toContain('<img');
    expect(page).not.toContain('</script');
    expect(page.match(/<svg/g)).toHaveLength(page.match(/<\/svg>/g)!.length);
    for (const [tag] of page.matchAll(/<[^>]*onerror[^>]*/g)) expect(tag).toMatch(/="[^"]*onerror[^"]*"/);
  });

  it('is part of the template', () => {
    expect(html`<p title="${'"<&\'>'}">${['<b>', null, 1, html`<i>${'&'}</i>`]}</p>`.markup).toBe(
      '<p title="&quot;&lt;&amp;&#39;&gt;">&lt;b&gt;1<i>&amp;</i></p>',
    );
    expect(escapeHtml('plain')).toBe('plain');
  });
});

describe('results files', () => {
  const content = JSON.parse(JSON.stringify({ ...only('memory'), kind: undefined }));

  it('are refused with the place that is wrong', () => {
    const runs = structuredClone(content.runs);
    runs[1].phases = { measured: { seconds: 'six' } };
    expect(() => parseResults({ ...content, runs }, 'a.json')).toThrow(
      /^a\.json is not a results file .*runs\.1\.phases\.measured\.seconds/,
    );
    expect(() => parseResults([], 'a.json')).toThrow(/the whole file/);
    expect(() => parseResults({ kind: 'weather' }, 'a.json')).toThrow(/the kind "weather"/);
  });

  it('are refused in one line when they cannot be read or are no JSON', () => {
    expect(() => readResultsFile('no-such-folder/a.json')).toThrow(/^cannot read no-such-folder\/a\.json: [^\n]*$/);
    expect(() => readResultsFile('tsconfig.json')).toThrow(/^tsconfig\.json is not a results file[^\n]*$/);
    expect(() => readResultsFile('LICENSE')).toThrow(/^LICENSE is not JSON: [^\n]*$/);
  });

  it('may have figures that could not be calculated', () => {
    const runs = structuredClone(content.runs);
    runs[0].figures = { 'RSS per connection, bytes': null };
    expect(renderReport([parseResults({ ...content, runs }, 'a.json')])).not.toContain('NaN');
  });
});

describe.each([
  ['light', '#f5f7f9'],
  ['dark', '#1d2125'],
] as const)('the %s palette', (scheme, ground) => {
  const colours = PALETTE[scheme];

  it.each(colours)('%s has a contrast of 3 : 1 with its ground', (colour) => {
    expect(contrast(parseColour(colour), parseColour(ground))).toBeGreaterThanOrEqual(3);
  });

  it('is told apart by people without red or green cones', () => {
    for (const [index, one] of colours.entries()) {
      for (const other of colours.slice(0, index)) {
        expect(distance(parseColour(one), parseColour(other)), `${one} and ${other}`).toBeGreaterThan(15);
      }
    }
  });
});
