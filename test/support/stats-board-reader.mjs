// A thread that reads the stats board once: what it found is its only message.

import { parentPort, workerData } from 'node:worker_threads';
import { StatsBoardReader } from '#src/counters/stats-board.js';

parentPort.postMessage(new StatsBoardReader(workerData).read());
