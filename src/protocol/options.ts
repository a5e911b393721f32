/** Checks one option against the table in messages.ts. Both readers use it, so both codecs give the same answers. */

import { EPOCH_MAX_BYTES, type OptionSpec } from './messages.js';
import { utf8Length } from './utf8.js';

/** Null when the value is what the option takes, otherwise what is wrong with it. `name` is as the client wrote it. */
export function optionProblem(name: string, spec: OptionSpec, value: unknown): string | null {
  switch (spec.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? null : `option ${name} must be true or false`;
    case 'string': {
      const lengthBytes = typeof value === 'string' ? utf8Length(value) : 0;
      if (lengthBytes > 0 && lengthBytes <= spec.maxBytes) return null;
      return `option ${name} must be a string of 1 to ${spec.maxBytes} bytes`;
    }
    case 'choice':
      if (typeof value === 'string' && spec.choices.includes(value)) return null;
      return `option ${name} must be one of ${spec.choices.join(', ')}`;
    case 'position':
      return isPosition(value)
        ? null
        : `option ${name} must be a map of epoch, a string, and seq, an integer from 0 to 2^53-1`;
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= spec.max) return null;
      return `option ${name} must be an integer from 0 to ${spec.max}`;
    case 'number':
      if (typeof value === 'number' && value >= 0 && value <= spec.max) return null;
      return `option ${name} must be a number from 0 to ${spec.max}`;
  }
}

function isPosition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return false;
  const { epoch, seq } = value as Record<string, unknown>;
  const epochBytes = typeof epoch === 'string' ? utf8Length(epoch) : 0;
  return epochBytes >= 1 && epochBytes <= EPOCH_MAX_BYTES && Number.isSafeInteger(seq) && (seq as number) >= 0;
}

export function unknownOptionProblem(name: string, op: string, known: readonly string[]): string {
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name;
  return `unknown option ${JSON.stringify(shown)} of ${op}; it takes ${known.join(', ')}`;
}
