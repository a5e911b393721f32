// Round trips to another thread and back: through two rings and their doorbells, or through a MessagePort.

import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { allocateDoorbell, Doorbell } from '../../../dist/ring/doorbell.js';
import { allocateRing, RING_FULL, RingReader, RingWriter } from '../../../dist/ring/ring.js';
import type { Work } from '../bench.js';

const RING_BYTES = 64 * 1024;
/** A message that is lost would leave the bench waiting for ever. */
const LOST_MS = 5000;

const ECHO = 1;
export const STOP = 2;

export interface EchoData {
  readonly requests: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly workerBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  /** It blocks in Doorbell.wait(), as lanes do; else it listens, as a thread with an event loop does. */
  readonly waits: boolean;
  /** Instead of rings and doorbells. */
  readonly port: MessagePort | null;
}

/** Sums of 1 … `times` per item of a batch: what comes back when each number comes back once. */
function expectedSum(times: number, batch: number): number {
  return (batch * times * (times + 1)) / 2;
}

/** Calls back when all that is on its way has arrived; rejects when it does not within reasonable time. */
class Arrival {
  #resolve: (sum: number) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  wait(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(() => reject(new Error('wrong result: an answer got lost')), LOST_MS);
    });
  }

  done(sum: number): void {
    clearTimeout(this.#timer);
    this.#resolve(sum);
  }
}

/** One batch is under way at a time. This thread listens, as the accept thread does. */
export class RingEcho implements Work {
  readonly #batch: number;
  readonly #writer: RingWriter;
  readonly #reader: RingReader;
  readonly #workerBell: Doorbell;
  readonly #mainBell: Doorbell;
  readonly #worker: Worker;
  readonly #arrival = new Arrival();
  #times = 0;
  #tripsDone = 0;
  #awaited = 0;
  #sum = 0;

  constructor(waits: boolean, batch: number) {
    this.#batch = batch;
    const requests = allocateRing(RING_BYTES);
    const events = allocateRing(RING_BYTES);
    const workerBell = allocateDoorbell();
    const mainBell = allocateDoorbell();
    this.#writer = new RingWriter(requests);
    this.#reader = new RingReader(events);
    this.#workerBell = new Doorbell(workerBell);
    this.#mainBell = new Doorbell(mainBell);
    const data: EchoData = { requests, events, workerBell, mainBell, waits, port: null };
    this.#worker = new Worker(new URL('./doorbell-worker.js', import.meta.url), { workerData: data });
    this.#mainBell.listen(
      () => this.#reader.isEmpty(),
      () => this.#drain(),
    );
  }

  run(times: number): Promise<number> {
    this.#times = times;
    this.#tripsDone = 0;
    this.#sum = 0;
    const arrival = this.#arrival.wait();
    this.#send();
    return arrival;
  }

  expected(times: number): number {
    return expectedSum(times, this.#batch);
  }

  async close(): Promise<void> {
    const exit = once(this.#worker, 'exit');
    this.#push(STOP, 0);
    if (this.#writer.publish()) this.#workerBell.ring();
    await exit;
    this.#mainBell.close();
  }

  #send(): void {
    this.#awaited = this.#batch;
    for (let record = 0; record < this.#batch; record++) this.#push(ECHO, this.#tripsDone + 1);
    if (this.#writer.publish()) this.#workerBell.ring();
  }

  #push(type: number, request: number): void {
    if (this.#writer.tryClaim(0) === RING_FULL) throw new Error('the ring is full');
    this.#writer.writeHeader(type, 0, 0, 0, request, 0, 0);
    this.#writer.commit();
  }

  #drain(): void {
    const reader = this.#reader;
    while (reader.next()) {
      if (reader.type !== ECHO) continue;
      this.#sum += reader.request;
      this.#awaited--;
    }
    reader.release();
    if (this.#awaited > 0 || this.#tripsDone === this.#times) return;
    if (++this.#tripsDone === this.#times) this.#arrival.done(this.#sum);
    else this.#send();
  }
}

/** The same with what Node.js offers for it. */
export class PortEcho implements Work {
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #arrival = new Arrival();
  #times = 0;
  #sum = 0;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const ring = allocateRing(RING_BYTES);
    const bell = allocateDoorbell();
    // Rings and doorbells stay unused.
    const data: EchoData = {
      requests: ring,
      events: ring,
      workerBell: bell,
      mainBell: bell,
      waits: false,
      port: port2,
    };
    const url = new URL('./doorbell-worker.js', import.meta.url);
    this.#worker = new Worker(url, { workerData: data, transferList: [port2] });
    port1.on('message', (number: number) => {
      this.#sum += number;
      if (number === this.#times) this.#arrival.done(this.#sum);
      else this.#port.postMessage(number + 1);
    });
  }

  run(times: number): Promise<number> {
    this.#times = times;
    this.#sum = 0;
    const arrival = this.#arrival.wait();
    this.#port.postMessage(1);
    return arrival;
  }

  expected(times: number): number {
    return expectedSum(times, 1);
  }

  async close(): Promise<void> {
    const exit = once(this.#worker, 'exit');
    this.#port.postMessage(-1);
    await exit;
  }
}
