// A process whose lane dies (see dying-lane.cjs): publishes to a hot and a cold topic and prints what became of it.
import { createEngine } from 'ringcast';

const RING_BYTES = 32 * 1024;
const PAYLOAD = new Uint8Array(1024);

const engine = createEngine({
  port: 0,
  lanes: 1,
  ringBytes: RING_BYTES,
  maxPayloadBytes: 8 * 1024,
  topics: [{ match: 'hot', home: 'hot' }],
});
const died = new Promise((resolve) => {
  if (process.argv[2] === 'with-listener') engine.on('fault', resolve);
});
await engine.start();
let delivered = 0;
engine.subscribe('hot', {}, ({ payload }) => {
  if (payload instanceof Uint8Array) delivered++; // one of those that are published after the death
});
// Each message wakes the lane, which sleeps again after it, until it dies of that.
const waker = setInterval(() => engine.publish('hot', 'wake up').catch(() => {}), 5);
const fault = await died;
clearInterval(waker);

const outcomes = { acknowledged: 0, refused: 0 };
const refusals = new Set();
for (let count = 0; count < (2 * RING_BYTES) / PAYLOAD.length; count++) {
  engine.publish('hot', PAYLOAD).then(
    () => outcomes.acknowledged++,
    (error) => {
      outcomes.refused++;
      refusals.add(error.code);
    },
  );
}
const { seq } = await engine.publish('cold', 'goes on');
const { pendingAcks } = engine.stats();
await engine.close();
console.log(
  JSON.stringify({ fault: fault.message, ...outcomes, refusals: [...refusals], pendingAcks, delivered, coldSeq: seq }),
);
