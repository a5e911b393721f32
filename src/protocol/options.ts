/** Checks one option against the table in messages.ts. Both readers use it, so both codecs give the same answers. */

import { EPOCH_MAX_BYTES, type OptionSpec } from './messages.js';
import { utf8Length } from './utf8.js';

/** Null when the value is what the option takes, otherwise what is wrong with it. `name` is as the client wrote it. */
export function optionProblem(name: string, spec: OptionSpec, value: unknown): string | null {
  switch (spec.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? null : `option ${name} must be true or false`;
    case 'string':
      return isText(value, spec.maxBytes) ? null : `option ${name} must be a string of 1 to ${spec.maxBytes} bytes`;
    case 'strings': {
      const isList = Array.isArray(value) && value.length >= 1 && value.length <= spec.maxCount;
      const isRight = isList && value.every((text) => isText(text, spec.maxBytes));
      return isRight ? null : `option ${name} must be 1 to ${spec.maxCount} strings of 1 to ${spec.maxBytes} bytes`;
    }
    case 'choice':
      if (typeof value === 'string' && spec.choices.includes(value)) return null;
      return `option ${name} must be one of ${spec.choices.join(', ')}`;
    case 'position':
      return isPosition(value)
        ? null
        : `option ${name} must be a map of epoch, a string, and seq, an integer from 0 to 2^53-1`;
    case 'integer':
      if (Number.isInteger(value) && isWithin(value, spec)) return null;
      return `option ${name} must be an integer from ${spec.min ?? 0} to ${spec.max}`;
    case 'number':
      if (isWithin(value, spec)) return null;
      return `option ${name} must be a number from ${spec.min ?? 0} to ${spec.max}`;
  }
}

function isWithin(value: unknown, { min = 0, max }: { readonly min?: number; readonly max: number }): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

function isText(value: unknown, maxBytes: number): boolean {
  const lengthBytes = typeof value === 'string' ? utf8Length(value) : 0;
  return lengthBytes > 0 && lengthBytes <= maxBytes;
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
