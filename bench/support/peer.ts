// What a peer (a server under test) is to the benchmark: how to start it, and how the load generator speaks to it.
// A peer is one file in peers/ that exports `peer`; its file name is its name.

import { readdirSync } from 'node:fs';
import type { EngineOptions } from 'ringcast';
import type { EventSink, OpenConnection } from '../../dist/load/dialect.js';
import type { LoadDialect as Dialect } from '../../dist/load/load-dialect.js';
import type { Order, OrderResult } from './orders.js';

/** How the generator speaks to one peer. One instance per thread of the generator; it may keep what the server told it. */
export type { Dialect, EventSink, OpenConnection };

/** Topics are numbers everywhere but on the wire: 0 … hot − 1 are hot, the others cold. */
export interface TopicPlan {
  hot: number;
  cold: number;
  /** The hot ones are keys of one topic, where the peer has such: `hot:0`. */
  isKeyed?: true;
}

export interface ServerOptions {
  topics: TopicPlan;
  payloadBytes: number;
  /** The most topics that one connection subscribes to; absent: a few. */
  topicsPerConnection?: number;
  /** Coalescing, where the peer has it; 'auto' leaves the peer's default. */
  maxDelayMs: number | 'auto';
  /** Further settings, for ringcast. */
  engine?: EngineOptions;
  /** Present: the server speaks wss:// with this certificate. */
  tls?: { certFile: string; keyFile: string };
}

export interface RunningServer {
  port: number;
  /** The processes whose CPU time and memory are the server's; absent: this one. */
  readonly pids?: readonly number[];
  /** Where the peer can do what a scenario orders. */
  obey?(order: Order): Promise<OrderResult>;
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Why it cannot serve: a program that this machine lacks, or something that it cannot do. null, or absent: it can. */
  unavailable?(options: ServerOptions): string | null;
  startServer(options: ServerOptions): Promise<RunningServer>;
  createDialect(topics: TopicPlan): Dialect;
}

/** Stands for every peer that there is. */
export const ALL_PEERS = 'all';

/** Names of all peers: the suite's subject at the end, without its variants (`<subject>-…`). */
export function listPeers(subject: string): string[] {
  const others = readdirSync(new URL('../peers/', import.meta.url))
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .filter((name) => !name.startsWith(subject));
  return [...others.sort(), subject];
}

export async function loadPeer(name: string): Promise<Peer> {
  if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`bad peer name: ${name}`);
  const module = (await import(new URL(`../peers/${name}.js`, import.meta.url).href)) as { peer: Peer };
  return module.peer;
}

/** What a dialect is made from, in every thread that speaks it: see PublisherData. */
export interface DialectOptions {
  peer: string;
  topics: TopicPlan;
}

export async function createDialect({ peer, topics }: DialectOptions): Promise<Dialect> {
  return (await loadPeer(peer)).createDialect(topics);
}

export function topicName(topics: TopicPlan, topic: number): string {
  if (topic >= topics.hot) return `cold:${topic}`;
  return topics.isKeyed === true ? 'hot:0' : `hot:${topic}`;
}
