/**
 * Core: all of an engine but its sockets and its API, wired. Whoever makes one brings the world around it: threads, the
 * event loop, clocks. The engine brings the real ones, the simulation its own: what is proven there is what runs here.
 */

import { callOut } from '../delivery/call-out.js';
import { Delivery, type DeliveryOptions } from '../delivery/delivery.js';
import { type DirectoryOptions, TopicDirectory } from '../directory/topic-directory.js';
import { DirectLink, type DirectLinkOptions } from '../home/direct-link.js';
import { Homes } from '../home/homes.js';
import type { LinkEvents } from '../home/link.js';
import { LaneSet, type LaneSetOptions } from '../lane/lane-set.js';
import type { LaneThreads } from '../lane/pool.js';
import type { LaneEvents } from '../lane/supervised-lane.js';
import { HandOver } from '../moves/hand-over.js';
import { HomeKeeper, type HomeOptions } from '../moves/home-keeper.js';
import type { Hooks } from '../router/hooks.js';
import { Router, type RouterOptions } from '../router/router.js';
import type { Clock, Loop } from '../time/loop.js';
import { Sweeps } from './sweeps.js';

export interface CoreOptions {
  readonly delivery: DeliveryOptions;
  readonly cold: DirectLinkOptions;
  readonly lanes: LaneSetOptions;
  readonly topics: DirectoryOptions;
  readonly router: RouterOptions;
  readonly homes: HomeOptions;
}

export interface CoreWorld {
  readonly hooks: Hooks;
  readonly loop: Loop;
  readonly threads: LaneThreads;
  /** What the lanes' threads measure by. */
  readonly laneClock: Clock;
  readonly laneEvents: LaneEvents;
  /** Something went wrong that no caller can be told. Must not throw. */
  readonly onFault: (fault: unknown) => void;
  /** Runs before each turn of delivery: sends what must not be overtaken by events. */
  readonly beforeTurn: () => void;
}

/** Pauses between sweeps over all topics (ms). */
const SWEEP_MS = 1000;

/** Writer and reader: the accept thread. */
export class Core {
  readonly delivery: Delivery;
  readonly coldLink: DirectLink;
  readonly lanes: LaneSet;
  readonly topics: TopicDirectory;
  readonly router: Router;
  readonly handOver: HandOver;
  readonly keeper: HomeKeeper;
  readonly sweeps: Sweeps;

  constructor(options: CoreOptions, world: CoreWorld) {
    const { loop, onFault } = world;
    this.delivery = new Delivery(options.delivery, loop, {
      beforeTurn: () => callOut(() => this.#takeIn(world), onFault),
      onFault,
      onStreamUnused: (stream) => this.topics.streamUnused(stream),
      snapshotFor: (stream, had) => this.topics.snapshotFor(stream, had, true),
    });
    this.coldLink = new DirectLink(options.cold, loop, (alias) => this.topics.headMovedOf(alias));
    const links: LinkEvents = {
      onHead: (alias) => this.topics.headMovedOf(alias),
      onAck: (request, seq, outcome) => this.router.publishing.onAck(request, seq, outcome),
      onPutAside: (request) => this.router.publishing.onPutAside(request),
    };
    this.lanes = new LaneSet(options.lanes, links, {
      threads: world.threads,
      loop,
      clock: world.laneClock,
      events: { ...world.laneEvents, onDegraded: this.#degradedBy(world.laneEvents) },
    });
    const homes = new Homes(this.coldLink, this.lanes);
    this.topics = new TopicDirectory(options.topics, this.delivery, homes, loop);
    this.router = new Router(options.router, this.topics, this.delivery, world.hooks, loop, {
      onFault,
      onActive: (entry) => this.keeper.watch(entry),
    });
    this.handOver = new HandOver(
      this.topics,
      homes,
      this.lanes.sharedLogs,
      this.delivery,
      this.router.publishing,
      loop,
    );
    this.keeper = new HomeKeeper(options.homes, this.topics, this.handOver, this.lanes, loop);
    this.sweeps = new Sweeps(loop, SWEEP_MS, [
      () => this.router.subscribing.durables.sweep(loop.nowMs()),
      () => this.topics.sweep(),
      () => this.coldLink.trim(loop.nowMs()),
      () => this.#endInterval(loop.nowMs()),
    ]);
  }

  /** Ends everything; threads are left to whoever gave them. */
  close(): void {
    this.sweeps.stop();
    this.coldLink.close();
    this.delivery.close();
    this.keeper.stop();
    this.handOver.close();
    this.lanes.close();
  }

  #takeIn(world: CoreWorld): void {
    this.lanes.drain();
    this.handOver.pump();
    world.beforeTurn();
  }

  /** First the topics leave: who is told may ask where they are. */
  #degradedBy({ onDegraded }: LaneEvents): LaneEvents['onDegraded'] {
    return (lane, fault) => {
      this.keeper.evacuate(lane);
      onDegraded(lane, fault);
    };
  }

  #endInterval(nowMs: number): boolean {
    for (const load of this.lanes.loads) load.endInterval(nowMs);
    return true;
  }
}
