/**
 * Any value of a program as MessagePack: equal, in the form that PROTOCOL.md gives (see "Values"), or refused.
 * Code of the program may run meanwhile (getters, toJSON, proxies): it may throw, change what is being read, or encode.
 */

import { RingcastError } from '../errors.js';
import { ExtensionValue, Float64 } from './msgpack-types.js';
import type { MsgpackWriter } from './msgpack-writer.js';
import { writeTimestamp } from './timestamp.js';

/** Throws what it refuses, and what the program's code throws. `levels`: arrays and maps that may be inside each other. */
export function writeValue(writer: MsgpackWriter, value: unknown, levels: number): void {
  switch (typeof value) {
    case 'string':
      writeString(writer, value);
      return;
    case 'number':
      writer.number(value);
      return;
    case 'boolean':
      writer.boolean(value);
      return;
    case 'object':
      if (value === null) writer.nil();
      else writeObject(writer, value, levels);
      return;
    case 'undefined':
      writer.nil();
      return;
    case 'bigint':
      if (!writer.bigint(value)) throw refused('an integer has more than 64 bits');
      return;
    default:
      throw refused(`a ${typeof value} is no data`);
  }
}

function refused(problem: string): RingcastError {
  return new RingcastError('BAD_REQUEST', `the value cannot be encoded: ${problem}`);
}

function writeString(writer: MsgpackWriter, text: string): void {
  if (!writer.string(text)) throw refused('a string contains half a surrogate pair');
}

function writeObject(writer: MsgpackWriter, value: object, levels: number): void {
  if (Array.isArray(value)) {
    writeArray(writer, value, levels);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) writeProperties(writer, value, levels);
  else if (ArrayBuffer.isView(value)) writeView(writer, value, levels);
  else writeOther(writer, value, levels);
}

function assertLevel(levels: number): void {
  if (levels === 0) throw refused('it is nested too deep, or contains itself');
}

/** Holes are nil. The length is read once: what is added meanwhile is not sent. */
function writeArray(writer: MsgpackWriter, items: ArrayLike<unknown>, levels: number): void {
  assertLevel(levels);
  const length = items.length >>> 0; // of a proxy it may be anything
  writer.reserve(length); // an array of nothing but holes is found too large at once
  writer.array(length);
  for (let index = 0; index < length; index++) writeValue(writer, items[index], levels - 1);
}

/** The own enumerable properties with text as key, in their order. */
function writeProperties(writer: MsgpackWriter, value: object, levels: number): void {
  assertLevel(levels);
  const keys = Object.keys(value);
  writer.map(keys.length);
  for (const key of keys) {
    writeString(writer, key);
    writeValue(writer, (value as Record<string, unknown>)[key], levels - 1);
  }
}

/** Bytes as bytes, numbers as an array of numbers: their bytes would mean something else on another machine. */
function writeView(writer: MsgpackWriter, view: ArrayBufferView, levels: number): void {
  const isBytes = view instanceof Uint8Array || view instanceof Uint8ClampedArray || view instanceof DataView;
  if (isBytes) writer.bin(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  else writeArray(writer, view as unknown as ArrayLike<number>, levels);
}

/** Objects of a class. What has a tag of its own and no data form would arrive as an empty map: it is refused. */
function writeOther(writer: MsgpackWriter, value: object, levels: number): void {
  if (value instanceof ExtensionValue) {
    const { type, data } = new ExtensionValue(value.type, value.data); // checked again: it may have been changed
    writer.extension(type, data);
    return;
  }
  if (value instanceof Float64) {
    writer.float64(value.value);
    return;
  }
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  // Anyone may carry one of these tags; who is not what it says fails at the prototype's method.
  switch (tag) {
    case 'Map':
      writeMap(writer, [...Map.prototype.entries.call(value)], levels);
      return;
    case 'Set':
      writeArray(writer, [...Set.prototype.values.call(value)], levels);
      return;
    case 'Date':
      if (!writeTimestamp(writer, Date.prototype.getTime.call(value))) throw refused('an invalid Date');
      return;
    case 'ArrayBuffer':
    case 'SharedArrayBuffer':
      writeView(writer, new DataView(value as ArrayBuffer), levels);
      return;
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') writeJsonForm(writer, value, toJSON.call(value), levels);
  else if (tag === 'Object') writeProperties(writer, value, levels);
  else throw refused(`${/^[AEIO]/.test(tag) ? 'an' : 'a'} ${tag} has no form as data`);
}

/** As JSON.stringify does it: the result's own toJSON() is not asked, where it is the object itself. */
function writeJsonForm(writer: MsgpackWriter, value: object, form: unknown, levels: number): void {
  if (form === value) writeProperties(writer, value, levels);
  else {
    assertLevel(levels);
    writeValue(writer, form, levels - 1);
  }
}

function writeMap(writer: MsgpackWriter, entries: [unknown, unknown][], levels: number): void {
  assertLevel(levels);
  writer.map(entries.length);
  for (const [key, value] of entries) {
    writeValue(writer, key, levels - 1);
    writeValue(writer, value, levels - 1);
  }
}
