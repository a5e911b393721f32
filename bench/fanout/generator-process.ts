// The load generator's process: runs one scenario's driver against one server, then reports and ends.
// Arguments: one JSON object (GeneratorJob).

import { Load, type ServerSample } from './generator/load.js';
import type { GeneratorJob, GeneratorMessage, ToGenerator } from './process-port.js';
import type { Outcome } from './results.js';
import { findScenario } from './scenarios.js';

const job = JSON.parse(process.argv[2]!) as GeneratorJob;
const send = (message: GeneratorMessage): void => {
  process.send!(message);
};

let onSample: (sample: ServerSample) => void = () => {};
process.on('message', (message: ToGenerator) => onSample(message.sample));
process.on('disconnect', () => process.exit(0)); // the main process has what it wants, or is gone

function sampleServer(collectGarbage: boolean): Promise<ServerSample> {
  return new Promise((resolve) => {
    onSample = resolve;
    send({ type: 'sample', collectGarbage });
  });
}

async function run(): Promise<Outcome> {
  const scenario = findScenario(job.scenario);
  const variant = scenario.variants(job.size).find(({ name }) => name === job.variant)!;
  const load = await Load.create({
    peer: job.peer,
    port: job.port,
    topics: variant.server.topics,
    payloadBytes: variant.server.payloadBytes,
    connections: variant.connections,
    publishers: variant.publishers,
    addressSalt: job.addressSalt,
    sampleServer,
  });
  await scenario.drive(load, variant, job.size);
  await load.close();
  return load.outcome;
}

run().then(
  (outcome) => send({ type: 'outcome', outcome }),
  (error: unknown) =>
    send({ type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
