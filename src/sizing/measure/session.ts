/** A measuring session: one server process, and one load process after the other against it. */
import type { ClientClass, TopicGroup } from '../workload.js';
import { Child } from './children.js';
import type {
  FromLoad,
  FromServer,
  PointJob,
  PointResult,
  ServerReading,
  ServerSettings,
  ToLoad,
  ToServer,
} from './job.js';
import { type KernelMemory, readKernelMemory } from './kernel-memory.js';

/** What is to be measured against a server that runs already. */
export interface Load {
  readonly topics: readonly TopicGroup[];
  readonly clients: readonly ClientClass[];
  readonly settleMs: number;
  readonly measureMs: number;
}

/** Rates per second of the measured time; CPU as part of one core. */
export interface Measurement {
  readonly clients: number;
  readonly subscriptions: number;
  readonly published: number;
  readonly deliveries: number;
  readonly writes: number;
  /** Of WebSocket messages, without their heads. */
  readonly deliveredBytes: number;
  readonly acceptCpu: number;
  readonly lanesCpu: number;
  readonly helpersCpu: number;
  /** Of the server, at its largest. */
  readonly rssBytes: number;
  /** Growth of the kernel's memory by these clients, the server's end: half of both ends. */
  readonly kernelObjectBytes: number;
  /** What waits in sockets of both ends. */
  readonly kernelBufferBytes: number;
  readonly latencyMs: PointResult['latencyMs'];
  readonly feedLateMs: number;
  readonly loadCpu: number;
  readonly lost: number;
  readonly problems: readonly string[];
}

const SEED = 20261121;

/** Writer and reader: whoever started it. */
export class MeasuringSession {
  readonly #server: Child<FromServer, ToServer>;
  readonly #signal: AbortSignal;
  readonly #port: number;
  readonly #tls: boolean;
  /** RSS of the server before it had anything to do. */
  startedRssBytes = 0;
  #jobs = 0;

  private constructor(server: Child<FromServer, ToServer>, port: number, tls: boolean, signal: AbortSignal) {
    this.#server = server;
    this.#port = port;
    this.#tls = tls;
    this.#signal = signal;
  }

  static async start(settings: ServerSettings, signal: AbortSignal): Promise<MeasuringSession> {
    const server = new Child<FromServer, ToServer>('server', './server-process.js', settings, signal);
    try {
      const session = new MeasuringSession(server, (await server.next('ready')).port, settings.tls === true, signal);
      session.startedRssBytes = (await session.#read()).rssBytes;
      return session;
    } catch (error) {
      server.kill();
      throw error;
    }
  }

  async measure(load: Load): Promise<Measurement> {
    const { topics, clients, settleMs, measureMs } = load;
    this.#jobs++;
    const place = { number: this.#jobs, port: this.#port, tls: this.#tls };
    const job: PointJob = { ...place, topics, clients, settleMs, measureMs, seed: SEED };
    const before = await this.#read();
    const kernelBefore = readKernelMemory();
    const child = new Child<FromLoad, ToLoad>('load', './load-process.js', job, this.#signal);
    try {
      await child.next('connected');
      child.send({ type: 'publish' });
      await child.next('measuring');
      const first = await this.#read();
      child.send({ type: 'count' });
      await child.next('counted');
      const last = await this.#read();
      const kernel = readKernelMemory();
      const { result } = await child.next('done');
      return combine(load, result, { before, first, last }, { before: kernelBefore, after: kernel });
    } finally {
      await child.end({ type: 'leave' });
    }
  }

  close(): Promise<void> {
    return this.#server.end({ type: 'stop' });
  }

  async #read(): Promise<ServerReading> {
    this.#server.send({ type: 'read' });
    return (await this.#server.next('reading')).reading;
  }
}

function combine(
  { clients }: Load,
  result: PointResult,
  server: { before: ServerReading; first: ServerReading; last: ServerReading },
  kernel: { before: KernelMemory; after: KernelMemory },
): Measurement {
  const { first, last, before } = server;
  const serverMs = last.atMs - first.atMs;
  const { seconds } = result;
  return {
    clients: clients.reduce((sum, { clients }) => sum + clients, 0),
    subscriptions: clients.reduce(
      (sum, { clients, topics }) => sum + clients * Object.values(topics).reduce((all, count) => all + count, 0),
      0,
    ),
    published: result.published / seconds,
    deliveries: result.deliveries / seconds,
    writes: result.writes / seconds,
    deliveredBytes: result.deliveredBytes / seconds,
    acceptCpu: (last.acceptCpuMs - first.acceptCpuMs) / serverMs,
    lanesCpu: (last.lanesCpuMs - first.lanesCpuMs) / serverMs,
    helpersCpu: (last.helpersCpuMs - first.helpersCpuMs) / serverMs,
    // The largest: what a system has taken back meanwhile (pages of code that did not run) is wanted again.
    rssBytes: Math.max(before.rssBytes, first.rssBytes, last.rssBytes),
    kernelObjectBytes: (kernel.after.slabBytes - kernel.before.slabBytes) / 2,
    kernelBufferBytes: kernel.after.buffersBytes,
    latencyMs: result.latencyMs,
    feedLateMs: result.feedLateMs,
    loadCpu: result.cpuPercent / 100,
    lost: result.lost,
    problems: result.problems,
  };
}
