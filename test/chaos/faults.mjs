// Faults that a test asks for and a lane's thread commits: the switch between the two, in shared memory.

/** What can happen to a thread. Numbers, because they lie in shared memory. */
export const FAULTS = { none: 0, throw: 1, exit: 2, hang: 3, starve: 4, outOfMemory: 5 };

/** Payloads that have this effect on the lane's thread before the message is in its log. */
export const KILLERS = { throw: 'this message kills its lane', hang: 'this message hangs its lane' };

const KIND_I32 = 0;
const SITES_I32 = 1;
const DURATION_MS_I32 = 2;
const COMMITTED_I32 = 3;
const AT_MS_F64 = 2;
const MEMORY_BYTES = 32;

/**
 * Writer: the test, which asks for one fault at a time. Reader: the lane's thread, which passes *sites*: places in its
 * work at which it could die, several per message. All words are atomic: each says something by itself.
 */
export class FaultSwitch {
  /** @param {SharedArrayBuffer} memory */
  constructor(memory = new SharedArrayBuffer(MEMORY_BYTES)) {
    this.memory = memory;
    this.i32 = new Int32Array(memory);
    this.f64 = new Float64Array(memory);
  }

  /** Asks for a fault at the n-th site that the thread passes from now on. */
  ask(kind, sites = 1, durationMs = 0) {
    Atomics.store(this.i32, DURATION_MS_I32, durationMs);
    Atomics.store(this.i32, SITES_I32, sites);
    // After its parameters: the thread looks at the kind first.
    Atomics.store(this.i32, KIND_I32, FAULTS[kind]);
  }

  /** Faults committed so far. */
  get committed() {
    return Atomics.load(this.i32, COMMITTED_I32);
  }

  /** When the last one was committed (ms since the epoch). */
  get committedAtMs() {
    return this.f64[AT_MS_F64];
  }

  /** In the thread: at a site. Returns only when it need not die. */
  pass() {
    const kind = Atomics.load(this.i32, KIND_I32);
    if (kind === FAULTS.none || Atomics.sub(this.i32, SITES_I32, 1) > 1) return;
    Atomics.store(this.i32, KIND_I32, FAULTS.none);
    this.commit(kind);
  }

  commit(kind) {
    this.f64[AT_MS_F64] = Date.now();
    Atomics.add(this.i32, COMMITTED_I32, 1);
    if (kind === FAULTS.throw) throw new Error('a fault that the test asked for');
    if (kind === FAULTS.exit) process.exit(3);
    if (kind === FAULTS.hang) for (;;);
    if (kind === FAULTS.outOfMemory) exhaustMemory();
    const endMs = Date.now() + Atomics.load(this.i32, DURATION_MS_I32);
    while (Date.now() < endMs);
  }
}

function exhaustMemory() {
  const kept = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, (_, n) => ({ n })));
}
