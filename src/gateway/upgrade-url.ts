/** What a WebSocket URL asks for: `/ws`, `/ws/<topic>`, `/ws?topics=a,b&codec=json&last_n=10`. */

import {
  OPTIONS,
  type OptionSpec,
  SUBPROTOCOL_JSON,
  SUBPROTOCOL_MSGPACK,
  type SubscribeOptions,
} from '../protocol/messages.js';
import { optionProblem } from '../protocol/options.js';
import { subscriptionProblem } from '../protocol/topic-name.js';

export type Codec = 'msgpack' | 'json';

/** A topic, or a pattern of topics, to subscribe to at once, as if by a SUBSCRIBE. */
export interface UrlSubscription {
  readonly topic: string;
  readonly options: SubscribeOptions | null;
}

export interface UpgradeRequest {
  /** Null: the first frame decides. */
  readonly codec: Codec | null;
  /** Subprotocol to confirm, empty when the client offered none. */
  readonly subprotocol: string;
  readonly topics: readonly UrlSubscription[];
}

const CODECS: readonly string[] = ['msgpack', 'json'];

/** The options of a SUBSCRIBE by the names that they have in the JSON dialect, and so in a URL. */
const OPTION_NAMES = new Map<string, readonly [keyof SubscribeOptions, OptionSpec]>();
for (const [name, spec] of Object.entries<OptionSpec>(OPTIONS.SUBSCRIBE)) {
  if (spec.json !== null) OPTION_NAMES.set(spec.json, [name as keyof SubscribeOptions, spec]);
}
const KNOWN_NAMES = ['codec', 'topics', ...OPTION_NAMES.keys()];

/**
 * The request, or what is wrong with it. Topics without a named codec are sent as JSON: whoever types a URL wants to read.
 *
 * @param takesOthers further parameters are somebody else's; otherwise they are mistakes
 */
export function parseUpgrade(
  path: string,
  query: string,
  subprotocols: string,
  takesOthers: boolean,
): UpgradeRequest | string {
  const parameters = parseQuery(query, takesOthers);
  if (typeof parameters === 'string') return parameters;
  const offered = subprotocols
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const subprotocol = offered.find((name) => name === SUBPROTOCOL_MSGPACK || name === SUBPROTOCOL_JSON) ?? '';
  if (offered.length > 0 && subprotocol === '') {
    return `none of the subprotocols is known; this server speaks ${SUBPROTOCOL_MSGPACK} and ${SUBPROTOCOL_JSON}`;
  }
  const names = requestedTopics(path, parameters.topics);
  if (typeof names === 'string') return names;
  const options = subscribeOptions(parameters.values, names.length > 0);
  if (typeof options === 'string') return options;
  const topics = names.map((topic) => ({ topic, options }));
  const named = parameters.values.get('codec');
  if (named !== undefined && !CODECS.includes(named)) return 'codec must be msgpack or json';
  const bySubprotocol = subprotocol === '' ? null : subprotocol === SUBPROTOCOL_MSGPACK ? 'msgpack' : 'json';
  if (named !== undefined && bySubprotocol !== null && named !== bySubprotocol) {
    return `codec=${named} contradicts the subprotocol ${subprotocol}`;
  }
  const codec = bySubprotocol ?? (named as Codec | undefined) ?? (topics.length > 0 ? 'json' : null);
  return { codec, subprotocol, topics };
}

interface Parameters {
  /** Of `topics`, which may stand several times. */
  readonly topics: readonly string[];
  /** Of the others that are known. */
  readonly values: ReadonlyMap<string, string>;
}

/** Not by URLSearchParams, which makes a space of a plus and a replacement character of what is no UTF-8. */
function parseQuery(query: string, takesOthers: boolean): Parameters | string {
  const topics: string[] = [];
  const values = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = decoded(equals < 0 ? '' : part.slice(equals + 1));
    if (name === null || !KNOWN_NAMES.includes(name)) {
      if (takesOthers) continue;
      return `an unknown parameter in the URL; this server takes ${KNOWN_NAMES.join(', ')}`;
    }
    if (value === null) return `the value of ${name} in the URL is not percent-encoded UTF-8`;
    if (name === 'topics') topics.push(value);
    else if (values.has(name)) return `${name} stands more than once in the URL`;
    else values.set(name, value);
  }
  return { topics, values };
}

/** Null: not percent-encoded UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function requestedTopics(path: string, lists: readonly string[]): string[] | string {
  const topics: string[] = [];
  if (path.startsWith('/ws/') && path.length > '/ws/'.length) {
    const topic = decoded(path.slice('/ws/'.length));
    if (topic === null) return 'the topic in the path is not percent-encoded UTF-8';
    topics.push(topic);
  }
  for (const list of lists) topics.push(...list.split(',').filter((name) => name !== ''));
  for (const topic of topics) {
    const problem = subscriptionProblem(topic);
    if (problem !== null) return problem;
  }
  return topics;
}

/** Those of every topic in the URL. Null: none. */
function subscribeOptions(values: ReadonlyMap<string, string>, hasTopics: boolean): SubscribeOptions | null | string {
  const options: Record<string, unknown> = {};
  for (const [shown, [name, spec]] of OPTION_NAMES) {
    const text = values.get(shown);
    if (text === undefined) continue;
    if (!hasTopics) return `${shown} in the URL is for topics in the URL, and there are none`;
    const value = optionValue(spec, text);
    const problem = optionProblem(shown, spec, value);
    if (problem !== null) return problem;
    options[name] = value;
  }
  return Object.keys(options).length > 0 ? options : null;
}

/** What stands in a URL as a value: texts as they are, everything else as in JSON. Undefined: it is none. */
function optionValue({ kind }: OptionSpec, text: string): unknown {
  if (kind === 'string' || kind === 'choice') return text;
  if (kind === 'integer' || kind === 'number') return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
