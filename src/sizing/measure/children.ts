/** Child processes of a measurement: what they say, in order, and that none of them outlives it. */
import { type ChildProcess, fork } from 'node:child_process';

const EXIT_MAX_MS = 3000;
/** Longest time without a word from a child that is expected to say something. */
const SILENCE_MAX_MS = 60_000;

/** The measurement was called off. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Writer and reader: whoever started it. */
export class Child<Incoming extends { type: string }, Outgoing> {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #queued: Incoming[] = [];
  #waiting: { resolve: (message: Incoming) => void; reject: (error: Error) => void } | null = null;
  #ended: Error | null = null;
  readonly #exited: Promise<void>;

  /** @param script file name beside this one */
  constructor(name: string, script: string, argument: object, signal: AbortSignal) {
    this.#name = name;
    this.#process = fork(new URL(script, import.meta.url), [JSON.stringify(argument)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#process.on('message', (message) => this.#received(message as Incoming));
    const interrupt = (): void => {
      this.#end(new Interrupted('interrupted'));
      this.kill();
    };
    this.#exited = new Promise((resolve) => {
      const ended = (reason: string): void => {
        signal.removeEventListener('abort', interrupt);
        this.#end(new Error(`the ${this.#name} process ended: ${reason}`));
        resolve();
      };
      this.#process.once('exit', (code, by) => ended(by ?? `exit code ${code}`));
      this.#process.once('error', (error) => ended(error.message));
    });
    if (signal.aborted) interrupt();
    else signal.addEventListener('abort', interrupt, { once: true });
  }

  send(message: Outgoing): void {
    // A child that has ended meanwhile is reported by its exit.
    if (this.#process.connected) this.#process.send(message as object, () => {});
  }

  /** The next message, which must be of this type. */
  async next<Type extends Incoming['type']>(type: Type): Promise<Extract<Incoming, { type: Type }>> {
    const message = await this.#next();
    if (message.type === type) return message as Extract<Incoming, { type: Type }>;
    const reason = 'reason' in message ? String(message.reason) : `said "${message.type}" instead of "${type}"`;
    throw new Error(`the ${this.#name} process failed: ${reason}`);
  }

  /** Resolves when it is gone. */
  async end(ask: Outgoing): Promise<void> {
    const timer = setTimeout(() => this.kill(), EXIT_MAX_MS);
    this.send(ask);
    await this.#exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #next(): Promise<Incoming> {
    const queued = this.#queued.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`the ${this.#name} process said nothing for ${SILENCE_MAX_MS / 1000} s`));
        this.kill();
      }, SILENCE_MAX_MS);
      const settled = <Value>(settle: (value: Value) => void) => {
        return (value: Value): void => {
          clearTimeout(timer);
          this.#waiting = null;
          settle(value);
        };
      };
      this.#waiting = { resolve: settled(resolve), reject: settled(reject) };
    });
  }

  #received(message: Incoming): void {
    if (this.#waiting === null) this.#queued.push(message);
    else this.#waiting.resolve(message);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#waiting?.reject(this.#ended);
  }
}
