/** The order of rows on a screen that is read while it changes: a row moves when it clearly belongs elsewhere, not with each figure. */

/** Of a new figure, how much counts at once: after five reports a figure that has changed for good counts for 87 %. */
const WEIGHT_OF_NEWEST = 1 / 3;
/** How much more a row has to score than the one above it to take its place. */
const CLEARLY = 1.25;

/** Writer and reader: the screen. */
export class RowOrder<Row> {
  readonly #nameOf: (row: Row) => string;
  /** Smoothed scores in the order of the last report. */
  #scores = new Map<string, number>();

  constructor(nameOf: (row: Row) => string) {
    this.#nameOf = nameOf;
  }

  /** `sorted`: by `scoreOf`, highest first. */
  arrange(sorted: readonly Row[], scoreOf: (row: Row) => number): Row[] {
    const before = [...this.#scores.keys()];
    const places = new Map(before.map((name, place) => [name, place]));
    const scores = new Map<Row, number>();
    for (const row of sorted) {
      const old = this.#scores.get(this.#nameOf(row));
      const score = scoreOf(row);
      scores.set(row, old === undefined ? score : old + (score - old) * WEIGHT_OF_NEWEST);
    }
    const placeOf = (row: Row): number | undefined => places.get(this.#nameOf(row));
    const rows = sorted.filter((row) => placeOf(row) !== undefined);
    rows.sort((left, right) => placeOf(left)! - placeOf(right)!);
    // New ones come from below, so that they pass nothing that they do not clearly exceed.
    rows.push(...sorted.filter((row) => placeOf(row) === undefined));
    for (let index = 1; index < rows.length; index++) {
      for (let at = index; at > 0 && scores.get(rows[at])! > scores.get(rows[at - 1])! * CLEARLY; at--) {
        [rows[at - 1], rows[at]] = [rows[at], rows[at - 1]];
      }
    }
    this.#scores = new Map(rows.map((row) => [this.#nameOf(row), scores.get(row)!]));
    return rows;
  }
}
