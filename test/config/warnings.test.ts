// What is allowed and probably not meant.
import { describe, expect, it } from 'vitest';
import { configWarnings, defaultLanes, parseConfig } from '#src/config.js';

describe('configWarnings', () => {
  const hotRules = [{ match: 'a*', home: 'hot' }, { match: 'b' }, { match: 'c', home: 'cold' }];

  it('has nothing to say about defaults, whatever the number of cores', () => {
    for (const cores of [1, 2, 3, 8, 64]) {
      expect(configWarnings(parseConfig({ lanes: defaultLanes(cores) }), cores)).toEqual([]);
    }
  });

  it('tells of more lanes than cores, once, and how many to take', () => {
    expect(configWarnings(parseConfig({ lanes: 4 }), 4)).toEqual([]);
    expect(configWarnings(parseConfig({ lanes: 5 }), 4)).toEqual([
      expect.stringMatching(/^lanes is 5, but there are 4 cores: .*; set lanes to 3 or less\.$/),
    ]);
    expect(configWarnings(parseConfig({ lanes: 2 }), 1)).toEqual([
      expect.stringMatching(/^lanes is 2, but there is 1 core: .*; set lanes to 1 or less\.$/),
    ]);
  });

  it.each([
    ['lanes', { lanes: 0 }],
    ['maxHotTopics', { lanes: 1, maxHotTopics: 0 }],
  ])('tells of rules that want lanes while %s is 0, and names them', (key, limits) => {
    const [warning, ...more] = configWarnings(parseConfig({ ...limits, topics: hotRules }), 8);
    expect(more).toEqual([]);
    expect(warning).toMatch(new RegExp(`^${key} is 0, but rules want topics in lanes \\("a\\*"\\): .* raise ${key}`));
  });

  it('says nothing of no lanes where no rule wants them', () => {
    expect(configWarnings(parseConfig({ lanes: 0, topics: [{ match: 'a' }] }), 8)).toEqual([]);
  });
});
