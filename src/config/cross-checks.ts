/** What must hold between keys. Each check names the keys it reads, and runs only when those are right by themselves. */
import { covers } from '../protocol/topic-pattern.js';
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
function holdsTwoFrames(
  name: 'ringBytes' | 'hotLogBytes' | 'coldLogMaxBytes' | 'coldLogsMaxBytes',
  onlyWithLanes: boolean,
): CrossCheck {
  return {
    reads: [name, 'maxPayloadBytes', 'lanes'],
    check(config) {
      if (onlyWithLanes && config.lanes === 0) return NONE;
      const leastBytes = 2 * config.maxPayloadBytes + FRAME_OVERHEAD_BYTES;
      if (config[name] >= leastBytes) return NONE;
      const enoughBytes = 2 ** Math.ceil(Math.log2(leastBytes));
      const message =
        `is ${formatSizeBytes(config[name])}, but has to hold two of the largest messages, 2 × maxPayloadBytes + 4 KiB: ` +
        `raise it to ${formatSizeBytes(enoughBytes)} or more, or lower maxPayloadBytes`;
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

const onePassphrase: CrossCheck = {
  reads: ['tls'],
  check({ tls }) {
    if (tls?.passphrase === undefined || tls.passphraseFile === undefined) return NONE;
    return [{ at: 'tls.passphraseFile', message: 'is given beside tls.passphrase: give one of them' }];
  },
};

/** A rule that never applies contradicts the one that applies in its place. */
const rulesAreReachable: CrossCheck = {
  reads: ['topics'],
  check({ topics: { rules } }) {
    return rules.flatMap(({ match }, index): readonly Contradiction[] => {
      const first = rules.findIndex((earlier) => covers(earlier.match, match));
      if (first >= index) return NONE;
      const shadow = `topics.rules[${first}] (${JSON.stringify(rules[first].match)})`;
      const message =
        `is ${JSON.stringify(match)}, but ${shadow} comes first and matches all of it: the first rule that matches wins, ` +
        'so this one never would; put it before that one or remove it';
      return [{ at: `topics.rules[${index}].match`, message }];
    });
  },
};

/** A book is one value, made of all messages: it has no keys, and nothing of it expires by itself. */
const booksAreBooks: CrossCheck = {
  reads: ['topics'],
  check({ topics: { rules } }) {
    return rules.flatMap((rule, index): readonly Contradiction[] => {
      const at = (name: string) => `topics.rules[${index}].${name}`;
      if (rule.type !== 'book') {
        const alone = (['book', 'maxLevels', 'verifyChecksum'] as const).find((name) => rule[name] !== undefined);
        return alone === undefined ? NONE : [{ at: at(alone), message: 'goes with type: "book"' }];
      }
      const names = ['keyed', 'key', 'missingKey', 'maxKeys', 'keysFull', 'keyTtlMs', 'merge', 'ttlMs'] as const;
      const wrong = names.find((name) => rule[name] !== undefined && rule[name] !== false);
      return wrong === undefined
        ? NONE
        : [{ at: at(wrong), message: 'has no meaning for an order book (type: "book")' }];
    });
  },
};

/** What some topics shall keep, and of which home the log has to keep it. */
interface HistoryWish {
  readonly home: 'cold' | 'hot';
  /** Of what sets the number of messages, and of what sets the bytes: a rule, or nothing for the engine. */
  readonly messagesAt: string;
  readonly messages: number;
  readonly bytesAt: string;
  readonly bytes: number;
}

type Rule = SchemaOutput['topics']['rules'][number];

/** Each rule's wishes, with the engine's for what it leaves out, and the engine's own for topics without a rule. */
function historyWishes({ historyMessages, historyBytes, topics, lanes, maxHotTopics }: SchemaOutput): HistoryWish[] {
  const hasHotTopics = lanes > 0 && maxHotTopics > 0;
  const homesOf = ({ home }: Pick<Rule, 'home'>): readonly HistoryWish['home'][] => {
    if (home === 'cold' || !hasHotTopics) return ['cold'];
    return home === 'auto' ? ['cold', 'hot'] : ['hot'];
  };
  const groups: Pick<Rule, 'home' | 'historyMessages' | 'historyBytes'>[] = [...topics.rules];
  if (!topics.rules.some(({ match }) => covers(match, '*'))) groups.push({ home: 'auto' });
  return groups.flatMap((group, index) =>
    homesOf(group).map((home) => ({
      home,
      messagesAt: group.historyMessages === undefined ? '' : `topics.rules[${index}].`,
      messages: group.historyMessages ?? historyMessages,
      bytesAt: group.historyBytes === undefined ? '' : `topics.rules[${index}].`,
      bytes: group.historyBytes ?? historyBytes,
    })),
  );
}

/**
 * History is what a topic's log retains: a wish beyond the log would silently stay unfulfilled. A topic that may move has
 * both kinds of log in turn. A log of n slots retains n − 1 messages (log/layout.ts).
 */
const historyFitsLogs: CrossCheck = {
  reads: [
    'historyMessages',
    'historyBytes',
    'topics',
    'lanes',
    'maxHotTopics',
    'hotLogBytes',
    'hotLogFrames',
    'coldLogMaxBytes',
    'coldLogMaxFrames',
  ],
  check(config) {
    const found = new Map<string, Contradiction>();
    for (const { home, messagesAt, messages, bytesAt, bytes } of historyWishes(config)) {
      const [frameKey, byteKey] =
        home === 'hot'
          ? (['hotLogFrames', 'hotLogBytes'] as const)
          : (['coldLogMaxFrames', 'coldLogMaxBytes'] as const);
      if (messages >= config[frameKey]) {
        const message = `is ${messages}, but the log of a ${home} topic keeps at most ${config[frameKey] - 1} messages (${frameKey} − 1)`;
        found.set(`${messagesAt} ${frameKey}`, { at: `${messagesAt}historyMessages`, message });
      }
      if (bytes > config[byteKey]) {
        const message = `is ${formatSizeBytes(bytes)}, but the log of a ${home} topic keeps at most ${formatSizeBytes(config[byteKey])} (${byteKey})`;
        found.set(`${bytesAt} ${byteKey}`, { at: `${bytesAt}historyBytes`, message });
      }
    }
    return [...found.values()];
  },
};

export const CROSS_CHECKS: readonly CrossCheck[] = [
  holdsTwoFrames('ringBytes', true),
  holdsTwoFrames('hotLogBytes', true),
  holdsTwoFrames('coldLogMaxBytes', false),
  holdsTwoFrames('coldLogsMaxBytes', false),
  idleAfterHeartbeat,
  onePassphrase,
  rulesNameExistingLanes,
  rulesAreReachable,
  booksAreBooks,
  historyFitsLogs,
];
