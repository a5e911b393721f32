/** Copying small byte ranges between buffers, on the hot path of rings and logs. */

/**
 * Up to this length a byte loop (3–6 ns per byte) beats the view that `TypedArray.set` needs (170–270 ns, whatever the
 * length). Measured on Node 20 and 22, 2.5 GHz Xeon, plain and shared buffers: they meet at 35 to 60 bytes.
 */
const LOOP_MAX_BYTES = 40;

/** Hot path: per message and copy. Copies `source[start, end)` to `target` at `at`. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start <= LOOP_MAX_BYTES) {
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from];
  } else {
    target.set(source.subarray(start, end), at);
  }
}
