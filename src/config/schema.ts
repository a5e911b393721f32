/**
 * Every configuration key: default, unit, range and reason, in one place. Types, documentation, environment names,
 * flags and checks all come from this table.
 *
 * A key's name ends in its unit. Names in `environment` are short names beside RINGCAST_<KEY_IN_UPPER_SNAKE>, which
 * every key has; environment.ts says when they count.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { RETAIN_MS_DEFAULT } from '../limits.js';
import { OPTIONS, SLOW_CONSUMER_POLICIES, TOPIC_MAX_BYTES, TTL_MAX_MS, UNACKED_MAX } from '../protocol/messages.js';
import { patternProblem, topicNameProblem } from '../protocol/topic-name.js';
import { problemOfPath } from '../variant/field-scan.js';
import { bookRuleKeys } from './book-rule-schema.js';
import {
  autoOrDuration,
  choice,
  count,
  duration,
  flag,
  type Kind,
  list,
  offOrDuration,
  offOrNumber,
  shown,
  size,
  text,
  type Unit,
} from './values.js';

const PUBLISH_RATE = offOrNumber(0.01, 100_000_000);
const PUBLISH_BURST = count('messages', 0, 1_000_000_000);

const DEDUP_MESSAGES_DEFAULT = 10_000;
const DEDUP_MS_DEFAULT = 120_000;

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

interface KeyNotes<Default> {
  /** Absent: the key has no default, and may be left out. */
  readonly default?: Default | (() => Default);
  /** How the default is printed, where its value says less. */
  readonly defaultText?: string;
  readonly environment?: readonly string[];
  /** Never printed. */
  readonly secret?: boolean;
  /** Why one would change it. A sentence. */
  readonly reason: string;
}

interface RegisteredKey {
  readonly kind: Kind;
  readonly notes: KeyNotes<unknown>;
}

const registry = new Map<z.core.$ZodType, RegisteredKey>();

function key<Schema extends z.ZodType<NonNullable<unknown>>>(
  kind: Kind<Schema>,
  notes: KeyNotes<z.output<Schema>> & { readonly default: z.output<Schema> | (() => z.output<Schema>) },
): z.ZodDefault<Schema> {
  const given = notes.default;
  const defaultOf = (): z.output<Schema> => (given instanceof Function ? given() : given);
  const schema = z._default(kind.schema, defaultOf as () => z.core.util.NoUndefined<z.output<Schema>>);
  registry.set(schema, { kind, notes });
  return schema;
}

function keyWithoutDefault<Schema extends z.ZodType>(kind: Kind<Schema>, notes: KeyNotes<never>): Schema {
  registry.set(kind.schema, { kind, notes });
  return kind.schema;
}

/** What a rule may set for its topics is what the whole engine has as a default: the same kinds serve both. */
const perTopic = {
  historyMessages: count('messages', 0, 4_194_304),
  historyBytes: size(0, GIB),
  retainMs: duration(0, 3_600_000),
  retainMessages: count('messages', 0, 4_194_304),
  retainBytes: size(0, GIB),
  maxDelayMs: autoOrDuration(0, 1000),
  slowConsumerPolicy: choice(SLOW_CONSUMER_POLICIES),
  maxLagMs: duration(0, 3_600_000),
  maxLagMessages: count('messages', 0, 1_000_000_000),
};

const HOMES = ['auto', 'cold', 'hot'] as const;

const homeSchema = z
  .custom<'auto' | 'cold' | 'hot' | number>(
    (value) => HOMES.some((home) => home === value) || (Number.isInteger(value) && Number(value) >= 0),
    'must be "auto", "cold", "hot" or the number of a lane',
  )
  .default('auto');

/** A rule whose pattern no name can fit is a mistake. */
const matchSchema = z.custom<string>().superRefine((value, context) => {
  const problem = typeof value === 'string' ? patternProblem(value) : `got ${shown(value)}`;
  if (problem === null) return;
  const message = `must be a topic name of 1 – ${TOPIC_MAX_BYTES} bytes, with * for any characters; ${problem}`;
  context.addIssue({ code: 'custom', message });
});

/** Only rules have these: what a topic does is not the engine's to say for all. */
const ruleKeys = {
  ttlMs: duration(1, TTL_MAX_MS).schema,
  maxRate: offOrNumber(OPTIONS.UPDATE.maxRate.min, OPTIONS.UPDATE.maxRate.max).schema,
  maxBandwidth: count('', 0, OPTIONS.UPDATE.maxBandwidth.max).schema,
  maxPublishRate: PUBLISH_RATE.schema,
  maxPublishBurst: PUBLISH_BURST.schema,
  keyed: z.boolean(),
  key: z.custom<string>(
    (value) => typeof value === 'string' && problemOfPath(value.split('.')) === null,
    'must be a field, nested by dots',
  ),
  missingKey: z.enum(['refuse', 'pass']),
  maxKeys: count('', 1, 1_000_000).schema,
  keysFull: z.enum(['refuse', 'evict']),
  keyTtlMs: duration(0, 31_536_000_000).schema,
  merge: z.boolean(),
  ...bookRuleKeys,
  dedupWindow: z.strictObject({
    messages: count('messages', 1, 1_000_000).schema.default(DEDUP_MESSAGES_DEFAULT),
    ms: duration(1, 86_400_000).schema.default(DEDUP_MS_DEFAULT),
  }),
};

/** The first rule whose `match` fits a topic's name decides; what a rule leaves out is as for the whole engine. */
const topicRuleSchema = z.strictObject({
  match: matchSchema,
  home: homeSchema,
  historyMessages: perTopic.historyMessages.schema.optional(),
  historyBytes: perTopic.historyBytes.schema.optional(),
  retainMs: perTopic.retainMs.schema.optional(),
  retainMessages: perTopic.retainMessages.schema.optional(),
  retainBytes: perTopic.retainBytes.schema.optional(),
  maxDelayMs: perTopic.maxDelayMs.schema.optional(),
  slowConsumerPolicy: perTopic.slowConsumerPolicy.schema.optional(),
  maxLagMs: perTopic.maxLagMs.schema.optional(),
  maxLagMessages: perTopic.maxLagMessages.schema.optional(),
  ...z.strictObject(ruleKeys).partial().shape,
});

const topicNameSchema = z.custom<string>().superRefine((value, context) => {
  const problem = typeof value === 'string' ? topicNameProblem(value) : 'must be a topic name';
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** As browsers send it: a path or a slash at the end would never match. */
const ORIGIN = /^(\*|null|[a-z*][a-z0-9+.*-]*:\/\/[^\s/?#]+)$/i;

const originSchema = z.custom<string>(
  (value) => typeof value === 'string' && ORIGIN.test(value),
  'must be an origin as browsers send it ("https://app.example", no path), with * for any characters; or "null"',
);

const tlsSchema = z.strictObject({
  certFile: keyWithoutDefault(text('path of a PEM file'), {
    reason: 'Serves wss:// with this certificate chain; without it the server speaks plain ws://.',
  }),
  keyFile: keyWithoutDefault(text('path of a PEM file'), { reason: 'The private key of tls.certFile.' }),
  passphrase: keyWithoutDefault(text('any'), {
    reason: 'Opens tls.keyFile when it is encrypted.',
    secret: true,
  }).optional(),
  passphraseFile: keyWithoutDefault(text('path of a file'), {
    reason: 'A file that holds tls.passphrase as its first line, so that it stands in no argument and no variable.',
  }).optional(),
});

const topicsSchema = z.strictObject({
  autoCreate: key(flag(), {
    default: true,
    reason:
      'False: a topic that nobody created beforehand is TOPIC_NOT_FOUND, so that a typing error is not a new topic.',
  }),
  create: key(list(topicNameSchema, 'list of names', 'topic names', 'comma'), {
    default: () => [],
    reason: 'Topics that exist from the start.',
  }),
  rules: key(list(topicRuleSchema, 'list of rules', 'see "Rules for topics"', 'json'), {
    default: () => [],
    reason: 'Which topics are tied to a home, and what they do differently; the first rule that matches wins.',
  }),
});

const hotSchema = z.strictObject({
  promoteDeliveriesPerSecond: key(count('deliveries/s', 1, 1_000_000_000), {
    default: 5000,
    reason:
      'Load (messages × subscribers per second) above which a topic moves to a lane; below half of it, it moves back.',
  }),
  promoteAfterMs: key(duration(0, 600_000), {
    default: 500,
    reason: 'How long the load has to last before a topic moves to a lane: longer ignores bursts.',
  }),
  demoteAfterMs: key(duration(0, 3_600_000), {
    default: 10_000,
    reason: 'How long a topic has to be quiet before it moves back: longer saves moves where load comes and goes.',
  }),
  movesPerSecond: key(count('moves/s', 0, 1000), {
    default: 10,
    reason: 'How many topics may move in a second by themselves; 0: only rules and calls decide where topics live.',
  }),
});

const rebalanceSchema = z.strictObject({
  ratio: key(offOrNumber(1.05, 100), {
    default: 1.5,
    reason:
      'By how much a lane’s load may exceed the mean of all before a topic leaves it; 0 leaves topics where they are.',
  }),
});

/** At most 8: beyond that the accept thread, which does every write, is the limit. One core stays free for it. */
export function defaultLanes(cores: number = availableParallelism()): number {
  return Math.min(8, Math.max(1, cores - 1));
}

export const MAX_CONNECTIONS_DEFAULT = 100_000;

export const engineSchema = z.strictObject({
  host: key(text('address or host name'), {
    default: '127.0.0.1',
    environment: ['HOST'],
    reason: 'The address to listen on; 0.0.0.0 opens the server to other machines.',
  }),
  port: key(count('', 0, 65_535), {
    default: 8787,
    environment: ['PORT'],
    reason: 'The TCP port to listen on; 0 takes any free one.',
  }),
  tls: tlsSchema.optional(),
  lanes: key(count('threads', 0, 64), {
    default: () => defaultLanes(),
    defaultText: 'max(1, cores − 1), at most 8',
    reason: 'Worker threads for hot topics; 0 runs every topic on the accept thread, also those that a rule calls hot.',
  }),
  laneHeapBytes: key(size(32 * MIB, 64 * GIB), {
    default: 128 * MIB,
    reason: 'What the JavaScript heap of a lane may take: a lane that needs more is ended and replaced.',
  }),
  laneStallMs: key(duration(500, 3_600_000), {
    default: 2000,
    reason: 'A lane that does not move for so long counts as hung, and is ended and replaced.',
  }),
  hot: hotSchema.prefault({}),
  rebalance: rebalanceSchema.prefault({}),
  topics: topicsSchema.prefault({}),
  historyMessages: key(perTopic.historyMessages, {
    default: 100,
    environment: ['MAX_MESSAGES_PER_TOPIC'],
    reason: 'Messages that a topic keeps for late subscribers (lastN); 0 keeps none.',
  }),
  historyBytes: key(perTopic.historyBytes, {
    default: MIB,
    reason: 'Bytes of frames that a topic keeps for late subscribers, whatever their number.',
  }),
  retainMs: key(perTopic.retainMs, {
    default: RETAIN_MS_DEFAULT,
    reason:
      'How long a topic keeps messages for subscribers that lag or come back, whatever its history; logs that are full keep less.',
  }),
  retainMessages: key(perTopic.retainMessages, {
    default: 0,
    reason: 'The same bound in messages; 0: as many as the log holds.',
  }),
  retainBytes: key(perTopic.retainBytes, {
    default: 0,
    reason: 'The same bound in bytes of frames; 0: as many as the log holds.',
  }),
  deliveryBudgetMs: key(duration(0.05, 50, { fraction: true }), {
    default: 0.5,
    reason: 'Time that one turn of the event loop spends on fan-out: less keeps cold topics fast, more saves turns.',
  }),
  maxDelayMs: key(perTopic.maxDelayMs, {
    default: 'auto',
    reason:
      'How long a message may wait so that more of them share one write; auto grows from 0 to 5 ms with the load.',
  }),
  slowConsumerPolicy: key(perTopic.slowConsumerPolicy, {
    default: 'drop_oldest',
    environment: ['BACKPRESSURE_POLICY'],
    reason:
      'What happens to a subscriber that fell too far behind: skip what it missed, lose it, or get the latest only.',
  }),
  maxLagMs: key(perTopic.maxLagMs, {
    default: 0,
    reason: 'Age of the oldest undelivered message at which a subscriber counts as slow; 0: only the log decides.',
  }),
  maxLagMessages: key(perTopic.maxLagMessages, {
    default: 0,
    environment: ['MAX_QUEUE_SIZE'],
    reason: 'Undelivered messages at which a subscriber counts as slow; 0: only the log decides.',
  }),
  heartbeatMs: key(duration(100, 3_600_000), {
    default: 30_000,
    environment: ['HEARTBEAT_INTERVAL'],
    reason: 'How often a quiet connection is pinged, so that proxies keep it open and dead peers are found.',
  }),
  idleTimeoutMs: key(duration(100, 3_600_000), {
    default: 60_000,
    environment: ['CONNECTION_TIMEOUT'],
    reason: 'A connection that sent and took nothing for so long, not even a pong, is cut; up to 8 s later than this.',
  }),
  hookTimeoutMs: key(offOrDuration(10, 3_600_000), {
    default: 10_000,
    reason: 'How long onConnect and authorize may take to answer; who waits is then refused. 0: for ever.',
  }),
  shutdownTimeoutMs: key(duration(0, 600_000), {
    default: 10_000,
    reason: 'How long a stop may take to deliver what is under way before it closes what is left.',
  }),
  drainSpreadMs: key(duration(0, 600_000), {
    default: 5000,
    reason:
      'Over what time clients of a stopping server are told to reconnect, so that they do not arrive at once elsewhere.',
  }),
  statsIntervalMs: key(offOrDuration(100, 3_600_000), {
    default: 1000,
    reason: 'How often subscribers of the topic $stats get the figures of topics and lanes; 0: never.',
  }),
  requestTimeoutMs: key(offOrDuration(10, 3_600_000), {
    default: 10_000,
    reason: 'How long a handler of requests may take to answer before its client is told TIMEOUT. 0: for ever.',
  }),
  maxRequestsPerConnection: key(count('requests', 1, 100_000), {
    default: 100,
    reason: 'Requests of a connection that may wait for their answers at a time.',
  }),
  maxPublishRatePerConnection: key(PUBLISH_RATE, {
    default: 0,
    reason: 'Messages per second that a connection may publish; beyond it they are RATE_LIMITED. 0: as many as it can.',
  }),
  maxPublishBurstPerConnection: key(PUBLISH_BURST, {
    default: 0,
    reason: 'How many of them may come at once, after a silence; 0: as many as a second may bring.',
  }),
  maxPayloadBytes: key(size(KIB, 64 * MIB), {
    default: MIB,
    reason: 'The largest WebSocket message that a client may send.',
  }),
  maxHeaderBytes: key(size(4 * KIB, 256 * KIB), {
    default: 16 * KIB,
    reason:
      'Request line and headers of a handshake: long URLs and cookies need more. The first engine of a process decides.',
  }),
  allowedOrigins: key(list(originSchema, 'list of origins', 'origins, with * for any characters', 'comma'), {
    default: () => [],
    reason: 'Whose pages may connect beside those of the server’s own host: "https://*.example.com"; "*" lets all in.',
  }),
  maxConnections: key(count('connections', 1, 1_000_000), {
    default: MAX_CONNECTIONS_DEFAULT,
    reason: 'Connections beyond this are refused, so that the process does not die of them.',
  }),
  maxSubscriptionsPerConnection: key(count('subscriptions', 1, 1_000_000), {
    default: 10_000,
    reason: 'What one client can make the server remember.',
  }),
  maxTopics: key(count('topics', 1, 10_000_000), {
    default: 1_000_000,
    reason:
      'Topics beyond this take the place of ones that nobody uses and nothing came to for a minute, or are not created: ' +
      'clients cannot fill the memory with names.',
  }),
  maxHotTopics: key(count('topics', 0, 100_000), {
    default: 1000,
    reason: 'Topics in lanes, each with a full log in shared memory; while there are so many, further ones run cold.',
  }),
  maxStreamsPerTopic: key(count('streams', 2, 1_000_000), {
    default: 1000,
    reason:
      'Different filters, fields, rates … that a topic’s subscribers may want at a time: each costs the topic something per message.',
  }),
  maxDurables: key(count('subscriptions', 0, 1_000_000), {
    default: 10_000,
    reason: 'Durable subscriptions whose positions are kept: each keeps its topic, too.',
  }),
  maxDurablesPerTopic: key(count('subscriptions', 0, 1_000_000), {
    default: 1000,
    reason: 'The same of one topic.',
  }),
  durableTtlMs: key(duration(1000, 31_536_000_000), {
    default: 86_400_000,
    reason: 'How long the position of a durable subscription is kept that nobody uses.',
  }),
  maxUnacked: key(count('messages', 1, UNACKED_MAX), {
    default: 1000,
    reason:
      'What a durable subscription is sent before one of it is acknowledged: at most, and if it says nothing else.',
  }),
  ringBytes: key(size(8 * KIB, GIB / 2, { powerOfTwo: true }), {
    default: 4 * MIB,
    reason: 'Each of the two ring queues of a lane: what a burst may hold before publishers are told OVERLOADED.',
  }),
  hotLogBytes: key(size(8 * KIB, GIB, { powerOfTwo: true }), {
    default: 4 * MIB,
    reason: 'Frames that a hot topic keeps for subscribers that lag; more forgives longer stalls.',
  }),
  hotLogFrames: key(count('messages', 16, 4_194_304, { powerOfTwo: true }), {
    default: 16_384,
    reason: 'The same bound in messages; reached first where messages are small.',
  }),
  coldLogMaxBytes: key(size(8 * KIB, GIB, { powerOfTwo: true }), {
    default: 4 * MIB,
    reason: 'To what size the log of a cold topic may grow for subscribers that lag; it starts small.',
  }),
  coldLogsMaxBytes: key(size(MIB, 1024 * GIB), {
    default: GIB,
    reason: 'What the logs of all cold topics may take together: beyond it the largest keep less, idle ones first.',
  }),
  coldLogMaxFrames: key(count('messages', 16, 4_194_304, { powerOfTwo: true }), {
    default: 8192,
    reason: 'The same bound in messages; reached first where messages are small.',
  }),
});

export type SchemaInput = z.input<typeof engineSchema>;
export type SchemaOutput = z.output<typeof engineSchema>;
export type RuleInput = z.input<typeof topicRuleSchema>;
export type RuleOutput = z.output<typeof topicRuleSchema>;

/** One configuration key as documentation, environment and flags need it. */
export interface ConfigKey {
  /** With a dot where it is nested: `topics.autoCreate`. */
  readonly name: string;
  readonly type: string;
  readonly unit: Unit;
  readonly range: string;
  /** Undefined: no default, may be left out. */
  readonly default: unknown;
  /** Set where the default is better told than shown. */
  readonly defaultText: string | undefined;
  /** The name that every key has first, short names after it. The first that counts (environment.ts) is taken. */
  readonly environment: readonly string[];
  /** `--history-messages` */
  readonly flag: string;
  readonly secret: boolean;
  readonly reason: string;
  readonly fromText: (text: string) => unknown;
}

function listKeys(shape: Record<string, z.ZodType>, prefix: string): ConfigKey[] {
  const keys: ConfigKey[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const path = prefix + name;
    const bare = schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
    if (bare instanceof z.ZodObject) {
      keys.push(...listKeys(bare.shape, `${path}.`));
      continue;
    }
    const registered = registry.get(bare);
    if (registered === undefined) throw new Error(`configuration key ${path} is not described`);
    keys.push(describeKey(path, registered));
  }
  return keys;
}

function describeKey(name: string, { kind, notes }: RegisteredKey): ConfigKey {
  const words = name
    .replaceAll('.', '_')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return Object.freeze({
    name,
    type: kind.type,
    unit: kind.unit,
    range: kind.range,
    default: typeof notes.default === 'function' ? notes.default() : notes.default,
    defaultText: notes.defaultText,
    environment: Object.freeze([`RINGCAST_${words.toUpperCase()}`, ...(notes.environment ?? [])]),
    flag: `--${words.replaceAll('_', '-')}`,
    secret: notes.secret === true,
    reason: notes.reason,
    fromText: kind.fromText,
  });
}

export const configKeys: readonly ConfigKey[] = Object.freeze(listKeys(engineSchema.shape, ''));

/** The keys that a topic rule may have. */
export const topicRuleKeys: readonly string[] = Object.freeze(Object.keys(topicRuleSchema.shape));
