// Publishing from within the process: a feed's bursts through a publisher, and by promises.

import { createEngine, type Engine, encode } from '../../../dist/index.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';
import { PAYLOADS, VERSIONS, versionsOf } from './payloads.js';

/** Messages of one turn of the event loop. */
const BURST = 256;
const HOMES = ['cold', 'hot'] as const;
const WAYS = ['publish', 'send', 'send-encoded'] as const;
type Way = (typeof WAYS)[number];

/** One burst per operation, after which the engine has its turn: nobody subscribes, so it only numbers and keeps. */
class Publishing implements Work {
  readonly #engine: Engine;
  readonly #burst: () => Promise<void>;

  private constructor(engine: Engine, burst: () => Promise<void>) {
    this.#engine = engine;
    this.#burst = burst;
  }

  static async open(home: string, way: Way): Promise<Publishing> {
    const engine = createEngine({
      port: 0,
      lanes: home === 'hot' ? 1 : 0,
      topics: [{ match: 'hot', home: 'hot' }],
      statsIntervalMs: 0,
    });
    engine.on('warning', () => {});
    await engine.start();
    const values = versionsOf((version) => PAYLOADS.quote(version));
    const encoded = versionsOf((version) => encode(PAYLOADS.quote(version)));
    const publisher = engine.openPublisher(home);
    const bursts: Readonly<Record<Way, () => Promise<void>>> = {
      publish: async () => {
        const accepted = [];
        for (let n = 0; n < BURST; n++) accepted.push(engine.publish(home, values[n % VERSIONS]));
        await Promise.all(accepted);
      },
      send: async () => {
        for (let n = 0; n < BURST; n++) publisher.send(values[n % VERSIONS]);
        await publisher.ready();
      },
      'send-encoded': async () => {
        for (let n = 0; n < BURST; n++) publisher.sendEncoded(encoded[n % VERSIONS] as Uint8Array);
        await publisher.ready();
      },
    };
    const work = new Publishing(engine, bursts[way]);
    verify((await work.run(2)) === 2 * BURST, 'messages were refused');
    const { seq } = await engine.publish(home, 'the last one');
    verify(seq === 2 * BURST + 1, 'messages were lost');
    return work;
  }

  async run(times: number): Promise<number> {
    const before = this.#engine.stats().messages;
    for (let time = 0; time < times; time++) await this.#burst();
    return this.#engine.stats().messages - before;
  }

  expected(times: number): number {
    return times * BURST;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}

function bench(home: string, way: Way): TimeBench {
  return {
    ...{ kind: 'time', name: `${home}/${way}/burst=${BURST}`, item: 'message', items: BURST },
    ...(way === 'publish' ? {} : { against: `${home}/publish/burst=${BURST}` }),
    ...(home === 'hot' && { isThreaded: true }),
    prepare: () => Publishing.open(home, way),
  };
}

export const group: Group = {
  name: 'publishing',
  title: 'publishing from within the process: bursts by a promise per message, and through a publisher',
  benches: HOMES.flatMap((home) => WAYS.map((way) => bench(home, way))),
};
