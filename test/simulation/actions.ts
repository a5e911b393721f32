// What clients, operators and fate do, in random order.

import type { Home } from '#src/home/placement.js';
import type { Random } from '../ring/random.js';
import { Client, type Publish } from './client.js';
import { faults } from './faults.js';
import { encodedPayload, payloadOf } from './payload.js';
import type { SimulatedThread } from './threads.js';
import type { World } from './world.js';

export const TOPICS = ['hot/a', 'b', 'lane/c', 'd', 'e', 'f'];
const POLICIES = ['drop_oldest', 'drop_oldest', 'conflate', 'disconnect'] as const;

/** How likely each kind of trouble is, per action or per send. */
export interface Trouble {
  /** A fault is planned for a lane. */
  readonly fault: number;
  readonly hang: number;
  readonly poison: number;
  /** A transport is full after a send, or gone. */
  readonly blocked: number;
  readonly closed: number;
  /** A handler within the process does something from within a send. */
  readonly nested: number;
  /** A new thread of a lane dies before it has done anything, so often that the lane may be given up. */
  readonly curse: number;
}

/** Whom a life has in it. */
export interface Crowd {
  /** How many of TOPICS are used: with few of them more happens to each. */
  readonly topics: number;
  /** Part of the connections that speak JSON. */
  readonly jsonShare: number;
  /** How much subscribers come and go; 1: as usual. */
  readonly churn: number;
  /** Part of the messages that their publisher is not to get itself. */
  readonly noEchoShare: number;
  /** Connections at first, and at most. */
  readonly clients: number;
  readonly clientsMax: number;
}

export class Actions {
  trouble: Trouble;
  readonly #world: World;
  readonly #random: Random;
  readonly #crowd: Crowd;
  /** Deaths at their start that await the next threads. */
  #cursedStarts = 0;
  #lastNumber = 0;
  #isNested = false;
  readonly #weighted: readonly (readonly [weight: number, act: () => void])[];
  readonly #weightOfAll: number;

  constructor(world: World, random: Random, crowd: Crowd, trouble: Trouble) {
    this.#world = world;
    this.#random = random;
    this.#crowd = crowd;
    this.trouble = trouble;
    world.threads.onStart = (thread) => this.#started(thread);
    this.#weighted = [
      [22, () => this.#publish()],
      [3, () => this.#publishLocally()],
      [7 * crowd.churn, () => this.#subscribe()],
      [3 * crowd.churn, () => this.#unsubscribe()],
      [2, () => this.#history()],
      [30, () => this.#stepThread()],
      [12, () => world.loop.turn()],
      [5, () => world.lanes.drain()],
      [6, () => this.#passTime(random.below(40))],
      [0.8, () => this.#passTime(random.below(2000))],
      [5, () => this.#move()],
      [0.8, () => this.#moveAll()],
      [0.8, () => this.#deleteTopic()],
      [2, () => this.#block()],
      [4, () => this.#drain()],
      [1 * crowd.churn, () => this.#close()],
      [20 * trouble.fault, () => this.#planFault()],
      [4 * trouble.fault, () => this.#kill()],
      [2 * trouble.curse, () => this.#curse()],
    ];
    this.#weightOfAll = this.#weighted.reduce((sum, [weight]) => sum + weight, 0);
  }

  /** Some subscribers, so that there is somebody to get something. */
  begin(): void {
    const { clients } = this.#crowd;
    for (let count = 0; count < clients; count++) this.#connect();
    for (let count = 0; count < 2 * clients; count++) this.#subscribe();
  }

  act(): void {
    // Before sockets are read, what was published has gone out; timers may come earlier.
    if (this.#random.chance(0.8)) this.#world.tree.drainAll();
    let dice = (this.#random.u32() / 2 ** 32) * this.#weightOfAll;
    for (const [weight, act] of this.#weighted) {
      dice -= weight;
      if (dice < 0) {
        act();
        return;
      }
    }
  }

  /** No more trouble: what has begun goes on, and everybody reads. */
  calm(): void {
    this.trouble = { fault: 0, hang: 0, poison: 0, blocked: 0, closed: 0, nested: 0, curse: 0 };
    this.#cursedStarts = 0;
    for (const thread of this.#world.threads.alive) thread.plan = null;
    for (const client of [...this.#world.clients]) if (client.socket.isFull) client.drain();
  }

  // ---- time and threads --------------------------------------------------------------------------------------------

  /** Time passes for all; threads that are not asked to do anything else go on meanwhile. */
  #passTime(ms: number): void {
    this.#world.trace(() => `${ms} ms pass`);
    for (let left = ms; left > 0; left -= 40) {
      this.#world.loop.pass(Math.min(left, 40));
      if (ms > 40) this.everybody();
    }
  }

  /** One turn of each thread, the accept thread first. */
  everybody(): void {
    const { loop, threads, lanes } = this.#world;
    loop.turn();
    for (const thread of threads.alive) this.#step(thread);
    lanes.drain();
  }

  #stepThread(): void {
    const thread = this.#pick(this.#world.threads.alive);
    if (thread !== undefined) this.#step(thread);
  }

  #step(thread: SimulatedThread): void {
    const before = thread.state;
    const hasWorked = thread.step();
    if (hasWorked)
      this.#world.trace(() => `${thread.name}: ${before}${before === thread.state ? '' : ` → ${thread.state}`}`);
  }

  #started(thread: SimulatedThread): void {
    this.#world.trace(() => `${thread.name} is started`);
    if (this.#cursedStarts > 0) {
      this.#cursedStarts--;
      thread.plan = { callsLeft: this.#random.below(4), when: 'before', isHang: false };
    } else if (this.#random.chance(this.trouble.fault)) {
      this.#plan(thread, 12);
    }
  }

  #planFault(): void {
    const thread = this.#pick(this.#world.threads.alive);
    if (thread !== undefined) this.#plan(thread, this.#random.chance(0.5) ? 30 : 200);
  }

  #plan(thread: SimulatedThread, callsMax: number): void {
    const random = this.#random;
    const isHang = random.chance(this.trouble.hang);
    const when = random.chance(0.5) ? 'before' : 'after';
    const callsLeft = random.below(callsMax);
    thread.plan = { callsLeft, when, isHang };
    this.#world.trace(() => `${thread.name} will ${isHang ? 'hang' : 'die'} ${when} call ${callsLeft + 1}`);
  }

  /** A thread ends between two steps. */
  #kill(): void {
    const thread = this.#pick(this.#world.threads.alive);
    if (thread === undefined) return;
    this.#world.trace(() => `${thread.name} is killed`);
    thread.terminate();
  }

  #curse(): void {
    this.#cursedStarts = 3 + this.#random.below(6);
    this.#world.trace(() => `the next ${this.#cursedStarts} threads will die at their start`);
    this.#kill();
  }

  // ---- publishers --------------------------------------------------------------------------------------------------

  #publish(): void {
    const random = this.#random;
    const client = this.#pick([...this.#world.clients]);
    if (client === undefined) return;
    const count = random.chance(0.04) ? random.below(30) : 1 + random.below(3);
    const mainTopic = this.#topic();
    const batch = Array.from({ length: count }, () => this.#message(random.chance(0.8) ? mainTopic : this.#topic()));
    this.#world.trace(
      () => `${client.name} publishes ${batch.map(({ number, topic }) => `${number} to ${topic}`).join(', ')}`,
    );
    client.publish(batch);
  }

  #message(topic: string): Publish {
    const random = this.#random;
    const number = ++this.#lastNumber;
    if (random.chance(this.trouble.poison)) {
      const effect = random.chance(this.trouble.hang) ? 'hangs' : 'dies';
      this.#world.trace(() => `whoever handles message ${number} ${effect}`);
      faults.poison.set(number, effect);
    }
    return {
      topic,
      number,
      paddingBytes: random.chance(0.1) ? random.below(150) : 0,
      isAckWanted: random.chance(0.5),
      isNoEcho: random.chance(this.#crowd.noEchoShare),
      id: random.chance(0.1) ? `id ${number}` : undefined,
    };
  }

  /** The application itself publishes. */
  #publishLocally(): void {
    const { loop } = this.#world;
    const { topic, number, paddingBytes, id } = this.#message(this.#topic());
    const payload = payloadOf(number, paddingBytes);
    const timeMs = loop.epochMs();
    const message = {
      number,
      payload,
      id,
      timeMs,
      origin: 0,
      isAckWanted: true,
      topic: null,
      isLeftOut: false,
      answers: 0,
    };
    this.#world.trace(() => `the process publishes ${number} to ${topic}`);
    this.#world.messages.push(message);
    this.#world.publishLocally(message, topic, encodedPayload(payload));
  }

  // ---- subscribers -------------------------------------------------------------------------------------------------

  #subscribe(): void {
    const random = this.#random;
    const { clients } = this.#world;
    if (clients.size < 2 || (clients.size < this.#crowd.clientsMax && random.chance(0.3))) this.#connect();
    const client = this.#pick([...clients]);
    if (client === undefined) return;
    const topic = this.#topic();
    const lastN = random.chance(0.4) ? random.below(12) : 0;
    const policy = this.#pick(POLICIES) ?? 'drop_oldest';
    this.#world.trace(() => `${client.name} subscribes to ${topic} (last ${lastN}, ${policy})`);
    client.subscribe(topic, { lastN, policy, ...(random.chance(0.2) ? { maxDelayMs: random.below(30) } : {}) });
  }

  #connect(): void {
    const random = this.#random;
    const isLocal = random.chance(0.3);
    const client = new Client(this.#world, random.chance(this.#crowd.jsonShare), isLocal);
    client.onSend = () => {
      if (random.chance(this.trouble.closed)) client.close();
      else if (isLocal && random.chance(this.trouble.nested)) this.#actWithinSend(client);
    };
    client.readsOn = () => !random.chance(this.trouble.blocked);
    this.#world.clients.add(client);
    this.#world.trace(() => `${client.name} connects`);
  }

  /** What a handler within the process may do in the middle of a turn. */
  #actWithinSend(client: Client): void {
    if (this.#isNested) return;
    this.#isNested = true;
    const act = this.#pick([
      () => this.#publishLocally(),
      () => this.#move(),
      () => this.#deleteTopic(),
      () => this.#subscribe(),
      () => this.#unsubscribe(),
      () => client.close(),
    ]);
    act?.();
    this.#isNested = false;
  }

  #unsubscribe(): void {
    const client = this.#pick([...this.#world.clients].filter(({ followed }) => followed.size > 0));
    const topic = client === undefined ? undefined : this.#pick([...client.followed.keys()]);
    if (client === undefined || topic === undefined) return;
    this.#world.trace(() => `${client.name} unsubscribes from ${topic}`);
    client.unsubscribe(topic);
  }

  #history(): void {
    const client = this.#pick([...this.#world.clients]);
    client?.history(this.#topic(), this.#random.below(20));
  }

  #block(): void {
    const client = this.#pick([...this.#world.clients].filter(({ socket }) => !socket.isFull));
    if (client === undefined || this.trouble.blocked === 0) return;
    this.#world.trace(() => `${client.name} blocks`);
    client.block();
  }

  #drain(): void {
    const client = this.#pick([...this.#world.clients].filter(({ socket }) => socket.isFull));
    if (client === undefined) return;
    this.#world.trace(() => `${client.name} drains`);
    client.drain();
  }

  #close(): void {
    this.#pick([...this.#world.clients])?.close();
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  #move(): void {
    const random = this.#random;
    const topic = this.#topic();
    const homes: Home[] = ['cold', 'hot', 'auto', ...this.#world.lanes.lanes.flatMap(({ number }) => [number, number])];
    const home = this.#pick(homes) ?? 'auto';
    this.#world.trace(() => `${topic} is to move to ${home}`);
    this.#world.pin(topic, home);
    if (random.chance(0.15)) this.#move();
  }

  #moveAll(): void {
    for (let count = this.#crowd.topics; count > 0; count--) this.#move();
  }

  #deleteTopic(): void {
    const topic = this.#topic();
    this.#world.trace(() => `${topic} is deleted`);
    this.#world.topics.delete(topic);
  }

  #topic(): string {
    return TOPICS[this.#random.below(this.#crowd.topics)] as string;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random.below(Math.max(1, from.length))];
  }
}
