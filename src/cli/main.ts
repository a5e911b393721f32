#!/usr/bin/env node
/** The `ringcast` command: puts the commands together and turns whatever they end with into an exit code. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { reportFailure } from './failure.js';

// Whoever reads our output has enough (`ringcast sub … | head`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

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
