// A load generator's process: runs one scenario's driver, or its companion's, against one server, then reports and is ended.
// Arguments: one JSON object (GeneratorJob).

import { Companion } from './generator/companion.js';
import { Load, type ServerSample } from './generator/load.js';
import type { Order, OrderResult } from './orders.js';
import type { GeneratorJob, GeneratorMessage, ToGenerator } from './process-port.js';
import type { Outcome } from './results.js';
import { findScenario, loadSuite } from './suite.js';
import type { Turn } from './turns.js';

const job = JSON.parse(process.argv[2]) as GeneratorJob;
const send = (message: GeneratorMessage): void => {
  process.send!(message);
};

const companion = new Companion(send);
let onSample: (sample: ServerSample) => void = () => {};
let onObeyed: (result: OrderResult) => void = () => {};
let onPublish: () => void = () => {};
let onTurn: () => void = () => {};
process.on('message', (message: ToGenerator) => {
  if (message.type === 'sample') onSample(message.sample);
  else if (message.type === 'obeyed') onObeyed(message.result);
  else if (message.type === 'publish') onPublish();
  else if (message.type === 'turn') onTurn();
  else companion.receive(message);
});
process.on('disconnect', () => process.exit(0)); // the main process has what it wants, or is gone

function sampleServer(collectGarbage: boolean): Promise<ServerSample> {
  return new Promise((resolve) => {
    onSample = resolve;
    send({ type: 'sample', collectGarbage });
  });
}

function orderServer(order: Order): Promise<OrderResult> {
  return new Promise((resolve) => {
    onObeyed = resolve;
    send({ type: 'order', order });
  });
}

const turn: Turn = {
  take: () =>
    new Promise((resolve) => {
      onTurn = resolve;
      send({ type: 'turn' });
    }),
  end: () => send({ type: 'turn-over' }),
};

/** In the companion: says that it is ready, and waits until its traffic is wanted. */
function told(): Promise<void> {
  return new Promise((resolve) => {
    onPublish = resolve;
    send({ type: 'ready' });
  });
}

async function run(): Promise<Outcome> {
  const scenario = findScenario(await loadSuite(job.suite), job.scenario);
  const asked = scenario.variants(job.size).find(({ name }) => name === job.variant)!;
  const variant = { ...asked, ...job.counts };
  const isCompanion = job.part === 'companion';
  const { publishers } = isCompanion ? variant.companion! : variant;
  const load = await Load.create({
    peer: job.peer,
    port: job.port,
    topics: variant.server.topics,
    payloadBytes: variant.server.payloadBytes,
    certFile: job.certFile,
    publishers,
    addressSalt: job.addressSalt,
    sampleServer,
    orderServer,
    turn,
    serverIsShared: () => isCompanion || companion.publishing,
  });
  if (isCompanion) await scenario.companion!(load, variant, job.size, told);
  else await scenario.drive(load, variant, job.size, companion);
  await load.close();
  return load.outcome;
}

run().then(
  (outcome) => send({ type: 'outcome', outcome }),
  (error: unknown) =>
    send({ type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
