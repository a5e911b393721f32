/** Checks one option against the table in messages.ts. Both readers use it, so both codecs give the same answers. */

import type { OptionSpec } from './messages.js';
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
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= spec.max) return null;
      return `option ${name} must be an integer from 0 to ${spec.max}`;
    case 'number':
      if (typeof value === 'number' && value >= 0 && value <= spec.max) return null;
      return `option ${name} must be a number from 0 to ${spec.max}`;
  }
}

export function unknownOptionProblem(name: string, op: string, known: readonly string[]): string {
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name;
  return `unknown option ${JSON.stringify(shown)} of ${op}; it takes ${known.join(', ')}`;
}
