/** `ringcast top`: the figures of a running server, live in a terminal, or once for scripts. */
import { Command, Option } from 'commander';
import picocolors from 'picocolors';
import { type Client, STATS_TOPIC } from '../client/client.js';
import { RingcastError } from '../errors.js';
import type { StatsReport } from '../index.js';
import { CommandFailure, describeFailure } from './failure.js';
import { addServerOptions, connectToServer, type ServerOptions, stopRequest } from './server-options.js';
import { renderReport, TOPIC_SORTS, type TopicSort } from './top-view.js';

interface TopOptions extends ServerOptions {
  readonly once?: true;
  readonly json?: true;
  readonly sort: TopicSort;
}

export function topCommand(): Command {
  const command = new Command('top')
    .description('show the hottest topics, the slowest consumers and the lanes of a running server')
    .option('--once', 'print one report and end')
    .option('--json', 'one JSON object per report, with all figures')
    .addOption(
      new Option('--sort <figure>', 'order of the topics').choices(Object.keys(TOPIC_SORTS)).default('deliveries'),
    )
    .action(top);
  return addServerOptions(command);
}

async function top(options: TopOptions): Promise<void> {
  const stopped = stopRequest();
  const client = await connectToServer(options);
  const screen = await screenFor(options);
  try {
    await Promise.race([stopped, showReports(client, screen, options.once === true)]);
  } finally {
    screen.done();
    await client.close();
  }
}

/** Resolves after the only report that was wanted; rejects when the connection or the subscription ends. */
function showReports(client: Client, screen: Screen, isOnce: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('error', (error) => reject(new CommandFailure(describeFailure(error))));
    client.on('unsubscribed', ({ code, reason }) =>
      reject(new CommandFailure(`the server ended the subscription: ${reason} (${code})`)),
    );
    client.on('close', ({ code, reason }) =>
      reject(new CommandFailure(`the connection was closed (${code})${reason === '' ? '' : `: ${reason}`}`)),
    );
    let isDone = false;
    const subscribed = client.subscribe(STATS_TOPIC, {}, ({ payload }) => {
      if (isDone) return; // came in the same WebSocket message as the report before
      if (!isReport(payload)) {
        reject(new CommandFailure('the server’s figures are not in a form that this version knows'));
        return;
      }
      screen.show(payload);
      isDone = isOnce;
      if (isOnce) resolve();
    });
    subscribed.catch((error: unknown) => reject(explained(error)));
  });
}

/** A server that publishes no figures says so by refusing the topic. */
function explained(error: unknown): unknown {
  const hasNoFigures = error instanceof RingcastError && ['TOPIC_NOT_FOUND', 'BAD_REQUEST'].includes(error.code);
  if (!hasNoFigures) return error;
  return new CommandFailure(
    `the server does not publish figures: ${error.message} (${error.code}). Start it with statsIntervalMs above 0.`,
  );
}

/** Enough to tell a report from something else; its fields are trusted. */
function isReport(payload: unknown): payload is StatsReport {
  const report = payload as Partial<StatsReport> | null;
  const lists = [report?.lanes, report?.topics, report?.slowest];
  return typeof report?.engine === 'object' && lists.every((list) => Array.isArray(list));
}

interface Screen {
  show(report: StatsReport): void;
  done(): void;
}

async function screenFor(options: TopOptions): Promise<Screen> {
  if (options.json) return jsonLines();
  return process.stdout.isTTY && !options.once ? liveScreen(options) : plain(options);
}

function jsonLines(): Screen {
  return { show: (report) => void process.stdout.write(`${JSON.stringify(report)}\n`), done: () => {} };
}

/** For files and pipes: whole tables, one report after the other. */
function plain({ sort }: TopOptions): Screen {
  const colours = picocolors.createColors(process.stdout.isTTY && process.stdout.hasColors());
  const columns = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  let separator = '';
  return {
    show: (report) => {
      const text = renderReport(report, { columns, rows: Number.POSITIVE_INFINITY, sort, colours });
      process.stdout.write(separator + text);
      separator = '\n';
    },
    done: () => {},
  };
}

/** Redrawn in place with each report and whenever the terminal changes its size. The last one stays. */
async function liveScreen({ sort }: TopOptions): Promise<Screen> {
  // Only here: loading it takes longer than all that the other commands do.
  const { createLogUpdate } = await import('log-update');
  const colours = picocolors.createColors(process.stdout.hasColors());
  // Hiding the cursor would take signals from us: to restore it, the library ends the process itself.
  const draw = createLogUpdate(process.stdout, { showCursor: true });
  let newest: StatsReport | null = null;
  const redraw = (): void => {
    const { columns, rows } = process.stdout;
    if (newest !== null) draw(renderReport(newest, { columns, rows, sort, colours }).trimEnd());
  };
  const resize = (): void => {
    draw.clear();
    redraw();
  };
  process.stdout.on('resize', resize);
  return {
    show: (report) => {
      newest = report;
      redraw();
    },
    done: () => {
      process.stdout.off('resize', resize);
      draw.done();
    },
  };
}
