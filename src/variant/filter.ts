/**
 * Filters: which messages of a topic a subscriber wants, as an expression over the fields of their payloads.
 *
 *     price > 100 && symbol in ["AAPL", "MSFT"] && !ask.venue.startsWith("X")
 *
 * The grammar is CEL's (cel-js parses it), the meaning is our own, as evaluation must never fail:
 *
 * - The filter matches when its value is exactly true. A payload that is no map matches nothing.
 * - A field is a name or a path: `ask.size`, `ask["bid size"]`; of the outermost map also `["bid size"]`. A missing field is
 *   null. Fields inside lists have no names.
 * - `==` of different types is false, `!=` is its opposite. Integers and floats are one type, and compare by value, also
 *   beyond 2^53. Lists, maps, binary data, timestamps and extensions equal nothing, not even themselves.
 * - `<` `<=` `>` `>=` order two numbers, or two strings by their UTF-16 units; between all else they are false.
 * - `x in y`: y is `[…]` or a field that holds a list, and x `==` an item of it. Otherwise false.
 * - `&&`, `||`, `!` and the condition of `? :` take what is no boolean as false. So `!missing` is true.
 * - `+ - * / %` and unary `-` work on float64, and give null where an operand is no number. `+` joins two strings.
 *   A division by zero gives an infinity or NaN, as IEEE 754 says.
 * - `x.startsWith(y)`, `x.endsWith(y)`, `x.contains(y)`: false unless both are strings.
 * - `x.matches("…")`: whether a regular expression of RE2 is found anywhere in x. Constant, so that it is compiled once.
 * - `exists(x)`: whether the message has the field, be it null. `size(x)`: UTF-16 units of a string, items of a list, keys
 *   of a map, bytes of binary data; null of all else.
 * - Functions have both forms: `x.startsWith(y)` and `startsWith(x, y)`, `size(x)` and `x.size()`.
 * - Text beyond TEXT_MAX_CHARS contains nothing and is not made (`+` is null), one beyond NEEDLE_MAX_CHARS is contained in
 *   nothing, one beyond MATCHED_MAX_CHARS matches nothing. With the limits in filter-syntax.ts this bounds the time per message.
 */

import type { FieldPath, FieldScan } from './field-scan.js';
import { type FilterTest, testOf } from './filter-closures.js';
import { FILTER_MAX_CHARS, filterError, parseFilter } from './filter-syntax.js';
import { filterText } from './filter-text.js';

export interface Filter {
  /** The same for all texts that differ only in form. compileFilter() makes the same filter of it. */
  readonly normalised: string;
  /** The fields that it looks at, each once, in the order of their first use. */
  readonly paths: readonly FieldPath[];
  /** Hot path: per message. `fields` has found these paths, or those of the `pathIndex` that the filter was compiled with. */
  matches(fields: FieldScan): boolean;
}

/**
 * Throws BAD_REQUEST with column and reason. `pathIndex` is called once for each path, so that filters may share a FieldScan;
 * without it the filter is for a FieldScan of its own `paths`.
 */
export function compileFilter(text: string, pathIndex?: (path: FieldPath) => number): Filter {
  const tree = parseFilter(text);
  const normalised = filterText(tree);
  if (normalised.length > FILTER_MAX_CHARS) {
    throw filterError(0, `more than ${FILTER_MAX_CHARS} characters in its normal form, ${normalised.length}`);
  }
  const indexes = new Map<string, number>();
  const paths: FieldPath[] = [];
  const test = testOf(tree, (path) => {
    const key = JSON.stringify(path);
    const known = indexes.get(key);
    if (known !== undefined) return known;
    const index = pathIndex?.(path) ?? paths.length;
    paths.push(path);
    indexes.set(key, index);
    return index;
  });
  return new CompiledFilter(normalised, paths, test);
}

class CompiledFilter implements Filter {
  readonly normalised: string;
  readonly paths: readonly FieldPath[];
  readonly #test: FilterTest;

  constructor(normalised: string, paths: readonly FieldPath[], test: FilterTest) {
    this.normalised = normalised;
    this.paths = paths;
    this.#test = test;
  }

  matches(fields: FieldScan): boolean {
    return fields.isMap && this.#test(fields);
  }
}
