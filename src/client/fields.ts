/** Whether what the server sent has the fields that are read of it: the edge, behind which nobody asks again. */

import type { ServerMessage } from '../protocol/messages.js';

type Fields = Readonly<Record<string, 'number' | 'string' | 'object'>>;

/** OK and EVENT have the fields of their fixed heads, or the connection could not read them. */
const FIELDS: Readonly<Record<Exclude<ServerMessage['type'], 'ok' | 'event'>, Fields>> = {
  pong: {},
  error: { code: 'string', message: 'string' },
  gap: { alias: 'number', fromSeq: 'number', toSeq: 'number', reason: 'string' },
  snapshot: { alias: 'number', seq: 'number', entries: 'object' },
  welcome: { connectionId: 'string', heartbeatMs: 'number', limits: 'object' },
  unsubscribed: { alias: 'number', code: 'string', reason: 'string' },
  notice: { kind: 'string' },
};

export function checkMessage(message: Exclude<ServerMessage, { type: 'ok' | 'event' }>): void {
  checkFields(message, FIELDS[message.type]);
}

/** Throws when a field is missing or of another type. All numbers of the protocol are finite and not negative. */
export function checkFields(record: object, fields: Fields): void {
  for (const name in fields) {
    const type = fields[name];
    const value = (record as Record<string, unknown>)[name];
    const isRight = type === 'number' ? Number.isFinite(value) && (value as number) >= 0 : typeof value === type;
    if (!isRight || value === null) throw new TypeError(`${name} is no ${type}`);
  }
}
