/** Which protocols the load generator speaks, and the payloads that go with them. */

import { JsonTemplateDialect } from './json-template-dialect.js';
import type { JsonTemplates } from './json-templates.js';
import type { LoadDialect } from './load-dialect.js';
import { BINARY_MIN_BYTES, BinaryPayload, type PayloadForm } from './payload.js';
import { RingcastJsonDialect } from './ringcast-json-dialect.js';
import { RingcastMsgpackDialect } from './ringcast-msgpack-dialect.js';
import { JSON_PAYLOAD_BYTES, TextPayload, TOKEN_MIN_BYTES } from './text-payload.js';

export const PROTOCOLS = ['ringcast', 'ringcast-json', 'json'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface DialectOptions {
  readonly protocol: Protocol;
  /** Path and query of the URL. */
  readonly path: string;
  readonly topics: readonly string[];
  readonly token?: string | undefined;
  /** Of protocol json. */
  readonly templates?: JsonTemplates | undefined;
  readonly subprotocol?: string | undefined;
  /** Only count what arrives: it is somebody else's. */
  readonly counting: boolean;
}

export function createDialect(options: DialectOptions): LoadDialect {
  switch (options.protocol) {
    case 'ringcast':
      return new RingcastMsgpackDialect(options);
    case 'ringcast-json':
      return new RingcastJsonDialect(options);
    case 'json':
      return new JsonTemplateDialect({ ...options, templates: options.templates! });
  }
}

/** The smallest payload that holds what verification needs. */
export function payloadMinBytes(protocol: Protocol): number {
  return protocol === 'ringcast' ? BINARY_MIN_BYTES : TOKEN_MIN_BYTES + JSON_PAYLOAD_BYTES;
}

/** Bytes that the form writes between head and tail of a publish message. `payloadBytes` counts the JSON object, too. */
export function formBytes(protocol: Protocol, payloadBytes: number): number {
  return protocol === 'ringcast' ? payloadBytes : payloadBytes - JSON_PAYLOAD_BYTES;
}

export function createPayloadForm(protocol: Protocol, payloadBytes: number, run: number): PayloadForm {
  return protocol === 'ringcast' ? new BinaryPayload(run) : new TextPayload(formBytes(protocol, payloadBytes), run);
}
