/** Snapshot memory: how the parts of a snapshot come from a lane: each behind its length, in shared memory that grows with them. */

/** What a snapshot may take: a part is at most one delivery, or one message that is larger. */
const SNAPSHOT_MAX_BYTES = 256 * 1024 * 1024;

/** A SharedArrayBuffer that can grow (ECMAScript 2024; Node has it from 20 on). */
interface GrowableBuffer extends SharedArrayBuffer {
  grow(byteLength: number): void;
}

type GrowableConstructor = new (byteLength: number, options: { maxByteLength: number }) => GrowableBuffer;

/** Empty; what is never grown takes no memory. */
export function allocateSnapshot(): SharedArrayBuffer {
  return new (SharedArrayBuffer as unknown as GrowableConstructor)(0, { maxByteLength: SNAPSHOT_MAX_BYTES });
}

/** False: it is too large. A predecessor may have put in some of it. */
export function putSnapshot(memory: SharedArrayBuffer, parts: readonly Uint8Array[]): boolean {
  const bytes = parts.reduce((sum, part) => sum + 4 + part.length, 4);
  if (bytes > SNAPSHOT_MAX_BYTES) return false;
  if (bytes > memory.byteLength) (memory as GrowableBuffer).grow(bytes);
  const view = new DataView(memory);
  const target = new Uint8Array(memory);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    target.set(part, at + 4);
    at += 4 + part.length;
  }
  view.setUint32(at, 0);
  return true;
}

/** Its parts, copied. */
export function takeSnapshot(memory: SharedArrayBuffer): Uint8Array[] {
  const view = new DataView(memory);
  const parts: Uint8Array[] = [];
  for (let at = 0, length = view.getUint32(0); length > 0; length = view.getUint32(at)) {
    parts.push(new Uint8Array(memory, at + 4, length).slice());
    at += 4 + length;
  }
  return parts;
}
