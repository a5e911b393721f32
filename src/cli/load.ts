/** `ringcast load`: puts load on a server, verifies every delivery, and says how long deliveries took. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import picocolors from 'picocolors';
import { LoadError } from '../load/explain.js';
import type { LoadJob } from '../load/job.js';
import { LatencyHistogram } from '../load/latency-histogram.js';
import { startLocalTeam } from '../load/local-team.js';
import { connectAgent } from '../load/remote-team.js';
import { type RunOutcome, runLoad } from '../load/run.js';
import type { Team } from '../load/team.js';
import { CommandFailure, EXIT_FAILURE, EXIT_USAGE, oneLine } from './failure.js';
import { addLoadOptions, agentSecretOf, jobOf, type LoadOptions, machinesOf } from './load-options.js';
import { startProgress } from './load-progress.js';
import { isFlawless, jobLines, type LoadReport, reportLines } from './load-report.js';
import { printableJson } from './printable.js';
import { STOP_SIGNALS } from './stop-signals.js';

const EXAMPLES = `
Messages leave by schedule, whether or not the server keeps up, and latency counts from the time at which a message should
have left. Every delivery is verified before figures are printed. It ends with 0 when everything arrived, else with 1.

Examples:
  ringcast load --connections 1000 --topics 100 --rate 5000 --duration 30s
  ringcast load --url wss://10.0.0.5:8787 --insecure --connections 60000 --ramp 2000 --processes 4
  ringcast load --agents 10.0.0.6:9700,10.0.0.7:9700 --secret x --connections 200000 --rate 1000
  ringcast load --url ws://10.0.0.5:9000/socket --protocol json \\
    --subscribe-template '{"op":"sub","ch":"{{topic}}"}' \\
    --publish-template '{"op":"pub","ch":"{{topic}}","data":{{payload}}}'
  ringcast load --url ws://10.0.0.5:9000/feed --protocol json --rate 0 --topics BTC,ETH --topics-per-connection all \\
    --subscribe-template '{"op":"sub","ch":"{{topic}}"}'`;

export function loadCommand(): Command {
  const command = new Command('load').description('put load on a server, verify every delivery, measure latencies');
  return addLoadOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((options: LoadOptions) => {
      const job = jobOf(options);
      if ('problem' in job) return command.error(`error: ${job.problem}`, { exitCode: EXIT_USAGE });
      return load(options, job);
    });
}

async function load(options: LoadOptions, job: LoadJob): Promise<void> {
  const shape = { job, machines: machinesOf(options), processes: options.processes };
  // With figures for a program on the standard output, words for people go elsewhere.
  const print = options.json === '-' ? console.error : console.log;
  const stop = stopOnSignals();
  for (const line of jobLines(shape)) print(line);
  const progress = startProgress(job, process.stderr, () => performance.now());
  let outcome: RunOutcome;
  try {
    outcome = await runLoad({
      job,
      machines: await startMachines(options),
      onPhase: (phase) => progress.phase(phase),
      onTick: (tick) => progress.tick(tick),
      onNotice: (text) => console.error(`ringcast: ${oneLine(text)}`),
      stop,
    });
  } catch (error) {
    throw error instanceof LoadError ? new CommandFailure(error.message) : error;
  } finally {
    progress.done();
  }
  const report: LoadReport = { ...shape, ...outcome };
  const isStderr = options.json === '-';
  const colours = picocolors.createColors((isStderr ? process.stderr : process.stdout).isTTY === true);
  print('');
  for (const line of reportLines(report, colours)) print(line);
  if (options.json !== undefined) await writeJson(options.json, report);
  if (!isFlawless(report)) process.exitCode = EXIT_FAILURE;
}

/** Throws LoadError when an agent is not there. */
async function startMachines(options: LoadOptions): Promise<Team[]> {
  const { agents, processes } = options;
  if (agents === undefined) return [startLocalTeam(processes)];
  const secret = agentSecretOf(options) ?? '';
  const results = await Promise.allSettled(agents.map((agent) => connectAgent(agent, secret, processes)));
  const teams = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return teams;
  for (const team of teams) team.close();
  throw failed.reason;
}

/** The first signal ends the run early, with its results so far; a second one ends at once. */
function stopOnSignals(): AbortSignal {
  const stopping = new AbortController();
  const onSignal = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT_FAILURE);
    stopping.abort();
    console.error('ringcast: ends early; once more to end at once');
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return stopping.signal;
}

async function writeJson(file: string, report: LoadReport): Promise<void> {
  const { job, machines, processes, result, partial } = report;
  const { token, headers, ...options } = job;
  const { latencyHdr, publishLateHdr, health, ...figures } = result;
  const histogram = (hdr: string) => ({ ...LatencyHistogram.decode(hdr).percentiles(), hdr });
  const text = JSON.stringify(
    {
      options: { ...options, machines, processes },
      partial,
      saturated: health.some(({ saturated }) => saturated.length > 0),
      ...figures,
      latency: histogram(latencyHdr),
      publishLate: histogram(publishLateHdr),
      generator: health,
    },
    null,
    2,
  );
  if (file === '-') {
    process.stdout.write(`${printableJson(text)}\n`);
    return;
  }
  try {
    await writeFile(file, `${text}\n`);
  } catch (error) {
    throw new CommandFailure(`the results cannot be written: ${(error as Error).message}`);
  }
}
