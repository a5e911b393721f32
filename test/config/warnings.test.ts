// What is allowed and probably not meant.
import { describe, expect, it } from 'vitest';
import { defaultLanes } from '#src/config/schema.js';
import { configWarnings, type EngineConfig, parseConfig } from '#src/config.js';

/** With as many files as anybody needs. */
function warnings(config: EngineConfig, cores: number): string[] {
  return configWarnings(config, cores, 10_000_000);
}

describe('configWarnings', () => {
  const hotRules = [{ match: 'a*', home: 'hot' }, { match: 'b' }, { match: 'c', home: 'cold' }];

  it('has nothing to say about defaults, whatever the number of cores', () => {
    for (const cores of [1, 2, 3, 8, 64]) {
      expect(warnings(parseConfig({ lanes: defaultLanes(cores) }), cores)).toEqual([]);
    }
  });

  it('tells of more lanes than cores, once, and how many to take', () => {
    expect(warnings(parseConfig({ lanes: 4 }), 4)).toEqual([]);
    expect(warnings(parseConfig({ lanes: 5 }), 4)).toEqual([
      expect.stringMatching(/^lanes is 5, but there are 4 cores: .*; set lanes to 3 or less\.$/),
    ]);
    expect(warnings(parseConfig({ lanes: 2 }), 1)).toEqual([
      expect.stringMatching(/^lanes is 2, but there is 1 core: .*; set lanes to 1 or less\.$/),
    ]);
  });

  it.each([
    ['lanes', { lanes: 0 }],
    ['maxHotTopics', { lanes: 1, maxHotTopics: 0 }],
  ])('tells of rules that want lanes while %s is 0, and names them', (key, limits) => {
    const [warning, ...more] = warnings(parseConfig({ ...limits, topics: hotRules }), 8);
    expect(more).toEqual([]);
    expect(warning).toMatch(new RegExp(`^${key} is 0, but rules want topics in lanes \\("a\\*"\\): .* raise ${key}`));
  });

  it('says nothing of no lanes where no rule wants them', () => {
    expect(warnings(parseConfig({ lanes: 0, topics: [{ match: 'a' }] }), 8)).toEqual([]);
  });

  it('tells that the process may open fewer files than there may be connections, and how many are possible', () => {
    const config = parseConfig({ lanes: 1, maxConnections: 1000 });
    expect(configWarnings(config, 4, null)).toEqual([]);
    expect(configWarnings(config, 4, 1064)).toEqual([]);
    expect(configWarnings(config, 4, 1063)).toEqual([
      'maxConnections is 1000, but this process may open 1063 files only (ulimit -n): more than 999 connections are refused; ' +
        'raise the limit to 1064, or set maxConnections to 999 or less.',
    ]);
  });

  it('says nothing of fewer files where nobody asked for a number and 10,000 connections are possible', () => {
    const config = parseConfig({ lanes: 1 });
    expect(configWarnings(config, 4, 10_064)).toEqual([]);
    expect(configWarnings(config, 4, 10_063)).toEqual([expect.stringMatching(/^maxConnections is 100000, .* 9999 /)]);
  });
});
