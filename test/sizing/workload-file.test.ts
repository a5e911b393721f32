// Workload files: both notations say the same, and everything that is wrong is told with its line and what is allowed.
import { describe, expect, it } from 'vitest';
import { SizingError } from '#src/sizing/problems.js';
import { parseWorkload } from '#src/sizing/workload-file.js';
import { settings } from './fixture-calibration.js';

const TOML = `# Desks and phones
maxDelayMs = 20

[[topics]]
name = "quotes"
count = 2000
rate = 5
bytes = 180
hot = true
maxDelayMs = "auto"

[[topics]]
name = "news"
count = 100
rate = 0.5
bytes = 900
burst = 10

[[clients]]
name = "desks"
count = 500
topics = { quotes = 100, news = 20 }

[[clients]]
name = "phones"
count = 20000
topics.quotes = 3.5
json = true
reads = false

[settings]
historyMessages = 10
tls = true
`;

const JSON_TEXT = JSON.stringify(
  {
    maxDelayMs: 20,
    topics: [
      { name: 'quotes', count: 2000, rate: 5, bytes: 180, hot: true, maxDelayMs: 'auto' },
      { name: 'news', count: 100, rate: 0.5, bytes: 900, burst: 10 },
    ],
    clients: [
      { name: 'desks', count: 500, topics: { quotes: 100, news: 20 } },
      { name: 'phones', count: 20000, topics: { quotes: 3.5 }, json: true, reads: false },
    ],
    settings: { historyMessages: 10, tls: true },
  },
  null,
  2,
);

const EXPECTED = {
  topics: [
    { name: 'quotes', count: 2000, ratePerSecond: 5, bytes: 180, home: 'hot', maxDelayMs: 'auto', burst: 1 },
    { name: 'news', count: 100, ratePerSecond: 0.5, bytes: 900, home: 'cold', maxDelayMs: 20, burst: 10 },
  ],
  clients: [
    { name: 'desks', clients: 500, topics: { quotes: 100, news: 20 }, json: false, reads: true },
    { name: 'phones', clients: 20_000, topics: { quotes: 3.5 }, json: true, reads: false },
  ],
  settings: { ...settings, historyMessages: 10, tls: true },
};

function problemOf(text: string, path: string): string {
  try {
    parseWorkload(text, path, settings);
  } catch (error) {
    expect(error).toBeInstanceOf(SizingError);
    return (error as Error).message;
  }
  return 'no problem';
}

describe('workload file', () => {
  it('TOML and JSON mean the same', () => {
    expect(parseWorkload(TOML, 'w.toml', settings)).toEqual(EXPECTED);
    expect(parseWorkload(JSON_TEXT, 'w.json', settings)).toEqual(EXPECTED);
  });

  it.each<[string, string, string, string]>([
    [
      'an unknown field of a class',
      'name = "desks"',
      'name = "desks"\ncuont = 3',
      'w.toml: line 21: clients[0].cuont is unknown; did you mean count?',
    ],
    [
      'an unknown field of the whole',
      'maxDelayMs = 20',
      'speed = 3',
      'w.toml: line 2: speed is unknown; allowed are maxDelayMs, topics, clients, settings',
    ],
    [
      'an unknown setting',
      'historyMessages = 10',
      'historyMesages = 10',
      'w.toml: line 32: settings.historyMesages is unknown; did you mean historyMessages?',
    ],
    [
      'a negative number',
      'rate = 0.5',
      'rate = -1',
      'w.toml: line 15: topics[1].rate must be a number from 0 to 10000000',
    ],
    [
      'half a client',
      'count = 500',
      'count = 500.5',
      'w.toml: line 21: clients[0].count must be a whole number from 0 to 1000000000',
    ],
    [
      'no topics at all',
      'count = 2000\n',
      'count = 0\n',
      'w.toml: line 6: topics[0].count must be a number from 1 to 10000000',
    ],
    [
      'text for a number',
      'bytes = 900',
      'bytes = "much"',
      'w.toml: line 16: topics[1].bytes must be a number from 1 to 67108864',
    ],
    [
      'an endless delay',
      'maxDelayMs = "auto"',
      'maxDelayMs = 5000',
      'w.toml: line 10: topics[0].maxDelayMs must be "auto" or a number of ms from 0 to 1000',
    ],
    [
      'a missing field',
      'bytes = 900\n',
      '',
      'w.toml: line 12: topics[1].bytes is missing: it must be a number from 1 to 67108864',
    ],
    [
      'a group that is not there',
      'topics.quotes',
      'topics.qoutes',
      'w.toml: line 27: clients[1].topics.qoutes is no topic group; there are quotes, news (did you mean quotes?)',
    ],
    [
      'more topics than there are',
      'news = 20',
      'news = 200',
      'w.toml: line 22: clients[0].topics.news is 200, but the group has only 100 topics',
    ],
    [
      'two groups of one name',
      'name = "news"',
      'name = "quotes"',
      'w.toml: line 13: topics[1].name is "quotes" a second time; names must differ',
    ],
    [
      'a hot topic without lanes',
      'historyMessages = 10',
      'lanes = 0',
      'w.toml: line 9: topics[0].hot is true, but settings.lanes is 0: there is no lane',
    ],
  ])('%s', (_what, text, wrong, message) => {
    expect(TOML).toContain(text);
    expect(problemOf(TOML.replace(text, wrong), 'w.toml').split('\n')[0]).toBe(message);
  });

  it('tells everything at once', () => {
    const text = TOML.replace('rate = 0.5', 'rate = -1').replace('count = 500', 'cuont = 500');
    expect(problemOf(text, 'w.toml').split('\n')).toHaveLength(3); // the rate, the unknown field, the missing one
  });

  it.each<[string, string, RegExp]>([
    [
      'a field in a list',
      JSON_TEXT.replace('"rate": 0.5', '"rate": -0.5'),
      /^w\.json: line 15: topics\[1\]\.rate must be/,
    ],
    [
      'an unknown field',
      JSON_TEXT.replace('"count": 500', '"cuont": 500'),
      /clients\[0\]\.count is missing.*\nline 23: clients\[0\]\.cuont is unknown; did you mean count\?/,
    ],
    ['no JSON', '{\n"topics": [,]\n}', /^w\.json: (line 2: )?not JSON: /],
    ['a list', '[]', /^w\.json: must be of type object/],
  ])('JSON: %s', (_what, text, message) => {
    expect(problemOf(text, 'w.json')).toMatch(message);
  });

  it('no TOML: with the line', () => {
    expect(problemOf('maxDelayMs = 20\ncount = = 3\n', 'w.toml')).toMatch(/^w\.toml: line 2: not TOML: \S/);
  });

  it('an empty file says what is missing', () => {
    expect(problemOf('', 'w.toml')).toMatch(
      /topics is missing: it must be a list of topic groups\nclients is missing: it must be a list of client classes/,
    );
  });
});
