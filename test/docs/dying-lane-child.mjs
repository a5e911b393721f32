// A process whose lane dies again and again (see dying-lane.cjs): publishes to a hot topic all the while, and to a cold
// one at last, and prints what became of it.
import { createEngine } from 'ringcast';

const DEATHS = 3;

const engine = createEngine({ port: 0, lanes: 1, topics: [{ match: 'hot', home: 'hot' }] });
const kinds = [];
const faults = new Set();
let hasRecovered = () => {};
const recovered = new Promise((resolve) => {
  hasRecovered = resolve;
});
engine.on('lane', ({ kind, fault }) => {
  kinds.push(kind);
  if (fault !== null) faults.add(fault.message);
  if (kinds.filter((each) => each === 'recovered').length === DEATHS) hasRecovered();
});
await engine.start();

const delivered = [];
let onAll = () => {};
engine.subscribe('hot', {}, ({ seq, payload }) => {
  delivered.push([seq, payload]);
  if (payload === 'last') onAll();
});
const acknowledged = [];
const refusals = [];
let published = 0;
const publish = (payload) =>
  engine.publish('hot', payload).then(
    ({ seq }) => acknowledged.push([seq, payload]),
    (error) => refusals.push(error.code),
  );
// Each message wakes the lane, which sleeps again after it, until it dies of that.
const publishes = [];
const waker = setInterval(() => publishes.push(publish(++published)), 5);
await recovered;
clearInterval(waker);
await Promise.all(publishes);
const { seq } = await engine.publish('cold', 'goes on');
const all = new Promise((resolve) => {
  onAll = resolve;
});
await publish('last');
await all;
const { pendingAcks, lanes } = engine.stats();
await engine.close();

const expected = [...Array.from({ length: published }, (_, index) => [index + 1, index + 1]), [published + 1, 'last']];
const isComplete = (messages) => JSON.stringify(messages) === JSON.stringify(expected);
console.log(
  JSON.stringify({
    published,
    areAllAcknowledged: isComplete(acknowledged),
    areAllDeliveredOnce: isComplete(delivered),
    refusals,
    pendingAcks,
    kinds: kinds.slice(0, 2 * DEATHS),
    faults: [...faults],
    restarts: lanes[0].restarts,
    coldSeq: seq,
  }),
);
