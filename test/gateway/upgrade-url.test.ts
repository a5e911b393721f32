// What URLs ask for, and what is wrong with them.
import { describe, expect, it } from 'vitest';
import { parseUpgrade } from '#src/gateway/upgrade-url.js';
import { seededRandom } from '../support/seeded.js';

const parse = (url: string, takesOthers = false) => {
  const [path = '', ...query] = url.split('?');
  return parseUpgrade(path, query.join('?'), '', takesOthers);
};

describe('a URL', () => {
  it.each([
    ['/ws', null, [], null],
    ['/ws/', null, [], null],
    ['/ws?', null, [], null],
    ['/ws?codec=msgpack', 'msgpack', [], null],
    ['/ws/a%2Fb', 'json', ['a/b'], null],
    ['/ws?topics=a,,b&topics=c%2Cd&', 'json', ['a', 'b', 'c', 'd'], null],
    ['/ws/x+y?topics=a+b,%F0%9F%90%9D', 'json', ['x+y', 'a+b', '🐝'], null],
    ['/ws?topics=a=b', 'json', ['a=b'], null],
    ['/ws/a?last_n=0', 'json', ['a'], { lastN: 0 }],
    ['/ws/a?max_delay_ms=2.5&policy=disconnect', 'json', ['a'], { maxDelayMs: 2.5, policy: 'disconnect' }],
    ['/ws/a?client_id=%E2%82%AC&codec=msgpack', 'msgpack', ['a'], { clientId: '€' }],
  ])('%s', (url, codec, topics, options) => {
    expect(parse(url)).toEqual({ codec, subprotocol: '', topics: topics.map((topic) => ({ topic, options })) });
  });

  it.each([
    ['/ws/%ff', /^the topic in the path is not percent-encoded UTF-8$/],
    ['/ws?topics=%ff', /^the value of topics in the URL is not percent-encoded UTF-8$/],
    ['/ws?topics=%', /^the value of topics/],
    ['/ws?topic=a', /^an unknown parameter in the URL; this server takes codec, topics, last_n, since,/],
    ['/ws?%ff=a', /^an unknown parameter/],
    ['/ws?__proto__=a', /^an unknown parameter/],
    ['/ws?codec', /^codec must be msgpack or json$/],
    ['/ws?codec=json&codec=json', /^codec stands more than once in the URL$/],
    ['/ws/a?last_n=1&last_n=2', /^last_n stands more than once/],
    ['/ws/a?since=5', /^option since must be a map/],
    ['/ws/a?since={', /^option since must be a map/],
    ['/ws/a?last_n=', /^option last_n must be an integer from 0 to 1000000$/],
    ['/ws/a?last_n=1e3', /^option last_n must be an integer/],
    ['/ws/a?last_n=1.5', /^option last_n must be an integer/],
    ['/ws/a?max_delay_ms=1001', /^option max_delay_ms must be a number from 0 to 1000$/],
    ['/ws/a?policy=fast', /^option policy must be one of drop_oldest, conflate, disconnect$/],
    ['/ws?last_n=5', /^last_n in the URL is for topics in the URL, and there are none$/],
  ])('%s is a mistake', (url, problem) => {
    expect(parse(url)).toMatch(problem);
  });

  it('may have parameters that are somebody else’s, but none of its own that are wrong', () => {
    expect(parse('/ws?token=%ff&topic=a&codec=json', true)).toMatchObject({ codec: 'json', topics: [] });
    expect(parse('/ws?token=a&codec=xml', true)).toBe('codec must be msgpack or json');
  });

  it('never is more than the parser can take', () => {
    const random = seededRandom(1);
    const parts = [
      '/ws',
      '/',
      '?',
      '&',
      '=',
      '%',
      '%ff',
      '%41',
      '+',
      ',',
      'topics',
      'codec',
      'last_n',
      'é',
      '\0',
      '\ud800',
    ];
    for (let n = 0; n < 20_000; n++) {
      const length = 1 + Math.floor(random() * 12);
      const url = Array.from({ length }, () => parts[Math.floor(random() * parts.length)]).join('');
      const asked = parse(url, random() < 0.5);
      if (typeof asked !== 'string') for (const { topic } of asked.topics) expect(topic).not.toMatch(/\ufffd/);
      else expect(asked, url).not.toContain('\n');
    }
  });
});
