// A healthy connection beside the misbehaving one: it must get every message, in order, and be answered all the time.
import type { Engine } from '#src/index.js';
import { follow } from './sequence.js';
import { TestClient } from './test-client.js';

const TOPIC = 'bystander';
const TICK_MS = 5;

export class Bystander {
  readonly client: TestClient;
  readonly #engine: Engine;
  readonly #timer: NodeJS.Timeout;
  #published = 0;
  #failure: unknown;

  private constructor(client: TestClient, engine: Engine) {
    this.client = client;
    this.#engine = engine;
    this.#timer = setInterval(() => {
      this.#published++;
      engine.publish(TOPIC, this.#published).catch((failure: unknown) => {
        this.#failure ??= failure;
      });
    }, TICK_MS);
  }

  /** Subscribes, and has something published to it every few milliseconds. */
  static async join(engine: Engine): Promise<Bystander> {
    const client = await TestClient.open(engine.url);
    await client.subscribe(TOPIC);
    return new Bystander(client, engine);
  }

  /** Throws unless everything arrived, and the connection is as good as before. */
  async isUnharmed(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#failure !== undefined) throw this.#failure;
    await this.#engine.publish(TOPIC, 'last');
    await this.client.untilEvents(this.#published + 1);
    await this.client.sync();
    const { events, gaps } = follow(TOPIC, 0, this.client.heard);
    const errors = this.client.errors().length;
    if (events !== this.#published + 1 || gaps + errors > 0) {
      throw new Error(`the bystander got ${events} of ${this.#published + 1} messages, ${gaps} gaps, ${errors} errors`);
    }
  }
}
