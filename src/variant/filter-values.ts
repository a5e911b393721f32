/** What operators do with values. All are total; the head of filter.ts says what they mean. */

/** Text that is longer is not searched and not made: a message's time and memory stay bounded. */
export const TEXT_MAX_CHARS = 16 * 1024;
/** A longer text is never found: the time of a search may be this times the text's length. */
export const NEEDLE_MAX_CHARS = 256;

const isNumeric = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

export function isSame(left: unknown, right: unknown): boolean {
  if (typeof left === 'object') return left === null && right === null;
  if (typeof left === typeof right) return left === right;
  // A number and a bigint, which are ordered by their values, but never ===.
  return isNumeric(left) && isNumeric(right) && left <= right && left >= right;
}

/** Whether the two have an order at all. */
export function areOrdered(left: unknown, right: unknown): boolean {
  if (typeof left === 'string') return typeof right === 'string';
  return isNumeric(left) && isNumeric(right);
}

export function plus(left: unknown, right: unknown): unknown {
  if (isNumeric(left) && isNumeric(right)) return Number(left) + Number(right);
  if (typeof left !== 'string' || typeof right !== 'string') return null;
  return left.length + right.length <= TEXT_MAX_CHARS ? left + right : null;
}

export function minus(left: unknown, right: unknown): unknown {
  return isNumeric(left) && isNumeric(right) ? Number(left) - Number(right) : null;
}

export function times(left: unknown, right: unknown): unknown {
  return isNumeric(left) && isNumeric(right) ? Number(left) * Number(right) : null;
}

export function divided(left: unknown, right: unknown): unknown {
  return isNumeric(left) && isNumeric(right) ? Number(left) / Number(right) : null;
}

export function remainder(left: unknown, right: unknown): unknown {
  return isNumeric(left) && isNumeric(right) ? Number(left) % Number(right) : null;
}

export function negative(value: unknown): unknown {
  return isNumeric(value) ? -Number(value) : null;
}

export function isIn(value: unknown, list: unknown): boolean {
  if (!Array.isArray(list)) return false;
  for (let index = 0; index < list.length; index++) {
    if (isSame(value, list[index])) return true;
  }
  return false;
}

export function startsWith(text: unknown, start: unknown): boolean {
  return typeof text === 'string' && typeof start === 'string' && text.startsWith(start);
}

export function endsWith(text: unknown, end: unknown): boolean {
  return typeof text === 'string' && typeof end === 'string' && text.endsWith(end);
}

export function contains(text: unknown, part: unknown): boolean {
  if (typeof text !== 'string' || typeof part !== 'string') return false;
  return text.length <= TEXT_MAX_CHARS && part.length <= NEEDLE_MAX_CHARS && text.includes(part);
}

/** Of a text its UTF-16 units, of a list its items, of a map its keys, of binary data its bytes; null for all else. */
export function sizeOf(value: unknown): unknown {
  if (typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array) return value.length;
  const isMap = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isMap ? Object.keys(value as object).length : null;
}
