// The measuring process's handle on its companion: a second load generator, for traffic that would keep the reader of this
// one too busy to take the time of what is measured.

import type { GeneratorMessage, ToGenerator } from '../process-port.js';
import type { Outcome } from '../results.js';

/** Writer and reader: the reading thread. */
export class Companion {
  /** From here on the server's CPU time is not that of this process's deliveries alone. */
  publishing = false;
  readonly #send: (message: GeneratorMessage) => void;
  #onReady: () => void = () => {};
  readonly #outcome: Promise<Outcome>;
  #onOutcome: (outcome: Outcome) => void = () => {};

  constructor(send: (message: GeneratorMessage) => void) {
    this.#send = send;
    this.#outcome = new Promise((resolve) => {
      this.#onOutcome = resolve;
    });
  }

  /** Resolves when the companion has connected and subscribed. A companion that fails or ends, ends the run. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReady = resolve;
      this.#send({ type: 'start-companion' });
    });
  }

  publish(): void {
    this.publishing = true;
    this.#send({ type: 'publish' });
  }

  /** Waits for the companion's end; what it measured and verified counts like this process's own. */
  async join(outcome: Outcome): Promise<void> {
    const { phases, figures, problems } = await this.#outcome;
    Object.assign(outcome.phases, phases);
    Object.assign(outcome.figures, figures);
    outcome.problems.push(...problems);
  }

  /** What the main process relays from the companion. */
  receive(message: ToGenerator): void {
    if (message.type === 'ready') this.#onReady();
    else if (message.type === 'outcome') this.#onOutcome(message.outcome);
  }
}
