/** What a WebSocket URL asks for: `/ws`, `/ws/<topic>`, `/ws?topics=a,b&codec=msgpack|json`. */

import { SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK } from '../protocol/messages.js';
import { addressProblem } from '../protocol/topic-name.js';

export type Codec = 'msgpack' | 'json';

export interface UpgradeRequest {
  /** Null: the first frame decides. */
  readonly codec: Codec | null;
  /** Subprotocol to confirm, empty when the client offered none. */
  readonly subprotocol: string;
  /** Topics to subscribe at once. */
  readonly topics: readonly string[];
}

const CODECS: readonly string[] = ['msgpack', 'json'];

/** The request, or what is wrong with it. Topics without a named codec are sent as JSON: whoever types a URL wants to read. */
export function parseUpgrade(path: string, query: string, subprotocols: string): UpgradeRequest | string {
  const parameters = new URLSearchParams(query);
  const offered = subprotocols
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const subprotocol = offered.find((name) => name === SUBPROTOCOL_MSGPACK || name === SUBPROTOCOL_JSON) ?? '';
  if (offered.length > 0 && subprotocol === '') {
    return `none of the subprotocols is known; this server speaks ${SUBPROTOCOL_MSGPACK} and ${SUBPROTOCOL_JSON}`;
  }
  const topics = requestedTopics(path, parameters);
  if (typeof topics === 'string') return topics;
  const named = parameters.get('codec');
  if (named !== null && !CODECS.includes(named)) return 'codec must be msgpack or json';
  const bySubprotocol = subprotocol === '' ? null : subprotocol === SUBPROTOCOL_MSGPACK ? 'msgpack' : 'json';
  if (named !== null && bySubprotocol !== null && named !== bySubprotocol) {
    return `codec=${named} contradicts the subprotocol ${subprotocol}`;
  }
  const codec = bySubprotocol ?? (named as Codec | null) ?? (topics.length > 0 ? 'json' : null);
  return { codec, subprotocol, topics };
}

function requestedTopics(path: string, parameters: URLSearchParams): string[] | string {
  const topics: string[] = [];
  if (path.startsWith('/ws/') && path.length > '/ws/'.length) {
    try {
      topics.push(decodeURIComponent(path.slice('/ws/'.length)));
    } catch {
      return 'the topic in the path is not percent-encoded UTF-8';
    }
  }
  for (const list of parameters.getAll('topics')) topics.push(...list.split(',').filter((name) => name !== ''));
  for (const topic of topics) {
    const problem = addressProblem(topic);
    if (problem !== null) return problem;
  }
  return topics;
}
