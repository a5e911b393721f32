/** A process of the load generator: does what its parent says, and ends with it. */
import { clockMs } from './clock.js';
import { LoadError } from './explain.js';
import { Generator } from './generator.js';
import { decodeCounts, encodeCounts, type TeamCommand, type TeamReport } from './team.js';

const TICK_MS = 500;

let generator: Generator | null = null;

function send(report: TeamReport): void {
  process.send?.(report);
}

function fail(error: unknown): void {
  send({
    type: 'failed',
    error: error instanceof LoadError ? error.message : ((error as Error).stack ?? String(error)),
  });
}

async function obey(command: TeamCommand): Promise<void> {
  if (command.type === 'start') {
    const opening = new Generator(command.job, command.part);
    generator = opening;
    opening.onDone = (published) => send({ type: 'done', published: encodeCounts(published) });
    opening.onFailed = (error) => send({ type: 'failed', error });
    setInterval(() => send({ type: 'tick', tick: opening.tick() }), TICK_MS);
    await opening.open();
    send({ type: 'opened', notices: opening.notices });
  } else if (generator === null) {
    throw new Error(`${command.type} before start`);
  } else if (command.type === 'probe') {
    await generator.probe();
    send({ type: 'probed' });
  } else if (command.type === 'go') {
    generator.start(command.atMs ?? clockMs() + command.inMs);
  } else if (command.type === 'stop') {
    generator.stop();
  } else {
    const result = await generator.verify(decodeCounts(command.published), command.lostSources);
    generator.close();
    send({ type: 'result', result });
  }
}

process.on('message', (command: TeamCommand) => void obey(command).catch(fail));
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group; what it means is for the parent to say.
process.on('SIGINT', () => {});
