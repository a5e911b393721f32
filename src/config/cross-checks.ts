/** What must hold between keys. Each check names the keys it reads, and runs only when those are right by themselves. */
import type { SchemaOutput } from './schema.js';
import { formatDurationMs, formatSizeBytes } from './units.js';

export interface CrossCheck {
  /** Top-level keys. */
  readonly reads: readonly (keyof SchemaOutput)[];
  readonly check: (config: SchemaOutput) => readonly Contradiction[];
}

export interface Contradiction {
  /** The key as a path. */
  readonly at: string;
  readonly message: string;
}

const NONE: readonly Contradiction[] = [];

/** Room for a frame's head, its record's header and padding beside two of the largest payloads. */
const FRAME_OVERHEAD_BYTES = 4096;

/** With less than two of the largest frames a log or ring could have to give up the one that is being read. */
function holdsTwoFrames(name: 'ringBytes' | 'hotLogBytes' | 'coldLogMaxBytes', onlyWithLanes: boolean): CrossCheck {
  return {
    reads: [name, 'maxPayloadBytes', 'lanes'],
    check(config) {
      if (onlyWithLanes && config.lanes === 0) return NONE;
      const leastBytes = 2 * config.maxPayloadBytes + FRAME_OVERHEAD_BYTES;
      if (config[name] >= leastBytes) return NONE;
      const message =
        `is ${formatSizeBytes(config[name])}, but has to hold two of the largest messages: at least ` +
        `2 × maxPayloadBytes + 4 KiB = ${formatSizeBytes(leastBytes)}, a power of two; raise it or lower maxPayloadBytes`;
      return [{ at: name, message }];
    },
  };
}

const idleAfterHeartbeat: CrossCheck = {
  reads: ['idleTimeoutMs', 'heartbeatMs'],
  check({ idleTimeoutMs, heartbeatMs }) {
    if (idleTimeoutMs > heartbeatMs) return NONE;
    const message =
      `is ${formatDurationMs(idleTimeoutMs)}, but has to be longer than heartbeatMs (${formatDurationMs(heartbeatMs)}): ` +
      'a healthy quiet connection would be closed before its first ping';
    return [{ at: 'idleTimeoutMs', message }];
  },
};

const rulesNameExistingLanes: CrossCheck = {
  reads: ['topics', 'lanes'],
  check({ topics, lanes }) {
    return topics.rules.flatMap(({ home }, index): readonly Contradiction[] => {
      if (typeof home !== 'number' || home < lanes) return NONE;
      const which = lanes === 0 ? 'there are none' : `there are ${lanes}, numbered from 0`;
      return [
        { at: `topics.rules[${index}].home`, message: `is lane ${home}, but ${which} (lanes); "hot" takes any lane` },
      ];
    });
  },
};

const rulesAreReachable: CrossCheck = {
  reads: ['topics'],
  check({ topics }) {
    const firstIndexOf = new Map<string, number>();
    return topics.rules.flatMap(({ match }, index): readonly Contradiction[] => {
      const first = firstIndexOf.get(match);
      if (first === undefined) {
        firstIndexOf.set(match, index);
        return NONE;
      }
      const message = `is the same as that of topics.rules[${first}]: the first rule that matches wins, this one never would`;
      return [{ at: `topics.rules[${index}].match`, message }];
    });
  },
};

interface HistoryWish {
  readonly at: string;
  readonly hot: boolean;
  readonly messages: number | undefined;
  readonly bytes: number | undefined;
}

/**
 * History is what a topic's log retains: a wish beyond the log would silently stay unfulfilled.
 * A log of n slots retains n − 1 messages (log/layout.ts).
 */
const historyFitsLogs: CrossCheck = {
  reads: [
    'historyMessages',
    'historyBytes',
    'topics',
    'lanes',
    'hotLogBytes',
    'hotLogFrames',
    'coldLogMaxBytes',
    'coldLogMaxFrames',
  ],
  check(config) {
    const { historyMessages: messages, historyBytes: bytes } = config;
    const wishes: HistoryWish[] = [{ at: '', hot: false, messages, bytes }];
    config.topics.rules.forEach((rule, index) => {
      const hot = rule.home !== 'cold' && config.lanes > 0;
      wishes.push({ at: `topics.rules[${index}].`, hot, messages: rule.historyMessages, bytes: rule.historyBytes });
      // A hot rule without a wish of its own has the engine's, but the hot logs' bounds.
      if (hot && rule.historyMessages === undefined && messages >= config.hotLogFrames)
        wishes.push({ at: '', hot, messages, bytes: undefined });
      if (hot && rule.historyBytes === undefined && bytes > config.hotLogBytes)
        wishes.push({ at: '', hot, messages: undefined, bytes });
    });
    const found = new Map<string, { at: string; message: string }>();
    for (const wish of wishes) {
      const [frameKey, byteKey] = wish.hot
        ? (['hotLogFrames', 'hotLogBytes'] as const)
        : (['coldLogMaxFrames', 'coldLogMaxBytes'] as const);
      const home = wish.hot ? 'hot' : 'cold';
      if (wish.messages !== undefined && wish.messages >= config[frameKey]) {
        const message = `is ${wish.messages}, but the log of a ${home} topic keeps at most ${config[frameKey] - 1} messages (${frameKey} − 1)`;
        found.set(`${wish.at} ${frameKey}`, { at: `${wish.at}historyMessages`, message });
      }
      if (wish.bytes !== undefined && wish.bytes > config[byteKey]) {
        const message = `is ${formatSizeBytes(wish.bytes)}, but the log of a ${home} topic keeps at most ${formatSizeBytes(config[byteKey])} (${byteKey})`;
        found.set(`${wish.at} ${byteKey}`, { at: `${wish.at}historyBytes`, message });
      }
    }
    return [...found.values()];
  },
};

export const CROSS_CHECKS: readonly CrossCheck[] = [
  holdsTwoFrames('ringBytes', true),
  holdsTwoFrames('hotLogBytes', true),
  holdsTwoFrames('coldLogMaxBytes', false),
  idleAfterHeartbeat,
  rulesNameExistingLanes,
  rulesAreReachable,
  historyFitsLogs,
];
