/**
 * What a coordinator and an agent say to each other over TCP: one JSON object per line.
 *
 *     agent → coordinator   {"ringcastLoad":1,"nonce":"…"}
 *     coordinator → agent   {"ringcastLoad":1,"proof":"…","processes":2}
 *     agent → coordinator   {"type":"ready","processes":2} or {"type":"failed","error":"…"}; then reports of team.ts
 *     coordinator → agent   commands of team.ts, and {"type":"alive"} while there are none
 *
 * The proof is the HMAC-SHA-256 of the nonce with the shared secret: the secret itself does not travel. Nothing is encrypted.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';

export const WIRE_VERSION = 1;
export const ALIVE_MS = 3_000;
/** A peer that says nothing for so long is gone. */
export const SILENCE_MAX_MS = 15_000;
/** Counts of ten million topics fit in. */
export const LINE_MAX_CHARACTERS = 64 * 1024 * 1024;
/** Of a stranger: the coordinator's first line, several times over. */
export const HELLO_MAX_CHARACTERS = 4096;

export function proofOf(secret: string, nonce: string): string {
  return createHmac('sha256', secret).update(nonce).digest('hex');
}

export function isProof(proof: unknown, secret: string, nonce: string): boolean {
  const expected = Buffer.from(proofOf(secret, nonce));
  const given = Buffer.from(typeof proof === 'string' ? proof : '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export function sendLine(socket: Socket, value: object): void {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
}

export interface LineHandlers {
  /** How long a line may be at this time. */
  readonly maxCharacters: () => number;
  readonly onObject: (value: Record<string, unknown>) => void;
  /** A line is no object, or too long. Nothing more is reported or kept; the caller ends the connection. */
  readonly onBad: () => void;
}

/** Reports each object that arrives. Returns the function that ends it: what comes after is read and thrown away. */
export function onLines(socket: Socket, { maxCharacters, onObject, onBad }: LineHandlers): () => void {
  let rest: string[] = [];
  let restCharacters = 0;
  let isOver = false;
  const end = (): void => {
    isOver = true;
    rest = [];
    socket.off('data', onData);
    socket.resume();
  };
  const onData = (chunk: unknown): void => {
    const [head, ...lines] = (chunk as string).split('\n') as [string, ...string[]];
    rest.push(head);
    restCharacters += head.length;
    for (const next of lines) {
      const value = restCharacters > maxCharacters() ? null : parseObject(rest.join(''));
      rest = [next];
      restCharacters = next.length;
      if (value === null) {
        end();
        onBad();
        return;
      }
      onObject(value);
      if (isOver) return;
    }
    if (restCharacters <= maxCharacters()) return;
    end();
    onBad();
  };
  socket.setEncoding('utf8');
  socket.on('data', onData);
  return end;
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // the caller ends the connection
  }
}
