// The writer's thread of two-threads.test.ts: appends frames as fast as it can, or as fast as the reader follows.

import { parentPort, workerData } from 'node:worker_threads';
import { SharedLog } from '#src/log/shared-log.js';
import { FrameMaker, HEAD_BYTES } from './frame-bytes.mjs';

const { memory, firstIndex, seqStep, frames, frameMaxBytes, leadFrames, followed, seed } = workerData;
const log = new SharedLog(memory, firstIndex);
const maker = new FrameMaker(frameMaxBytes);
const readUntil = new Int32Array(followed);

let state = seed | 1;
function random() {
  state = Math.imul(state, 1664525) + 1013904223;
  return state >>> 8;
}

for (let written = 0; written < frames; written++) {
  const bits = random();
  const frameBytes = HEAD_BYTES + (bits % 512 === 0 ? random() % (frameMaxBytes - HEAD_BYTES + 1) : bits % 96);
  // With a lead the writer keeps its distance: then nobody may be lapped.
  while (leadFrames > 0 && written - Atomics.load(readUntil, 0) >= leadFrames) Atomics.wait(readUntil, 0, -1, 0.05);
  const index = firstIndex + written;
  maker.make(index, frameBytes);
  log.begin(frameBytes, index + 0.5, index * 2, index % 1000);
  log.write(maker.bytes, 0, HEAD_BYTES);
  log.write(maker.bytes, HEAD_BYTES, frameBytes);
  log.commit(log.headSeq + seqStep);
  if (log.head !== index) throw new Error(`committed ${log.head}, not ${index}`);
  // Bursts and pauses: readers come to the head, and fall back again.
  if (bits % 20_011 === 0) for (const end = performance.now() + 1; performance.now() < end; );
}
parentPort.postMessage('written');
