// The writer's thread of stats-board.test.ts: writes reports as fast as it can, until it is told to stop.

import { parentPort, workerData } from 'node:worker_threads';
import { StatsBoardWriter } from '#src/counters/stats-board.js';
import { countsOf, makeReport } from './reports.mjs';

const { memory, stopped, distinct } = workerData;
const stop = new Int32Array(stopped);
const board = new StatsBoardWriter(memory);
const reports = Array.from({ length: distinct }, (_, index) => makeReport(index + 1, countsOf(index + 1)));

let written = 0;
while (Atomics.load(stop, 0) === 0) board.write(reports[written++ % distinct]);
parentPort.postMessage(written);
