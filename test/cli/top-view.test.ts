// What `ringcast top` shows of a report: order, size, and texts that clients chose.
import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { printable } from '#src/cli/printable.js';
import { formatCount, formatMs, formatShare } from '#src/cli/top-format.js';
import { renderReport, sortTopics, TOPIC_SORTS, type TopicSort, type ViewOptions } from '#src/cli/top-view.js';
import type { StatsReport, TopicFigures } from '#src/counters/report.js';
import { makeReport } from '../counters/reports.mjs';

const ALL: ViewOptions = {
  columns: Number.POSITIVE_INFINITY,
  rows: Number.POSITIVE_INFINITY,
  sort: 'deliveries',
  colours: picocolors.createColors(false),
};

function report(overrides: Partial<StatsReport> = {}): StatsReport {
  return { ...makeReport(3, { lanes: 2, topics: 12, slowest: 4 }), ...overrides };
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe('the view of a report', () => {
  it('has the engine, every lane, every topic and every slow consumer, under heads', () => {
    const text = renderReport(report({ time: Date.UTC(2026, 10, 20, 10, 0, 0, 123) }), ALL);
    const heads = linesOf(text).filter((line) => /^[A-Z]{4}/.test(line));
    expect(heads.map((line) => line.split(/ +/)[0])).toEqual(['LANE', 'TOPIC', 'SLOWEST']);
    expect(text).toMatch(/^ringcast, up 3\.5ms, 2026-11-20T10:00:00Z\nmessages\/s 8, deliveries\/s 9, bytes\/s 10,/);
    for (const { topic } of report().topics) expect(text).toContain(topic);
    for (const { topic } of report().slowest) expect(text).toContain(topic);
    expect(text).toContain('(in process)');
    expect(linesOf(text)).toHaveLength(4 + (2 + 2) + (2 + 12) + (2 + 4));
  });

  it('leaves out lists that are empty', () => {
    const text = renderReport(report({ lanes: [], topics: [], slowest: [] }), ALL);
    expect(linesOf(text)).toHaveLength(4);
  });

  it.each([
    [200, 50],
    [120, 30],
    [80, 24],
    [60, 20],
    [40, 15],
    [20, 10],
    [5, 4],
    [1, 1],
  ])('fits into %i × %i, with one line free for the cursor', (columns, rows) => {
    const wide = makeReport(123_456, { lanes: 8, topics: 50, slowest: 20 });
    const lines = linesOf(renderReport(wide, { ...ALL, columns, rows }));
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(columns);
    if (rows >= 20) {
      expect(lines.some((line) => line.startsWith('TOPIC'))).toBe(true);
      expect(lines.some((line) => line.startsWith('SLOWEST'))).toBe(true);
    }
  });

  it('gives the slowest consumers a third of what is free, and what topics do not need', () => {
    const many = makeReport(1, { lanes: 0, topics: 50, slowest: 20 });
    const few = makeReport(1, { lanes: 0, topics: 3, slowest: 20 });
    const shown = (of: StatsReport): number => {
      const lines = linesOf(renderReport(of, { ...ALL, rows: 35 }));
      return lines.length - lines.findIndex((line) => line.startsWith('SLOWEST')) - 1;
    };
    expect([shown(many), shown(few)]).toEqual([8, 20]);
  });

  it('is free of colours unless asked for them, and marks trouble with them', () => {
    const [lane] = report().lanes;
    const broken = report({ lanes: [{ ...lane!, state: 'degraded' }] });
    const control = '\u001b[';
    expect(renderReport(broken, ALL)).not.toContain(control);
    const coloured = renderReport(broken, { ...ALL, colours: picocolors.createColors(true) });
    expect(coloured).toContain(`${control}33mdegraded`);
  });

  it('has the same size with colours', () => {
    const wide = makeReport(123_456, { lanes: 8, topics: 50, slowest: 20 });
    const options = { ...ALL, columns: 80, rows: 40 };
    const coloured = renderReport(wide, { ...options, colours: picocolors.createColors(true) });
    const plain = coloured.replaceAll(/\p{Cc}\[\d+m/gu, '').replaceAll(/ +$/gm, '');
    expect(plain).toBe(renderReport(wide, options));
  });

  it('shows what would steer the terminal in a name instead of obeying it', () => {
    const [consumer] = report().slowest;
    const hostile = report({ slowest: [{ ...consumer!, clientId: '\u001b[2J\u009b1A\r\nx\u202e' }] });
    const text = renderReport(hostile, ALL);
    expect(text).toContain('\ufffd[2J\ufffd1A\ufffd\ufffdx\ufffd');
    expect(text).not.toMatch(/[^\P{C}\n]/u);
  });
});

describe('the order of topics', () => {
  const topics = makeReport(1, { lanes: 0, topics: 40, slowest: 0 }).topics.map((topic, index) => ({
    ...topic,
    topic: `topic ${String((index * 7) % 40).padStart(2, '0')}`,
    deliveriesPerSecond: (index * 13) % 5,
    messagesPerSecond: (index * 11) % 7,
    lagMessages: (index * 17) % 11,
  }));

  it.each(Object.keys(TOPIC_SORTS) as TopicSort[])(
    '%s: highest first, equal ones by messages, then by name',
    (sort) => {
      const sorted = sortTopics(topics, sort);
      expect(new Set(sorted)).toEqual(new Set(topics));
      for (let index = 1; index < sorted.length; index++) {
        const [before, after] = [sorted[index - 1], sorted[index]];
        const scores = (topic: TopicFigures) =>
          sort === 'name' ? [] : [TOPIC_SORTS[sort](topic), topic.messagesPerSecond];
        const [first, second] = [scores(before), scores(after)];
        const differs = first.findIndex((score, place) => score !== second[place]);
        expect(differs < 0 ? before.topic < after.topic : first[differs] > second[differs]).toBe(true);
      }
    },
  );
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [0.04, '0.0'],
    [0.44, '0.4'],
    [7, '7'],
    [12.4, '12'],
    [9999, '9999'],
    [12_345, '12.3K'],
    [4_560_000, '4.56M'],
  ])('count %d is %s', (value, text) => expect(formatCount(value)).toBe(text));

  it.each([
    [0, '0'],
    [0.0512, '0.05ms'],
    [1.26, '1.3ms'],
    [42.4, '42ms'],
    [1500, '1.5s'],
    [59_000, '59s'],
    [600_000, '10m'],
    [10_800_000, '3h'],
    [864_000_000, '10d'],
  ])('%d ms are %s', (ms, text) => expect(formatMs(ms)).toBe(text));

  it('a share is a percentage', () => expect([0, 0.374, 1].map(formatShare)).toEqual(['0%', '37%', '100%']));

  it('letters of any script are printable', () => expect(printable('Zürich/雪 😀')).toBe('Zürich/雪 😀'));
});
