/** Projection: a map with some fields of another one only, nested as they were there. */

import { encode } from '../protocol/msgpack.js';
import { ABSENT, FieldScan, parsePath } from './field-scan.js';
import { mapOf } from './map-entries.js';

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

  /** @param fields paths by dots, sorted, none of which lies in another. Throws BAD_REQUEST */
  constructor(fields: readonly string[]) {
    const paths = fields.map(parsePath);
    this.#scan = new FieldScan(paths);
    this.#branches = branchesOf(
      paths.map((path, index) => ({ path, index })),
      0,
    );
  }

  /** The projection of the value in [start, end); null: it is no map. */
  of(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
    if (!this.#scan.scan(bytes, start, end)) return null;
    return mapOf(this.#entries(this.#branches, bytes));
  }

  #entries(branches: readonly Branch[], bytes: Uint8Array): Uint8Array[] {
    const entries: Uint8Array[] = [];
    for (const { name, path, children } of branches) {
      if (path >= 0) {
        const start = this.#scan.starts[path];
        if (start !== ABSENT) entries.push(joined(name, bytes.subarray(start, this.#scan.ends[path])));
        continue;
      }
      const below = this.#entries(children, bytes);
      if (below.length > 0) entries.push(joined(name, mapOf(below)));
    }
    return entries;
  }
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

function joined(name: Uint8Array, value: Uint8Array): Uint8Array {
  const entry = new Uint8Array(name.length + value.length);
  entry.set(name);
  entry.set(value, name.length);
  return entry;
}
