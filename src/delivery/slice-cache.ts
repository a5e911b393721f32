/**
 * Slice cache: the slice that a stream's subscribers got last, for the next one at the same cursor.
 *
 * A stream's subscribers mostly stand at the same cursor: one look into the log and one view serve them all.
 */

import { SLICE_MAX_BYTES, VIEW_OF_LOG_MAX_BYTES } from '../limits.js';
import { EVICTED, type FrameLog } from '../log/frame-log.js';
import { LatestSlice, type LatestSource } from './latest.js';

const NOTHING = new Uint8Array(0);

/** Writer and reader: the accept thread. */
export class SliceCache {
  /** The slice: whole frames. */
  view: Uint8Array = NOTHING;
  /** How many, and the cursor behind them. */
  frames = 0;
  until = 0;
  /** Of readers that want the newest of each key only; null: there are none. */
  latest: LatestSlice | null = null;
  #from = 0;
  #headSeq = 0;
  #expiryMs = 0;
  /** Copies of slices that cannot be looked at in place; as large as the largest of them. */
  #buffer = NOTHING;

  /** The same for readers that want the newest of each key only: `latest` says the rest of it. */
  loadLatest(source: LatestSource, from: number, nowMs: number): boolean {
    const { log } = source;
    const isSame = this.#from === from && this.#headSeq === log.headSeq && nowMs < this.#expiryMs;
    if (isSame && this.view !== NOTHING) return true;
    this.view = NOTHING;
    if (from < log.tailSeq) return false;
    this.latest ??= new LatestSlice();
    if (!this.latest.read(source, from, nowMs)) return false;
    this.view = this.latest.view;
    this.frames = this.latest.messages;
    this.until = this.latest.until;
    this.#expiryMs = this.latest.expiryMs;
    this.#from = from;
    this.#headSeq = log.headSeq;
    return true;
  }

  /**
   * Hot path: per subscriber and flush. Makes `view` hold the slice at `from`, as much of it as a message may have.
   * False: the log's writer was faster, or the frame at `from` is larger than a slice. `from` must not be beyond the head.
   * @param inPlace takes this cache when `view` is not a copy: it has to `forget` before the turn is over
   */
  load(log: FrameLog, from: number, inPlace: SliceCache[]): boolean {
    if (this.#from === from && this.#headSeq === log.headSeq && this.view !== NOTHING) return true;
    this.view = NOTHING;
    if (from < log.tailSeq) return false;
    const first = log.indexOf(from);
    let end = log.head + 1;
    let bytes = log.sliceBytes(first, end);
    if (bytes > SLICE_MAX_BYTES) {
      end = log.fit(first, SLICE_MAX_BYTES);
      bytes = log.sliceBytes(first, end);
    }
    // Beyond the limit: a frame that travels alone. Negative or not a number: the writer has overwritten the index.
    if (!(bytes > 0 && bytes <= SLICE_MAX_BYTES)) return false;
    // Read before the copy, which tells whether the writer has overwritten any of it meanwhile.
    const until = log.firstSeqAt(end);
    const view = this.#viewOf(log, first, end, bytes, inPlace);
    if (view === null) return false;
    this.view = view;
    this.frames = end - first;
    this.until = until;
    this.#from = from;
    this.#headSeq = log.headSeq;
    return true;
  }

  /** The log is another one; or the view would keep memory that the log has given back since. */
  forget(): void {
    this.view = NOTHING;
  }

  /** In place where nobody can overwrite it before it is used, else a copy; null: overwritten during the copy. */
  #viewOf(
    log: FrameLog,
    first: number,
    end: number,
    bytes: number,
    inPlace: SliceCache[],
  ): Uint8Array<ArrayBufferLike> | null {
    const view = log.dataCapacityBytes <= VIEW_OF_LOG_MAX_BYTES ? log.viewInPlace(first, end) : null;
    if (view !== null) {
      inPlace.push(this);
      return view;
    }
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(Math.min(SLICE_MAX_BYTES, 2 * bytes));
    if (log.copy(first, end, this.#buffer, 0) === EVICTED) return null;
    return this.#buffer.subarray(0, bytes);
  }
}
