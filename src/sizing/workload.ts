/** Workload: what a server is to carry, as the model and the measurements understand it. */

/** Topics that are alike. */
export interface TopicGroup {
  readonly name: string;
  /** How many topics. */
  readonly count: number;
  /** Messages per second and topic, at random times. */
  readonly ratePerSecond: number;
  /** Bytes of a message's payload, without the 23 bytes that the protocol puts in front of it. */
  readonly bytes: number;
  /** `hot`: in a lane. */
  readonly home: 'cold' | 'hot';
  /** How long a message may wait for others to share its write (ms). */
  readonly maxDelayMs: number | 'auto';
  /** So many messages of a topic come at once, in one write of the feed; the rate is that of messages. Default 1. */
  readonly burst?: number;
}

/** Clients that are alike. */
export interface ClientClass {
  readonly name: string;
  readonly clients: number;
  /** Subscriptions of each client by topic group. A fraction is a mean over the clients. */
  readonly topics: Readonly<Record<string, number>>;
  /** They speak JSON: a WebSocket message per event, and each message is transcoded once for all of them. */
  readonly json?: boolean;
  /** False: they have stopped reading. What they hold is kernel memory; nothing is written to them. Default true. */
  readonly reads?: boolean;
}

/** Configuration keys of the engine that what it needs depends on. */
export interface WorkloadSettings {
  readonly historyMessages: number;
  readonly historyBytes: number;
  readonly hotLogBytes: number;
  readonly hotLogFrames: number;
  readonly coldLogMaxBytes: number;
  readonly coldLogMaxFrames: number;
  readonly ringBytes: number;
  /** Threads for hot topics; `auto`: as many as they need. */
  readonly lanes: number | 'auto';
  readonly tls?: boolean;
}

export interface Workload {
  readonly topics: readonly TopicGroup[];
  readonly clients: readonly ClientClass[];
  readonly settings: WorkloadSettings;
}

/** A workload of alike topics and alike clients, as the options of the command line describe it. */
export interface SimpleWorkload {
  readonly clients: number;
  readonly topicsPerClient: number;
  readonly topics: number;
  /** Messages per second and topic. */
  readonly rate: number;
  readonly bytes: number;
  /** How many of the topics are in lanes. */
  readonly hot: number;
  readonly maxDelayMs: number | 'auto';
  readonly settings: WorkloadSettings;
}

/** Clients choose among all topics alike, so the hot ones are in each client's list by their share. */
export function simpleWorkload(simple: SimpleWorkload): Workload {
  const { clients, topicsPerClient, topics, rate, bytes, hot, maxDelayMs, settings } = simple;
  const hotShare = hot / topics;
  const group = (name: string, count: number, home: 'cold' | 'hot'): TopicGroup => ({
    name,
    count,
    ratePerSecond: rate,
    bytes,
    home,
    maxDelayMs,
  });
  const groups = [group('cold', topics - hot, 'cold'), group('hot', hot, 'hot')].filter(({ count }) => count > 0);
  const perClient: Record<string, number> = {};
  if (hot < topics) perClient.cold = topicsPerClient * (1 - hotShare);
  if (hot > 0) perClient.hot = topicsPerClient * hotShare;
  return { topics: groups, clients: [{ name: 'clients', clients, topics: perClient }], settings };
}

/** Messages of the group's topics that come at once. */
export function burstOf(group: TopicGroup): number {
  return Math.max(1, group.burst ?? 1);
}

/** Classes that something is written to. */
export function readers(workload: Workload): readonly ClientClass[] {
  return workload.clients.filter(({ reads }) => reads !== false);
}

export function subscriptionsPerClient(clientClass: ClientClass): number {
  return Object.values(clientClass.topics).reduce((sum, count) => sum + count, 0);
}

export function clientCount(workload: Workload): number {
  return workload.clients.reduce((sum, { clients }) => sum + clients, 0);
}

/** How many of the group's topics have JSON clients: at most one for each subscription. */
export function jsonTopics(workload: Workload, group: TopicGroup): number {
  const subscriptions = workload.clients
    .filter(({ json }) => json === true)
    .reduce((sum, { clients, topics }) => sum + clients * (topics[group.name] ?? 0), 0);
  return Math.min(group.count, subscriptions);
}

/** Subscriptions to a group of topics, of all clients that read. */
export function subscriptionsTo(workload: Workload, group: TopicGroup): number {
  return readers(workload).reduce((sum, { clients, topics }) => sum + clients * (topics[group.name] ?? 0), 0);
}
