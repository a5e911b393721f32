/** Copying small byte ranges between buffers, on the hot path of rings and logs. */

/** Up to this length a byte loop beats the view that `TypedArray.set` needs. */
const LOOP_MAX_BYTES = 120;

/** Hot path: per message and copy. Copies `source[start, end)` to `target` at `at`. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start <= LOOP_MAX_BYTES) {
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from];
  } else {
    target.set(source.subarray(start, end), at);
  }
}
