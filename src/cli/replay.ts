/** `ringcast replay`: publishes a recording, as fast as it was recorded, n times as fast, or as fast as it goes. */
import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { CommandFailure, EXIT_FAILURE, oneLine } from './failure.js';
import { OrderedSender } from './ordered-sender.js';
import { pause } from './reconnect.js';
import { type BadLine, openRecording, parseLine, type Recording } from './recording.js';
import { addServerOptions, connectToServer, type ServerOptions, stopSignal } from './server-options.js';

const BAD_LINES_SHOWN_MAX = 20;
/** Timers are no finer than this; what is due sooner goes out at once. */
const DELAY_MIN_MS = 1;

interface ReplayOptions extends ServerOptions {
  /** Infinity: max. */
  readonly speed: number;
  readonly loop?: true;
}

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('publish a recording: lines of "<nanoseconds> <market> <json>", gzipped or not')
    .argument('<file>', 'recording')
    .option('--speed <n>', 'times the recorded speed, or max', parseSpeed, 1)
    .option('--loop', 'start again at the end, until Ctrl-C')
    .action(replay);
  return addServerOptions(command);
}

function parseSpeed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || speed <= 0) {
    throw new InvalidArgumentError('It must be a number above 0, such as 1 or 10, or max.');
  }
  return speed;
}

async function replay(file: string, options: ReplayOptions): Promise<void> {
  let recording = await openFile(file);
  const stop = stopSignal();
  const client = await connectToServer(options);
  const badLines: BadLine[] = [];
  let passes = 0;
  const addBadLine = (line: BadLine): void => {
    if (passes === 0) badLines.push(line); // every pass has the same ones
  };
  const sender = new OrderedSender({
    client,
    onUnfit: ({ lineNumber }, problem) => addBadLine({ lineNumber, problem }),
    sleep: (durationMs) => pause(durationMs, stop),
  });
  const startMs = performance.now();
  try {
    for (;;) {
      const acceptedBefore = sender.counts.accepted;
      await replayOnce({ recording, file, sender, addBadLine, speed: options.speed, stop });
      passes += 1;
      // Without the second condition a file of bad lines would go round without end and without effect.
      if (!options.loop || sender.counts.accepted === acceptedBefore || stop.aborted) break;
      recording = await openFile(file);
    }
  } finally {
    await client.close();
    reportBadLines(file, badLines);
  }
  printSummary(sender, (performance.now() - startMs) / 1000, badLines.length);
  if (badLines.length > 0) process.exitCode = EXIT_FAILURE;
}

async function openFile(file: string): Promise<Recording> {
  try {
    return await openRecording(file);
  } catch (error) {
    throw new CommandFailure(`cannot read the recording: ${(error as Error).message}`);
  }
}

interface Pass {
  readonly recording: Recording;
  readonly file: string;
  readonly sender: OrderedSender;
  readonly addBadLine: (line: BadLine) => void;
  readonly speed: number;
  readonly stop: AbortSignal;
}

async function replayOnce(pass: Pass): Promise<void> {
  const { recording, sender, stop } = pass;
  const bar = startProgressBar(recording.bytesTotal);
  let lineNumber = 0;
  let beginning: { recordedMs: number; startMs: number } | null = null;
  try {
    for await (const lines of linesOf(pass)) {
      for (const text of lines) {
        lineNumber += 1;
        if (stop.aborted) return;
        if (text.trim() === '') continue;
        const message = parseLine(text, lineNumber);
        if ('problem' in message) {
          pass.addBadLine(message);
          continue;
        }
        beginning ??= { recordedMs: message.timeMs, startMs: performance.now() };
        const dueMs = beginning.startMs + (message.timeMs - beginning.recordedMs) / pass.speed;
        const delayMs = dueMs - performance.now();
        if (delayMs >= DELAY_MIN_MS) {
          await sender.sendWaiting();
          await pause(delayMs, stop);
        }
        const room = sender.add(message);
        if (room !== null) await room;
      }
      bar?.update(recording.bytesRead(), { messages: sender.counts.accepted });
    }
  } finally {
    bar?.stop();
    // Also when it was stopped: what has been taken from the file is delivered.
    await sender.finish();
  }
}

/** The recording's lines; a damaged file ends in a failure that names it. */
async function* linesOf({ recording, file }: Pass): AsyncGenerator<string[]> {
  try {
    yield* recording.lines();
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read to its end: ${(error as Error).message}`);
  }
}

function startProgressBar(bytesTotal: number): SingleBar | null {
  if (!process.stderr.isTTY) return null;
  const bar = new SingleBar({
    format: 'replay {bar} {percentage} % | {messages} messages | {eta_formatted} left',
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(bytesTotal, 0, { messages: 0 });
  return bar;
}

function reportBadLines(file: string, badLines: readonly BadLine[]): void {
  const inOrder = badLines.toSorted((left, right) => left.lineNumber - right.lineNumber);
  for (const { lineNumber, problem } of inOrder.slice(0, BAD_LINES_SHOWN_MAX)) {
    console.error(oneLine(`${file}:${lineNumber}: ${problem}`));
  }
  const hidden = badLines.length - BAD_LINES_SHOWN_MAX;
  if (hidden > 0) console.error(`${file}: ${hidden} more bad lines`);
}

function printSummary({ counts, topicCount }: OrderedSender, durationS: number, errorCount: number): void {
  const rate = Math.round(counts.accepted / durationS);
  const retried = counts.retried === 0 ? '' : `, ${counts.retried} retried`;
  console.log(
    `replayed ${counts.accepted} messages to ${topicCount} topics in ${durationS.toFixed(2)} s: ${rate} msg/s, ${errorCount} errors${retried}`,
  );
  if (counts.overtaken > 0) {
    console.error(
      `ringcast: the server was overloaded; ${counts.overtaken} messages overtook one that had to be sent again`,
    );
  }
}
