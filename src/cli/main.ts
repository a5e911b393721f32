#!/usr/bin/env node
/** The `ringcast` command: puts the commands together and turns whatever they end with into an exit code. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { EXIT_FAILURE, reportFailure } from './failure.js';
import { catchStopSignals } from './stop-signals.js';

if (process.argv[2] === 'serve') catchStopSignals();

/** Commands that only show: whoever reads their output has enough (`ringcast sub … | head`), and that is no failure. */
const SHOWS = ['sub', 'top', 'config'];
/** Commands that do their work whether or not somebody reads along. */
const WORKS = ['serve', 'load-agent'];

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // EIO: the terminal is gone.
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  const name = process.argv[2] ?? '';
  if (WORKS.includes(name)) return;
  if (SHOWS.includes(name)) process.exit(0);
  console.error('ringcast: nobody reads the output any more; it ends, and what it was to show is not shown');
  process.exit(EXIT_FAILURE);
});

// Complaints that nobody reads are no reason to end.
process.stderr.on('error', () => {});

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const program = new Command('ringcast')
  .description('WebSocket topic fan-out: run a server, publish, subscribe, watch, replay recordings')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride();

/** Each with a module of its own, loaded when it is called: half a second of modules is not for `ringcast pub` to wait for. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  serve: async () => (await import('./serve.js')).serveCommand(),
  pub: async () => (await import('./pub.js')).pubCommand(),
  sub: async () => (await import('./sub.js')).subCommand(),
  top: async () => (await import('./top.js')).topCommand(),
  replay: async () => (await import('./replay.js')).replayCommand(),
  load: async () => (await import('./load.js')).loadCommand(),
  'load-agent': async () => (await import('./load-agent.js')).loadAgentCommand(),
  config: async () => (await import('./config.js')).configCommand(),
  size: async () => (await import('./size.js')).sizeCommand(),
  prune: async () => (await import('./prune.js')).pruneCommand(),
};

// Help and the suggestion for a misspelt name need all of them.
const called = COMMANDS[process.argv[2] ?? ''];
for (const load of called === undefined ? Object.values(COMMANDS) : [called]) {
  program.addCommand((await load()).copyInheritedSettings(program));
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, console.error);
}
