/** `ringcast top`: the figures of a running server, live in a terminal, or once for scripts. */
import { Command, Option } from 'commander';
import picocolors from 'picocolors';
import { type Client, STATS_TOPIC } from '../client/client.js';
import { RingcastError } from '../errors.js';
import type { ConsumerFigures, StatsReport, TopicFigures } from '../index.js';
import { CommandFailure, describeFailure } from './failure.js';
import { listenToKeys } from './keys.js';
import { printableJson } from './printable.js';
import { ConnectionLost, withConnections } from './reconnect.js';
import { RowOrder } from './row-order.js';
import { addServerOptions, type ServerOptions, stopRequest } from './server-options.js';
import { renderReport, sortTopics, TOPIC_SORTS, type TopicSort } from './top-view.js';

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
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  void stopRequest().then(stop);
  // Only once there is something to show: until then a failure is a line, and Ctrl-C what it always is.
  let screen: Screen | null = null;
  const reconnecting = {
    isWanted: options.once !== true,
    stop: stopping.signal,
    onWait: (line: string): void => screen?.trouble(line),
  };
  try {
    await withConnections(options, reconnecting, async (client, settled) => {
      screen ??= await screenFor(options, stop);
      await showReports(client, screen, options.once === true, settled);
    });
  } finally {
    (screen as Screen | null)?.done();
  }
}

/** Resolves after the only report that was wanted; rejects when the connection or the subscription ends. */
function showReports(client: Client, screen: Screen, isOnce: boolean, settled: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('error', (error) => reject(new CommandFailure(describeFailure(error))));
    client.on('unsubscribed', ({ code, reason }) =>
      reject(new CommandFailure(`the server ended the subscription: ${reason} (${code})`)),
    );
    client.on('close', (closed) => reject(new ConnectionLost(closed)));
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
    subscribed.then(settled, (error: unknown) => reject(explained(error)));
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
  /** There are no reports for a while, and why. */
  trouble(line: string): void;
  done(): void;
}

async function screenFor(options: TopOptions, stop: () => void): Promise<Screen> {
  if (options.json) return jsonLines();
  return process.stdout.isTTY && !options.once ? liveScreen(options, stop) : plain(options);
}

const troubleLine = (line: string): void => console.error(`ringcast: ${line}`);

function jsonLines(): Screen {
  const show = (report: StatsReport): void => void process.stdout.write(`${printableJson(JSON.stringify(report))}\n`);
  return { show, trouble: troubleLine, done: () => {} };
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
    trouble: troubleLine,
    done: () => {},
  };
}

/** Redrawn in place with each report and whenever the terminal changes its size, until `q`. The last one stays. */
async function liveScreen({ sort }: TopOptions, stop: () => void): Promise<Screen> {
  // Only here: loading it takes longer than all that the other commands do.
  const { createLogUpdate } = await import('log-update');
  const colours = picocolors.createColors(process.stdout.hasColors());
  // Hiding the cursor would take signals from us: to restore it, the library ends the process itself.
  const draw = createLogUpdate(process.stdout, { showCursor: true });
  const arrange = arrangement(sort);
  let newest: StatsReport | null = null;
  let trouble = '';
  const redraw = (): void => {
    const { columns, rows } = process.stdout;
    const head = trouble === '' ? '' : `${colours.yellow(trouble.slice(0, columns))}\n`;
    const room = trouble === '' ? rows : rows - 1;
    const body = newest === null ? '' : renderReport(newest, { columns, rows: room, sort: null, colours });
    draw((head + body).trimEnd());
  };
  const resize = (): void => {
    draw.clear();
    redraw();
  };
  process.stdout.on('resize', resize);
  const giveBackKeys = listenToKeys(process.stdin, stop, resize);
  return {
    show: (report) => {
      newest = arrange(report);
      trouble = '';
      redraw();
    },
    trouble: (line) => {
      trouble = line;
      redraw();
    },
    done: () => {
      giveBackKeys();
      process.stdout.off('resize', resize);
      draw.done();
    },
  };
}

/** Rows that stay where they are while their figures change a little. */
function arrangement(sort: TopicSort): (report: StatsReport) => StatsReport {
  const topicOrder = new RowOrder<TopicFigures>(({ topic }) => topic);
  const slowestOrder = new RowOrder<ConsumerFigures>(({ connectionId, topic }) => `${connectionId} ${topic}`);
  return (report) => {
    const sorted = sortTopics(report.topics, sort);
    return {
      ...report,
      topics: sort === 'name' ? sorted : topicOrder.arrange(sorted, TOPIC_SORTS[sort]),
      slowest: slowestOrder.arrange(report.slowest, ({ lagMessages }) => lagMessages),
    };
  };
}
