// What a configuration may be, what is refused, and in which words.
import { describe, expect, it } from 'vitest';
import { defaultLanes } from '#src/config/schema.js';
import { configKeys, type EngineConfig, type EngineOptions, parseConfig, type TopicRule } from '#src/config.js';
import { RingcastError } from '#src/errors.js';

const MIB = 1024 * 1024;

function refusal(input: unknown): string {
  try {
    parseConfig(input);
  } catch (error) {
    expect(error).toBeInstanceOf(RingcastError);
    expect((error as RingcastError).code).toBe('BAD_REQUEST');
    return (error as RingcastError).message;
  }
  throw new Error(`was accepted: ${JSON.stringify(input)}`);
}

describe('parseConfig', () => {
  it('gives every key its default', () => {
    const { lanes, ...rest } = parseConfig();
    expect(lanes).toBeGreaterThanOrEqual(1);
    expect(lanes).toBeLessThanOrEqual(8);
    expect(rest).toEqual({
      host: '127.0.0.1',
      port: 8787,
      laneHeapBytes: 128 * MIB,
      laneStallMs: 2000,
      hot: { promoteDeliveriesPerSecond: 5000, promoteAfterMs: 500, demoteAfterMs: 10_000, movesPerSecond: 10 },
      rebalance: { ratio: 1.5 },
      topics: { autoCreate: true, create: [], rules: [] },
      historyMessages: 100,
      historyBytes: MIB,
      retainMs: 30_000,
      retainMessages: 0,
      retainBytes: 0,
      deliveryBudgetMs: 0.5,
      maxDelayMs: 'auto',
      slowConsumerPolicy: 'drop_oldest',
      maxLagMs: 0,
      maxLagMessages: 0,
      heartbeatMs: 30_000,
      idleTimeoutMs: 60_000,
      hookTimeoutMs: 10_000,
      shutdownTimeoutMs: 10_000,
      drainSpreadMs: 5000,
      statsIntervalMs: 1000,
      maxPayloadBytes: MIB,
      maxHeaderBytes: 16 * 1024,
      allowedOrigins: [],
      maxConnections: 100_000,
      maxSubscriptionsPerConnection: 10_000,
      maxTopics: 1_000_000,
      maxHotTopics: 1000,
      maxStreamsPerTopic: 1000,
      maxDurables: 10_000,
      maxDurablesPerTopic: 1000,
      durableTtlMs: 86_400_000,
      maxUnacked: 1000,
      requestTimeoutMs: 10_000,
      maxRequestsPerConnection: 100,
      maxPublishRatePerConnection: 0,
      maxPublishBurstPerConnection: 0,
      ringBytes: 4 * MIB,
      hotLogBytes: 4 * MIB,
      hotLogFrames: 16_384,
      coldLogMaxBytes: 4 * MIB,
      coldLogsMaxBytes: 1024 * MIB,
      coldLogMaxFrames: 8192,
    });
  });

  it.each([
    [1, 1],
    [2, 1],
    [4, 3],
    [9, 8],
    [64, 8],
  ])('%i cores have %i lanes by default', (cores, lanes) => {
    expect(defaultLanes(cores)).toBe(lanes);
  });

  it('accepts its own defaults as input', () => {
    expect(parseConfig(parseConfig())).toEqual(parseConfig());
  });

  it('takes undefined values for absent ones', () => {
    const absent = {
      port: undefined,
      tls: undefined,
      topics: undefined,
      hot: undefined,
      rebalance: { ratio: undefined },
    };
    expect(parseConfig(absent)).toEqual(parseConfig());
  });

  it('freezes deeply, and leaves the input as it was', () => {
    const tls = { certFile: 'c.pem', keyFile: 'k.pem' };
    const input = { topics: [{ match: 'a*', home: 'hot' }], tls, hot: { movesPerSecond: 1 } };
    const before = structuredClone(input);
    const config = parseConfig(input);
    expect(input).toEqual(before);
    expect(Object.isFrozen(input)).toBe(false);
    for (const part of [
      config,
      config.topics,
      config.topics.rules,
      config.topics.rules[0],
      config.topics.create,
      config.tls,
      config.hot,
      config.rebalance,
    ])
      expect(Object.isFrozen(part)).toBe(true);
    expect(() => (parseConfig().topics.create as string[]).push('leak')).toThrow(TypeError);
    expect(parseConfig().topics.create).toEqual([]);
  });

  it.each<[string, unknown, Partial<EngineConfig>]>([
    [
      'a duration with a unit',
      { heartbeatMs: '20s', idleTimeoutMs: '1m' },
      { heartbeatMs: 20_000, idleTimeoutMs: 60_000 },
    ],
    [
      'milliseconds as text',
      { heartbeatMs: '500', shutdownTimeoutMs: ' 1.5 s ' },
      { heartbeatMs: 500, shutdownTimeoutMs: 1500 },
    ],
    ['a fraction of a millisecond', { deliveryBudgetMs: 0.25 }, { deliveryBudgetMs: 0.25 }],
    [
      'a size with a unit',
      { maxPayloadBytes: '64KiB', hotLogBytes: '8mib' },
      { maxPayloadBytes: 65_536, hotLogBytes: 8 * MIB },
    ],
    ['decimal sizes', { historyBytes: '100kB' }, { historyBytes: 100_000 }],
    ['bytes as text', { historyBytes: '4096' }, { historyBytes: 4096 }],
    ['auto', { maxDelayMs: 'auto' }, { maxDelayMs: 'auto' }],
    ['a fixed delay', { maxDelayMs: '20ms' }, { maxDelayMs: 20 }],
    ['no coalescing', { maxDelayMs: 0 }, { maxDelayMs: 0 }],
    ['no lanes', { lanes: 0 }, { lanes: 0 }],
    ['every policy', { slowConsumerPolicy: 'conflate' }, { slowConsumerPolicy: 'conflate' }],
    ['any free port', { port: 0 }, { port: 0 }],
    ['no moves', { hot: { movesPerSecond: 0 } }, { hot: { ...parseConfig().hot, movesPerSecond: 0 } }],
    ['no rebalancing', { rebalance: { ratio: 0 } }, { rebalance: { ratio: 0 } }],
    ['a fraction for a ratio', { rebalance: { ratio: 1.25 } }, { rebalance: { ratio: 1.25 } }],
    ['no figures', { statsIntervalMs: 0 }, { statsIntervalMs: 0 }],
    ['figures rarely, as text', { statsIntervalMs: '1m' }, { statsIntervalMs: 60_000 }],
  ])('accepts %s', (_name, input, expected) => {
    expect(parseConfig(input)).toMatchObject(expected);
  });

  it('takes an array of topics for rules', () => {
    const rules = [{ match: 'prices:*', home: 'hot', maxDelayMs: '5ms' }, { match: '*' }];
    expect(parseConfig({ topics: rules }).topics).toEqual({
      autoCreate: true,
      create: [],
      rules: [
        { match: 'prices:*', home: 'hot', maxDelayMs: 5 },
        { match: '*', home: 'auto' },
      ],
    });
    expect(parseConfig({ topics: rules })).toEqual(parseConfig({ topics: { rules } }));
  });

  it('lets hot rules run cold without lanes, whatever the rings and hot logs', () => {
    const config = parseConfig({
      lanes: 0,
      ringBytes: '8KiB',
      hotLogBytes: '8KiB',
      topics: [{ match: '*', home: 'hot' }],
    });
    expect(config.topics.rules[0].home).toBe('hot');
  });

  it.each<[string, unknown, string[]]>([
    ['no object', 7, ['must be an object']],
    ['a list', [], ['must be an object']],
    ['null', null, ['must be an object']],
    ['an unknown key', { histroyMessages: 5 }, ['histroyMessages: unknown key; did you mean historyMessages?']],
    ['a key in the wrong case', { maxlagms: 5 }, ['did you mean maxLagMs?']],
    ['an unknown key like nothing', { colour: 'red' }, ['colour: unknown key']],
    ['a port that is too large', { port: 65_536 }, ['port: must be a whole number in the range 0 – 65535; got 65536']],
    ['a fraction of a port', { port: 80.5 }, ['port: must be a whole number']],
    ['a number as text in a file', { port: '80' }, ['port: must be a whole number', 'got "80"']],
    ['NaN', { lanes: Number.NaN }, ['lanes: must be']],
    ['null for a number', { lanes: null }, ['lanes: must be', 'got null']],
    ['an empty host', { host: '' }, ['host: must be text']],
    ['a host with white space', { host: ' localhost' }, ['host: must be text']],
    ['an unknown unit', { heartbeatMs: '5 weeks' }, ['heartbeatMs: must be a duration', '"30s"', 'got "5 weeks"']],
    ['a negative duration', { heartbeatMs: -1 }, ['heartbeatMs: must be a duration']],
    [
      'seconds taken for milliseconds',
      { heartbeatMs: 30 },
      ['heartbeatMs: must be a duration in the range 100 ms', 'a number of ms'],
    ],
    ['an object for a duration', { idleTimeoutMs: {} }, ['idleTimeoutMs: must be a duration', 'got {}']],
    ['an unknown word for the delay', { maxDelayMs: 'never' }, ['maxDelayMs: must be "auto" or a duration']],
    ['a delay above its range', { maxDelayMs: 1001 }, ['maxDelayMs']],
    ['an unknown policy', { slowConsumerPolicy: 'block' }, ['one of drop_oldest, conflate, disconnect; got "block"']],
    [
      'a size that is no power of two',
      { ringBytes: 5_000_000 },
      ['ringBytes: must be a size', 'a power of two', 'got 5000000'],
    ],
    ['a count that is no power of two', { hotLogFrames: 1000 }, ['hotLogFrames', 'a power of two']],
    ['infinite memory', { historyBytes: Number.POSITIVE_INFINITY }, ['historyBytes: must be a size']],
    ['a certificate without key', { tls: { certFile: 'c.pem' } }, ['tls.keyFile: is missing; it must be text']],
    [
      'an unknown key in tls',
      { tls: { certFile: 'c', keyFile: 'k', pasphrase: 'x' } },
      ['tls.pasphrase: unknown key; did you mean passphrase?'],
    ],
    ['text for tls', { tls: 'c.pem' }, ['tls: must be an object']],
    ['text for topics', { topics: 'a' }, ['topics: must be an object']],
    ['text for a flag', { topics: { autoCreate: 'yes' } }, ['topics.autoCreate: must be true or false']],
    ['text for a list', { topics: { create: 'a' } }, ['topics.create: must be a list']],
    ['a reserved topic', { topics: { create: ['ok', '$sys'] } }, ['topics.create[1]', 'reserved']],
    ['a topic that is no text', { topics: { create: [1] } }, ['topics.create[0]: must be a topic name']],
    [
      'an unknown key in topics',
      { topics: { autocreat: true } },
      ['topics.autocreat: unknown key; did you mean autoCreate?'],
    ],
    ['a rule without match', { topics: [{ home: 'hot' }] }, ['topics.rules[0].match: must be a topic name']],
    [
      'a pattern that no name fits',
      { topics: [{ match: 'a*\n' }, { match: `*${'x'.repeat(255)}` }] },
      [
        'topics.rules[0].match: must be',
        'control character',
        'topics.rules[1].match: must be',
        '256 bytes, at most 255',
      ],
    ],
    [
      'a rule for the server’s own topics',
      { topics: [{ match: '$*' }] },
      ['topics.rules[0].match: must be', 'reserved'],
    ],
    [
      'an unknown home',
      { topics: [{ match: 'a', home: 'warm' }] },
      ['topics.rules[0].home: must be "auto", "cold", "hot" or'],
    ],
    ['half a lane', { topics: [{ match: 'a', home: 0.5 }] }, ['topics.rules[0].home: must be']],
    ['a ratio that every lane exceeds', { rebalance: { ratio: 1 } }, ['rebalance.ratio: must be 0 (off) or a number']],
    ['a ratio that is text', { rebalance: { ratio: '2' } }, ['rebalance.ratio: must be', 'got "2"']],
    [
      'figures too often',
      { statsIntervalMs: 10 },
      ['statsIntervalMs: must be 0 (off) or a duration in the range 100 ms'],
    ],
    ['a lane that stalls at once', { laneStallMs: 499 }, ['laneStallMs: must be a duration in the range 500 ms']],
    [
      'an unknown key in hot',
      { hot: { promoteAfter: 1 } },
      ['hot.promoteAfter: unknown key; did you mean promoteAfterMs?'],
    ],
    ['a number for hot', { hot: 5 }, ['hot: must be an object']],
    [
      'an unknown key in a rule',
      { topics: [{ match: 'a', hom: 'hot' }] },
      ['topics.rules[0].hom: unknown key; did you mean home?'],
    ],
    [
      'a bad value in a rule',
      { topics: [{ match: 'a', maxLagMs: -1 }] },
      ['topics.rules[0].maxLagMs: must be a duration'],
    ],
    ['a rule that is no object', { topics: ['a'] }, ['topics.rules[0]: must be an object']],
  ])('refuses %s', (_name, input, parts) => {
    const message = refusal(input);
    expect(message).toContain('invalid configuration');
    for (const part of parts) expect(message).toContain(part);
  });

  it.each<[string, unknown, string[]]>([
    ['a ring below two messages', { ringBytes: '2MiB' }, ['ringBytes: is 2 MiB', '2 × maxPayloadBytes + 4 KiB']],
    ['a hot log below two messages', { hotLogBytes: '1MiB' }, ['hotLogBytes: is 1 MiB']],
    [
      'a cold log below two messages, also without lanes',
      { lanes: 0, coldLogMaxBytes: '2MiB' },
      ['coldLogMaxBytes: is 2 MiB'],
    ],
    [
      'less for all cold logs than the largest messages take',
      { coldLogsMaxBytes: '2MiB' },
      ['coldLogsMaxBytes: is 2 MiB, but has to hold two of the largest messages', 'raise it to 4 MiB or more'],
    ],
    [
      'larger messages than the logs hold',
      { maxPayloadBytes: '2MiB' },
      ['ringBytes', 'hotLogBytes', 'coldLogMaxBytes'],
    ],
    [
      'an idle time-out before the first heartbeat',
      { heartbeatMs: 60_000 },
      ['idleTimeoutMs: is 1 min', 'longer than heartbeatMs (1 min)'],
    ],
    [
      'a lane that is not there',
      { lanes: 2, topics: [{ match: 'a', home: 2 }] },
      ['topics.rules[0].home: is lane 2, but there are 2, numbered from 0'],
    ],
    [
      'a lane number without lanes',
      { lanes: 0, topics: [{ match: 'a', home: 0 }] },
      ['topics.rules[0].home: is lane 0, but there are none'],
    ],
    [
      'a rule that cannot be reached',
      { topics: [{ match: 'a' }, { match: 'a', home: 'hot' }] },
      ['topics.rules[1].match: is "a"', 'topics.rules[0] ("a") comes first'],
    ],
    [
      'a rule of which an earlier one leaves nothing',
      { topics: [{ match: 'x' }, { match: 'prices:*', home: 'hot' }, { match: 'prices:B*', home: 'cold' }] },
      ['topics.rules[2].match: is "prices:B*"', 'topics.rules[1] ("prices:*") comes first and matches all of it'],
    ],
    [
      'more history than a cold log keeps',
      { historyMessages: 8192 },
      ['historyMessages: is 8192', 'at most 8191', 'coldLogMaxFrames'],
    ],
    [
      'more bytes of history than a cold log keeps',
      { historyBytes: '8MiB' },
      ['historyBytes: is 8 MiB', 'coldLogMaxBytes'],
    ],
    [
      'more history than a hot log keeps',
      { lanes: 1, topics: [{ match: 'a', home: 'hot', historyMessages: 16_384 }] },
      ['topics.rules[0].historyMessages: is 16384', 'hotLogFrames'],
    ],
    [
      'the common history in a smaller hot log',
      { lanes: 1, hotLogFrames: 64, topics: [{ match: 'a', home: 'hot' }] },
      ['historyMessages: is 100', 'hotLogFrames'],
    ],
    [
      'the common history in a smaller hot log, to which any topic may move',
      { lanes: 1, hotLogBytes: '2MiB', maxPayloadBytes: '64KiB', historyBytes: '4MiB' },
      ['configuration: historyBytes: is 4 MiB, but the log of a hot topic keeps at most 2 MiB'],
    ],
    [
      'more history of topics that may move than their cold log keeps',
      { lanes: 1, topics: [{ match: 'a', historyMessages: 8192 }] },
      ['topics.rules[0].historyMessages: is 8192, but the log of a cold topic'],
    ],
  ])('refuses %s', (_name, input, parts) => {
    const message = refusal(input);
    for (const part of parts) expect(message).toContain(part);
  });

  it.each<[string, unknown]>([
    [
      'rules that overlap, each with something of its own',
      { topics: [{ match: 'a*' }, { match: '*a' }, { match: '*b*' }, { match: '*' }] },
    ],
    ['small hot logs without lanes', { lanes: 0, hotLogFrames: 64 }],
    ['small hot logs where no topic may become hot', { lanes: 1, maxHotTopics: 0, hotLogFrames: 64 }],
    [
      'small hot logs where all topics are cold',
      { lanes: 1, hotLogFrames: 64, topics: [{ match: '*', home: 'cold' }] },
    ],
    [
      'small hot logs where the topics that may become hot keep little',
      {
        lanes: 1,
        hotLogFrames: 64,
        topics: [
          { match: 'a*', home: 'cold' },
          { match: '*', historyMessages: 63 },
        ],
      },
    ],
    [
      'more history of hot topics than cold logs keep',
      { lanes: 1, topics: [{ match: 'a', home: 'hot', historyMessages: 10_000 }] },
    ],
    ['a hot rule without lanes', { lanes: 0, topics: [{ match: 'a', home: 'hot' }] }],
    ['more lanes than any machine has cores', { lanes: 64 }],
  ])('accepts %s', (_name, input) => {
    parseConfig(input);
  });

  it('tells everything that is wrong at once, contradictions between right keys included', () => {
    const message = refusal({
      prot: 1,
      port: 'x',
      heartbeatMs: '2m',
      topics: { create: ['$x'], rules: [{ match: '' }] },
    });
    expect(message).toMatch(/^invalid configuration, 5 problems:\n/);
    for (const part of [
      'prot: unknown key; did you mean port?',
      'port: must',
      'topics.create[0]',
      'topics.rules[0].match',
      'idleTimeoutMs',
    ])
      expect(message).toContain(part);
    expect(message.split('\n')).toHaveLength(6);
  });

  it('does not report a contradiction with a key that is wrong anyway', () => {
    expect(refusal({ heartbeatMs: 'x', idleTimeoutMs: 100 })).not.toContain('idleTimeoutMs');
  });

  it('gives the problems as details too', () => {
    try {
      parseConfig({ port: -1 });
    } catch (error) {
      expect((error as RingcastError).details).toMatchObject({ problems: [{ key: 'port', source: '' }] });
    }
    expect.assertions(1);
  });
});

describe('configKeys', () => {
  it('describes every key: unit in the name, range, environment name, flag, reason as a sentence', () => {
    expect(configKeys.length).toBeGreaterThanOrEqual(29);
    for (const key of configKeys) {
      expect(key.reason, key.name).toMatch(/^[A-Z].{15,}\.$/);
      expect(key.range, key.name).not.toBe('');
      expect(key.flag, key.name).toMatch(/^--[a-z]+(-[a-z]+)*$/);
      expect(key.environment[0], key.name).toMatch(/^RINGCAST_[A-Z]+(_[A-Z]+)*$/);
      if (key.unit === 'ms') expect(key.name).toMatch(/Ms$/);
      if (key.unit === 'bytes') expect(key.name).toMatch(/Bytes$/);
    }
  });

  it('has no name twice', () => {
    for (const names of [
      configKeys.map((key) => key.name),
      configKeys.map((key) => key.flag),
      configKeys.flatMap((key) => key.environment),
    ])
      expect(new Set(names).size).toBe(names.length);
  });

  it('knows the short environment names', () => {
    const keyOf = (variable: string) => configKeys.find((key) => key.environment.includes(variable))?.name;
    expect({
      PORT: keyOf('PORT'),
      HOST: keyOf('HOST'),
      MAX_MESSAGES_PER_TOPIC: keyOf('MAX_MESSAGES_PER_TOPIC'),
      MAX_QUEUE_SIZE: keyOf('MAX_QUEUE_SIZE'),
      BACKPRESSURE_POLICY: keyOf('BACKPRESSURE_POLICY'),
      HEARTBEAT_INTERVAL: keyOf('HEARTBEAT_INTERVAL'),
      CONNECTION_TIMEOUT: keyOf('CONNECTION_TIMEOUT'),
    }).toEqual({
      PORT: 'port',
      HOST: 'host',
      MAX_MESSAGES_PER_TOPIC: 'historyMessages',
      MAX_QUEUE_SIZE: 'maxLagMessages',
      BACKPRESSURE_POLICY: 'slowConsumerPolicy',
      HEARTBEAT_INTERVAL: 'heartbeatMs',
      CONNECTION_TIMEOUT: 'idleTimeoutMs',
    });
  });
});

describe('types', () => {
  it('let options be text with units and topics be a list, and refuse what the schema refuses', () => {
    const options: EngineOptions[] = [
      { heartbeatMs: '30s', maxDelayMs: '5ms', topics: [{ match: 'a*', home: 'hot', maxDelayMs: 'auto' }] },
      { topics: { autoCreate: false, create: ['x'] }, tls: { certFile: 'a', keyFile: 'b' }, maxDelayMs: 'auto' },
      parseConfig(),
    ];
    for (const input of options) parseConfig(input);
    // @ts-expect-error an unknown key
    const unknownKey: EngineOptions = { prot: 1 };
    // @ts-expect-error an unknown policy
    const unknownPolicy: EngineOptions = { slowConsumerPolicy: 'block' };
    for (const input of [unknownKey, unknownPolicy]) refusal(input);
  });

  it('make a configuration numbers, and read-only', () => {
    const config: EngineConfig = parseConfig({ topics: [{ match: 'a' }] });
    const delayMs: number | 'auto' = config.maxDelayMs;
    const rule: TopicRule = config.topics.rules[0];
    const ruleDelayMs: number | 'auto' | undefined = rule.maxDelayMs;
    expect([delayMs, ruleDelayMs]).toEqual(['auto', undefined]);
    expect(() => {
      // @ts-expect-error frozen
      config.port = 1;
    }).toThrow(TypeError);
    expect(() => {
      // @ts-expect-error frozen
      config.topics.rules.push(rule);
    }).toThrow(TypeError);
  });
});
