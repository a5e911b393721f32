/** Projection: a map with some fields of another one only, nested as they were there. */

import { encode } from '../protocol/msgpack.js';
import { ABSENT, FieldScan, parsePath } from './field-scan.js';

const FIXMAP = 0x80;
const FIXMAP_MAX = 16;
const MAP16 = 0xde;
const LOOPED_MAX_BYTES = 64;

/** A wanted field, or a map with wanted fields. */
interface Branch {
  readonly name: Uint8Array;
  /** Of the field's path; −1: it is wanted for what is below it. */
  readonly path: number;
  readonly children: Branch[];
}

/** Bound to one list of fields, and to one thread. */
export class Projection {
  readonly #scan: FieldScan;
  readonly #branches: readonly Branch[];
  /** Of heads and names, at most. */
  readonly #ownBytes: number;
  #scratch = new Uint8Array(1024);

  /** @param fields paths by dots, sorted, none of which lies in another. Throws BAD_REQUEST */
  constructor(fields: readonly string[]) {
    const paths = fields.map(parsePath);
    this.#scan = new FieldScan(paths);
    this.#branches = branchesOf(
      paths.map((path, index) => ({ path, index })),
      0,
    );
    this.#ownBytes = bytesOf(this.#branches);
  }

  /** The projection of the value in [start, end), in memory of its own; null: it is no map. */
  of(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
    if (!this.#scan.scan(bytes, start, end)) return null;
    // Names and heads may be longer than what they are taken from: the root's, and those of maps that a path goes through.
    const maxBytes = end - start + this.#ownBytes;
    if (this.#scratch.length < maxBytes) this.#scratch = new Uint8Array(2 * maxBytes);
    return this.#scratch.slice(0, this.#write(this.#branches, bytes, 0));
  }

  /** Hot path. Writes a map of the branches that are there. Returns its end. */
  #write(branches: readonly Branch[], bytes: Uint8Array, mapStart: number): number {
    const scratch = this.#scratch;
    let count = 0;
    let at = mapStart + headBytesOf(branches);
    for (let index = 0; index < branches.length; index++) {
      const { name, path, children } = branches[index];
      const start = path < 0 ? 0 : this.#scan.starts[path];
      if (start === ABSENT) continue;
      const valueAt = copied(name, 0, name.length, scratch, at);
      if (path >= 0) at = copied(bytes, start, this.#scan.ends[path], scratch, valueAt);
      else {
        const valueEnd = this.#write(children, bytes, valueAt);
        if (valueEnd === valueAt + headBytesOf(children)) continue;
        at = valueEnd;
      }
      count++;
    }
    if (branches.length < FIXMAP_MAX) scratch[mapStart] = FIXMAP | count;
    else {
      scratch[mapStart] = MAP16;
      scratch[mapStart + 1] = count >>> 8;
      scratch[mapStart + 2] = count & 255;
    }
    return at;
  }
}

function headBytesOf({ length }: readonly Branch[]): number {
  return length < FIXMAP_MAX ? 1 : 3;
}

function bytesOf(branches: readonly Branch[]): number {
  return branches.reduce((sum, { name, children }) => sum + name.length + bytesOf(children), headBytesOf(branches));
}

/** Returns where what follows is to be written. Fields are short: a loop takes less time than a view of them. */
function copied(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  if (end - start > LOOPED_MAX_BYTES) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  for (let index = start; index < end; index++) to[at++] = from[index];
  return at;
}

function branchesOf(
  paths: readonly { readonly path: readonly string[]; readonly index: number }[],
  depth: number,
): Branch[] {
  const byName = new Map<string, { readonly path: readonly string[]; readonly index: number }[]>();
  for (const each of paths) {
    const name = each.path[depth];
    byName.set(name, [...(byName.get(name) ?? []), each]);
  }
  return [...byName].map(([name, those]): Branch => {
    const own = those.find(({ path }) => path.length === depth + 1);
    // Who wants a field whole gets what is in it too.
    const children = own === undefined ? branchesOf(those, depth + 1) : [];
    return { name: encode(name), path: own?.index ?? -1, children };
  });
}
