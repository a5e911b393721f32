/**
 * Stats board: the newest stats report in shared memory, as MessagePack, for threads that serve figures without asking the
 * accept thread.
 */

import { STATS_REPORT_MAX_BYTES } from '../limits.js';
import { decode } from '../protocol/msgpack.js';
import { encodeReport, type StatsReport } from './report.js';
import { allocateSnapshot, SnapshotReader, SnapshotWriter } from './snapshot.js';

/** The busiest topics that the board holds. */
export const BOARD_TOPICS_MAX = 1024;
/** The slowest consumers that the board holds. */
export const BOARD_CONSUMERS_MAX = 64;

/** The memory of one board: two reports. */
export function allocateStatsBoard(): SharedArrayBuffer {
  return allocateSnapshot(STATS_REPORT_MAX_BYTES);
}

/** Writer: the accept thread. */
export class StatsBoardWriter {
  readonly #snapshot: SnapshotWriter;

  constructor(memory: SharedArrayBuffer) {
    this.#snapshot = new SnapshotWriter(memory);
  }

  write(report: StatsReport): void {
    const { target } = this.#snapshot;
    const bytes = encodeReport(report, BOARD_TOPICS_MAX, BOARD_CONSUMERS_MAX, (length) => length <= target.length);
    if (bytes === null) return;
    target.set(bytes);
    this.#snapshot.publish(bytes.length);
  }
}

/** Reader: any thread. */
export class StatsBoardReader {
  readonly #snapshot: SnapshotReader;

  constructor(memory: SharedArrayBuffer) {
    this.#snapshot = new SnapshotReader(memory);
  }

  /** The newest report, with up to BOARD_TOPICS_MAX topics; null: there is none yet. */
  read(): StatsReport | null {
    const bytes = this.#snapshot.read();
    return bytes === null ? null : (decode(bytes) as StatsReport);
  }
}
