// Workloads that a machine of two cores and 10,000 open files can run, server and load together. They differ in what they
// cost: writes, subscriptions, bytes, connections, lanes, topics, transcoding, encryption.

import { defaultSettings } from '../../dist/sizing/calibrate.js';
import type { ClientClass, TopicGroup, Workload } from '../../dist/sizing/workload.js';

export interface CheckedWorkload {
  name: string;
  workload: Workload;
}

const cold = (name: string, count: number, rate: number, bytes: number, maxDelayMs: number | 'auto'): TopicGroup => ({
  ...{ name, count, ratePerSecond: rate, bytes, maxDelayMs },
  home: 'cold',
});
const hot = (...group: Parameters<typeof cold>): TopicGroup => ({ ...cold(...group), home: 'hot' });
const clients = (count: number, topics: Record<string, number>, name = 'clients'): ClientClass => ({
  ...{ name, topics },
  clients: count,
});

function workload(name: string, topics: TopicGroup[], classes: ClientClass[], tls = false): CheckedWorkload {
  return { name, workload: { topics, clients: classes, settings: { ...defaultSettings(), tls } } };
}

export const WORKLOADS: readonly CheckedWorkload[] = [
  workload('few clients × fast topic', [cold('ticks', 1, 500, 80, 0)], [clients(50, { ticks: 1 })]),
  workload('many clients × slow topics', [cold('news', 500, 3, 200, 'auto')], [clients(6000, { news: 1 })]),
  workload('watch lists, 500 × 100', [cold('quotes', 500, 2, 100, 20)], [clients(500, { quotes: 100 })]),
  workload('hot watch lists, 500 × 100', [hot('quotes', 500, 5, 64, 5)], [clients(500, { quotes: 100 })]),
  workload('hot topic, 5,000 clients', [hot('index', 1, 20, 64, 0)], [clients(5000, { index: 1 })]),
  workload('hot topic, maxDelayMs 20', [hot('index', 1, 400, 64, 20)], [clients(800, { index: 1 })]),
  workload('bursts of 25', [{ ...cold('books', 40, 50, 80, 0), burst: 25 }], [clients(400, { books: 8 })]),
  workload('2 KiB payloads', [cold('books', 50, 10, 2048, 5)], [clients(200, { books: 5 })]),
  workload('24 KiB payloads', [cold('pictures', 20, 4, 24 * 1024, 0)], [clients(150, { pictures: 4 })]),
  workload('JSON clients', [cold('quotes', 300, 4, 100, 20)], [{ ...clients(400, { quotes: 30 }), json: true }]),
  workload('TLS', [cold('quotes', 200, 4, 300, 10)], [clients(600, { quotes: 15 })], true),
  workload(
    'some do not read',
    [cold('books', 20, 20, 4096, 0)],
    [clients(200, { books: 2 }), { ...clients(60, { books: 20 }, 'asleep'), reads: false }],
  ),
  workload('many topics, long lists', [cold('options', 5000, 0.1, 150, 50)], [clients(800, { options: 300 })]),
  workload(
    'mixed: desks and phones',
    [hot('quotes', 20, 20, 120, 20), cold('news', 200, 1, 400, 20)],
    [clients(100, { quotes: 10, news: 40 }, 'desks'), clients(2000, { quotes: 1, news: 2 }, 'phones')],
  ),
];

/** For a look whether it works. */
export function smaller({ name, workload: full }: CheckedWorkload): CheckedWorkload {
  const fewer = full.clients.map((each) => ({ ...each, clients: Math.ceil(each.clients / 10) }));
  return { name, workload: { ...full, clients: fewer } };
}
