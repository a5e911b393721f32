// A peer's server in its process, with connections that are verified like those of the load generator.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { clockMs } from '#src/load/clock.js';
import { LoadConnection, openConnections, ReceiveBuffer } from '#src/load/connection.js';
import { BinaryPayload } from '#src/load/payload.js';
import { Tracker } from '#src/load/tracker.js';
import { clientFrame, OPCODE_BINARY } from '#src/load/websocket.js';
import type { Dialect, ServerOptions } from '../../../bench/support/peer.js';
import type { ServerMessage, ToServer } from '../../../bench/support/process-port.js';
import { until } from '../../support/until.js';
import { builtPeer, SERVER_PROCESS } from './build.js';

type Sample = Extract<ServerMessage, { type: 'sample' }>['sample'];

export class RunningServer {
  readonly #name: string;
  readonly #options: ServerOptions;
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(name: string, options: ServerOptions, child: ChildProcess, port: number) {
    this.#name = name;
    this.#options = options;
    this.#child = child;
    this.#port = port;
  }

  static async start(name: string, options: ServerOptions): Promise<RunningServer> {
    const child = fork(SERVER_PROCESS, [name, JSON.stringify(options)], { execArgv: ['--expose-gc'] });
    const [message] = (await Promise.race([once(child, 'message'), failed(child)])) as [ServerMessage];
    if (message.type !== 'ready') throw new Error(`${name} is not ready`);
    return new RunningServer(name, options, child, message.port);
  }

  async sample(): Promise<Sample> {
    this.#tell({ type: 'sample', collectGarbage: true });
    const [message] = (await Promise.race([once(this.#child, 'message'), failed(this.#child)])) as [ServerMessage];
    if (message.type !== 'sample') throw new Error(`no sample but ${message.type}`);
    return message.sample;
  }

  async load(): Promise<SmallLoad> {
    return new SmallLoad((await builtPeer(this.#name)).createDialect(this.#options.topics), this.#port, this.#options);
  }

  /** Processes that it has started. */
  children(): number[] {
    const { pid } = this.#child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  }

  /** Resolves with its exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#tell({ type: 'stop' });
    return (await exited)[0] as number | null;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #tell(message: ToServer): void {
    this.#child.send(message);
  }
}

async function failed(child: ChildProcess): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`the server ended: ${code ?? signal}`);
}

/** Some subscribers and one publisher, which publishes round the topics. */
export class SmallLoad {
  readonly tracker: Tracker;
  readonly #options: ServerOptions;
  readonly #dialect: Dialect;
  readonly #port: number;
  readonly #buffer = new ReceiveBuffer();
  readonly #form = new BinaryPayload();
  readonly #published: Int32Array;
  #connections: LoadConnection[] = [];

  constructor(dialect: Dialect, port: number, options: ServerOptions) {
    this.#dialect = dialect;
    this.#port = port;
    this.#options = options;
    const topics = options.topics.hot + options.topics.cold;
    this.#published = new Int32Array(topics);
    const shared = { topics, form: this.#form, buffer: this.#buffer };
    this.tracker = new Tracker({ ...shared, classNames: ['all'], topicClass: () => 0 });
  }

  #open(index: number): LoadConnection {
    const endpoint = { port: this.#port, dialect: this.#dialect };
    return new LoadConnection(index, endpoint, this.#buffer, this.tracker);
  }

  async subscribe(topicsOf: readonly (readonly number[])[]): Promise<void> {
    this.#connections = await openConnections(topicsOf.length, (index) => this.#open(index));
    topicsOf.forEach((topics, index) => {
      for (const topic of topics) this.tracker.expect(index, topic);
      this.#dialect.subscribe(this.#connections[index], topics);
    });
    const wanted = topicsOf.flat().length;
    await until(() => this.tracker.acknowledgedCount >= wanted, 'the subscriptions are confirmed');
    this.tracker.beginPhase(this.#published);
  }

  /** Publishes `messages`, at most `inFlight` at a time, and waits for their delivery. */
  async publish(messages: number, inFlight: number): Promise<void> {
    const [publisher] = await openConnections(1, () => this.#open(this.#connections.length));
    this.#connections.push(publisher!);
    const topics = this.#published.map((_, topic) => topic);
    if (this.#dialect.open !== undefined) {
      const before = this.tracker.acknowledgedCount;
      this.#dialect.open(publisher!, [...topics]);
      await until(() => this.tracker.acknowledgedCount === before + topics.length, 'the topics are opened');
    }
    for (let message = 0; message < messages; message++) {
      publisher!.sendNow(this.#message(message % topics.length));
      const isLast = message === messages - 1;
      if (isLast || (message + 1) % inFlight === 0) {
        const expected = this.tracker.expectedDeliveries(this.#published);
        await until(() => this.tracker.delivered >= expected, `${message + 1} messages are delivered`);
      }
    }
  }

  #message(topic: number): Uint8Array {
    const { payloadBytes } = this.#options;
    const frame = Buffer.alloc(this.#dialect.publishBytes(payloadBytes, topic));
    const start = this.#dialect.writePublish(frame, 0, topic, payloadBytes);
    const end = start + payloadBytes;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#form.fill(frame, start, end);
    this.#published[topic]++;
    this.#form.write(frame, view, start, end, topic, this.#published[topic], clockMs());
    return this.#dialect.writesMessages ? frame : clientFrame(OPCODE_BINARY, frame);
  }

  verify(): ReturnType<Tracker['verify']> {
    return this.tracker.verify(this.#published);
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
